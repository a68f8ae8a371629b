"""Named tuples as plain data: a name, the names of fields, the values.

The judge makes a class of its own, with ``collections.namedtuple``, from names that are checked here; nothing that the solution's
class may do besides crosses. A class with methods, properties or a base of its own is no plain named tuple and does not cross.
"""

from __future__ import annotations

import functools
import re
from collections import namedtuple
from typing import Any

TAG = "m"
MAX_FIELDS = 64
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")
_USUAL = frozenset(vars(namedtuple("_Usual", ""))) | {"__annotations__", "__orig_bases__"}


def is_plain(kind: type) -> bool:
    """Whether a type is a named tuple and nothing more."""
    fields = kind.__dict__.get("_fields")
    if kind.__bases__ != (tuple,) or type(fields) is not tuple or len(fields) > MAX_FIELDS:
        return False
    known = all(type(name) is str and _NAME.fullmatch(name) for name in (kind.__name__, *fields))
    return known and kind.__dict__.keys() <= _USUAL | set(fields)


def rebuild(name: Any, fields: list[Any], values: list[Any]) -> Any:
    """An instance of this side's class. Raises ValueError or TypeError for names that none can have."""
    if len(fields) > MAX_FIELDS or not all(type(word) is str and _NAME.fullmatch(word) for word in (name, *fields)):
        raise ValueError("names of a named tuple")
    return _cls(name, tuple(fields))(*values)


@functools.lru_cache(maxsize=256)
def _cls(name: str, fields: tuple[str, ...]) -> Any:
    return namedtuple(name, fields)
