"""The judge's side of objects: operations of the test's go across and are doubted, the solution's answered within bounds.

What an operation tells an object is noted first (``doubts``), what the solution may hold and ask is decided in ``lent``; an
error that ended an assertion of the test's must come back from the question in which it was raised.
"""

from __future__ import annotations

from typing import Any

from sandbox.guest import codec, derived, doubts, handles, lent, operations, outcomes, turns, world
from sandbox.guest.line import MALFORMED, Gone, Line, Uncrossable, Unloaded

_NEVER = (-1, -1, -1)


class Objects(Line):
    """A line over which objects are asked."""

    def pick_up(self) -> None:
        """See Line."""
        super().pick_up()
        self.starved = self.stale = False
        self.loops = turns.Asked.current = turns.Asked(self)
        self.outcomes = outcomes.Outcomes()
        self.doubts = doubts.Doubts()
        handles.when_equal(self.doubts.equal)
        self.ended: dict[Any, tuple[int, int, int]] = {}
        self.namespaces: list[tuple[Any, dict[str, Any]]] = []
        self.outside = world.Outside()

    def exchange(self, request: dict[str, Any]) -> Any:
        """One operation of the test's on the other side."""
        self.floor.strand().turn += 1
        reply = self.question(request)
        self.refuse_opaque(reply)
        return reply

    def question(self, request: dict[str, Any]) -> dict[str, Any]:
        """See Line. A reply says whether something happens in the server's loop."""
        reply = super().question(self.loops.marked(request))
        self.loops.alive = "alive" in reply
        return reply

    def refuse_opaque(self, reply: dict[str, Any]) -> None:
        """What is told could not cross."""
        if "opaque" in reply:
            self.doubts.refused = True
            raise self.give_up(str(reply["opaque"])[:100])

    def awaited(self, reply: Any, since: int) -> Any:
        """What came of something that the test awaits. ``since``: the question that began it."""
        if type(reply) is not dict:
            self.gone = True
            raise Gone
        self.refuse_opaque(reply)
        try:
            return self._came(reply)
        except BaseException as error:
            number = self.numbers.get(id(error))
            if self.ended.get(number, _NEVER)[2] >= since:  # what the test is told was not kept quiet
                del self.ended[number]
            raise

    def may_leave(self, value: Any) -> None:
        """See lent."""
        lent.may_leave(value)

    def may_be_asked(self, value: Any, operation: str, arguments: list[Any]) -> None:
        """See lent."""
        lent.may_be_asked(value, operation, arguments)
        if operation == "vars":
            self.namespaces.append((value, dict(vars(value))))

    def missing(self, why: str) -> BaseException:
        """An exception was asked for what did not cross."""
        return self.give_up(why)

    def raised(self, error: BaseException) -> dict[str, Any]:
        """What code of the test's raised while the solution called it."""
        if isinstance(error, (Uncrossable, Gone, Unloaded)):
            raise error
        reply = super().raised(error)
        if doubts.ended_assertions(error):
            self.ended[_number_of(reply)] = (*self._turn(), self.serial)
        return reply

    def outcome(self, reply: dict[str, Any]) -> Any:
        """See Peer. An error of the test's own that comes back from the question in which it was raised was not kept quiet."""
        number = _number_of(reply)
        if self.ended.get(number, _NEVER)[:2] == self._turn():
            del self.ended[number]
        return super().outcome(reply)

    def _turn(self) -> tuple[int, int]:
        strand = self.floor.strand()
        return strand.number, strand.turn

    def heard(self, message: dict[str, Any]) -> None:
        """See Peer. What the solution puts into the fields of a test's object is looked at."""
        super().heard(message)
        for deed in self.outside.seen(message.get("seen", ()), self.failure):
            self._do(deed)
        if any(lent.changed(*entry) for entry in self.namespaces):
            self.doubts.refused = True

    def sending(self, message: dict[str, Any]) -> dict[str, Any]:
        """See Table. With it goes what the test has changed of what a process has once."""
        news = self.outside.told(self.pack)
        if news:
            message["world"] = news
        return super().sending(message)

    def _do(self, deed: Any) -> None:
        try:
            deed()
        except BaseException as error:
            raise self.give_up(f"what the test put in the place of a stream or handler raised {type(error).__name__}") from None

    def ask(self, operation: str, value: Any, arguments: Any = (), keywords: Any = None) -> Any:
        """One operation of the test's on an object of the solution's. Raises what the solution raised."""
        self.doubts.about(operation, value, arguments)
        self.outcomes.lose()
        if operation in ("set", "delete") and isinstance(value, type):
            self.stale = True
        if operation in operations.DESCRIBING and any(map(lent.of_unittest, arguments)):
            self.doubts.refused = True
            raise TypeError("a test is not handed over")
        if operation == "await":
            return self.loops.awaiting(value)
        if operation == "__exit__":
            return self._left(value, arguments)
        if operation == "__aexit__":
            return self._left_soon(value, arguments)
        before = self.serial
        result = self._came(self._asked(operation, self.pack(value), arguments, keywords))
        self.doubts.came(operation, value, (arguments, keywords), result, known=self.was_there(result, before))
        if operation == "get" and (result is True or isinstance(result, handles.Handle)) and handles.answers_any_name(type(value)):
            self.doubts.believed = True
        return result

    def derive(self, name: str, bases: Any, namespace: dict[str, Any], keywords: dict[str, Any]) -> Any:
        """A class of the test's that derives from one of the solution's; it is expected if that is."""
        there, members = derived.describe(bases, namespace)
        made = self.ask("derive", there[0], (name, there, members, keywords))
        if any(cls in self.doubts.expected for cls in made.__mro__):
            self.doubts.expected.add(made)
        return made

    def _asked(self, operation: str, on: Any, arguments: Any, keywords: Any) -> dict[str, Any]:
        try:
            request = self.request(operation, on, arguments, keywords)
        except (codec.Opaque, RecursionError) as error:
            raise self.give_up(f"argument of {operation}: {error}") from None
        return dict(self.exchange(request))

    def _came(self, reply: dict[str, Any]) -> Any:
        self.starved = self.starved or (type(reply.get("raised")) is list and reply["raised"][:1] == ["MemoryError"])
        try:
            return self.outcome(reply)
        except codec.Opaque as error:
            raise self.give_up(str(error)) from None
        except MALFORMED as error:
            if getattr(error, "__from_solution__", False) or self.numbers.get(id(error)) in self.mine:
                raise
            self.gone = True
            raise Gone from None

    def _left(self, value: Any, raised: Any) -> Any:
        """The end of a ``with`` block; who swallows an error is believed, and nobody swallows an assertion."""
        error, told = _told(raised)
        return self._swallowed(error, self._came(self._asked("__exit__", self.pack(value), told, None)))

    async def _left_soon(self, value: Any, raised: Any) -> Any:
        """The same of ``async with``."""
        error, told = _told(raised)
        return self._swallowed(error, await self._came(self._asked("__aexit__", self.pack(value), told, None)))

    def _swallowed(self, error: Any, answer: Any) -> Any:
        if error is None or not answer:
            return answer
        self.doubts.believed = True
        self.doubts.refused = self.doubts.refused or isinstance(error, AssertionError)
        return True


def _told(raised: Any) -> tuple[Any, Any]:
    """The error that ends a block, and what its end is told."""
    error = raised[1] if len(raised) == 3 else None
    kind = AssertionError if type(error).__module__ == "sandbox.guest.judge" else type(error)
    return error, (None, None, None) if error is None else (kind, error, None)


def _number_of(reply: dict[str, Any]) -> Any:
    """That of the exception which a reply speaks of."""
    return reply.get("own") or (reply["error"][0] if reply.get("error") else None)
