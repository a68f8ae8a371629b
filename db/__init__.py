"""db: what we remember."""
