"""Versioned codecs: arrays and texts to bytes and back, pure and exact. A name keeps its meaning; a better codec gets a new one.

    u8-zlib             (n, m) uint8 verdict codes                1.64 M cells of correlated verdicts: 0.03 s, 105 kB
    f32-shuffle-zlib    (n, m) float32, first all low bytes …     noise: 3.4 bytes a cell (1.8 if rounded to 1/16 ms); NaN bits kept
    json-zlib           any JSON value, lone surrogates kept
    text, text-zlib     a source; compressed where that pays
    outputs-zlib        (n, m) outputs: codes, distinct digests, short texts
    cells-outputs-zlib  known cells of one solution: test digests, verdict codes, durations, flags, outputs
    cells-zlib          the same without outputs; only read

Reading refuses what it does not know (written by a newer version) and what does not match its checksum (a damaged file).
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from models.errors import StoreUnavailable
from models.fingerprint import DIGEST_CHARS
from models.matrix import PassMatrix
from models.outputs import NONE, Outputs
from models.ports import CachedCell

VERDICTS, DURATIONS, JSON_ZLIB, TEXT, TEXT_ZLIB = "u8-zlib", "f32-shuffle-zlib", "json-zlib", "text", "text-zlib"
OUTPUTS, CELLS, CELLS_WITHOUT_OUTPUTS = "outputs-zlib", "cells-outputs-zlib", "cells-zlib"

LARGE_TEXT_BYTES = 512
"""Sources below this are stored plain: zlib saves under 100 bytes on them, and a person can read them in any SQL client."""

_PLAIN_DIGEST = re.compile(rf"[0-9a-f]{{{DIGEST_CHARS}}}")

Shape = tuple[int, int]
Cells = Mapping[tuple[int, int], Any]


def sha256(*parts: bytes) -> str:
    """Hex checksum over the parts, one after the other."""
    check = hashlib.sha256()
    for part in parts:
        check.update(part)
    return check.hexdigest()


def verify(expected: str, what: str, *parts: bytes) -> None:
    """Raises StoreUnavailable when the stored bytes are not those that were written."""
    if sha256(*parts) != expected:
        raise StoreUnavailable(f"{what}: the stored bytes do not match their checksum (damaged database); restore a backup")


def _require(codec: str, known: tuple[str, ...]) -> None:
    if codec not in known:
        raise StoreUnavailable(
            f"unknown codec {codec!r}, expected {' or '.join(known)}: written by a newer coderm; install that version"
        )


def _inflate(data: bytes, expected: int) -> bytes:
    raw = zlib.decompress(data)
    if len(raw) != expected:
        raise StoreUnavailable(f"a blob holds {len(raw)} bytes, expected {expected} (damaged database); restore a backup")
    return raw


def _shuffle(values: npt.NDArray[Any]) -> bytes:
    """First the low byte of every number, then the next: equal exponents end up side by side."""
    return values.reshape(-1, 1).view(np.uint8).T.tobytes()


def _unshuffle(raw: bytes, dtype: str) -> npt.NDArray[Any]:
    width = np.dtype(dtype).itemsize
    return np.ascontiguousarray(np.frombuffer(raw, np.uint8).reshape(width, -1).T).view(dtype).reshape(-1)


def encode_verdicts(verdicts: npt.NDArray[np.uint8]) -> bytes:
    """(n, m) uint8 to ``u8-zlib``."""
    return zlib.compress(np.ascontiguousarray(verdicts, np.uint8).tobytes(), 6)


def decode_verdicts(codec: str, data: bytes, shape: Shape) -> npt.NDArray[np.uint8]:
    """(n, m) uint8. Raises StoreUnavailable for an unknown codec or a wrong size."""
    _require(codec, (VERDICTS,))
    return np.frombuffer(_inflate(data, shape[0] * shape[1]), np.uint8).reshape(shape).copy()


def encode_durations(duration_ms: npt.NDArray[np.float32]) -> bytes:
    """(n, m) float32 milliseconds to ``f32-shuffle-zlib``. Level 1: noise does not compress better at higher ones."""
    return zlib.compress(_shuffle(np.ascontiguousarray(duration_ms, "<f4")), 1)


def decode_durations(codec: str, data: bytes, shape: Shape) -> npt.NDArray[np.float32]:
    """(n, m) float32 milliseconds. Raises StoreUnavailable for an unknown codec or a wrong size."""
    _require(codec, (DURATIONS,))
    return _unshuffle(_inflate(data, 4 * shape[0] * shape[1]), "<f4").astype(np.float32).reshape(shape)


def encode_json(value: Any) -> bytes:
    """Any JSON value; NaN and infinities allowed; surrogates kept as they are, also two that would make a pair."""
    return zlib.compress(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass"), 6)


def decode_json(codec: str, data: bytes) -> Any:
    """Raises StoreUnavailable for an unknown codec."""
    _require(codec, (JSON_ZLIB,))
    return json.loads(zlib.decompress(data).decode("utf-8", "surrogatepass"))


def encode_text(text: str) -> tuple[str, bytes]:
    """(codec, bytes) of a source."""
    raw = text.encode("utf-8", "surrogatepass")
    packed = zlib.compress(raw, 6) if len(raw) >= LARGE_TEXT_BYTES else raw
    return (TEXT_ZLIB, packed) if len(packed) < len(raw) else (TEXT, raw)


def decode_text(codec: str, data: bytes) -> str:
    """Raises StoreUnavailable for an unknown codec or damaged bytes."""
    _require(codec, (TEXT, TEXT_ZLIB))
    try:
        return (zlib.decompress(data) if codec == TEXT_ZLIB else data).decode("utf-8", "surrogatepass")
    except (zlib.error, UnicodeDecodeError) as error:
        raise StoreUnavailable(f"a source cannot be decoded: {error} (damaged database); restore a backup") from None


def encode_extras(matrix: PassMatrix) -> bytes:
    """Flags of a matrix, sparse, in their order."""
    return encode_json({"flags": [[i, j, list(names)] for (i, j), names in matrix.flags.items()]})


def decode_extras(codec: str, data: bytes) -> tuple[Cells, Cells]:
    """(flags, outputs) by (row, column). Matrices of schema 0001 have their outputs here."""
    body = decode_json(codec, data)
    return {(i, j): tuple(names) for i, j, names in body["flags"]}, {(i, j): digest for i, j, digest in body.get("outputs", ())}


def encode_outputs(outputs: Outputs) -> bytes:
    """Outputs of a matrix to ``outputs-zlib``: the (n, m) int32 codes, shuffled, then digests and texts as JSON."""
    names = json.dumps([outputs.digests, dict(outputs.texts)], separators=(",", ":"), ensure_ascii=False)
    return zlib.compress(_shuffle(np.ascontiguousarray(outputs.codes, "<i4")) + names.encode("utf-8", "surrogatepass"), 6)


def decode_outputs(codec: str, data: bytes, shape: Shape) -> Outputs:
    """Raises StoreUnavailable for an unknown codec or a wrong size."""
    _require(codec, (OUTPUTS,))
    raw, size = zlib.decompress(data), 4 * shape[0] * shape[1]
    try:
        digests, texts = json.loads(raw[size:].decode("utf-8", "surrogatepass"))
        return Outputs(_unshuffle(raw[:size], "<i4").astype(np.int32).reshape(shape), digests, texts)
    except ValueError as error:
        raise StoreUnavailable(f"outputs of a matrix: {error} (damaged database); restore a backup") from None


def encode_cells(cells: Mapping[str, CachedCell]) -> bytes:
    """Known cells of one solution, by test digest, to ``cells-outputs-zlib``.

    Layout: number of cells, bytes of test digests, bytes of the body, test digests, body = zlib(verdict codes, shuffled float64
    durations, JSON of flags by place), outputs as those of a matrix of one row. Test digests are packed as bytes where all are of
    the usual form, and not compressed, since noise does not compress.
    """
    names, known = _pack_digests(list(cells)), cells.values()
    flags = {str(at): list(cell.flags) for at, cell in enumerate(known) if cell.flags}
    durations = _shuffle(np.array([cell.duration_ms for cell in known], "<f8"))
    body = zlib.compress(bytes(c.verdict for c in known) + durations + json.dumps(flags, separators=(",", ":")).encode(), 1)
    texts = {cell.output: cell.text for cell in known if cell.output is not None and cell.text is not None}
    row = Outputs.of({(0, at): cell.output for at, cell in enumerate(known) if cell.output is not None}, (1, len(cells)))
    outputs = encode_outputs(Outputs(row.codes, row.digests, texts))
    return struct.pack("<III", len(cells), len(names), len(body)) + names + body + outputs


def decode_cells(codec: str, data: bytes) -> dict[str, CachedCell]:
    """The inverse of ``encode_cells``; also of ``cells-zlib``, which has no outputs. Raises StoreUnavailable for another codec."""
    _require(codec, (CELLS, CELLS_WITHOUT_OUTPUTS))
    head = struct.Struct("<III" if codec == CELLS else "<II")
    n_cells, n_names, *sizes = head.unpack_from(data)
    body = head.size + n_names
    end = body + sizes[0] if sizes else len(data)
    names = _unpack_digests(data[head.size : body], n_cells)
    raw = zlib.decompress(data[body:end])
    codes, durations = raw[:n_cells], _unshuffle(raw[n_cells : 9 * n_cells], "<f8").tolist()
    flags = {int(at): tuple(flagged) for at, flagged in json.loads(raw[9 * n_cells :]).items()}
    outputs = decode_outputs(OUTPUTS, data[end:], (1, n_cells)) if sizes else Outputs.of({}, (1, n_cells))
    found = [None if code == NONE else outputs.digests[code] for code in outputs.codes[0].tolist()]
    return {
        test: CachedCell(codes[at], durations[at], flags.get(at, ()), found[at], outputs.texts.get(found[at] or ""))
        for at, test in enumerate(names)
    }


def _pack_digests(digests: list[str]) -> bytes:
    """16 bytes each where all are plain digests; otherwise a JSON list (told apart by the first byte)."""
    if all(_PLAIN_DIGEST.fullmatch(digest) for digest in digests):
        return b"x" + bytes.fromhex("".join(digests))
    return json.dumps(digests).encode()


def _unpack_digests(packed: bytes, n_cells: int) -> list[str]:
    if not packed.startswith(b"x"):
        return list(json.loads(packed))
    text = packed[1:].hex()
    return [text[at * DIGEST_CHARS : (at + 1) * DIGEST_CHARS] for at in range(n_cells)]
