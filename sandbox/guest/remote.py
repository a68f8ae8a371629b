"""The judge's picture of a solution that lives in another process: names that call across, and nothing else of it.

A function becomes a function that sends its arguments and raises or returns what comes back; data arrives as fresh plain data; a
standard module or a member of one is imported here. Anything else (classes, closures with state, iterators) is ``Uncrossable``: the
judge gives the cell up and it is run in one process. Replies are hostile: one that is malformed ends the cell.
"""

from __future__ import annotations

import builtins
import importlib
import secrets
import socket
import types
from typing import Any

from sandbox.guest import arrays, codec, errors, outcomes, screen, server, wire

NOTES = ("__version__", "__author__")
"""Special names of a module that are a solution's own."""


class Uncrossable(BaseException):
    """This cell needs more than plain data. Not an Exception, so that tests rarely swallow it; ``Link.gave_up`` remembers it."""


class Gone(BaseException):
    """The solution's process ended or answered nonsense; the supervisor knows how it ended."""


class Unloaded(BaseException):
    """The solution did not load: (letter, why)."""


class Link:
    """The judge's end of one server."""

    def __init__(self, fd: int) -> None:
        """``fd``: a stream socket."""
        self.fd = fd
        self.sock = socket.socket(fileno=fd)
        self.kinds: dict[str, Any] = {}
        codec.when_missed(self.give_up)
        self.fresh()

    def fresh(self) -> None:
        """Forget what happened in the cell before."""
        self.gave_up = self.gone = self.forged = self.shared = self.starved = False
        self.outcomes = outcomes.Outcomes()
        self.reply_size = 0

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """One round trip. Raises Gone or Unloaded."""
        self.expect_silence()
        token = secrets.token_hex(8)
        try:
            wire.write_all(self.fd, wire.encode([token, request]))
            size = int.from_bytes(wire.read_exactly(self.fd, 4), "big")
            body = wire.read_exactly(self.fd, size) if size <= server.MAX_REPLY else b""
        except (wire.WireError, OSError):
            self.gone = True
            raise Gone from None
        self.reply_size = size
        try:
            echo, reply = wire.decode(body)
        except (wire.WireError, RecursionError, ValueError, TypeError):
            echo, reply = None, None  # a server of ours answers in form, so this was somebody else: the same as a foreign token
        if echo != token or type(reply) is not dict:  # an answer to another question: somebody else has answered too
            self.forged = self.gone = True
            raise Gone
        if "unloaded" in reply:
            letter, why = reply["unloaded"]
            raise Unloaded(str(letter), str(why)[:500])
        return reply

    def expect_silence(self) -> None:
        """An answer that nobody asked for is no answer: note it. Raises Gone."""
        try:
            early = self.sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except OSError:
            return
        self.forged = self.forged or bool(early)
        self.gone = True
        raise Gone

    def still_there(self) -> None:
        """One more round trip: the solution's process has neither left nor said more than it was asked. Raises Gone."""
        self.ask({"names": []})
        self.expect_silence()

    def give_up(self, why: str) -> Uncrossable:
        """Note that this cell must run in one process."""
        self.gave_up = True
        return Uncrossable(why)

    def learn(self, names: list[str]) -> None:
        """Ask what names stand for, once a server."""
        unknown = [name for name in names if name not in self.kinds]
        if unknown or not self.kinds:
            reply = self.ask({"names": unknown})
            self.kinds.update({name: reply.get(name) for name in unknown})

    def moved(self) -> bool:
        """Whether the test has seen what is no longer so: data of the module that changed, one object in two places."""
        if self.shared:
            return True
        names = [name for name, kind in self.kinds.items() if kind is not None and "data" in kind]
        try:
            now = self.ask({"names": names}) if names and not self.gone else {}
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
            if sort == "data":
                return codec.unpack(body)
            if sort == "module" and body in server.STEADY_MODULES:
                return importlib.import_module(body)
            if sort == "member" and body[0] in server.STEADY_MODULES and _offers(body[0], body[1]):
                return getattr(importlib.import_module(body[0]), body[1])
        except (ValueError, TypeError, AttributeError, ImportError, RecursionError) as error:
            raise self.give_up(f"{name}: {error}") from None
        raise self.give_up(f"{name} is no function and no plain data")

    def function(self, name: str) -> Any:
        """A function that calls across."""

        def crossing(*args: Any, **keywords: Any) -> Any:
            return self.call(name, args, keywords)

        crossing.__name__ = crossing.__qualname__ = name
        crossing.__crosses__ = name  # type: ignore[attr-defined]
        return crossing

    def call(self, name: str, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """One call; in-place changes of the arguments arrive before the value or the exception."""
        seen: set[int] = set()
        try:
            packed = [self._argument(item, seen) for item in args]
            named = {key: self._argument(item, seen) for key, item in keywords.items()}
        except (codec.Opaque, RecursionError) as error:
            raise self.give_up(f"argument of {name}: {error}") from None
        reply = self.ask({"call": name, "args": packed, "keywords": named})
        self.outcomes.add(reply, packed, self.reply_size)
        try:
            return self._outcome(name, reply, args)
        except codec.Opaque as error:
            raise self.give_up(f"argument of {name}: {error}") from None
        except (ValueError, TypeError, KeyError, IndexError, ArithmeticError, AttributeError, ImportError) as error:
            if getattr(error, "__from_solution__", False):
                raise
            self.gone = True
            raise Gone from None

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
        if "opaque" in reply or after == "opaque":
            raise self.give_up(f"{name} returned {str(reply.get('opaque'))[:100]}")
        if "raised" in reply:
            self.starved = self.starved or (type(reply["raised"]) is list and reply["raised"][:1] == ["MemoryError"])
            raise errors.rebuild(reply["raised"], self.give_up)
        if "same" in reply:
            return args[reply["same"]]
        self.shared = self.shared or "shared" in reply
        return codec.unpack(reply["value"])


def _offers(module: str, name: str) -> bool:
    return name[:1] != "_" if module in arrays.MODULES else screen.offers(module, name)


class Solution(types.ModuleType):
    """Modules ``solution`` and ``your_module`` of the judge: attributes are looked up across, changes cannot cross."""

    def __init__(self, link: Link, names: list[str], entry_point: str | None) -> None:
        """``names``: what the test mentions; those that the solution has become attributes."""
        super().__init__("solution")
        public = [name for name in names if name[:1] != "_"]
        link.learn(public)
        hidden = set(dir(builtins)) - {entry_point}
        known = {name for name in public if link.kinds.get(name) is not None}
        held = self.__dict__
        held["__all__"] = sorted(known - hidden)
        for name in known:
            held[name] = link.value(name)
        held["__link__"] = link

    def __getattr__(self, name: str) -> Any:
        """A name that the test does not spell out, as in ``getattr``, or a private one, which only the module has."""
        link = self.__dict__["__link__"]
        if name[:2] == "__" and name not in NOTES:
            raise AttributeError(name)
        link.learn([name])
        try:
            return link.value(name)
        except KeyError:
            raise AttributeError(f"module 'solution' has no attribute {name!r}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        """A test that patches the solution needs it in its own process (a loader's bookkeeping does not)."""
        if name[:2] == "__":
            self.__dict__[name] = value
        else:
            raise self.__dict__["__link__"].give_up(f"the test changes {name}")
