"""The judge's end of one server: calls and operations go across, data and handles come back, and doubts are noted.

While only data crosses, each call stands for itself; from the first handle on, or for a source that keeps state (``full``), what
the two sides hold stays alike (``peer``). What neither can show (a class that derives from the solution's, a loop that both share)
is ``Uncrossable``: the judge gives the cell up and it is run in another way. Replies are hostile: one that is malformed ends the
cell.
"""

from __future__ import annotations

import importlib
import types
from typing import Any

from sandbox.guest import codec, doubts, errors, handles, lent, operations, outcomes, standard
from sandbox.guest.line import MALFORMED, Gone, Line, Uncrossable, Unloaded


class Link(Line):
    """The judge's end of one server."""

    first = 1
    drops = copies_tuples = True

    def __init__(self, fd: int) -> None:
        """``fd``: a stream socket."""
        super().__init__(fd)
        self.kinds: dict[str, Any] = {}
        codec.when_missed(self.give_up)
        handles.when_it_cannot(self.give_up)
        self.fresh(full=False)

    def fresh(self, *, full: bool) -> None:
        """Forget what happened in the cell before. ``full``: keep both sides alike from the start."""
        self.pick_up()
        self.shared = self.starved = self.stale = False
        self.full = full
        self.patched = self.whole = self.concurrent = False
        self.outcomes = outcomes.Outcomes()
        self.doubts = doubts.Doubts()
        handles.when_equal(self.doubts.equal)
        self.ended: dict[Any, int] = {}
        self.namespaces: list[tuple[Any, dict[str, Any]]] = []
        if self.mine or self.theirs or self.kept:
            self.reset()
            self.kinds = {}
            self.begun = ["fresh"]
        if full:
            self.kinds = {}

    def still_there(self) -> None:
        """One more round trip: the solution's process has neither left nor said more than it was asked. Raises Gone."""
        reply = self.question({"names": []})
        self.doubts.refused = self.doubts.refused or "doubt" in reply
        self.expect_silence()

    def learn(self, names: list[str]) -> None:
        """Ask what names stand for, once a server."""
        unknown = [name for name in names if name not in self.kinds]
        if unknown or not self.kinds:
            found = self._kinds(unknown)
            if not self.full and any("object" in kind for kind in found.values()):
                self.full = True
                unknown += self.kinds
                found = self._kinds(unknown)
            self.kinds.update({name: found.get(name) for name in unknown})

    def _kinds(self, names: list[str]) -> dict[str, Any]:
        reply = self.question(self.sending({"names": names, **({"full": 1} if self.full else {})}))
        try:
            self.heard(reply)
            return dict(reply["kinds"])
        except (*MALFORMED, codec.Opaque):
            self.gone = True
            raise Gone from None

    def moved(self) -> bool:
        """Whether the test has seen what is no longer so: data of the module that changed, one object in two places."""
        if self.full:
            return False
        if self.shared:
            return True
        names = [name for name, kind in self.kinds.items() if kind is not None and "data" in kind]
        try:
            now = self._kinds(names) if names and not self.gone else {}
        except (Gone, Unloaded):
            return False
        return any(now.get(name) != self.kinds[name] for name in names)

    def value(self, name: str) -> Any:
        """What stands for the solution's ``name``. Raises KeyError when it has none, Uncrossable when it cannot cross."""
        kind = self.kinds.get(name)
        if kind is None:
            raise KeyError(name)
        try:
            [(sort, body)] = kind.items()
            if sort == "function":
                return self.function(name)
            if sort in ("data", "object"):
                return codec.unpack(body)
            if sort == "module" and body in standard.STEADY:
                return importlib.import_module(body)
            if sort == "member":
                return standard.member(*body)
        except (*MALFORMED, codec.Opaque):
            pass  # as for any other sort: no server of ours says so
        self.gone = True
        raise Gone

    @property
    def changing(self) -> set[str]:
        """Names that stand for numbers, texts and the like."""
        return {name for name, kind in self.kinds.items() if kind and "object" in kind and not _is_kept(kind["object"])}

    def now(self, name: str) -> Any:
        """What stands for a name at this moment."""
        self.kinds[name] = self._kinds([name]).get(name)
        return self.value(name)

    def function(self, name: str) -> Any:
        """A function that calls across."""

        def crossing(*args: Any, **keywords: Any) -> Any:
            return self.call(name, args, keywords)

        crossing.__name__ = crossing.__qualname__ = name
        crossing.__crosses__ = name  # type: ignore[attr-defined]
        return crossing

    # objects

    def exchange(self, request: dict[str, Any]) -> Any:
        """One operation of the test's on the other side."""
        reply = self.question(request)
        if "opaque" in reply:
            self.doubts.refused = True
            raise self.give_up(str(reply["opaque"])[:100])
        return reply

    def may_leave(self, value: Any) -> None:
        """See lent."""
        if self.patched:
            raise codec.Opaque("an object of a test that patches what others use")
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
            self.ended[_number_of(reply)] = self.serial
        return reply

    def outcome(self, reply: dict[str, Any]) -> Any:
        """See Peer. An error of the test's own that comes back from the question in which it was raised was not kept quiet."""
        number = _number_of(reply)
        if self.ended.get(number) == self.serial:
            del self.ended[number]
        return super().outcome(reply)

    def heard(self, message: dict[str, Any]) -> None:
        """See Peer. What the solution puts into the fields of a test's object is looked at."""
        super().heard(message)
        if any(lent.changed(*entry) for entry in self.namespaces):
            self.doubts.refused = True

    def ask(self, operation: str, value: Any, arguments: Any = (), keywords: Any = None) -> Any:
        """One operation of the test's on an object of the solution's. Raises what the solution raised."""
        if self.patched:
            raise self.give_up("the test patches what an object of the solution's may use")
        if operation == "await" and self.concurrent:
            raise self.give_up("a loop in which more than one thing happens")
        self.doubts.about(operation, value, arguments)
        self.outcomes.lose()
        if operation in ("set", "delete") and isinstance(value, type):
            self.stale = True
        if operation in ("get", "send") and handles.is_awaited(type(value)):
            raise self.give_up("a loop that both sides share")
        if operation in operations.DESCRIBING and any(map(lent.of_unittest, arguments)):
            self.doubts.refused = True
            raise TypeError("a test is not handed over")
        if operation == "__exit__":
            return self._left(value, arguments)
        result = self._came(self._asked(operation, self.pack(value), arguments, keywords))
        self.doubts.came(operation, value, (arguments, keywords), result, known=self.was_there(result))
        if operation == "get" and (result is True or isinstance(result, handles.Handle)) and handles.answers_any_name(type(value)):
            self.doubts.believed = True
        return result

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
        error = raised[1] if len(raised) == 3 else None
        told = (None, None, None) if error is None else (type(error), error, None)
        answer = self._came(self._asked("__exit__", self.pack(value), told, None))
        if error is None or not answer:
            return answer
        self.doubts.believed = True
        self.doubts.refused = self.doubts.refused or isinstance(error, AssertionError)
        return True

    # functions

    def call(self, name: str, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """One call; in-place changes of the arguments arrive before the value or the exception."""
        if self.full:
            return self._call_in_full(name, args, keywords)
        seen: set[int] = set()
        try:
            packed = [self._argument(item, seen) for item in args]
            named = {key: self._argument(item, seen) for key, item in keywords.items()}
        except (codec.Opaque, RecursionError) as error:
            raise self.give_up(f"argument of {name}: {error}") from None
        reply = self.question({"call": name, "args": packed, "keywords": named})
        self.outcomes.add(reply, packed, self.reply_size)
        try:
            return self._outcome(name, reply, args)
        except codec.Opaque as error:
            raise self.give_up(f"argument of {name}: {error}") from None
        except MALFORMED as error:
            if getattr(error, "__from_solution__", False):
                raise
            self.gone = True
            raise Gone from None

    def _call_in_full(self, name: str, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        sent = _plainly(args)
        reply = self._asked("__call__", {"U": name}, args, keywords)
        try:
            value = self._came(reply)
        except Exception:
            self.outcomes.add(reply, [], self.reply_size)
            raise
        self.doubts.gave(name, (args, keywords), value, known=self.was_there(value))
        now, data = _plainly(args), _plainly((value,))
        if data is None or (value is None and now is None):
            self.outcomes.lose()
        else:
            self.outcomes.add({"value": data[0], **({} if now == sent else {"after": now})}, [], self.reply_size)
        return value

    @staticmethod
    def _argument(item: Any, seen: set[int]) -> Any:
        name = getattr(item, "__crosses__", None) if type(item) is types.FunctionType else None
        return {"@": name} if name else codec.pack(item, seen)

    def _outcome(self, name: str, reply: dict[str, Any], args: tuple[Any, ...]) -> Any:
        after = reply.get("after")
        if after is not None and after != "opaque":
            for old, new in zip(args, after):  # noqa: B905 - strict is not there in Python 3.9
                if type(new) in (list, dict) and "@" not in new:
                    codec.restore(old, codec.unpack(new))
        if "kept" in reply or "classes" in reply:
            self.full = True
            self.heard(reply)
        if "opaque" in reply or after == "opaque":
            raise self.give_up(f"{name} returned {str(reply.get('opaque'))[:100]}")
        if "raised" in reply:
            self.starved = self.starved or (type(reply["raised"]) is list and reply["raised"][:1] == ["MemoryError"])
            raise errors.rebuild(reply["raised"], self.give_up)
        if "same" in reply:
            return args[reply["same"]]
        self.shared = self.shared or "shared" in reply
        return codec.unpack(reply["value"])


def _number_of(reply: dict[str, Any]) -> Any:
    """That of the exception which a reply speaks of."""
    return reply.get("own") or (reply["error"][0] if reply.get("error") else None)


def _plainly(values: tuple[Any, ...]) -> list[Any] | None:
    """Values as they cross without handles; None where they do not."""
    try:
        return [codec.pack(item) for item in values]
    except (codec.Opaque, RecursionError):
        return None


def _is_kept(body: Any) -> bool:
    return type(body) is dict and not {"K", "H", "L"}.isdisjoint(body)
