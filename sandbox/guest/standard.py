"""Members of the standard library, which both sides have: they cross by name and are looked up there, from a fixed list."""

from __future__ import annotations

import importlib
import sys
import types
from typing import Any, List  # noqa: UP035 - evaluated by Python 3.9 too

from sandbox.guest import arrays, errors, operations, screen
from sandbox.guest.allowed import DENIED_ATTRIBUTES, DENIED_NAMES, NAMES_IN_PLACE

STEADY = (screen.MODULES - {"__future__", "abc", "enum", "dataclasses"}) | arrays.MODULES
"""Modules whose members are the same on both sides."""
INTERPRETER, EXCEPTIONS = "types", ""
"""In the place of a module: classes of the interpreter's own objects, and exceptions of the list of ``errors``."""
_UNSTEADY = {("operator", "call"), ("decimal", "setcontext"), ("decimal", "getcontext"), ("decimal", "localcontext")}
_SORTS = (type, types.BuiltinFunctionType, types.FunctionType)


def name_of(value: Any) -> List[str]:  # noqa: UP006
    """[module, name] of a class or a function that both sides have; nothing for any other value."""
    module, name = getattr(value, "__module__", None), getattr(value, "__name__", None)
    if not isinstance(value, _SORTS) or type(name) is not str:
        return []
    if isinstance(value, type) and issubclass(value, BaseException) and errors.known(value):
        return [EXCEPTIONS, errors.known(value)]
    if operations.KNOWN.get(name) is value:
        return [INTERPRETER, name]
    return [module, name] if is_member(value, module, name) else []  # type: ignore[list-item]


def is_member(value: Any, module: Any, name: Any) -> bool:
    """Whether a value is what such a module offers under a name."""
    known = type(module) is str and type(name) is str and module in STEADY and _offers(module, name)
    return known and _is_steady(value, module) and getattr(sys.modules.get(module), name, None) is value


def member(module: str, name: str) -> Any:
    """That member on this side. Raises ValueError, KeyError or AttributeError for what is not on the list."""
    if module == EXCEPTIONS:
        return errors.class_of(name)
    if module == INTERPRETER:
        return operations.KNOWN[name]
    if module not in STEADY or not _offers(module, name):
        raise ValueError("no member of a steady module")
    found = getattr(importlib.import_module(module), name)
    if not _is_steady(found, module):
        raise ValueError("code or data of the library")
    return found


def _is_steady(value: Any, module: str) -> bool:
    """Neither code, which could do more with a handle than its author meant, nor data that could be changed: classes, and C."""
    return isinstance(value, (type, types.BuiltinFunctionType)) or (module == "typing" and type(value) is not types.FunctionType)


def _offers(module: str, name: str) -> bool:
    if (module, name) in _UNSTEADY or name in DENIED_NAMES | DENIED_ATTRIBUTES | NAMES_IN_PLACE:
        return False
    return name[:1] != "_" if module in arrays.MODULES else screen.offers(module, name)
