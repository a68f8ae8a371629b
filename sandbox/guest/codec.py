"""Plain data between the judge and the solution's process: what may cross, and nothing that could act.

The solution's side is hostile, so what arrives is parsed as JSON and rebuilt from a fixed list of types, exactly those: no
subclass, no code, no name that is looked up freely. What is not on the list is ``Opaque``; the cell then runs in another way and
says so. Notation: JSON's own types stand for themselves, every other value is an object with one key, its tag.
"""

from __future__ import annotations

import datetime
import importlib
import math
import sys
import types
from collections import Counter, OrderedDict, defaultdict, deque
from decimal import Decimal
from fractions import Fraction
from typing import Any, Callable  # noqa: UP035 - subscripted when run by Python 3.9

from sandbox.guest import arrays, named

MAX_DEPTH = 60
MAX_INT_BITS = 1 << 20
_SHARED_TYPES: tuple[type, ...] = (
    int,
    float,
    str,
    bool,
    list,
    dict,
    set,
    tuple,
    frozenset,
    bytes,
    bytearray,
    complex,
    range,
    object,
    type(None),
)
_SHARED_FUNCTIONS: tuple[Any, ...] = (abs, all, any, bin, chr, divmod, hex, len, max, min, ord, pow, repr, round, sorted, sum)
TYPES: dict[str, type] = {kind.__name__: kind for kind in _SHARED_TYPES}
FUNCTIONS: dict[str, Callable[..., Any]] = {function.__name__: function for function in _SHARED_FUNCTIONS}


class Opaque(Exception):
    """A value that cannot cross."""


def pack(value: Any, seen: set[int] | None = None, depth: int = 0) -> Any:  # noqa: PLR0911 - one line a sort
    """JSON for a value. Raises Opaque.

    ``seen``: refuse a mutable object that occurs twice, since its copies would no longer be one.
    """
    kind = type(value)
    if value is None or kind is str or kind is bool:
        return value
    if kind is int:
        return value if -(1 << 53) < value < 1 << 53 else {"i": format(value, "x")}
    if kind is float:
        return value if math.isfinite(value) else {"f": repr(value)}
    if depth > MAX_DEPTH:
        raise Opaque("nested too deeply")
    if kind in _CONTAINERS:
        if seen is not None and kind not in (tuple, frozenset):
            if id(value) in seen:
                raise Opaque("one object in two places")
            seen.add(id(value))
        if kind is list:
            return [pack(item, seen, depth + 1) for item in value]
        tag = "Q" if kind is deque and value.maxlen is not None else _CONTAINERS[kind]
        return {tag: _items(kind, value, seen, depth + 1)}
    if named.is_plain(kind):
        return {named.TAG: [kind.__name__, list(kind._fields), [pack(item, seen, depth + 1) for item in value]]}
    sort = arrays.kind(value)
    return {sort: _array(sort, value, seen, depth + 1)} if sort else _pack_scalar(kind, value)


def _array(sort: str, value: Any, seen: set[int] | None, depth: int) -> list[Any]:
    if seen is not None and sort == arrays.ARRAY:
        memory = id(arrays.owner(value))
        if memory in seen:
            raise Opaque("two arrays in one memory")
        seen.add(memory)
    return arrays.pack(value, lambda item: pack(item, seen, depth))


LEFT_BEHIND = "own"
"""The factory of a defaultdict that is code of its side's."""
_CONTAINERS: dict[type, str] = {
    list: "",
    tuple: "t",
    dict: "d",
    set: "s",
    frozenset: "z",
    deque: "q",
    Counter: "C",
    OrderedDict: "O",
    defaultdict: "D",
}


def _items(kind: type, value: Any, seen: set[int] | None, depth: int) -> list[Any]:
    if kind is deque and value.maxlen is not None:
        return [value.maxlen, [pack(item, seen, depth) for item in value]]
    if kind in (tuple, set, frozenset, deque):
        return [pack(item, seen, depth) for item in value]
    pairs = [[pack(key, seen, depth), pack(item, seen, depth)] for key, item in value.items()]
    if kind is not defaultdict:
        return pairs
    factory = value.default_factory
    if factory is not None and TYPES.get(getattr(factory, "__name__", "")) is not factory:
        if seen is not None:
            raise Opaque("a defaultdict with a factory of its own")
        return [LEFT_BEHIND, pairs]
    return [None if factory is None else factory.__name__, pairs]


def _pack_scalar(kind: type, value: Any) -> Any:  # noqa: PLR0911 - one line a type
    if kind is bytes or kind is bytearray:
        return {"b" if kind is bytes else "y": value.hex()}
    if kind is complex:
        return {"c": [pack(value.real), pack(value.imag)]}
    if kind is range:
        return {"r": [pack(value.start), pack(value.stop), pack(value.step)]}
    if kind is Decimal:
        return {"N": str(value)}
    if kind is Fraction:
        return {"F": [pack(value.numerator), pack(value.denominator)]}
    if kind is datetime.timedelta:
        return {"e": [value.days, value.seconds, value.microseconds]}
    if kind in _TIMES and _zone(getattr(value, "tzinfo", None)):
        return {_TIMES[kind]: value.isoformat()}
    if kind is slice:
        return {"/": [pack(value.start), pack(value.stop), pack(value.step)]}
    if _path(kind):
        return {"P": [_path(kind), str(value)]}
    if isinstance(value, type) and kind is type and TYPES.get(value.__name__) is value:
        return {"T": value.__name__}
    if isinstance(value, types.BuiltinFunctionType) and FUNCTIONS.get(value.__name__) is value:
        return {"B": value.__name__}
    raise Opaque(f"a {kind.__name__}")


def _zone(zone: Any) -> bool:
    """None, or a fixed offset without a name of its own: what ``isoformat`` says is all of it."""
    return zone is None or (type(zone) is datetime.timezone and len(zone.__getinitargs__()) == 1)  # type: ignore[attr-defined]


def _path(kind: type) -> str:
    """The name of a path's class; pathlib is not loaded for it."""
    name = kind.__name__
    return name if name in PATHS and getattr(sys.modules.get("pathlib"), name, None) is kind else ""


def _unpack_path(body: Any) -> Any:
    name, text = body
    if name not in PATHS or type(text) is not str:
        raise ValueError("no path")
    return getattr(importlib.import_module("pathlib"), name)(text)


PATHS = ("PosixPath", "PurePosixPath")
_TIMES: dict[type, str] = {datetime.datetime: "w", datetime.date: "x", datetime.time: "v"}


def unpack(data: Any) -> Any:
    """The value; only types of the list can come out. Raises ValueError, TypeError, KeyError or RecursionError on anything else."""
    kind = type(data)
    if kind is list:
        return [unpack(item) for item in data]
    if kind is not dict:
        return data
    [(tag, body)] = data.items()
    return BUILDERS[tag](body)


def _pairs(body: Any) -> list[tuple[Any, Any]]:
    return [(unpack(key), unpack(item)) for key, item in body]


def _default(body: Any) -> Any:
    factory, pairs = body
    return defaultdict(None if factory is None else missed if factory == LEFT_BEHIND else TYPES[factory], _pairs(pairs))


_give_up: list[Callable[[str], BaseException]] = [Opaque]


def when_missed(give_up: Callable[[str], BaseException]) -> None:
    """``give_up``: makes what is raised when a factory is called that did not cross."""
    _give_up[0] = give_up


def missed() -> Any:
    """Stands for a factory that is code of the solution's side."""
    raise _give_up[0]("a key that only a factory of the solution's could fill")


def _integer(body: Any) -> int:
    if len(body) > MAX_INT_BITS // 4:
        raise ValueError("an integer that is too long")
    return int(body, 16)


BUILDERS: dict[str, Callable[[Any], Any]] = {
    "i": _integer,
    "f": lambda body: {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[body],
    "t": lambda body: tuple(unpack(item) for item in body),
    "d": lambda body: dict(_pairs(body)),
    "s": lambda body: {unpack(item) for item in body},
    "z": lambda body: frozenset(unpack(item) for item in body),
    "q": lambda body: deque(unpack(item) for item in body),
    "Q": lambda body: deque((unpack(item) for item in body[1]), body[0]),
    "C": lambda body: Counter(dict(_pairs(body))),
    "O": lambda body: OrderedDict(_pairs(body)),
    "D": _default,
    "b": bytes.fromhex,
    "y": bytearray.fromhex,
    "c": lambda body: complex(*(unpack(item) for item in body)),
    "r": lambda body: range(*(unpack(item) for item in body)),
    "N": Decimal,
    "F": lambda body: Fraction(*(unpack(item) for item in body)),
    "e": lambda body: datetime.timedelta(*body),
    "w": datetime.datetime.fromisoformat,
    "x": datetime.date.fromisoformat,
    "v": datetime.time.fromisoformat,
    "/": lambda body: slice(*(unpack(item) for item in body)),
    "P": _unpack_path,
    named.TAG: lambda body: named.rebuild(body[0], body[1], [unpack(item) for item in body[2]]),
    "T": TYPES.__getitem__,
    "B": FUNCTIONS.__getitem__,
    arrays.ARRAY: lambda body: arrays.unpack(body, unpack),
    arrays.SCALAR: lambda body: arrays.scalar(body, unpack),
}


def restore(old: Any, new: Any) -> None:
    """Make ``old`` what ``new`` is without replacing it, so that the test sees in-place changes of its arguments. Raises Opaque."""
    kind = type(old)
    if kind is list and type(new) is list:
        for position, item in enumerate(new[: len(old)]):
            if _same_container(old[position], item):
                restore(old[position], item)
            else:
                old[position] = item
        old[len(new) :] = new[len(old) :]
    elif kind in (dict, OrderedDict, defaultdict, Counter):
        kept = {key: old[key] for key in old if key in new and _same_container(old[key], new[key])}
        old.clear()
        for key, item in new.items():
            if key in kept:
                restore(kept[key], item)
            old[key] = kept.get(key, item)
    elif kind in (set, deque, bytearray):
        old.clear()
        (old.update if kind is set else old.extend)(new)
    elif kind is tuple or named.is_plain(kind):
        for mine, item in zip(old, new):  # noqa: B905 - strict is not there in Python 3.9
            restore(mine, item)
    elif arrays.kind(old) == arrays.ARRAY and not arrays.restore(old, new):
        raise Opaque("an array that is of another shape now")


def _same_container(old: Any, new: Any) -> bool:
    if arrays.kind(old) == arrays.ARRAY:
        return arrays.alike(old, new)
    return type(old) is type(new) and type(old) in (list, dict, set, deque, bytearray, OrderedDict, defaultdict, Counter)
