"""The judge's end of one server: what names of the solution stand for, and calls of its functions.

While only data crosses, each call stands for itself; from the first handle on, or for a source that keeps state (``full``), what
the two sides hold stays alike (``peer``). What neither can show (a class that derives from the solution's, a loop that both share)
is ``Uncrossable``: the judge gives the cell up and it is run in another way. Replies are hostile: one that is malformed ends the
cell.
"""

from __future__ import annotations

import importlib
import types
from typing import Any

from sandbox.guest import codec, errors, handles, standard
from sandbox.guest.line import MALFORMED, Gone, Unloaded
from sandbox.guest.objects import Objects


class Link(Objects):
    """The judge's end of one server."""

    first = 1
    drops = copies_tuples = True

    def __init__(self, fd: int) -> None:
        """``fd``: a stream socket."""
        super().__init__(fd)
        self.kinds: dict[str, Any] = {}
        codec.when_missed(self.give_up)
        handles.when_it_cannot(self.give_up)
        handles.when_derived(self.derive)
        self.fresh(full=False)

    def fresh(self, *, full: bool) -> None:
        """Forget what happened in the cell before. ``full``: keep both sides alike from the start."""
        self.pick_up()
        self.shared = False
        self.full = full
        if self.mine or self.theirs or self.kept:
            self.reset()
            self.kinds = {}
            self.begun = ["fresh"]
        if full:
            self.kinds = {}

    def still_there(self) -> None:
        """One more round trip: the solution's process has neither left nor said more than it was asked. Raises Gone."""
        self.loops.settle()
        with self.floor:
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
        with self.floor:
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
            if sort in ("function", "coroutine function"):
                return self.function(name, deferred=sort != "function")
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
        with self.floor:
            self.kinds[name] = self._kinds([name]).get(name)
            return self.value(name)

    def function(self, name: str, *, deferred: bool = False) -> Any:
        """A function that calls across. ``deferred``: when what it gives is awaited."""

        def crossing(*args: Any, **keywords: Any) -> Any:
            with self.floor:
                return self.call(name, args, keywords)

        async def calling(*args: Any, **keywords: Any) -> Any:
            return await self.call(name, args, keywords)

        found: Any = calling if deferred else crossing
        found.__name__ = found.__qualname__ = name
        found.__crosses__ = name
        return found

    def call(self, name: str, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """One call; in-place changes of the arguments arrive before the value or the exception."""
        if self.full:
            return self._call_in_full(name, args, keywords)
        if self.outside.moved():
            raise self.give_up("the test changes what a process has once")
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
        before = self.serial
        reply = self._asked("__call__", {"U": name}, args, keywords)
        try:
            value = self._came(reply)
        except Exception:
            self.outcomes.add(reply, [], self.reply_size)
            raise
        self.doubts.gave(name, (args, keywords), value, known=self.was_there(value, before))
        if type(value) in _COPIED:  # what is returned as it was given is the same object
            value = next((given for given in args if type(given) is type(value) and given == value), value)
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


_COPIED = (str, bytes, tuple, frozenset)


def _plainly(values: tuple[Any, ...]) -> list[Any] | None:
    """Values as they cross without handles; None where they do not."""
    try:
        return [codec.pack(item) for item in values]
    except (codec.Opaque, RecursionError):
        return None


def _is_kept(body: Any) -> bool:
    return type(body) is dict and not {"K", "H", "L"}.isdisjoint(body)
