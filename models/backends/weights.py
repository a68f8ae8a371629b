"""A digest that names weights in a folder, without reading gigabytes: training that changes them changes it.

Names and sizes of all files, every byte of small ones (configuration, tokenizer, most adapters), and of each larger one ``BLOCKS``
blocks at even distances. Weights that differ in a tenth of their bytes or more are told apart but for 1 in 10^11.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from models.errors import InputError
from models.fingerprint import DIGEST_CHARS

BLOCK = 4096
BLOCKS = 256
SUFFIXES = frozenset({".safetensors", ".bin", ".pt", ".gguf", ".json", ".jinja", ".model", ".txt"})
"""What engines load; what else lies in a folder (logs, optimiser states of a trainer's own suffixes) does not count."""


def weights_digest(folder: Path) -> str:
    """Digest of a folder's weights, configuration and tokenizer. Raises InputError for one that cannot be read."""
    try:
        files = sorted(path for path in folder.expanduser().iterdir() if path.suffix in SUFFIXES and path.is_file())
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror or error}") from None
    return files_digest(files)


def files_digest(files: Iterable[Path]) -> str:
    """Digest of some files, in their order. Raises InputError for one that cannot be read."""
    told = hashlib.sha256()
    for file in files:
        try:
            size = file.stat().st_size
            told.update(f"{file.name}\0{size}\0".encode())
            with file.open("rb") as stream:
                for start in range(0, size, max(BLOCK, size // BLOCKS)):
                    stream.seek(start)
                    told.update(stream.read(BLOCK))
        except OSError as error:
            raise InputError(f"{file}: cannot be read: {error.strerror or error}") from None
    return told.hexdigest()[:DIGEST_CHARS]
