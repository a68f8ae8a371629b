"""Classes of handles, made of descriptions that may be lies: nothing in them is code.

A class has the special methods that its description names, each of which asks across, and derives from the plain type (``int``,
``str``) or the exception that it names. Comparisons of two plain contents are made here.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import json
import sys
from typing import Any, Callable, Dict, List  # noqa: UP035 - evaluated by Python 3.9 too

from sandbox.guest import errors, handles, operations


def _special(name: str) -> Any:
    def asking(self: Any, /, *arguments: Any, **keywords: Any) -> Any:
        if name == "__await__":
            return handles.ask(self, "await").__await__()
        if name == "__contains__":
            return bool(handles.ask(self, name, *arguments))
        return handles.ask(self, name, *arguments, **keywords)

    asking.__name__ = name
    return asking


def _contents(name: str) -> Any:
    compare = operations.CONTENTS[name]

    def comparing(self: Any, other: Any) -> Any:
        mine, asked = handles.ask(self, "content"), other
        if not isinstance(mine, (*operations.CONTAINERS, tuple)):
            raise TypeError("the content of a container")
        if isinstance(other, handles.Handle):
            other = handles.ask(other, "content") if "content" in vars(type(other)) else None
        if isinstance(mine, set) and isinstance(other, type({}.keys())):
            other = set(other)
        return handles.equal(self, asked, compare(mine, other))

    comparing.__name__ = name
    return comparing


def _of_plain(name: str, plain: Any) -> Any:
    def comparing(self: Any, other: Any) -> Any:
        found = getattr(plain, name)(self, other)
        handles.equal(self, other, found is (name == "__eq__"))
        return found

    comparing.__name__ = name
    return comparing


def _relay(cls: Any) -> Any:
    """A coroutine of this side's: who awaits it awaits the other side's."""
    itself: List[Any] = []  # noqa: UP006

    async def relay() -> Any:
        return await handles.ask_as(cls, itself[0], "await")

    itself.append(relay())
    return itself[0]


def make(description: Any, base: Callable[[int], Any], ask: handles.Ask) -> Any:
    """The class that stands for the described one. Raises ValueError, TypeError or KeyError for nonsense."""
    name, specials = str(description["name"]), [n for n in description["specials"] if n in operations.SPECIALS]
    bases = tuple(base(number) for number in description["bases"])
    names: Dict[str, Any] = {n: _special(n) for n in specials}  # noqa: UP006
    contents = [n for n in description["contents"] if n in operations.CONTENTS]
    names.update({n: _contents(n) for n in contents})
    if contents:
        names["content"] = True
        shadow = next((kind for kind in operations.CONTAINERS if kind.__name__ == description["container"]), None)
        if shadow is not None and shadow not in operations.KNOWN.values():
            seems = type(name, (shadow,), {})
            names["__class__"] = property(lambda _: seems)
    plain = operations.IMMUTABLE[description["plain"]] if description["plain"] else None
    if plain is not None:
        names.update({n: _of_plain(n, plain) for n in ("__eq__", "__ne__") if n not in specials})
    if "__hash__" not in specials:
        names["__hash__"] = None if description["unhashable"] else (plain or object).__hash__
    if description["fields"] is not None:
        names["__dataclass_fields__"] = {str(field): _field(str(field), init) for field, init in description["fields"]}
    names["__module__"], names["__doc__"] = "solution", description["doc"]
    known = operations.KNOWN.get(description["known"])
    if known is not None:
        names["__class__"] = property(lambda _: known)
    if description["error"]:
        names = {"__module__": "solution", "__getattr__": _missing, "__str__": errors.own_text}
        known_error = errors.class_of(description["error"])
        bases = bases if any(issubclass(b, known_error) for b in bases) else (*bases, known_error)
    elif not bases:
        bases = (handles.Handle,)
    if plain is not None and not any(issubclass(b, plain) for b in bases):
        bases = (*bases, plain)
    create: Any = type.__new__
    made: Any = create(handles.Remote, name, bases, names)
    handles.register(made, ask, description)
    for word in description["library"]:
        abstract = getattr(collections.abc, word, None) if type(word) is str and word in collections.abc.__all__ else None
        if abstract is not None and not issubclass(made, BaseException):
            abstract.register(made)
    return made


def _field(name: str, init: Any) -> Any:
    field = dataclasses.field(init=bool(init))
    field.name, field._field_type = name, vars(dataclasses)["_FIELD"]
    return field


def _missing(error: Any, name: str) -> Any:
    if name[:2] == "__":
        raise AttributeError(name)
    return handles.ask(error, "get", name)


def instance(cls: Any, content: List[Any]) -> Any:  # noqa: UP006
    """An object of such a class. ``content``: the plain value that it is, if it is one."""
    if type(cls) is not handles.Remote or issubclass(cls, BaseException):
        raise ValueError("no class of a handle")
    plain: Any = next((kind for kind in operations.IMMUTABLE.values() if issubclass(cls, kind)), None)
    if handles.is_coroutine(cls):
        return _relay(cls)
    if plain is None:
        bare: Any = object
        return bare.__new__(cls)
    [value] = content
    if type(value) is not plain:
        raise ValueError("another content than its class says")
    create: Any = plain.__new__
    return create(cls, value)


def namespace(*value: Any) -> Any:
    """``vars`` as a test has it: of a class of handles, what the class over there holds."""
    if not value:
        return sys._getframe(1).f_locals
    return handles.ask(value[0], "vars") if type(value[0]) is handles.Remote else vars(*value)


_refuse = json.JSONEncoder.default


def _content(encoder: Any, value: Any) -> Any:
    return handles.ask(value, "content") if isinstance(value, handles.Handle) else _refuse(encoder, value)


def let_json_read(encoder: Any) -> None:
    """Handles of containers are written as what they hold, as the objects themselves would be."""
    if encoder.default is _refuse:
        encoder.default = _content
