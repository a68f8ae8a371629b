"""The side of the test: processes that hold the tests of one problem and never run a line of a solution.

Two of them. The *keeper* is forked by the supervisor when a problem is announced, reads the tests from the host itself (so that the
supervisor, and with it every solution's process, never has them in memory) and compiles them. It runs none; it forks *judges*,
which do. A judge that has only run inert tests is used again; any other is replaced. The supervisor speaks to it in JSON over a
socket; descriptors travel beside the message.
"""

from __future__ import annotations

import gc
import os
import socket
import sys
from typing import Any

from sandbox.guest import cell, compiler, falsify, floor, judge, program, remote, report, turns, wire, world
from sandbox.guest.line import Gone, Uncrossable, Unloaded
from sandbox.guest.link import Link

GAVE_UP, DATA_ONLY, GONE = "O", "D", "V"
"""Letters between judge and supervisor: needs what cannot cross; needs both sides kept alike; the solution's process has gone."""


def send(sock: socket.socket, message: Any, fds: list[int]) -> None:
    """A frame with descriptors beside it."""
    data = wire.encode(message)
    socket.send_fds(sock, [data[:4]], fds) if fds else sock.sendall(data[:4])
    sock.sendall(data[4:])


def receive(sock: socket.socket) -> tuple[Any, list[int]]:
    """The next frame and its descriptors. Raises WireError at the end, OSError when the socket's time is up."""
    head, fds, _, _ = socket.recv_fds(sock, 4, 4)
    head += _rest(sock, 4 - len(head)) if head else b""
    if not head:
        raise wire.WireError("the other end closed")
    return wire.decode(_rest(sock, int.from_bytes(head, "big"))), fds


def _rest(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = sock.recv(size - len(data))
        if not part:
            raise wire.WireError("the other end closed")
        data += part
    return data


class Keeper:
    """Holds the compiled tests; forks judges."""

    def __init__(self, sock: socket.socket, base: cell.Spec) -> None:
        """``base``: the limits and surroundings of this slot's cells."""
        self.sock, self.base = sock, base
        self.tests: list[Any] = []

    def serve(self, from_host: int) -> None:
        """Read the tests, say so, then obey until the supervisor closes the socket."""
        texts = wire.read_frame(from_host)["tests"]
        os.close(from_host)
        if any("Async" in text or "asyncio" in text for text in texts):
            import asyncio  # noqa: F401
        self.tests = compiler.compile_all(texts, "test", self.base.memory_bytes)
        gc.collect()
        gc.freeze()
        send(self.sock, {"tests": len(self.tests)}, [])
        while True:
            try:
                order, fds = receive(self.sock)
            except wire.WireError:
                os._exit(0)
            self.obey(order, fds)

    def obey(self, order: dict[str, Any], fds: list[int]) -> None:
        """Fork what is asked for, or reap what was forked."""
        if "reap" in order:
            send(self.sock, reap(order["reap"]), [])
            return
        pid = os.fork()
        if pid == 0:
            self.sock.close()
            Judge(self, fds[0]).run()
        for fd in fds:
            os.close(fd)
        send(self.sock, {"pid": pid}, [])


def reap(pid: int) -> dict[str, Any]:
    """Wait for a child that has ended or was killed; status and CPU seconds of its tree."""
    _, raw, usage = os.wait4(pid, 0)
    return {"status": os.waitstatus_to_exitcode(raw), "cpu_s": usage.ru_utime + usage.ru_stime}


class Judge:
    """Runs tests against solutions that are elsewhere."""

    def __init__(self, keeper: Keeper, fd: int) -> None:
        """``fd``: the socket to the supervisor."""
        self.tests, self.base = keeper.tests, keeper.base
        self.sock = socket.socket(fileno=fd)
        self.link: Link | None = None

    def run(self) -> None:
        """Judge one cell after the other until the supervisor closes the socket."""
        try:
            cell.confine(self.base, self.sock.fileno())
            turns.install()
            while True:
                order, fds = receive(self.sock)
                if fds:
                    self._connect(fds[0])
                send(self.sock, self.cell(order["column"], order["text"], order["full"], order["prove"]), [])
        finally:
            os._exit(0)

    def _connect(self, fd: int) -> None:
        if self.link is not None:
            self.link.sock.close()
        self.link = Link(fd)

    def cell(self, column: int, text: bool, full: bool, prove: bool) -> list[Any]:
        """[letter, detail, may this judge be used again, may that server, how far it was believed, digest of the outputs, text].

        ``text``: the solution may not compile, which comes first. ``full``: see ``link``; ``prove``: see ``falsify``.
        """
        link = self.link
        assert link is not None
        inert = entangled = False
        try:
            test = program.unmarshal(self.tests[column]) or program.compile_test(self.tests[column])
            inert, entangled = bool(test[3]), bool(test[4])
            mentioned = program.mentioned(test[0])
            touches = bool(test[9]) or not world.TOUCHING.isdisjoint(mentioned)
            threaded = not floor.THREADS.isdisjoint(mentioned)
            link.fresh(full=full or touches or threaded)
            link.stale = touches or threaded
            if threaded:
                inert = False
                link.threads()
            letter, detail = self._judge(test, link)
            if letter == report.PASSED and prove and falsify.holds_for_anything(link):
                letter, detail = report.GARBLED, "what the solution says equals what is expected equals anything"
            if letter == report.PASSED:
                link.still_there()
            if letter == report.PASSED and link.ended:
                letter, detail = (
                    report.GARBLED,
                    "a function of the test's ended before its assertions, and the solution kept it quiet",
                )
            if letter == report.PASSED and link.starved:  # a test that expects some exception must not take that one for it
                letter, detail = report.MEMORY, "the solution ran out of memory in a call"
        except program.Uncompilable as error:
            link.fresh(full=full)
            letter, detail = (report.MEMORY if error.memory else report.BAD_TEST), f"test: {error}"
            letter = self._before_the_test(link) or letter if text else letter
        except BaseException as error:
            letter, detail = judge.blame(error), judge.describe(error)
        for name in ("solution", "your_module", program.TEST_MODULE):
            sys.modules.pop(name, None)
        if link.gone or link.gave_up:
            letter = report.GARBLED if link.forged else GONE if link.gone else GAVE_UP if link.full else DATA_ONLY
        elif letter in (report.FAILED, report.ERROR) and (link.moved() or (entangled and not link.full)):
            letter = DATA_ONLY
        doubt = link.doubts.word() if link.theirs or link.mine or link.doubts.refused else ""
        outputs = (None, None) if link.gone or link.gave_up else link.outcomes.result()
        return [letter, detail or link.why, inert, not link.stale, doubt, *outputs]

    @staticmethod
    def _before_the_test(link: Link) -> str:
        """The letter of a solution that does not compile, or nothing."""
        try:
            link.learn([])
        except Unloaded as error:
            return report.BAD_SOLUTION if error.args[0] == report.BAD_SOLUTION else ""
        except Gone:
            return ""
        return ""

    def _judge(self, test: Any, link: Link) -> tuple[str, str]:
        mentioned = program.mentioned(test[0])
        names = [name for name in mentioned if name not in test[5]]
        entry_point = self.base.entry_point
        try:
            module = remote.Solution(link, [*names, entry_point] if entry_point else names, entry_point)
        except Unloaded as error:
            return error.args[0] if error.args[0] in tuple("EMS") else report.ERROR, error.args[1]
        except Uncrossable as error:
            return report.ERROR, str(error)  # the link remembers
        link.outside.look(set(mentioned), test[9], link.give_up)
        link.doubts.asks_identity = bool(test[7])
        for name in test[6]:
            if name in vars(module):
                link.doubts.expects(name, vars(module)[name])
        sys.modules["solution"] = sys.modules["your_module"] = module
        return judge.run_test(test, module, entry_point)
