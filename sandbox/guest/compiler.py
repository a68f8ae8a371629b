"""Compile each source once a row or a problem instead of once a cell, in a process that runs none of it.

The supervisor must not compile what it does not trust (a parser bomb would take the slot with it), and a cell that parses its own
sources spends half its time on page faults. So a forked child compiles and sends the byte code back as opaque bytes; only cells
unmarshal them. A source that does not compile, or that kills or stalls the child, stays text: its cells find out for themselves
and that gives the verdict. This changes the speed and nothing else.
"""

from __future__ import annotations

import marshal
import os
import resource
import select
import signal
import time

from sandbox.guest import program, wire

STALL_S = 1.0
"""Seconds for one source: 100,000 lines compile in that time."""
MAX_CODE = 64 << 20


def compile_all(sources: list[str], kind: str, memory_bytes: int) -> list[str | bytes]:
    """Byte code where it compiled, the text itself where not. ``kind``: solution or test."""
    results: list[str | bytes] = list(sources)
    position = 0
    while position < len(sources):
        position += _batch(sources, results, position, kind, memory_bytes) + 1
    return results


def _batch(sources: list[str], results: list[str | bytes], start: int, kind: str, memory_bytes: int) -> int:
    """Compile from ``start`` on until the child ends; how many sources were answered."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            _child(sources[start:], writing, kind, memory_bytes)
        finally:
            os._exit(0)
    os.close(writing)
    answered = 0
    try:
        while start + answered < len(sources):
            body = _next(reading)
            if body is None:
                break
            if body:
                results[start + answered] = body
            answered += 1
    finally:
        os.close(reading)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return answered


def _next(fd: int) -> bytes | None:
    """One answer; None when the child ended or stalled."""
    data, size, deadline = b"", 4, time.monotonic() + STALL_S
    while len(data) < size:
        ready, _, _ = select.select([fd], [], [], max(0.0, deadline - time.monotonic()))
        part = os.read(fd, size - len(data)) if ready else b""
        if not part:
            return None
        data += part
        if len(data) == 4 and size == 4:
            size = 4 + min(int.from_bytes(data, "big"), MAX_CODE)
    return data[4:]


def _child(sources: list[str], fd: int, kind: str, memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    for source in sources:
        body = b""
        try:
            body = program.compile_solution(source) if kind == "solution" else b"\0" + marshal.dumps(program.compile_test(source))
        except (program.Uncompilable, ValueError):
            body = b""
        wire.write_all(fd, len(body).to_bytes(4, "big") + body)
