"""What stands here for an object of the other side: it looks like one, holds nothing, and asks for everything.

The class of a handle is made from a description that may be a lie; nothing in it is code. It has the special methods that the
description names, each of which asks across, and derives from the plain type (``int``, ``str``) or the exception that it names.
Every attribute is asked for. Comparisons of two plain contents are made here.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import types
from typing import Any, Callable, Dict, List, Set, Tuple  # noqa: UP035

from sandbox.guest import errors, operations, signatures

ACROSS = frozenset(("__name__", "__qualname__", "__doc__", "__wrapped__", "__self__", "__func__", "__members__"))
"""Special names that are asked for like any other attribute."""
MAX_NAMES = 1000
Ask = Callable[..., Any]
_asks: Dict[type, Ask] = {}  # noqa: UP006
_methods: Dict[type, frozenset[str]] = {}  # noqa: UP006
_library: Dict[type, frozenset[str]] = {}  # noqa: UP006
_known: Dict[type, str] = {}  # noqa: UP006
_any_name: Set[type] = set()  # noqa: UP006


def is_awaited(cls: Any) -> bool:
    """Whether objects of the described class only live in a loop."""
    return _known.get(cls, "") == "async_generator"


def answers_any_name(cls: Any) -> bool:
    """Whether the described class has code of its own for names that it has not."""
    return cls in _any_name


def library(cls: Any) -> frozenset[str]:
    """Names of the library's classes from which the described one derives."""
    return _library.get(cls, frozenset())


def forget() -> None:
    """No class that was made before is asked any more."""
    for table in (_asks, _library, _known):
        table.clear()
    _any_name.clear()
    _methods.clear()


_noticed: List[Callable[[Any, Any], None]] = []  # noqa: UP006


def when_equal(notice: Callable[[Any, Any], None]) -> None:
    """``notice``: told of two handles that were found equal without asking."""
    _noticed[:] = [notice]


def _equal(value: Any, other: Any, found: Any) -> Any:
    if found is True and isinstance(other, Handle):
        for notice in _noticed:
            notice(value, other)
    return found


class Handle:
    """Base of every class that stands for one of the other side's. Its objects have no state here."""

    def __getattribute__(self, name: str) -> Any:
        cls = type(self)
        if name == "__dict__":
            return _asks[cls](self, "vars")
        if name in signatures.FIELDS and _known[cls] in ("function", "method"):
            return signatures.FIELDS[name](signatures.build(_asks[cls](self, "signature")))
        if name[:2] == "__" == name[-2:] and name not in ACROSS:
            return object.__getattribute__(self, name)
        if name in _methods[cls]:
            return Method(self, name)
        return _asks[cls](self, "get", name)

    def __setattr__(self, name: str, value: Any) -> None:
        _asks[type(self)](self, "set", name, value)

    def __delattr__(self, name: str) -> None:
        _asks[type(self)](self, "delete", name)

    def __dir__(self) -> Any:
        return _asks[type(self)](self, "dir")

    def __eq__(self, other: object) -> Any:
        return _equal(self, other, True) if self is other else NotImplemented

    def __ne__(self, other: object) -> Any:
        found = self.__eq__(other)
        return found if found is NotImplemented else not found

    __hash__ = object.__hash__

    def __copy__(self) -> Any:
        return _asks[type(self)](self, "__copy__")

    def __deepcopy__(self, memo: Any) -> Any:
        return _asks[type(self)](self, "__deepcopy__")

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")


class Method:
    """A method of a handle's that is called in one question."""

    __slots__ = ("__name__", "__self__")

    def __init__(self, value: Any, name: str) -> None:
        self.__self__, self.__name__ = value, name

    def __call__(self, /, *arguments: Any, **keywords: Any) -> Any:
        return _asks[_class_of(self.__self__)](self.__self__, "send", self.__name__, *arguments, **keywords)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.whole(), name)

    def __eq__(self, other: object) -> bool:
        return type(other) is Method and other.__self__ is self.__self__ and other.__name__ == self.__name__

    def __hash__(self) -> int:
        return hash((id(self.__self__), self.__name__))

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return types.MethodType

    def whole(self) -> Any:
        """The handle of the method itself."""
        return _asks[_class_of(self.__self__)](self.__self__, "get", self.__name__)


def _class_of(value: Any) -> Any:
    return value if isinstance(value, type) else type(value)


class Remote(type):
    """The class of such classes: to call one makes an object over there."""

    def __new__(mcs, name: str, *_: Any, **__: Any) -> Any:
        raise _give_up[0](f"{name} derives from a class of the other side's")

    def __call__(cls, /, *arguments: Any, **keywords: Any) -> Any:
        return _asks[cls](cls, "__call__", *arguments, **keywords)

    def __getattr__(cls, name: str) -> Any:
        if name[:2] == "__" == name[-2:] and name not in ACROSS:
            raise AttributeError(name)
        return Method(cls, name) if name in _methods[cls] else _asks[cls](cls, "get", name)

    def __setattr__(cls, name: str, value: Any) -> None:
        if name[:4] == "_abc" or name[:2] == "__":
            type.__setattr__(cls, name, value)
        else:
            _asks[cls](cls, "set", name, value)

    def __iter__(cls) -> Any:
        return _asks[cls](cls, "__iter__")

    def __len__(cls) -> int:
        return int(_asks[cls](cls, "__len__"))

    def __bool__(cls) -> bool:
        return True

    def __getitem__(cls, key: Any) -> Any:
        return _asks[cls](cls, "__getitem__", key)

    def __contains__(cls, item: Any) -> bool:
        return bool(_asks[cls](cls, "__contains__", item))


def _refused(what: str) -> BaseException:
    return TypeError(what)


_give_up: List[Callable[[str], BaseException]] = [_refused]  # noqa: UP006


def when_it_cannot(give_up: Callable[[str], BaseException]) -> None:
    """``give_up``: makes what is raised where a handle cannot be what is asked of it: a base, or awaited."""
    _give_up[0] = give_up


def _special(name: str) -> Any:
    def asking(self: Any, /, *arguments: Any, **keywords: Any) -> Any:
        if name in operations.AWAITED:
            raise _give_up[0](f"{type(self).__name__} is awaited")
        if name == "__contains__":
            return bool(_asks[type(self)](self, name, *arguments))
        return _asks[type(self)](self, name, *arguments, **keywords)

    asking.__name__ = name
    return asking


def _contents(name: str) -> Any:
    compare = operations.CONTENTS[name]

    def comparing(self: Any, other: Any) -> Any:
        mine, asked = _asks[type(self)](self, "content"), other
        if not isinstance(mine, (*operations.CONTAINERS, tuple)):
            raise TypeError("the content of a container")
        if isinstance(other, Handle):
            other = _asks[type(other)](other, "content") if "content" in vars(type(other)) else None
        if isinstance(mine, set) and isinstance(other, type({}.keys())):
            other = set(other)
        return _equal(self, asked, compare(mine, other))

    comparing.__name__ = name
    return comparing


def _of_plain(name: str, plain: Any) -> Any:
    def comparing(self: Any, other: Any) -> Any:
        found = getattr(plain, name)(self, other)
        _equal(self, other, found is (name == "__eq__"))
        return found

    comparing.__name__ = name
    return comparing


COROUTINE = "coroutine"


def _relay(cls: Any) -> Any:
    """A coroutine of this side's: who awaits it has the other side's run to its end."""
    itself: List[Any] = []  # noqa: UP006

    async def relay() -> Any:
        return _asks[cls](itself[0], "await")

    itself.append(relay())
    return itself[0]


def plain_of(value: Any) -> Tuple[Any, ...]:  # noqa: UP006
    """(the plain value that a handle is,); empty for one that is none."""
    return tuple(operations.immutable(value))


def make(description: Any, base: Callable[[int], Any], ask: Ask) -> Any:
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
        bases = (Handle,)
    if plain is not None and not any(issubclass(b, plain) for b in bases):
        bases = (*bases, plain)
    create: Any = type.__new__
    made: Any = create(Remote, name, bases, names)
    _asks[made] = ask
    for name in description["library"]:
        abstract = getattr(collections.abc, name, None) if type(name) is str and name in collections.abc.__all__ else None
        if abstract is not None and not issubclass(made, BaseException):
            abstract.register(made)
    _library[made] = frozenset(str(n) for n in description["library"][:MAX_NAMES])
    _known[made] = str(description["known"])
    if description["any_name"]:
        _any_name.add(made)
    _methods[made] = frozenset(str(n) for n in description["methods"][:MAX_NAMES])
    return made


def _field(name: str, init: Any) -> Any:
    field = dataclasses.field(init=bool(init))
    field.name, field._field_type = name, vars(dataclasses)["_FIELD"]
    return field


def _missing(error: Any, name: str) -> Any:
    if name[:2] == "__":
        raise AttributeError(name)
    return _asks[type(error)](error, "get", name)


def instance(cls: Any, content: List[Any]) -> Any:  # noqa: UP006
    """An object of such a class. ``content``: the plain value that it is, if it is one."""
    if type(cls) is not Remote or issubclass(cls, BaseException):
        raise ValueError("no class of a handle")
    plain: Any = next((kind for kind in operations.IMMUTABLE.values() if issubclass(cls, kind)), None)
    if _known[cls] == COROUTINE:
        return _relay(cls)
    if plain is None:
        bare: Any = object
        return bare.__new__(cls)
    [value] = content
    if type(value) is not plain:
        raise ValueError("another content than its class says")
    create: Any = plain.__new__
    return create(cls, value)
