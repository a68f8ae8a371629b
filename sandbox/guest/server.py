"""The process that holds one solution and answers calls: it never sees a test, an expected value or a verdict.

It is forked from the supervisor, whose memory holds no test either, so there is nothing to find by walking it. It answers in
data and handles; whatever it says can make a test fail, and can make it pass only by being the right answer. It is not trusted from
the first line of the solution on, so nothing below has to hold after that; but where the answer was the solution's own comparison
(``prove``), the judge believes it only of a source that was read, and then what was read is watched here.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import sys
import threading
import types
from collections.abc import Iterator
from json import dumps  # by itself: a test may patch the module's
from typing import Any

from sandbox.guest import (
    arrays,
    classes,
    codec,
    errors,
    guards,
    handles,
    inside,
    kept,
    loops,
    peer,
    program,
    report,
    sharing,
    standard,
    strands,
    wire,
)

CALLABLES = (types.FunctionType, types.BuiltinFunctionType, types.MethodType, functools.partial, type(functools.lru_cache(len)))
MAX_REPLY = 16 << 20


class Server(peer.Peer):
    """One loaded solution."""

    first = 2

    def __init__(self, code: Any, entry_point: str | None, fd: int, prove: bool) -> None:
        """``code``: byte code or text; nothing runs before ``load``. ``prove``: watch what reading the source has shown."""
        super().__init__()
        self.code, self.entry_point, self.fd, self.prove = code, entry_point, fd, prove
        self.module: types.ModuleType | None = None
        self.token = ""
        self.asked = 0
        self.turn = threading.Condition()
        self.questions = sharing.Questions("solution")
        self.made: classes.Classes | None = None
        self.world = inside.Inside()
        self.loops = loops.Served(self)
        self.strands: strands.Strands | None = None

    def load(self) -> tuple[str, str] | None:
        """Run the solution's top level once; None or (letter, why) when it does not hold."""
        try:
            code = program.solution_code(self.code, shared=self.prove)
            self.module = program.load_solution(code, self.entry_point, self._watched(code) if self.prove else None)
        except program.Uncompilable as error:
            return (report.MEMORY if error.memory else report.BAD_SOLUTION), str(error)
        except MemoryError:
            return report.MEMORY, "loading the solution"
        except BaseException as error:
            return report.ERROR, f"loading the solution: {type(error).__name__}"
        return None

    def _watched(self, code: Any) -> dict[str, Any]:
        guards.plain_enums()
        self.made = classes.Classes("solution")
        looks_up = guards.GUARDED & set(program.mentioned(code))
        names = self.questions.names()
        return {**names, "__builtins__": guards.names("solution", self.questions)} if looks_up else names

    def answer(self, request: dict[str, Any]) -> Any:
        """One reply: the kinds of some names, or the outcome of one call or operation."""
        names = vars(self.module)
        if "fresh" in request:
            self.reset()
            self.loops.reset()
        if "turn" in request:
            return self.loops.turn(request)
        if "loop" in request:
            return self.loops.within(request, self._answer, request, names)
        return self._answer(request, names)

    def _answer(self, request: dict[str, Any], names: dict[str, Any]) -> Any:
        if "names" in request:
            return self._names(request, names)
        if "op" in request:
            return self.perform(request)
        return self.call(names[request["call"]], request, names)

    def call(self, function: Any, request: dict[str, Any], names: dict[str, Any]) -> Any:
        """Call with plain arguments and describe: value or exception; and the arguments, when the call changed them."""
        arguments = [_argument(item, names) for item in request["args"]]
        keywords = {key: _argument(item, names) for key, item in request["keywords"].items()}
        try:
            value = function(*arguments, **keywords)
        except BaseException as error:
            reply = errors.describe(error)
        else:
            reply = _result(value, arguments) or self._whole(value)
        after = _changed(arguments, request)
        if after is not None:
            reply["after"] = after
        return reply

    def _whole(self, value: Any) -> Any:
        kept.refuse_depth(value)
        return self.sending({"value": self.pack(value)})

    def _names(self, request: dict[str, Any], names: dict[str, Any]) -> Any:
        full = "full" in request
        self.heard(request)
        kinds = {name: self.kind(names[name], full) for name in request["names"] if name in names}
        reply: dict[str, Any] = {"kinds": kinds}
        if self.made is not None and (self.made.look() or self.questions.refused):
            reply["doubt"] = 1
        return self.sending(reply)

    def kind(self, value: Any, full: bool) -> Any:
        """What a name stands for: a function to call, plain data, a standard module or one of its members, or an object."""
        if isinstance(type(value), handles.Remote):  # the test has put it there
            return {"object": self.pack(value)}
        if isinstance(value, types.ModuleType) and value.__name__ in standard.STEADY:
            return {"module": value.__name__}
        origin = (getattr(value, "__module__", None), getattr(value, "__name__", getattr(value, "_name", None)))
        if standard.is_member(value, *origin):
            return {"member": list(origin)}
        if isinstance(value, CALLABLES) and not (full and (type(value) is not types.FunctionType or vars(value))):
            return {"coroutine function" if inspect.iscoroutinefunction(value) else "function": 1}
        try:
            return {"object": self.pack(value)} if full else {"data": codec.pack(value, set())}
        except (codec.Opaque, RecursionError):
            return {"object": self.pack(value)}

    def asked_of(self, on: Any) -> Any:
        """An object of this side's, or a function by its name."""
        [(tag, name)] = on.items()
        return self.function(name) if tag == "U" else super().asked_of(on)

    def function(self, name: str) -> Any:
        """The solution's own, which the judge names, whatever the test has put in its place."""
        return (self.world.original(name) or [vars(self.module).get(name)])[0]

    def heard(self, message: dict[str, Any]) -> None:
        """See Table. What the test changed of what a process has once is changed here."""
        super().heard(message)
        if "world" in message:
            self.world.apply(message["world"], self.module, codec.unpack)

    def sending(self, message: dict[str, Any]) -> dict[str, Any]:
        """See Table. With it goes what was written, warned and logged."""
        happened = self.world.effects(self.error)
        if happened:
            message["seen"] = happened
        return super().sending(message)

    def exchange(self, request: dict[str, Any]) -> Any:
        """Ask the judge, which waits for us: now, or when it asks again."""
        if self.strands is not None:
            return self.strands.exchange(request)
        with self.turn:
            self.turn.wait_for(lambda: self.asked)
            self.loops.tell()
            wire.write_all(self.fd, frame(self.token, {"back": request}))
            while True:
                self.token, message = wire.read_frame(self.fd)
                if "answer" in message:
                    return message["answer"]
                with deeper():
                    reply = self.reply(message)
                wire.write_all(self.fd, frame(self.token, reply))  # its token is the last one's that came meanwhile

    def ask(self, operation: str, value: Any, arguments: Any = (), keywords: Any = None) -> Any:
        """See Peer. What is the judge's to await begins in a turn; one thread speaks at a time."""
        if operation == "await":
            return self.loops.awaiting(value)
        with self.strands.taken() if self.strands is not None else contextlib.nullcontext():
            return super().ask(operation, value, arguments, keywords)

    def done(self, operation: str, value: Any, arguments: Any, keywords: Any) -> Any:
        """See Peer. Other threads may be asked meanwhile."""
        with self.strands.left() if self.strands is not None else contextlib.nullcontext():
            return super().done(operation, value, arguments, keywords)

    def reply(self, request: dict[str, Any]) -> Any:
        """An answer, whatever happens."""
        try:
            return self.answer(request)
        except MemoryError:
            return {"raised": ["MemoryError", "MemoryError", [], {}, None, None]}
        except (codec.Opaque, RecursionError) as error:
            return {"opaque": str(error)}

    def serve(self) -> None:
        """Answer requests until the other end closes."""
        failure: Any = None
        while True:
            try:
                self.token, request = wire.read_frame(self.fd)
            except (wire.WireError, OSError):
                os._exit(0)
            if self.module is None and failure is None:
                failure = self.load()
            if "strand" in request and not failure:
                self.sided = True
                self.strands = strands.Strands(self, frame, deeper)
                self.strands.run(self.token, request)
            with self.turn:
                self.asked += 1
                self.turn.notify_all()
            reply = {"unloaded": list(failure)} if failure else self.reply(request)
            with self.turn:
                self.asked -= 1
                wire.write_all(self.fd, frame(self.token, reply))


@contextlib.contextmanager
def deeper() -> Iterator[None]:
    """Room on the stack for what a question inside of a question takes there, so that recursion ends about where it would alone."""
    sys.setrecursionlimit(sys.getrecursionlimit() + FRAMES)
    try:
        yield
    finally:
        sys.setrecursionlimit(sys.getrecursionlimit() - FRAMES)


FRAMES = 16


def _argument(item: Any, names: dict[str, Any]) -> Any:
    return names[item["@"]] if type(item) is dict and "@" in item else codec.unpack(item)


def _result(value: Any, arguments: list[Any]) -> dict[str, Any] | None:
    """None for what is no plain data."""
    for position, argument in enumerate(arguments):
        if value is argument and (type(value) in (list, dict, set) or arrays.kind(value) == arrays.ARRAY):
            return {"same": position}
    try:
        return {"value": codec.pack(value, {id(argument) for argument in arguments})}
    except (codec.Opaque, RecursionError):
        pass
    try:
        return {"value": codec.pack(value), "shared": 1}
    except (codec.Opaque, RecursionError):
        return None


def _changed(arguments: list[Any], request: dict[str, Any]) -> Any:
    """The arguments as they are now, where any is another than what was sent."""
    if not any(type(item) in (list, dict) for item in request["args"]):
        return None
    try:
        sent = request["args"]
        now = [sent[i] if type(sent[i]) is dict and "@" in sent[i] else codec.pack(value) for i, value in enumerate(arguments)]
    except (codec.Opaque, RecursionError):
        return "opaque"
    return None if now == request["args"] else now


def frame(token: str, reply: Any) -> bytes:
    """A reply behind the token of the question."""
    body = dumps([token, reply], separators=(",", ":"), allow_nan=False).encode("ascii")
    if len(body) > MAX_REPLY:
        body = dumps([token, {"opaque": "too large"}]).encode("ascii")
    return len(body).to_bytes(4, "big") + body
