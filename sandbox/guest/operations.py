"""What may be asked of an object across: Python's operations by the names of their special methods, and a few more.

Both sides have the list; a name that is not on it is nothing. ``describe`` says of a class what a handle needs to behave like one
of its objects: which operations it has, what it derives from, and whether equality is its own, Python's identity or a container's.
"""

# ruff: noqa: SIM905 - lists of words read better as words
from __future__ import annotations

import copy
import functools
import inspect
import math
import operator
import os
import re
import types
from collections import Counter, OrderedDict, defaultdict, deque
from typing import Any, Callable, Dict, List, Tuple  # noqa: UP035

from sandbox.guest import derived, errors

OWN_MODULES = frozenset(("solution", "your_module", "generated_test", "__main__"))
"""Modules of classes that are of one side alone, with their bases."""
UNARY: Dict[str, Callable[[Any], Any]] = {  # noqa: UP006
    "__len__": len,
    "__iter__": iter,
    "__next__": next,
    "__reversed__": reversed,
    "__bool__": bool,
    "__int__": int,
    "__float__": float,
    "__complex__": complex,
    "__index__": operator.index,
    "__str__": str,
    "__repr__": repr,
    "__bytes__": bytes,
    "__hash__": hash,
    "__abs__": abs,
    "__neg__": operator.neg,
    "__pos__": operator.pos,
    "__invert__": operator.invert,
    "__trunc__": math.trunc,
    "__floor__": math.floor,
    "__ceil__": math.ceil,
    "__fspath__": os.fspath,
    "__enter__": lambda value: type(value).__enter__(value),
    "__copy__": copy.copy,
    "__deepcopy__": copy.deepcopy,
}
COMPARISONS = {f"__{name}__": getattr(operator, name) for name in "eq ne lt le gt ge".split()}
_SIDED = "add sub mul matmul truediv floordiv mod pow lshift rshift and or xor".split()
BINARY: Dict[str, Callable[[Any, Any], Any]] = {  # noqa: UP006
    **{f"__{name}__": getattr(operator, f"__{name}__") for name in _SIDED},
    **{f"__i{name}__": getattr(operator, f"__i{name}__") for name in _SIDED},
    "__divmod__": divmod,
}


def _reflected(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda value, other: function(other, value)


BINARY.update({f"__r{name}__": _reflected(getattr(operator, f"__{name}__")) for name in _SIDED})
BINARY["__rdivmod__"] = _reflected(divmod)
KEYED: Dict[str, Callable[..., Any]] = {  # noqa: UP006
    "__call__": lambda value, /, *arguments, **keywords: value(*arguments, **keywords),
    "__getitem__": operator.getitem,
    "__setitem__": operator.setitem,
    "__delitem__": operator.delitem,
    "__contains__": operator.contains,
    "__format__": format,
    "__round__": round,
    "__exit__": lambda value, *raised: type(value).__exit__(value, *raised),
}
AWAITED: Dict[str, Callable[..., Any]] = {  # noqa: UP006
    "__aiter__": lambda value: type(value).__aiter__(value),
    "__anext__": lambda value: type(value).__anext__(value),
    "__aenter__": lambda value: type(value).__aenter__(value),
    "__aexit__": lambda value, *raised: type(value).__aexit__(value, *raised),
}
"""What they give is awaited, as are objects with ``__await__``: see ``loops``."""
DESCRIBING: Dict[str, Callable[..., Any]] = {  # noqa: UP006
    "__get__": lambda value, *told: type(value).__get__(value, *told),
    "__set__": lambda value, *told: type(value).__set__(value, *told),
    "__delete__": lambda value, *told: type(value).__delete__(value, *told),
    "__set_name__": lambda value, *told: type(value).__set_name__(value, *told),
}
"""Of objects that stand in a class: told whose they are."""
SPECIALS = (*UNARY, *COMPARISONS, *BINARY, *KEYED, *AWAITED, "__await__", *DESCRIBING)


def _send(value: Any, name: str, /, *arguments: Any, **keywords: Any) -> Any:
    return getattr(value, name)(*arguments, **keywords)


_replaced: Dict[Any, Any] = {}  # noqa: UP006


def _set(value: Any, name: str, new: Any) -> None:
    if isinstance(value, type):
        _replaced.setdefault((id(value), name), vars(value).get(name, _replaced))
    setattr(value, name, new)


def _delete(value: Any, name: str) -> None:
    """Of what was set on a class: what stood there before stands there again, as after the end of a patch."""
    before = _replaced.pop((id(value), name), _replaced)
    if before is _replaced:
        delattr(value, name)
    else:
        setattr(value, name, before)


def _await(value: Any) -> Any:
    """Run something that is awaited to its end."""
    import asyncio

    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(value)
    finally:
        loop.close()


def _namespace(value: Any) -> Any:
    names = vars(value)
    return names if type(names) is dict else dict(names)


def _signature(value: Any) -> Any:
    """[name, kind, whether it has a default, class that it is noted to be] of each parameter; the default itself is not said."""
    given = inspect.signature(value).parameters.values()
    return [(p.name, int(p.kind), p.default is not p.empty, _noted(p)) for p in given]


def _flags(value: Any) -> int:
    """Whether a function makes a generator or a coroutine."""
    while isinstance(value, functools.partial):
        value = value.func
    return int(getattr(getattr(value, "__code__", None), "co_flags", 0)) & (
        inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
    )


def _noted(parameter: inspect.Parameter) -> Any:
    noted = parameter.annotation
    return noted if isinstance(noted, type) and noted is not parameter.empty else None  # never a text: somebody could evaluate it


def content(value: Any) -> Any:
    """What an object of a container's class, or of one derived from it, holds, as the plain container."""
    plain: Any
    for plain in (OrderedDict, Counter, dict):
        if isinstance(value, plain):
            return plain(dict(plain.items(value)))
    for plain in (list, set, frozenset, deque, bytearray, tuple):
        if isinstance(value, plain):
            return plain(plain.__iter__(value))
    return _of_view(value) if isinstance(value, _VIEWS) else None


def _of_view(value: Any) -> Any:
    try:
        return set(value)
    except TypeError:  # items that hold a list
        return list(value)


_VIEWS: Tuple[Any, ...] = (type({}.keys()), type({}.items()))  # noqa: UP006
OPERATIONS: Dict[str, Callable[..., Any]] = {  # noqa: UP006
    **UNARY,
    **COMPARISONS,
    **BINARY,
    **KEYED,
    **AWAITED,
    **DESCRIBING,
    "get": getattr,
    "set": _set,
    "delete": _delete,
    "send": _send,
    "vars": _namespace,
    "dir": dir,
    "content": content,
    "signature": _signature,
    "flags": _flags,
    "await": _await,
    "derive": derived.make,
    "above": derived.above,
}
IMMUTABLE: Dict[str, Any] = {kind.__name__: kind for kind in (int, float, complex, str, bytes, tuple)}  # noqa: UP006
CONTAINERS: tuple[Any, ...] = (list, OrderedDict, defaultdict, Counter, dict, set, frozenset, deque, bytearray, *_VIEWS)


def immutable(value: Any) -> List[Any]:  # noqa: UP006
    """The plain number, text or tuple that an object of a derived class is, in a list; nothing for other objects."""
    return [kind.__getnewargs__(value)[0] for kind in IMMUTABLE.values() if isinstance(value, kind)]


_KINDS: Tuple[Any, ...] = (  # noqa: UP006
    types.FunctionType,
    types.MethodType,
    types.BuiltinFunctionType,
    types.GeneratorType,
    types.CoroutineType,
    types.AsyncGeneratorType,
    types.MappingProxyType,
    types.ModuleType,
    types.SimpleNamespace,
    re.Match,
    re.Pattern,
    map,
    filter,
    zip,
    enumerate,
    reversed,
    memoryview,
    property,
    functools.partial,
    type({}.keys()),
    type({}.values()),
    type({}.items()),
    type(iter([])),
    type(iter(())),
    type(iter("")),
    type(iter(range(0))),
    type(iter({})),
    type(iter(set())),
)
KNOWN: Dict[str, Any] = {kind.__name__: kind for kind in _KINDS}  # noqa: UP006
"""Classes of the interpreter's that a handle says it is of."""


def describe(cls: type, number: Callable[[type], int]) -> Dict[str, Any]:  # noqa: UP006
    """A class as data. ``number``: of a base."""
    own = cls.__module__ in OWN_MODULES
    inherits = cls.__mro__
    methods = [n for base in inherits if base.__module__ in OWN_MODULES for n, v in vars(base).items() if type(v) in _METHODS]
    return {
        "name": cls.__name__,
        "bases": [number(base) for base in cls.__bases__ if base.__module__ in OWN_MODULES] if own else [],
        "specials": [name for name in SPECIALS if _has(cls, name)],
        "unhashable": cls.__hash__ is None,
        "methods": sorted({name for name in methods if name[:2] != "__"}),
        "plain": next((name for name, kind in IMMUTABLE.items() if issubclass(cls, kind)), ""),
        "known": cls.__name__ if KNOWN.get(cls.__name__) is cls else "",
        "error": next(filter(None, map(errors.known, inherits)), "") if issubclass(cls, BaseException) else "",
        "library": [base.__name__ for base in inherits if base.__module__ not in (*OWN_MODULES, "builtins")],
        "contents": [name for name in CONTENTS if _of_container(cls, name)],
        "container": next((kind.__name__ for kind in CONTAINERS if issubclass(cls, kind)), ""),
        "fields": _fields(cls),
        "any_name": any(n in vars(base) for base in inherits if base.__module__ in OWN_MODULES for n in _ANY_NAME),
        "doc": cls.__doc__ if type(cls.__doc__) is str else None,
    }


_ANY_NAME = ("__getattr__", "__getattribute__")


def _fields(cls: type) -> Any:
    """[name, whether it is an argument] of each field of a data class; None for another class."""
    fields = getattr(cls, "__dataclass_fields__", None)
    shown = {name: field for name, field in fields.items() if repr(field._field_type) == "_FIELD"} if type(fields) is dict else None
    return None if shown is None else [[name, field.init] for name, field in shown.items()]


_METHODS = (types.FunctionType, classmethod, staticmethod)


def _has(cls: type, name: str) -> bool:
    found = _found(cls, name)
    if issubclass(cls, BaseException) or found is None:
        return False
    return not any(found is vars(kind).get(name) for kind in (object, *IMMUTABLE.values()))


def _found(cls: type, name: str) -> Any:
    """What a class, not its own class, has under a name."""
    return next((vars(base)[name] for base in cls.__mro__ if name in vars(base)), None)


CONTENTS = {"__eq__": operator.eq, "__ne__": operator.ne, "__contains__": operator.contains}


def _of_container(cls: type, name: str) -> bool:
    """Whether a comparison or a membership test is the one of a plain container: what it holds says all."""
    return any(issubclass(cls, kind) and _found(cls, name) is _found(kind, name) is not None for kind in CONTAINERS)
