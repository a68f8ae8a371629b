"""importers: public file formats brought into ours, streaming; a malformed line is named and nothing is half-imported."""
