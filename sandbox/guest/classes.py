"""Whether the classes that a watched solution has made are those that reading its source has cleared: the net under ``innocence``.

A class can be made, or changed, by a call as well as by a statement; what judges must then be a function that the reader has seen
under that very name. Also looked at: a slot in the place of a special method, a method that a class of the library asks about what
is expected, and an abstract class that takes plain values for its own. Looked at after loading, before each collection of garbage
(a class could be gone by the end), and at the end.
"""

from __future__ import annotations

import gc
import types
from abc import ABCMeta
from collections import Counter, deque
from fractions import Fraction
from typing import Any, Dict, Set  # noqa: UP035

from sandbox.guest import handles
from sandbox.guest.judging import BINARY, METHODS

_PLAIN: tuple[Any, ...] = (0, 0.5, 0j, "", b"", [], (), {}, set(), frozenset(), None, True, range(0), deque())
_WRITTEN = (types.FunctionType, classmethod, staticmethod, property, types.MemberDescriptorType)
_TOLD = frozenset("startswith endswith issubset issuperset isdisjoint index rindex find rfind count".split())  # noqa: SIM905
"""Methods of plain values that are told what is expected."""
COLLECT_AFTER = 50_000
"""Containers between two looks; a look takes half a millisecond."""


def _classes(kind: type, found: Dict[int, type]) -> None:  # noqa: UP006
    below: list[type] = type.__subclasses__(kind)
    for cls in below:
        if id(cls) not in found:
            found[id(cls)] = cls
            _classes(cls, found)


class Classes:
    """Those that were there before the solution, and whether one came since that is not what it seems."""

    def __init__(self, module: str) -> None:
        """``module``: the name of the solution's module."""
        self.module, self.doubtful = module, False
        self.before: Dict[int, type] = {}  # noqa: UP006
        _classes(object, self.before)
        self.seen: Set[int] = set()  # noqa: UP006
        gc.callbacks.append(self._before_collection)
        gc.set_threshold(COLLECT_AFTER, 10, 10)

    def _before_collection(self, phase: str, _: Any) -> None:
        if phase == "start":
            self.look()

    def look(self) -> bool:
        """Whether a class is, or was, not what it seems."""
        found: Dict[int, type] = {}  # noqa: UP006
        _classes(object, found)
        self.doubtful = self.doubtful or any(number not in self.before and self._strange(cls) for number, cls in found.items())
        return self.doubtful

    def _strange(self, cls: type) -> bool:
        if type(cls) is handles.Remote:
            return False  # stands for one of the test's
        names = dict(type.__getattribute__(cls, "__dict__"))
        own = names.get("__module__") == self.module
        if any(_strange_special(name, value) for name, value in names.items() if name[:2] == "__" == name[-2:]):
            return True
        if own and (_overrides(cls, names) or (Counter in cls.__mro__ and {"__missing__", "__getitem__"} & names.keys())):
            return True
        return own and type(cls) is ABCMeta and any(isinstance(v, cls) and cls not in type(v).__mro__ for v in _PLAIN)


def _strange_special(name: str, value: Any) -> bool:
    """What stands under the name of a special method."""
    if type(value) is types.MemberDescriptorType:
        return name not in ("__dict__", "__weakref__")
    if name in METHODS:
        return _strange_judge(name, value)
    code = value.__code__ if type(value) is types.FunctionType else None
    if name == "__class__":
        return not (type(value) is property and type(value.fget) is types.FunctionType and _is_foreign(value.fget.__code__))
    if name in ("__getattr__", "__getattribute__") and code is not None:
        return not _is_foreign(code) and code.co_name != name
    return name == "__getattribute__" and type(value) is not types.WrapperDescriptorType


def _strange_judge(name: str, value: Any) -> bool:
    """A special method that is told what is expected: a function of that very name, or of the reflected one."""
    if value is None or type(value).__module__ == "unittest.mock":
        return False
    if type(value) not in (types.FunctionType, types.WrapperDescriptorType):
        return True
    code = value.__code__ if type(value) is types.FunctionType else None
    called = value.__name__ if code is None else code.co_name
    derived = code is not None and _is_foreign(code) and "_from_" in called  # "_gt_from_lt", of functools
    return called != name and not derived and not {called, name} <= BINARY


def _is_foreign(code: types.CodeType) -> bool:
    return code.co_filename != "<solution>"


def _overrides(cls: type, names: Dict[str, Any]) -> bool:  # noqa: UP006
    """A method of the library's under a private name, or anything of a fraction, is another now."""
    for base in cls.__mro__[1:]:
        theirs = base.__dict__
        if theirs.get("__module__") in (cls.__module__, "generated_test") or base in (object, cls):
            continue
        for name in names.keys() & theirs.keys():
            told = base.__module__ == "builtins" and name in _TOLD
            private = name[:1] == "_" and name[:2] != "__" and name[-1:] != "_"  # those of enumerations are offered
            if told or ((private or (base is Fraction and name[:1] != "_")) and isinstance(theirs[name], _WRITTEN)):
                return True
    return False
