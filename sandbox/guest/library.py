"""Whether the library that test and solution share is still what it was: the net under ``innocence``, for one-process cells.

A picture of the modules that an innocent source may use, of unittest, and of their classes, taken before the solution is loaded;
the pass stands only if every entry is the same object afterwards. Data that a test sets on TestCase (``maxDiff``) does not count.
"""

from __future__ import annotations

import sys
from typing import Any, Mapping  # noqa: UP035

from sandbox.guest.allowed import MODULES

UNITTEST = ("unittest", "unittest.case", "unittest.suite", "unittest.loader", "unittest.result")
HEAP_TYPE = 1 << 9
LAZY = frozenset(("__slotnames__", "__abstractmethods__", "_abc_impl", "__annotations__", "__weakref__"))
Picture = list[tuple[Any, Mapping[str, Any]]]


def picture() -> Picture:
    """(module or class, copy of its names) of everything that is shared and can be changed."""
    modules = [sys.modules[name] for name in (*sorted(MODULES), *UNITTEST) if name in sys.modules]
    found: dict[int, Any] = {id(module): module for module in modules}
    for module in modules:
        for value in vars(module).values():
            if isinstance(value, type) and value.__flags__ & HEAP_TYPE:
                found.setdefault(id(value), value)
    return [(holder, dict(vars(holder))) for holder in found.values()]


def changed(before: Picture) -> bool:
    """True when an entry was replaced or removed, or one was added to a class."""
    return any(_changed(vars(holder), names, isinstance(holder, type)) for holder, names in before)


def _changed(now: Mapping[str, Any], before: Mapping[str, Any], is_class: bool) -> bool:
    for name, value in before.items():
        if name not in LAZY and now.get(name, now) is not value and not (_data(value) and _data(now.get(name, now)) and is_class):
            return True
    return is_class and any(name not in before and name not in LAZY for name in now)


def _data(value: Any) -> bool:
    return value is None or type(value) in (bool, int, str)
