"""The supervisor's part of a split cell: start the two sides, hold the clock, end what must end, say what was seen.

The test runs in a judge, the solution in a server, and they share no memory; the supervisor passes each server's socket to the
judge and then only watches both CPU clocks. A judge answers for the cell unless the server has gone (then the server's own ending
is the evidence), or another way is needed:

    needed                                              the cell runs again                      its pass stands
    both sides kept alike (state, aliases)              apart, with handles                      as it is
    a comparison of the solution's own was believed     apart, watched (mark ``believed``)       for a source that was read

"Read" is ``screen.innocent``; any other pass of these is handed on as ``unproved``, as is one where the solution's object was asked
what nobody should ask it (``doubts``), and a cell in which something would have to cross that cannot. The two never share a
process.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from typing import Any

from sandbox.guest import cell, doubts, kernel, processes, program, referee, report, seccomp, server, watch, wire

ANSWER_S = 10.0
"""Seconds that the keeper may take for a fork; a healthy one takes milliseconds."""
JUDGE_S = 0.2
"""Seconds for a judge to notice that the server was killed."""
LETTER, MARKS = 1, 8
"""Places in the evidence of a cell."""
UNPROVED = "unproved"


class KeeperLost(Exception):
    """The process that holds the tests is gone or mute: nothing more can be judged here."""


class Trial:
    """Both sides of one problem."""

    def __init__(self, base: cell.Spec, wall_s: float, from_host: int, to_host: int) -> None:
        """Fork the keeper, which takes the tests from the host. ``base``: limits and surroundings of the cells."""
        self.base, self.wall_s, self.host = base, wall_s, (from_host, to_host)
        self.judge_pid = self.server_pid = 0
        self.judge_sock: socket.socket | None = None
        self.pending: int | None = None
        self.server_base_s = 0.0
        self.control, far = socket.socketpair()
        self.keeper_pid = os.fork()
        if self.keeper_pid == 0:
            try:
                self.control.close()
                os.close(to_host)
                referee.Keeper(far, base).serve(from_host)
            finally:
                os._exit(1)
        far.close()
        processes.spared.clear()
        processes.spared.add(self.keeper_pid)

    def ready(self) -> int:
        """Wait until the keeper has the tests; how many. Raises KeeperLost."""
        return int(self._reply(600.0)["tests"])

    def _reply(self, timeout_s: float = ANSWER_S) -> dict[str, Any]:
        self.control.settimeout(timeout_s)
        try:
            answer, _ = referee.receive(self.control)
        except (wire.WireError, OSError) as error:
            raise KeeperLost(str(error)) from error
        finally:
            self.control.settimeout(None)
        return dict(answer)

    def _order(self, message: dict[str, Any], fds: list[int]) -> dict[str, Any]:
        try:
            referee.send(self.control, message, fds)
        except OSError as error:
            raise KeeperLost(str(error)) from error
        return self._reply()

    def close(self) -> None:
        """End keeper, judge and server."""
        self._end_server()
        if self.judge_sock is not None:
            self.judge_sock.close()
            self.judge_sock = None
        self.control.close()
        processes.spared.clear()
        processes.kill_all()

    def _ensure_judge(self) -> socket.socket:
        if self.judge_sock is None:
            near, far = socket.socketpair()
            self.judge_pid = int(self._order({"judge": 1}, [far.fileno()])["pid"])
            far.close()
            processes.spared.add(self.judge_pid)
            self.judge_sock = near
        return self.judge_sock

    def _end_judge(self) -> dict[str, Any]:
        assert self.judge_sock is not None
        self.judge_sock.close()
        self.judge_sock = None
        os.kill(self.judge_pid, signal.SIGKILL)
        ended = self._order({"reap": self.judge_pid}, [])
        processes.spared.discard(self.judge_pid)
        if self.server_pid and self.pending is None:
            self._end_server()  # its socket died with the judge
        return ended

    def start_server(self, solution: Any, prove: bool = False) -> None:
        """Fork a process that holds one solution; its socket goes to the judge with the next cell. ``prove``: see ``server``."""
        near, far = socket.socketpair()
        self.server_base_s = processes.reaped_cpu_s()
        self.server_pid = os.fork()
        if self.server_pid == 0:
            try:
                cell.confine(self.base, near.fileno())
                seccomp.install(seccomp.for_cell(os.getpid()))
                server.Server(solution, self.base.entry_point, near.fileno(), prove).serve()
            finally:
                os._exit(70)
        near.close()
        self.pending = far.detach()

    def _end_server(self) -> int:
        """Kill the server with everything it made; its exit status, or minus the signal. 0 when there is none."""
        if self.pending is not None:
            os.close(self.pending)
            self.pending = None
        if not self.server_pid:
            return 0
        pid, self.server_pid = self.server_pid, 0
        ended, raw = os.waitpid(pid, os.WNOHANG)
        if not ended:
            os.kill(pid, signal.SIGKILL)
            _, raw = os.waitpid(pid, 0)
        if not processes.kill_all():
            raise KeeperLost("processes of a cell would not end")
        return os.waitstatus_to_exitcode(raw)

    def run(self, solution: Any, column: int) -> list[Any]:
        """Evidence of one cell: [ending, letter, status, CPU ms, wall ms, note, output digest, output text, marks]."""
        read = program.shown(solution)
        seen = self._apart(solution, column, full=not read & program.PURE)
        if seen[LETTER] == referee.DATA_ONLY:
            seen = self._again(solution, column)
        if seen[MARKS] == [doubts.REFUSED] or seen[LETTER] in (referee.GAVE_UP, referee.DATA_ONLY):
            seen[LETTER], seen[MARKS] = report.GARBLED, [UNPROVED]
        elif seen[LETTER] == report.PASSED and seen[MARKS] == [doubts.BELIEVED]:
            seen = self._again(solution, column, prove=True) if read & program.INNOCENT else seen
            if not read & program.INNOCENT or (seen[0] == watch.FINISHED and seen[LETTER] != report.PASSED):
                seen[LETTER], seen[MARKS] = report.GARBLED, [UNPROVED]
        return seen

    def _again(self, solution: Any, column: int, *, prove: bool = False) -> list[Any]:
        """The same cell with a server of its own. ``prove``: one that watches what reading the source has shown."""
        self._end_server()
        seen = self._apart(solution, column, full=True, prove=prove)
        if seen[MARKS] == [doubts.REFUSED]:
            seen[LETTER] = report.GARBLED
        if prove:
            self._end_server()
        return seen

    def _apart(self, solution: Any, column: int, *, full: bool, prove: bool = False) -> list[Any]:
        """Test and solution in two processes."""
        began = time.monotonic()
        judge = self._ensure_judge()
        if not self.server_pid:
            self.start_server(solution, prove)
        fds = [] if self.pending is None else [self.pending]
        order = {"column": column, "text": isinstance(solution, str), "full": full, "prove": prove}
        try:
            referee.send(judge, order, fds)
        except OSError:  # a judge that left after its last answer
            self._end_judge()
            if self.pending is None:
                self.start_server(solution, prove)
            fds = [] if self.pending is None else [self.pending]
            judge = self._ensure_judge()
            referee.send(judge, order, fds)
        if self.pending is not None:
            os.close(self.pending)
            self.pending = None
        start_s = kernel.thread_group_cpu_s(self.judge_pid) + (0.0 if fds else self._server_s())
        ending = watch.wait_for(judge.fileno(), lambda: self._used_s(start_s), self.base.cpu_s, self.wall_s)
        cpu_s = self._used_s(start_s)
        wall_ms = round((time.monotonic() - began) * 1e3, 2)
        letter, note, status, ending, outputs, marks = self._verdict(ending, cpu_s)
        return [ending, letter, status, round(cpu_s * 1e3, 2), wall_ms, note, *outputs, marks]

    def _server_s(self) -> float:
        return processes.tree_cpu_s(self.server_pid, self.server_base_s) if self.server_pid else 0.0

    def _used_s(self, start_s: float) -> float:
        return kernel.thread_group_cpu_s(self.judge_pid) + self._server_s() - start_s

    def _verdict(self, ending: str, cpu_s: float) -> tuple[str, str, int, str, list[str | None], list[str]]:
        """(letter, note, status, ending, outputs, marks) after the wait; ends whatever may not go on."""
        none: list[str | None] = [None, None]
        if ending == watch.FINISHED and cpu_s > self.base.cpu_s + watch.SETUP_CPU_S:
            ending = watch.CPU_LIMIT
        if ending != watch.FINISHED:
            self._end_server()
            self._end_judge()
            return report.NOTHING, "", 0, ending, none, []
        try:
            answer, _ = referee.receive(self.judge_sock)  # type: ignore[arg-type]
            letter, note, again, steady, doubt, *outputs = answer
        except (wire.WireError, OSError, ValueError, TypeError):
            self._end_server()
            return report.NOTHING, "the judge ended", int(self._end_judge()["status"]), ending, none, []
        status = self._end_server() if letter in (referee.GONE, report.GARBLED) or not again or not steady else 0
        if not again:
            self._end_judge()
        if letter == referee.GONE:
            return report.NOTHING, "the solution's process left", status, ending, none, []
        return str(letter), str(note) if self.base.detail else "", 0, ending, outputs, [doubt] if doubt else []

    def end_row(self) -> None:
        """No solution outlives its row."""
        self._end_server()
