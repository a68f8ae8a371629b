"""Exceptions between the two sides: what was raised, as data, and an exception of the judge's own that says the same.

Of the solution's exception cross the nearest class of a fixed list (built-in ones and errors of the standard library, never
``SkipTest``), its own name, arguments, fields, text and cause. The judge raises an instance of that class, or where the name is
another of a subclass made here; no code of the solution's comes with it. What such an object cannot answer ends the picture: the
cell has no pass. Told nothing of the test, a solution may raise what it likes; that is an answer like any other.
"""

from __future__ import annotations

import builtins
import importlib
import sys
from typing import Any, Callable  # noqa: UP035

from sandbox.guest import codec

BUILTIN = {name: value for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, BaseException)}
LIBRARY = {
    "asyncio": "TimeoutError CancelledError QueueEmpty QueueFull InvalidStateError IncompleteReadError LimitOverrunError",
    "binascii": "Error",
    "calendar": "IllegalMonthError IllegalWeekdayError",
    "concurrent.futures": "TimeoutError",
    "copy": "Error",
    "csv": "Error",
    "dataclasses": "FrozenInstanceError",
    "decimal": "DecimalException Clamped InvalidOperation ConversionSyntax DivisionByZero DivisionImpossible DivisionUndefined "
    "Inexact InvalidContext Rounded Subnormal Overflow Underflow FloatOperation",
    "json": "JSONDecodeError",
    "numpy.exceptions": "AxisError",
    "numpy.linalg": "LinAlgError",
    "queue": "Empty Full",
    "re": "error",
    "shutil": "Error SameFileError",
    "statistics": "StatisticsError",
    "struct": "error",
    "subprocess": "CalledProcessError TimeoutExpired",
    "xml.etree.ElementTree": "ParseError",
    "zlib": "error",
}
"""Classes by their public name."""
MAX_TEXT = 1 << 16
MAX_CAUSES = 3
FROM_NONE = False
"""In the place of a cause: there is none, and that was said (``raise X from None``)."""


def describe(error: BaseException, causes: int = MAX_CAUSES, pack: Callable[[Any], Any] = codec.pack) -> dict[str, Any]:
    """An exception as a reply: [name of its class, nearest class of the list, arguments, fields, text, cause]."""
    cls = type(error)
    nearest = next(name for name in map(known, cls.__mro__) if name)
    text, cause = _text(error), error.__cause__
    values = (*error.args, error.filename) if isinstance(error, OSError) and len(error.args) == 2 else error.args
    try:
        arguments = [pack(item) for item in values]
    except (codec.Opaque, RecursionError):
        arguments = [text]
    below: Any = describe(cause, causes - 1)["raised"] if cause is not None and causes else None
    if cause is None and error.__suppress_context__:
        below = FROM_NONE
    shown = None if cls.__str__ is class_of(nearest).__str__ else text
    return {"raised": [cls.__name__, nearest, arguments, _fields(error, pack), shown, below]}


def _text(error: BaseException) -> str | None:
    try:
        return str(error)[:MAX_TEXT]
    except Exception:
        return None


def known(cls: type) -> str:
    """The name of a class of the list; empty for any other."""
    if BUILTIN.get(cls.__name__) is cls:
        return cls.__name__
    for module, words in LIBRARY.items():
        if module in sys.modules and cls.__name__ in words.split() and getattr(sys.modules[module], cls.__name__, None) is cls:
            return f"{module}.{cls.__name__}"
    return ""


def _fields(error: BaseException, pack: Callable[[Any], Any]) -> dict[str, Any]:
    """What was set on it, as far as it can cross."""
    found = {}
    for name, value in vars(error).items():
        try:
            found[name] = pack(value)
        except (codec.Opaque, RecursionError):
            continue
    return found


def class_of(name: str) -> Any:
    """Raises KeyError or ImportError for a class that is not on the list."""
    full, (module, _, name) = name, name.rpartition(".")
    if not module:
        return BUILTIN[name]
    if name not in LIBRARY[module].split():
        raise KeyError(full)
    return getattr(importlib.import_module(module), name)


def rebuild(raised: Any, give_up: Callable[[str], BaseException], causes: int = MAX_CAUSES, cls: Any = None) -> BaseException:
    """The judge's own exception of a description that may be a lie. Raises ValueError, TypeError, KeyError for nonsense.

    ``give_up``: makes what is raised when the test asks for what has not crossed. ``cls``: what stands for its class (handles).
    """
    own, nearest, arguments, fields, text, cause = raised
    base = class_of(nearest)
    values = [codec.unpack(item) for item in arguments]
    error: BaseException | None
    if cls is not None:
        error = _bare(cls, base, values)
        vars(error)[OWN_TEXT] = text if type(text) is str else None
    else:
        cls = base if own == nearest.rpartition(".")[2] else _subclass(own, base, text, give_up)
        error = _instance(cls, values)
    if error is None:
        raise give_up(f"an {own} that cannot be made of its arguments")
    for name, item in fields.items():
        if name[:2] != "__":
            vars(error)[name] = codec.unpack(item)
    if cause is FROM_NONE:
        error.__suppress_context__ = True
    elif cause is not None and causes:
        error.__cause__ = rebuild(cause, give_up, causes - 1)
    vars(error)["__from_solution__"] = True
    return error


def _instance(cls: Any, values: list[Any]) -> Any:
    for make in (cls, lambda *items: cls.__new__(cls, *items), lambda *_: cls.__new__(cls)):
        try:
            return make(*values)
        except (TypeError, ValueError, AttributeError):
            continue
    return None


OWN_TEXT = "__text__"


def _bare(cls: Any, base: Any, values: list[Any]) -> Any:
    """An instance of a class that stands for the other side's: made without asking."""
    if not (isinstance(cls, type) and issubclass(cls, base)):
        raise TypeError("a class that is no such exception")
    error = base.__new__(cls, *values)
    try:
        base.__init__(error, *values)
    except TypeError:
        error.args = tuple(values)
    return error


def own_text(error: BaseException) -> str:
    """``str`` of such an instance."""
    text = vars(error).get(OWN_TEXT)
    usual: Any = next(kind for kind in type(error).__mro__ if known(kind))
    return text if type(text) is str else str(usual.__str__(error))


def _subclass(own: Any, base: Any, text: Any, give_up: Callable[[str], BaseException]) -> Any:
    def missing(_: Any, name: str) -> Any:
        if name[:2] == "__":
            raise AttributeError(name)
        raise give_up(f"{own}.{name} did not cross")

    names: dict[str, Any] = {"__getattr__": missing}
    if type(text) is str:
        names["__str__"] = lambda _: text
    return type(str(own), (base,), names)
