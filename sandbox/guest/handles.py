"""What stands here for an object of the other side: it looks like one, holds nothing, and asks for everything.

Every attribute is asked for, every method called across. What a class is made of is a room of its own (``described``); here is what
all of them share, and what is known of each.
"""

from __future__ import annotations

import sys
import types
from typing import Any, Callable, Dict, List, Set  # noqa: UP035

from sandbox.guest import signatures

ACROSS = frozenset(("__name__", "__qualname__", "__doc__", "__wrapped__", "__self__", "__func__", "__members__"))
"""Special names that are asked for like any other attribute."""
_FUTURE = "_asyncio_future_blocking"
"""By this name asyncio knows what belongs to one of its own loops; a handle is awaited like any other object."""
MAX_NAMES = 1000
Ask = Callable[..., Any]
_asks: Dict[type, Ask] = {}  # noqa: UP006
_methods: Dict[type, frozenset[str]] = {}  # noqa: UP006
_library: Dict[type, frozenset[str]] = {}  # noqa: UP006
_known: Dict[type, str] = {}  # noqa: UP006
_any_name: Set[type] = set()  # noqa: UP006


def register(cls: Any, ask: Ask, description: Any) -> None:
    """A class that was made of a description. ``ask``: how its objects are asked."""
    _asks[cls] = ask
    _library[cls] = frozenset(str(name) for name in description["library"][:MAX_NAMES])
    _known[cls] = str(description["known"])
    _methods[cls] = frozenset(str(name) for name in description["methods"][:MAX_NAMES])
    if description["any_name"]:
        _any_name.add(cls)


def ask(value: Any, operation: str, /, *arguments: Any, **keywords: Any) -> Any:
    """One operation on what a handle, or a class of handles, stands for."""
    return _asks[_class_of(value)](value, operation, *arguments, **keywords)


def ask_as(cls: Any, value: Any, operation: str) -> Any:
    """The same for what stands for an object of a class without being one."""
    return _asks[cls](value, operation)


def is_coroutine(cls: Any) -> bool:
    """Whether objects of the described class are coroutines, for which stands a coroutine."""
    return _known[cls] == "coroutine"


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


def equal(value: Any, other: Any, found: Any) -> Any:
    """``found``, which is noted where it says that two handles are equal."""
    if found is True and isinstance(other, Handle):
        for notice in _noticed:
            notice(value, other)
    return found


class Handle:
    """Base of every class that stands for one of the other side's. Its objects have no state here."""

    def __getattribute__(self, name: str) -> Any:
        cls = type(self)
        if name == "__dict__":
            return ask(self, "vars")
        if name in signatures.FIELDS and _known[cls] in ("function", "method"):
            found = signatures.FIELDS[name](signatures.build(ask(self, "signature")))
            if name == "__code__":
                found.co_flags = ask(self, "flags")
            return found
        if (name, _known[cls]) in _INNER or name == _MARK:
            return _inner(self, name)
        if name[:2] == "__" == name[-2:] and name not in ACROSS:
            return object.__getattribute__(self, name)
        if name in _methods[cls]:
            return Method(self, name)
        return ask(self, "get", name)

    def __setattr__(self, name: str, value: Any) -> None:
        ask(self, "set", name, value)

    def __delattr__(self, name: str) -> None:
        ask(self, "delete", name)

    def __dir__(self) -> Any:
        return ask(self, "dir")

    def __eq__(self, other: object) -> Any:
        return equal(self, other, True) if self is other else NotImplemented

    def __ne__(self, other: object) -> Any:
        found = self.__eq__(other)
        return found if found is NotImplemented else not found

    __hash__ = object.__hash__

    def __copy__(self) -> Any:
        return ask(self, "__copy__")

    def __deepcopy__(self, memo: Any) -> Any:
        return ask(self, "__deepcopy__")

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")


class Function:
    """That of a method or a partial one, where it is not lent: who asks what kind of function it is is told."""

    def __init__(self, flags: int) -> None:
        self.__code__ = types.SimpleNamespace(co_flags=flags)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return types.FunctionType


_INNER = frozenset((("__func__", "method"), ("func", "partial")))


_MARK = "_is_coroutine"
"""By this name asyncio knows mocks that are awaited."""


def _inner(value: Any, name: str) -> Any:
    if name == _MARK and "AsyncMockMixin" in library(type(value)):
        return vars(sys.modules["asyncio.coroutines"]).get(name)
    try:
        return ask(value, "get", name)
    except AttributeError:
        return Function(ask(value, "flags"))


class Method:
    """A method of a handle's that is called in one question."""

    __slots__ = ("__name__", "__self__")

    def __init__(self, value: Any, name: str) -> None:
        self.__self__, self.__name__ = value, name

    def __call__(self, /, *arguments: Any, **keywords: Any) -> Any:
        return ask(self.__self__, "send", self.__name__, *arguments, **keywords)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.whole(), name)

    def __eq__(self, other: object) -> bool:
        return type(other) is Method and other.__self__ is self.__self__ and other.__name__ == self.__name__

    def __hash__(self) -> int:
        return hash((id(self.__self__), self.__name__))

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return types.FunctionType if isinstance(self.__self__, type) else types.MethodType

    def whole(self) -> Any:
        """The handle of the method itself."""
        return ask(self.__self__, "get", self.__name__)


def _class_of(value: Any) -> Any:
    return value if isinstance(value, type) else type(value)


class Remote(type):
    """The class of such classes: to call one makes an object over there."""

    def __new__(mcs, name: str, bases: Any, namespace: Any, **keywords: Any) -> Any:
        """A class statement of the test's; what it makes is over there too (``derived``)."""
        if not _derive:
            raise cannot(f"{name} derives from a class of the other side's")
        made = _derive[0](name, bases, namespace, keywords)
        if "__classcell__" in namespace:
            namespace["__classcell__"].cell_contents = made
        return made

    def __init__(cls, *_: Any, **__: Any) -> None:
        """Nothing is left to be done."""

    def __call__(cls, /, *arguments: Any, **keywords: Any) -> Any:
        return ask(cls, "__call__", *arguments, **keywords)

    def __getattr__(cls, name: str) -> Any:
        if (name[:2] == "__" == name[-2:] and name not in ACROSS) or name == _FUTURE:
            raise AttributeError(name)
        return Method(cls, name) if name in _methods[cls] else ask(cls, "get", name)

    def __setattr__(cls, name: str, value: Any) -> None:
        if name[:4] == "_abc" or name[:2] == "__":
            type.__setattr__(cls, name, value)
        else:
            ask(cls, "set", name, value)

    def __delattr__(cls, name: str) -> None:
        ask(cls, "delete", name)

    def __iter__(cls) -> Any:
        return ask(cls, "__iter__")

    def __len__(cls) -> int:
        return int(ask(cls, "__len__"))

    def __bool__(cls) -> bool:
        return True

    def __getitem__(cls, key: Any) -> Any:
        return ask(cls, "__getitem__", key)

    def __contains__(cls, item: Any) -> bool:
        return bool(ask(cls, "__contains__", item))


_derive: List[Callable[..., Any]] = []  # noqa: UP006


def when_derived(derive: Callable[..., Any]) -> None:
    """``derive``: makes the class of a name, bases and a namespace."""
    _derive[:] = [derive]


def _refused(what: str) -> BaseException:
    return TypeError(what)


_give_up: List[Callable[[str], BaseException]] = [_refused]  # noqa: UP006


def when_it_cannot(give_up: Callable[[str], BaseException]) -> None:
    """``give_up``: makes what is raised where a handle cannot be what is asked of it: a base, or awaited."""
    _give_up[0] = give_up


def cannot(why: str) -> BaseException:
    """What is to be raised there."""
    return _give_up[0](why)
