"""numpy's arrays and scalars as plain data, in images that hold numpy (``coderm sandbox build --packages numpy``).

What crosses is a type's name from a fixed list, a shape and bytes; the other side builds an array of its own numpy from them. Bytes
come from a hostile process, so patterns that numpy itself would never store are refused or made plain: a boolean that is neither
0 nor 1, a character beyond Unicode, formats with unused bits (long double). Arrays of objects cross item by item, as a list does.
Subclasses, records and masked arrays do not cross. An array that shares memory with another argument does not either.
"""

from __future__ import annotations

import math
import re
import sys
from typing import Any, Callable  # noqa: UP035 - subscripted when run by Python 3.9

MODULES = frozenset(("numpy", "numpy.fft", "numpy.linalg", "numpy.ma", "numpy.polynomial", "numpy.random", "numpy.testing"))
"""Modules whose public members are the same on both sides."""
ARRAY, SCALAR = "n", "g"
"""What a value is: the tags under which it crosses."""
OBJECTS = "O"
_FORMAT = re.compile(r"[|<][bu]1|\|i1|<[iu][248]|<f[248]|<c(8|16)|[<|][US]\d{1,9}|<[mM]8(\[\d{0,9}[a-zA-Zμ]{1,2}\])?")
Each = Callable[[Any], Any]


def kind(value: Any) -> str:
    """ARRAY or SCALAR for what may cross, else nothing."""
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return ""
    if type(value) is numpy.ndarray:
        return ARRAY if value.dtype.kind == OBJECTS or _FORMAT.fullmatch(value.dtype.str) else ""
    plain = isinstance(value, numpy.generic) and value.dtype.type is type(value)
    return SCALAR if plain and _FORMAT.fullmatch(value.dtype.str) else ""


def owner(value: Any) -> Any:
    """The object that owns an array's memory: two arrays with one owner may overlap."""
    array = type(value)
    while type(getattr(value, "base", None)) is array:
        value = value.base
    return value


def pack(value: Any, item: Each) -> list[Any]:
    """[format, shape, content] of an array or a scalar. ``item``: packs one object."""
    if value.dtype.kind == OBJECTS:
        return [OBJECTS, list(value.shape), [item(one) for one in value.ravel().tolist()]]
    return [value.dtype.str, list(value.shape), value.tobytes()[: value.nbytes].hex()]


def unpack(body: Any, item: Each) -> Any:
    """An array of this side's numpy. Raises ValueError, TypeError or ImportError for what none can hold."""
    import numpy

    form, shape, content = body
    if form == OBJECTS:
        if len(content) != math.prod(shape):
            raise ValueError("as many objects as the shape says")
        array = numpy.empty(len(content), dtype=object)
        for position, one in enumerate(content):
            array[position] = item(one)
        return array.reshape(shape)
    if type(form) is not str or not _FORMAT.fullmatch(form):
        raise ValueError("a format that is not on the list")
    return _plain(numpy, numpy.dtype(form), bytes.fromhex(content)).reshape(shape)


def scalar(body: Any, item: Each) -> Any:
    """A scalar of this side's numpy."""
    array = unpack(body, item)
    if array.shape != () or array.dtype.kind == OBJECTS:
        raise ValueError("one plain value")
    return array[()]


def _plain(numpy: Any, form: Any, data: bytes) -> Any:
    if form.itemsize == 0:  # the empty text as a scalar
        return numpy.zeros(0 if data else 1, form)
    array = numpy.frombuffer(bytearray(data), form)
    if form.kind == "b":
        return array.view(numpy.uint8) != 0
    if form.kind == "U" and array.size and array.view(numpy.uint32).max() > sys.maxunicode:
        raise ValueError("a character beyond Unicode")
    return array


def canonical(body: Any, ordered: Each) -> Any:
    """The body of equal data for equal arrays: numbers of one kind whatever their width. ``ordered``: of an object or a number."""
    form, shape, content = body
    if form == OBJECTS:
        return [OBJECTS, shape, [ordered(one) for one in content]]
    letter = form.lstrip("|<")[0]
    values = unpack(body, ordered).ravel().tolist()
    if letter in "mM":
        return [form, shape, content]
    return ["i" if letter == "u" else letter, shape, [ordered(one) for one in values]]


def shown(body: Any, item: Callable[[Any], str]) -> str:
    """A canonical body much as numpy writes it. ``item``: of one value."""
    form, shape, content = body
    if form[-1:] == "]" or form in ("<m8", "<M8"):
        return repr(unpack(body, item))
    texts = [item(one) for one in content]
    for size in reversed(shape):
        texts = ["[" + ", ".join(texts[at : at + size]) + "]" for at in range(0, len(texts), size or 1)]
    return f"array({texts[0] if texts else '[]'})"


def alike(old: Any, new: Any) -> bool:
    """Whether one array can become the other in place."""
    return kind(new) == ARRAY and (old.shape, old.dtype) == (new.shape, new.dtype)


def restore(old: Any, new: Any) -> bool:
    """Make an array what another is, in place; False when it cannot."""
    if alike(old, new):
        old[...] = new
        return True
    return False
