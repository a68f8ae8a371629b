"""JSON Lines in and out: the one place where a line becomes a record and a record a line.

Decides: a file is read as a stream, gzip is known by its first bytes or by ``.gz``, blank lines and a byte order mark say nothing.
Refuses, naming file, line and field: what is no JSON object, is cut off, is not UTF-8, has a wrong or unknown field, or repeats a
task. A file is written beside its place and renamed into it, so that a reader sees the old one or the new one; non-ASCII is
escaped, so that lone surrogates, which models write, survive. The trade: a file cut exactly between two lines cannot be told from
a shorter one.
"""

from __future__ import annotations

import gzip
import json
import secrets
import shutil
import zlib
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from models.errors import InputError, MalformedLine
from models.first_fault import first_fault
from models.replaced_file import replacing

Model = TypeVar("Model", bound=BaseModel)

GZIP_MAGIC = b"\x1f\x8b"
ABSENT_WHEN_NONE = ("limits", "outputs", "output_values")
"""Fields that README.md writes as ``|absent``; every other None is a null."""


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes, unpacked. Pipes work: nothing is sought."""
    try:
        raw = path.open("rb")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; expected a JSON Lines file") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; expected a readable JSON Lines file") from None
    with raw:
        head = raw.peek(len(GZIP_MAGIC))[: len(GZIP_MAGIC)]
        if path.suffix == ".gz" and not head:
            raise MalformedLine(path, 1, "", "expected gzip data, found an empty file")
        yield cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if head == GZIP_MAGIC or path.suffix == ".gz" else raw


def _raw_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    number = 0
    with _opened(path) as stream:
        try:
            for number, line in enumerate(stream, 1):
                yield number, line
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise MalformedLine(path, number + 1, "", f"expected intact gzip data, found: {error}") from None
        except OSError as error:
            raise InputError(f"{path}:{number + 1}: cannot be read: {error.strerror or error}") from None


def _parse(path: Path, number: int, raw: bytes) -> Any:
    try:
        return json.loads(raw.decode("utf-8-sig" if number == 1 else "utf-8"))
    except UnicodeDecodeError as error:
        raise MalformedLine(
            path, number, "", f"expected UTF-8, found byte 0x{raw[error.start]:02x} at offset {error.start}"
        ) from None
    except (ValueError, RecursionError) as error:
        cut = "" if raw.endswith(b"\n") else "a line that is cut off: "
        raise MalformedLine(path, number, "", f"expected one JSON object; {cut}{error}") from None


def read_objects(path: Path | str, *, arrays: bool = False) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number, object) of every line that is not blank. Raises InputError, MalformedLine.

    With ``arrays`` a line may also be a JSON array of objects, as some public files are; the number is then that of the entry.
    """
    path = Path(path)
    for number, raw in _raw_lines(path):
        if not raw.strip():
            continue
        value = _parse(path, number, raw)
        for place, entry in enumerate(value, 1) if arrays and isinstance(value, list) else ((number, value),):
            if not isinstance(entry, dict):
                raise MalformedLine(path, place, "", f"expected one JSON object a line, found {_shown(entry)}")
            yield place, entry


def _place(location: tuple[int | str, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).removeprefix(".")


def validate(path: Path | str, number: int, model: type[Model], value: object) -> Model:
    """The record of one line. Raises MalformedLine that names the first wrong field."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        fault, first = first_fault(error, model), error.errors(include_url=False)[0]
        found = "" if first["type"] in ("missing", "extra_forbidden", "value_error") else f", found {_shown(first['input'])}"
        raise MalformedLine(path, number, _place(fault.place), f"{fault.expected}{found}") from None


def _shown(value: object) -> str:
    """As the file has it, not as Python does."""
    return json.dumps(value, default=repr)[:80]


def read_lines(
    path: Path | str, model: type[Model], known: Container[str] | None = None, known_from: object = ""
) -> Iterator[Model]:
    """Stream the records of a file. A task (in R: a task and selector) may have one line.

    ``known``: the only tasks that may have one, which stand in ``known_from``.
    Raises InputError for a file that cannot be read, MalformedLine for the first line that is not a ``model``.
    """
    seen: dict[tuple[object, ...], int] = {}
    for number, value in read_objects(path):
        record = validate(path, number, model, value)
        key = tuple(getattr(record, name) for name in ("task_id", "selector") if hasattr(record, name))
        if key and seen.setdefault(key, number) != number:
            shown = ", ".join(map(repr, key))
            raise MalformedLine(path, number, "task_id", f"{shown} stands already in line {seen[key]}; expected one line each")
        if known is not None and key[0] not in known:
            raise MalformedLine(path, number, "task_id", f"{key[0]!r} is not in {known_from}; expected only its tasks")
        yield record


def encode_line(record: BaseModel) -> bytes:
    """One line with its line end, ASCII. Infinity and NaN stay themselves, as Python's json writes them."""
    value = record.model_dump()
    for name in ABSENT_WHEN_NONE:
        if name in value and value[name] is None:
            del value[name]
    return json.dumps(value, separators=(",", ":")).encode("ascii") + b"\n"


def write_lines(path: Path | str, records: Iterable[BaseModel]) -> int:
    """Write all records or nothing, packed where the name ends in ``.gz``. The same records give the same bytes. Returns the count.

    Raises InputError when the place cannot be written; whatever ``records`` raises goes through, and the old file stays.
    """
    path = Path(path)
    count = 0
    with replacing(path) as raw:
        packed = gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0, compresslevel=6) if path.suffix == ".gz" else None
        stream = packed or raw
        for count, record in enumerate(records, 1):  # noqa: B007 - the last number is the result
            stream.write(encode_line(record))
        if packed is not None:
            packed.close()
    return count


@contextmanager
def atomic_group(folder: Path | str) -> Iterator[Path]:
    """A folder to write into; its files move to ``folder`` together when the block ends well, and none does otherwise.

    A new folder appears by one rename; in one that exists, files are replaced one by one and put back when a rename fails. Only a
    kill between two renames can leave both. Other files of ``folder`` stay. Raises InputError when the place cannot be written.
    """
    target = Path(folder).resolve()
    staging = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
    if target.exists() and not target.is_dir():
        raise InputError(f"{folder}: is a file; expected a folder")
    try:
        staging.mkdir(parents=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror}") from None
    try:
        yield staging
        try:
            _publish(staging, target)
        except OSError as error:
            raise InputError(f"{folder}: cannot be written: {error.strerror}") from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _publish(staging: Path, target: Path) -> None:
    if not target.exists():
        staging.rename(target)
        return
    moved: list[tuple[Path, Path]] = []
    fresh = sorted(staging.iterdir())
    try:
        for new in fresh:
            old = staging / f".old.{new.name}"
            moved.append((target / new.name, old))
            if (target / new.name).exists():
                (target / new.name).rename(old)
            new.rename(target / new.name)
    except BaseException:
        for place, old in reversed(moved):
            if old.exists():
                old.replace(place)
            elif not (staging / place.name).exists():
                place.unlink(missing_ok=True)
        raise
