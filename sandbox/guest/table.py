"""Values between two processes that hold each other's objects: containers that stay alike, and handles of everything else.

Scalars and tuples cross as in ``codec``. A container that can change is *kept*: it has a number, both sides hold a copy, and every
message first says what changed in it, so that identity, aliases, cycles and later changes are as if there were one. What only code
can answer for (an object, a class, a closure, a generator) stays where it is; the other side holds a *handle* and asks for each
operation by its name from a fixed list (``operations``). No code crosses, and nothing is looked up by a name that a message brings.

Tags beside codec's: K a kept container, H a handle of the sender's object, L of its class, R the receiver's own object, E an
exception of the sender's, U a function of the solution's by its name, S a member of the standard library.
"""

from __future__ import annotations

import sys
import types
from typing import Any, Callable, Dict, List  # noqa: UP035 - evaluated by Python 3.9 too

from sandbox.guest import codec, described, errors, handles, kept, named, operations, standard

_ALONE = 2
"""References to a container that nobody but its table holds."""
Message = Dict[str, Any]  # noqa: UP006


class Table:
    """What one side holds, and what stands there for what the other holds. A subclass says what may leave."""

    first = 1
    drops = False
    """Whether this side says which containers are no longer needed."""
    copies_tuples = False
    """Whether named tuples of this side's classes cross as data."""

    sided = False
    """Whether both sides may change a container at once, which then is no longer one."""

    def __init__(self) -> None:
        """An empty table; this process's values are read by it from now on."""
        self.listen()
        self.reset()

    def listen(self) -> None:
        """What arrives in this process is read by this side."""
        codec.BUILDERS.update(
            {
                "K": lambda number: self.kept[number][0],
                "R": self.own,
                "H": lambda body: self.handle(*body),
                "L": self.cls,
                "E": self.failure,
                "U": self.function,
                "S": lambda body: standard.member(*body),
            }
        )

    def reset(self) -> None:
        """Forget everything: the other side does so too."""
        self.number = self.first
        self.mine: Dict[int, Any] = {}  # noqa: UP006
        self.theirs: Dict[int, Any] = {}  # noqa: UP006
        self.numbers: Dict[int, int] = {}  # noqa: UP006
        self.kept: Dict[int, List[Any]] = {}  # noqa: UP006
        self.born: Dict[int, int] = {}  # noqa: UP006
        self.serial = 0
        self.descriptions: Dict[int, Any] = {}  # noqa: UP006
        self.described: List[Any] = []  # noqa: UP006
        handles.forget()
        self.new: List[int] = []  # noqa: UP006
        self.glance = kept.Glance([])

    # what a subclass says

    def function(self, name: str) -> Any:
        """The solution's function of that name, or what stands for it."""
        raise NotImplementedError

    def ask_of(self, value: Any, operation: str, /, *arguments: Any, **keywords: Any) -> Any:
        """One operation on the object that a handle stands for."""
        raise NotImplementedError

    def may_leave(self, value: Any) -> None:
        """Raises codec.Opaque for an object that the other side may have no handle of."""

    # out

    def pack(self, value: Any) -> Any:  # noqa: PLR0911 - one line a sort
        """JSON for any value. Raises codec.Opaque for what may not leave."""
        kind = type(value)
        if value is None or kind is str or kind is bool:
            return value
        if kind is int or kind is float:
            return codec.pack(value)
        if kind is handles.Method:
            value = value.whole()
        if kept.is_kept(value):
            return {"K": self._number(value, self._keep)}
        if kind is tuple or kind is frozenset:
            return {"t" if kind is tuple else "z": [self.pack(item) for item in value]}
        plain = named.is_plain(kind)
        if plain and (self.copies_tuples or kind.__module__ not in operations.OWN_MODULES):
            return {named.TAG: [kind.__name__, list(kind._fields), [self.pack(item) for item in value]]}
        name = crossing(value)
        if name:
            return {"U": name}
        if id(value) in self.numbers and self.numbers[id(value)] in self.theirs:
            return {"R": self.numbers[id(value)]}
        try:
            return self._object(value) if plain else codec.pack(value)
        except codec.Opaque:
            if plain:
                raise
            return self._object(value)

    def _object(self, value: Any) -> Any:
        shared = standard.name_of(value)
        if shared:
            return {"S": shared}
        if isinstance(value, BaseException):
            return {"E": self.error(value)}
        self.may_leave(value)
        if isinstance(value, type):
            return {"L": self.of_class(value)}
        content = [self.pack(item) for item in operations.immutable(value)]
        return {"H": [self._number(value, self._own), self.of_class(type(value)), content]}

    def of_class(self, cls: type) -> int:
        """The number of a class, which is described once."""
        if id(cls) not in self.numbers:
            number = self._number(cls, self._own)
            self.described.append([number, operations.describe(cls, self.of_class)])
        return self.numbers[id(cls)]

    def error(self, error: BaseException) -> Any:
        """[number, number of its class or null, what ``errors`` says of it]."""
        cls = type(error)
        ours = cls.__module__ in operations.OWN_MODULES and not errors.known(cls)
        raised = errors.describe(error, pack=self.pack)["raised"]
        return [self._number(error, self._own), self.of_class(cls) if ours else None, raised]

    def _number(self, value: Any, put: Callable[[int, Any], None]) -> int:
        number = self.numbers.get(id(value))
        if number is None:
            number, self.number = self.number, self.number + 2
            self.numbers[id(value)] = number
            put(number, value)
        return number

    def _keep(self, number: int, value: Any) -> None:
        self.kept[number] = [value, None]
        self.new.append(number)

    def _own(self, number: int, value: Any) -> None:
        self.mine[number] = value

    def sending(self, message: Message) -> Message:
        """The message, packed already, with all that the other side has to know before it reads it."""
        news: List[Any] = []  # noqa: UP006
        heard = {number for number, entry in self.kept.items() if entry[1] is not None}
        if not kept.steady(self.glance.same):
            for number in heard:
                self._say(number, self.kept[number], news)
        while self.new:
            number = self.new.pop()
            self._say(number, self.kept[number], news)
        if self.drops:
            heard -= {number for number, _ in news}
            alone = _ALONE + self.glance.plain  # which looks at it too
            gone = [number for number in heard if sys.getrefcount(self.kept[number][0]) <= alone]
            for number in gone:
                self._drop(number)
            if gone:
                message["drop"] = gone
        if news or "drop" in message:
            self._look()
        if news:
            message["kept"] = news
        if self.described:
            message["classes"], self.described = self.described, []
        return message

    def _say(self, number: int, entry: List[Any], news: List[Any]) -> None:  # noqa: UP006
        body = kept.steady(lambda: kept.body(entry[0], self.pack))
        if body != entry[1]:
            entry[1] = body
            news.append([number, body])

    def _look(self) -> None:
        self.glance = kept.steady(lambda: kept.Glance([entry[0] for entry in self.kept.values()]))

    def _drop(self, number: int) -> None:
        self.numbers.pop(id(self.kept.pop(number)[0]), None)

    # in

    def heard(self, message: Message) -> None:
        """Take what the other side says before its message. Raises ValueError, TypeError, KeyError and the like for nonsense."""
        for number in message.get("drop", ()):
            self._drop(number)
        for number, description in message.get("classes", ()):
            self.descriptions[self._foreign(number)] = description
        news = message.get("kept", ())
        for number, body in news:
            if number not in self.kept:
                self._foreign(number)
                made = kept.empty(body)
                self.kept[number] = [made, None]
                self.numbers[id(made)] = number
        if self.sided and any(kept.body(e[0], self.pack) != e[1] for e in (self.kept[n] for n, _ in news) if e[1] is not None):
            raise codec.Opaque("a container that both sides changed at once")
        for number, body in news:
            kept.fill(self.kept[number][0], body)
        for number, _ in news:
            self.kept[number][1] = kept.body(self.kept[number][0], self.pack)
        if news or "drop" in message:
            self._look()

    def _foreign(self, number: Any) -> int:
        """A number that only the other side gives."""
        if type(number) is not int or number % 2 == self.first % 2:
            raise ValueError("a number of another's")
        return number

    def own(self, number: int) -> Any:
        """This side's object, or the kept container, of a number."""
        return self.mine[number]

    def handle(self, number: int, cls: int, content: List[Any]) -> Any:  # noqa: UP006
        """What stands here for the other side's object."""
        if number not in self.theirs:
            self._foreign(number)
            made = described.instance(self.cls(cls), [codec.unpack(item) for item in content])
            self._stands(number, made)
        return self.theirs[number]

    def cls(self, number: int) -> Any:
        """What stands here for the other side's class."""
        if number not in self.theirs:
            self._foreign(number)
            self._stands(number, described.make(self.descriptions[number], self.cls, self.ask_of))
        return self.theirs[number]

    def _stands(self, number: int, value: Any) -> None:
        self.theirs[number] = value
        self.born[number] = self.serial
        self.numbers[id(value)] = number

    def failure(self, body: Any) -> BaseException:
        """The exception of this side's that says what ``error`` of the other side described."""
        number, cls, raised = body
        if number not in self.theirs:
            self._foreign(number)
            made = errors.rebuild(raised, self.missing, cls=None if cls is None else self.cls(cls))
            self._stands(number, made)
        found = self.theirs[number]
        if not isinstance(found, BaseException):
            raise TypeError("no exception")
        return found

    def missing(self, why: str) -> BaseException:
        """What is raised when an exception is asked for what did not cross."""
        return AttributeError(why)


def crossing(value: Any) -> str:
    """The name of a function of the solution's that stands on the test's side as a function."""
    name = vars(value).get("__crosses__") if type(value) is types.FunctionType else None
    return name if type(name) is str else ""
