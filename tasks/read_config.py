"""A run's TOML → ``RunConfig``. Relative paths are relative to the file; an unknown key is refused and named."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from models.config import RunConfig
from models.errors import InputError
from models.first_fault import first_fault

PATHS = (
    ("benchmark", "problems"),
    *((stage, key) for stage in ("policy", "tests") for key in ("path", "lora", "chat_template")),
    ("confidence", "calibrator"),
    *(("budget", "difficulty", key) for key in ("path", "nll", "states")),
)


def read_config(path: Path, overrides: Iterable[str] = ()) -> RunConfig:
    """Read ``path``, apply ``key.sub=value`` overrides (values in TOML, else plain text). Raises InputError, one line."""
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: not TOML: {error}") from None
    for override in overrides:
        _apply(tree, override)
    for *tables, key in PATHS:
        section: Any = tree
        for table in tables:
            section = section.get(table) if isinstance(section, dict) else None
        if isinstance(section, dict) and isinstance(section.get(key), str):
            section[key] = str((path.parent / section[key]).resolve())
    try:
        return RunConfig.model_validate(tree)
    except ValidationError as error:
        raise InputError(f"{path}: {first_error(error)}") from None


def first_error(error: ValidationError) -> str:
    """The first thing that is wrong, as ``field 'a.b': what was expected``."""
    fault = first_fault(error)
    field = ".".join(map(str, fault.place))
    return (f"field {field!r}: " if field else "") + fault.expected + (f" (and {fault.more} more)" if fault.more else "")


def _apply(tree: dict[str, Any], override: str) -> None:
    dotted, equals, text = override.partition("=")
    if not equals or not dotted.strip():
        raise InputError(f"--set {override!r}: expected key.sub=value")
    *parents, leaf = dotted.strip().split(".")
    node = tree
    for part in parents:
        node = node.setdefault(part, {})
        if not isinstance(node, dict):
            raise InputError(f"--set {override!r}: {part!r} is a value, not a table")
    node[leaf] = _toml_value(text.strip())


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
