"""The process that holds one solution and answers calls: it never sees a test, an expected value or a verdict.

It is forked from the supervisor, whose memory holds no test either, so there is nothing to find by walking it. It answers in
data only; whatever it says can make a test fail, and can make it pass only by being the right answer. It is not trusted from the
first line of the solution on, so nothing below has to hold after that.
"""

from __future__ import annotations

import functools
import json
import os
import types
from typing import Any

from sandbox.guest import arrays, codec, errors, program, report, screen, wire

STEADY_MODULES = (screen.MODULES - {"__future__", "abc", "enum", "dataclasses"}) | arrays.MODULES
CALLABLES = (types.FunctionType, types.BuiltinFunctionType, types.MethodType, functools.partial, type(functools.lru_cache(len)))
MAX_REPLY = 16 << 20


class Server:
    """One loaded solution."""

    def __init__(self, code: Any, entry_point: str | None) -> None:
        """``code``: byte code or text; nothing runs before ``load``."""
        self.code, self.entry_point = code, entry_point
        self.module: types.ModuleType | None = None

    def load(self) -> tuple[str, str] | None:
        """Run the solution's top level once; None or (letter, why) when it does not hold."""
        try:
            code = program.solution_code(self.code)
            self.module = program.load_solution(code, self.entry_point)
        except program.Uncompilable as error:
            return (report.MEMORY if error.memory else report.BAD_SOLUTION), str(error)
        except MemoryError:
            return report.MEMORY, "loading the solution"
        except BaseException as error:
            return report.ERROR, f"loading the solution: {type(error).__name__}"
        return None

    def answer(self, request: dict[str, Any]) -> Any:
        """One reply: the kinds of some names, or the outcome of one call."""
        names = vars(self.module)
        if "names" in request:
            return {name: self.kind(names[name]) for name in request["names"] if name in names}
        if "all" in request:
            return {"public": [name for name in names if isinstance(name, str) and name[:1] != "_"]}
        return call(names[request["call"]], request, names)

    def kind(self, value: Any) -> Any:
        """What a name stands for: a function to call, plain data, a standard module or one of its members, or neither."""
        if isinstance(value, types.ModuleType) and value.__name__ in STEADY_MODULES:
            return {"module": value.__name__}
        origin = (getattr(value, "__module__", None), getattr(value, "__name__", getattr(value, "_name", None)))
        if origin[0] in STEADY_MODULES and isinstance(origin[1], str):
            return {"member": list(origin)}
        if isinstance(value, CALLABLES):
            return {"function": 1}
        try:
            return {"data": codec.pack(value, set())}
        except (codec.Opaque, RecursionError):
            return {"opaque": type(value).__name__}


def call(function: Any, request: dict[str, Any], names: dict[str, Any]) -> Any:
    """Call and describe: value, exception or opaque; and the arguments, when the call changed them."""
    arguments = [_argument(item, names) for item in request["args"]]
    keywords = {key: _argument(item, names) for key, item in request["keywords"].items()}
    try:
        value = function(*arguments, **keywords)
    except BaseException as error:
        reply = errors.describe(error)
    else:
        reply = _result(value, arguments)
    after = _changed(arguments, request)
    if after is not None:
        reply["after"] = after
    return reply


def _argument(item: Any, names: dict[str, Any]) -> Any:
    return names[item["@"]] if type(item) is dict and "@" in item else codec.unpack(item)


def _result(value: Any, arguments: list[Any]) -> dict[str, Any]:
    for position, argument in enumerate(arguments):
        if value is argument and (type(value) in (list, dict, set) or arrays.kind(value) == arrays.ARRAY):
            return {"same": position}
    try:
        return {"value": codec.pack(value, {id(argument) for argument in arguments})}
    except (codec.Opaque, RecursionError):
        pass
    try:
        return {"value": codec.pack(value), "shared": 1}
    except (codec.Opaque, RecursionError) as error:
        return {"opaque": str(error)}


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


def serve(code: Any, entry_point: str | None, fd: int) -> None:
    """Answer requests until the other end closes. Runs in a process of its own that is thrown away."""
    server = Server(code, entry_point)
    failure: Any = None
    while True:
        try:
            token, request = wire.read_frame(fd)
        except (wire.WireError, OSError):
            os._exit(0)
        if server.module is None and failure is None:
            failure = server.load()
        reply = {"unloaded": list(failure)} if failure else _answer(server, request)
        wire.write_all(fd, _frame(token, reply))


def _answer(server: Server, request: dict[str, Any]) -> Any:
    try:
        return server.answer(request)
    except MemoryError:
        return {"raised": ["MemoryError", "MemoryError", []]}


def _frame(token: str, reply: Any) -> bytes:
    body = json.dumps([token, reply], separators=(",", ":"), allow_nan=False).encode("ascii")
    if len(body) > MAX_REPLY:
        body = json.dumps([token, {"opaque": "too large"}]).encode("ascii")
    return len(body).to_bytes(4, "big") + body
