"""A run's TOML → ``RunConfig``. Relative paths are relative to the file; an unknown key is refused and named."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from models.config import RunConfig
from models.errors import InputError
from models.first_fault import first_fault
from tasks.toml_line import line_of

PATHS = (
    ("benchmark", "problems"),
    *((stage, key) for stage in ("policy", "tests") for key in ("path", "lora", "chat_template")),
    ("confidence", "calibrator"),
    *(("budget", "difficulty", key) for key in ("path", "nll", "states")),
)
LINE = re.compile(r"at line (\d+)")


def read_config(path: Path, overrides: Iterable[str] = ()) -> RunConfig:
    """Read ``path``, apply ``key.sub=value`` overrides (values in TOML, else plain text).

    Raises InputError, one line that names the file and its line, or the override, and the field.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        tree = tomllib.loads(text)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; expected a readable TOML file") from None
    except UnicodeDecodeError as error:
        before = error.object[: error.start].count(b"\n")
        raise InputError(f"{path}:{before + 1}: expected UTF-8, found byte 0x{error.object[error.start]:02x}") from None
    except tomllib.TOMLDecodeError as error:
        line = LINE.search(str(error))
        raise InputError(f"{path}:{line[1]}: not TOML: {error}" if line else f"{path}: not TOML: {error}") from None
    given = {_apply(tree, override): override for override in overrides}
    for *tables, key in PATHS:
        section: Any = tree
        for table in tables:
            section = section.get(table) if isinstance(section, dict) else None
        if isinstance(section, dict) and isinstance(section.get(key), str):
            section[key] = str((path.parent / section[key]).resolve())
    try:
        return RunConfig.model_validate(tree)
    except ValidationError as error:
        place = first_fault(error, RunConfig).place
        overriding = [override for set_place, override in given.items() if set_place == place[: len(set_place)]]
        line_number = line_of(text, place)
        where = f"--set {overriding[-1]!r}" if overriding else f"{path}:{line_number}" if line_number else str(path)
        raise InputError(f"{where}: {first_error(error, RunConfig)}") from None


def first_error(error: ValidationError, model: type[BaseModel] | None = None) -> str:
    """The first thing that is wrong, as ``field 'a.b': what was expected``; ``model``: what was validated (``first_fault``)."""
    fault = first_fault(error, model)
    field = ".".join(map(str, fault.place))
    return (f"field {field!r}: " if field else "") + fault.expected + (f" (and {fault.more} more)" if fault.more else "")


def _apply(tree: dict[str, Any], override: str) -> tuple[str, ...]:
    """Put the override into the tree, and say where."""
    dotted, equals, text = override.partition("=")
    *parents, leaf = (part.strip() for part in dotted.split("."))
    if not equals or not all((*parents, leaf)):
        raise InputError(f"--set {override!r}: expected key.sub=value")
    node = tree
    for part in parents:
        node = node.setdefault(part, {})
        if not isinstance(node, dict):
            raise InputError(f"--set {override!r}: {part!r} is a value, not a table")
    node[leaf] = _toml_value(text.strip())
    return (*parents, leaf)


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
