"""The one way in which a command writes a file that a person named: whole or not at all, whatever was there before.

A missing folder around it is made, and goes again when the file does not come to be. An existing file stays as it is until the new
one is complete and on the disk; then one rename puts it in its place, so a reader sees the old one or the new one.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from models.errors import InputError


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A stream that becomes ``path`` when the block ends well, and nothing otherwise. A device or pipe is written directly.

    Raises InputError where the place cannot be written, before the block begins; what is raised in the block goes through, and an
    OSError that names no file (a full disk) names this one.
    """
    if path.is_dir():
        raise InputError(f"{path}: is a directory; expected a file name")
    special = path.exists() and not path.is_file()  # /dev/stdout that is a pipe resolves to no name
    target = path if special else path.resolve()
    partial = target if special else target.with_name(f".{target.name[:40]}.{secrets.token_hex(4)}.partial")
    made = [] if special else [folder for folder in partial.parents if not folder.exists()]
    try:
        partial.parent.mkdir(parents=True, exist_ok=True)
        stream = partial.open("wb" if special else "xb")
    except OSError as error:
        _unmake(made)
        why = "a part of its path is a file" if isinstance(error, FileExistsError | NotADirectoryError) else error.strerror
        raise InputError(f"{path}: cannot be written: {why}") from None
    try:
        with stream:
            yield stream
            stream.flush()
            if not special:
                os.fsync(stream.fileno())
        if not special:
            partial.replace(target)
    except BaseException as error:
        if not special:
            partial.unlink(missing_ok=True)
            _unmake(made)
        if isinstance(error, OSError) and error.filename is None and not isinstance(error, BrokenPipeError):
            error.filename = str(path)
        raise


def _unmake(folders: list[Path]) -> None:
    """The innermost first; one that somebody else has used meanwhile stays."""
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()
