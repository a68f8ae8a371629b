"""Frames between the host and a slot's supervisor: four bytes of length, then JSON in ASCII.

ASCII keeps what models write (NUL, lone surrogates) as escapes, so a source arrives code point for code point. Both ends use
this module; neither unpickles, evaluates or follows anything. A frame over ``MAX_FRAME`` bytes is refused before it is parsed.
"""

from __future__ import annotations

import hashlib
import os
from json import dumps, loads  # by themselves: a test may patch the module's
from typing import Any

MAX_FRAME = 256 << 20
"""Bytes. The largest honest frame is one problem's tests; 200,000 asserts are 20 MB."""


class WireError(Exception):
    """The other end closed, or sent what is no frame."""


def encode(message: object) -> bytes:
    """One frame."""
    body = dumps(message, separators=(",", ":")).encode("ascii")
    return len(body).to_bytes(4, "big") + body


def decode(body: bytes) -> Any:
    """The message of one frame's body. Raises WireError."""
    try:
        return loads(body)
    except ValueError as error:
        raise WireError("a frame holds no JSON") from error


def read_exactly(fd: int, size: int) -> bytes:
    """``size`` bytes from a descriptor. Raises WireError when it ends before."""
    parts = []
    while size:
        part = os.read(fd, min(size, 1 << 20))
        if not part:
            raise WireError("the other end closed")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def read_frame(fd: int) -> Any:
    """The next message. Raises WireError at the end of the stream and for a frame that is too large."""
    size = int.from_bytes(read_exactly(fd, 4), "big")
    if size > MAX_FRAME:
        raise WireError(f"a frame of {size} bytes is larger than {MAX_FRAME}")
    return decode(read_exactly(fd, size))


def write_all(fd: int, data: bytes) -> None:
    """Write all of it, however small the pipe."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def normalise_output(data: bytes) -> bytes:
    """What README.md compares: lines without trailing blanks, without empty lines at the end."""
    lines = [line.rstrip(b" \t\r\f\v") for line in data.split(b"\n")]
    while lines and not lines[-1]:
        lines.pop()
    return b"\n".join(lines)


def output_digest(data: bytes) -> str:
    """Digest of a normalised output: 32 hex digits."""
    return hashlib.sha256(normalise_output(data)).hexdigest()[:32]
