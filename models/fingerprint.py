"""Names for content. Two things with the same digest are the same thing, on every machine and for ever.

A digest is SHA-256 over canonical JSON (sorted keys, no blanks, UTF-8), cut to 32 hex digits (128 bits: a collision among
10^12 sources has probability 10^-15). Lone surrogates, which models do write, are kept by ``surrogatepass``.
"""

from __future__ import annotations

import hashlib
import json

DIGEST_CHARS = 32


def digest_text(text: str) -> str:
    """Digest of one source, byte for byte: no normalisation, so that a digest names what was run."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGEST_CHARS]


def digest_json(value: object) -> str:
    """Digest of any JSON value, independent of key order. Raises TypeError for what JSON cannot hold."""
    return digest_text(json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False))
