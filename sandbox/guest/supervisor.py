"""Pid 1 of a slot: takes frames from the host, forks one process a cell, answers with evidence.

It never compiles, imports, opens, follows or believes what a cell made, and it never runs a cell itself, so every cell starts
from the same warm state. Requests: ```load`` (one problem), ``row`` (one solution, the columns wanted),
``check`` (a checker over one output). Answers come as batches of evidence, at most ``FLUSH_S`` after the cell:

    [column, ending, letter, exit status or -signal, CPU ms, wall ms, note, output digest, output text or null, marks]
"""

# ruff: noqa: PTH123
# No pathlib in the supervisor: every page that it maps is paid for in each fork.
from __future__ import annotations

import contextlib
import gc
import os
import resource
import secrets
import sys
import time
from typing import Any

from sandbox.guest import arrays, cell, compiler, kernel, outcomes, processes, program, report, scratch, seccomp, trial, watch, wire

FROM_HOST, TO_HOST = 3, 4
FLUSH_S = 0.05
MAX_OUTPUT = 8 << 20
"""Bytes of stdout that are kept; a program that writes more has written something else than what was expected."""
OOM_COUNTERS = ("/sys/fs/cgroup/memory/memory.oom_control", "/sys/fs/cgroup/memory.events")
PREIMPORTED = (
    "unittest typing math collections itertools functools re heapq bisect string random datetime copy operator json decimal "
    "fractions statistics hashlib abc array calendar cmath contextlib dataclasses enum inspect io numbers queue textwrap time "
    "traceback types warnings weakref socket"
)
OUT_OF_MEMORY, SPOILT = "oom", "infra"


class Supervisor:
    """State of one slot: the loaded problem and the limits of its cells."""

    def __init__(self, config: dict[str, Any]) -> None:
        """``config``: scratch (directories, the first is the working directory), nproc, isolate (mount and drop by ourselves)."""
        self.directories: list[str] = config["scratch"]
        self.nproc = config.get("nproc")
        self.missing: list[str] = []
        self.base_bytes = 0
        self.problem: dict[str, Any] = {}
        self.tests: list[Any] = []
        self.trial: trial.Trial | None = None
        self.filtered = False
        self.hidden = cell.guest_names()

    def prepare(self, isolate: bool, scratch_mib: int) -> None:
        """Shield this process, mount what is ours, warm up."""
        if isolate:
            self._need(kernel.read_only_root(), "the file system is not read-only")
            done = [kernel.mount_tmpfs(path, scratch_mib) for path in self.directories]
            self._need(all(done), "scratch space has no limit of its own")
            self._need(kernel.drop_capabilities(), "capabilities are not dropped")
        scratch.claim(self.directories)
        self._need(kernel.no_new_privileges(), "no-new-privileges is not set")
        kernel.adopt_orphans()
        self.filtered = seccomp.install(seccomp.for_slot())
        self._need(self.filtered, "no system-call filter")
        for name in PREIMPORTED.split():
            __import__(name)
        with contextlib.suppress(ImportError):  # images without numpy are the usual ones
            for name in sorted(arrays.MODULES):
                __import__(name)
        gc.collect()
        gc.freeze()
        gc.disable()
        self._need(kernel.hide_memory(), "the supervisor's memory can be read by cells")
        with open("/proc/self/statm") as file:
            self.base_bytes = int(file.read().split()[0]) * kernel.PAGE

    def _need(self, held: bool, otherwise: str) -> None:
        if not held:
            self.missing.append(otherwise)

    def load(self, problem: dict[str, Any]) -> int:
        """Take one problem; how many tests. Those of functions follow in a frame of their own, which only the keeper reads."""
        self.unload()
        self.problem, self.tests = problem, problem.get("tests", [])
        if problem["style"] != "function":
            return len(self.tests)
        self.trial = trial.Trial(self.spec("judge", "", None), problem["wall_s"], FROM_HOST, TO_HOST)
        return self.trial.ready()

    def unload(self) -> None:
        """End what belongs to the problem before."""
        if self.trial is not None:
            self.trial.close()
            self.trial = None

    def _memory_bytes(self) -> int:
        """Address space of a cell: what this process has mapped already, and the limit on top."""
        return self.base_bytes + (int(self.problem["memory_mib"]) << 20)

    def spec(self, style: str, solution: Any, test: Any) -> cell.Spec:
        """What a cell of the loaded problem runs."""
        return cell.Spec(
            style=style,
            solution=solution,
            test=test,
            entry_point=self.problem["entry_point"],
            detail=self.problem.get("detail", False),
            cpu_s=self.problem["timeout_s"],
            memory_bytes=self._memory_bytes(),
            hidden=self.hidden,
            nproc=self.nproc,
            scratch=self.directories[0],
        )

    def row(self, solution: str, columns: list[int]) -> None:
        """Run one solution's cells and stream the evidence."""
        batch: list[list[Any]] = []
        flushed = time.monotonic()
        program_ = compiler.compile_all([solution], "solution", self._memory_bytes())[0]
        for position, column in enumerate(columns):
            evidence = self.one(program_, column)
            if evidence[1] == report.BAD_SOLUTION:  # it does not compile, so it does not compile for any other test
                batch.extend([other, *evidence] for other in columns[position:])
                break
            batch.append([column, *evidence])
            if evidence[0] == SPOILT:  # no cell may start here any more; the host sees the stream end and replaces the slot
                wire.write_all(TO_HOST, wire.encode({"cells": batch}))
                os._exit(1)
            if time.monotonic() - flushed > FLUSH_S:
                wire.write_all(TO_HOST, wire.encode({"cells": batch}))
                batch, flushed = [], time.monotonic()
        if self.trial is not None:
            self.trial.end_row()
        wire.write_all(TO_HOST, wire.encode({"cells": batch, "end": True}))

    def one(self, solution: Any, column: int) -> list[Any]:
        """Evidence of one cell of the loaded problem, without its column."""
        if self.trial is None:
            return self.run(self.spec(self.problem["style"], solution, self.tests[column]))
        kills = _oom_kills()
        try:
            ending, letter, status, cpu_ms, wall_ms, note, output, text, marks = self.trial.run(solution, column)
            steady = letter in "PFE" and ending == watch.FINISHED and program.shown(solution) & program.PURE
            if not steady:
                self.trial.end_row()
                if not self._clean():
                    ending = SPOILT
        except trial.KeeperLost as error:
            return [SPOILT, report.NOTHING, 0, 0.0, 0.0, f"the keeper of the tests was lost: {error}", None, None, []]
        if status == -9 and ending == watch.FINISHED and _oom_kills() > kills:
            ending = OUT_OF_MEMORY
        return [ending, letter, status, cpu_ms, wall_ms, note, output, text, marks]

    def run(self, spec: cell.Spec) -> list[Any]:
        """Fork one stdin program or checker, wait, end it, clean up; the evidence without its column."""
        nonce = secrets.token_hex(8).encode()
        reading, writing = os.pipe()
        out_reading, out_writing = os.pipe() if spec.style == "stdin" else (None, None)
        baseline, kills, began = processes.reaped_cpu_s(), _oom_kills(), time.monotonic()
        taken, taking = os.pipe()
        pid = os.fork()
        if pid == 0:
            if spec.style == "checker":  # it takes what it compares from the host itself: expected outputs never enter this process
                spec.solution, spec.test = wire.read_frame(FROM_HOST)
            os.write(taking, b".")
            os.close(taking)
            cell.run(spec, nonce, writing, out_writing)
        os.close(taking)
        os.read(taken, 1)
        os.close(taken)
        os.close(writing)
        drain = None
        if out_reading is not None and out_writing is not None:
            os.close(out_writing)
            drain = watch.Drain(out_reading, MAX_OUTPUT)
        ending = watch.wait(pid, self.problem["timeout_s"], self.problem["wall_s"], baseline, drain)
        wall_s = time.monotonic() - began
        status = self._end(pid, ending)
        os.set_blocking(reading, False)
        message = read_message(reading)
        cpu_s = processes.reaped_cpu_s() - baseline
        if status == -9 and ending == watch.FINISHED and _oom_kills() > kills:
            ending = OUT_OF_MEMORY
        if ending == watch.FINISHED and cpu_s > self.problem["timeout_s"] + watch.SETUP_CPU_S:
            ending = watch.CPU_LIMIT
        if not self._clean():
            ending = SPOILT
        letter, note = report.parse(nonce, message)
        return [ending, letter, status, round(cpu_s * 1e3, 2), round(wall_s * 1e3, 2), note, *self._output(drain), []]

    def _end(self, pid: int, ending: str) -> int:
        """Reap the leader (its own status first), then everything that it left behind."""
        status = 0
        if ending == watch.FINISHED:
            _, raw = os.waitpid(pid, 0)
            status = os.waitstatus_to_exitcode(raw)
        processes.kill_all()
        return status

    def _clean(self) -> bool:
        if not self.filtered:
            kernel.remove_ipc()
        return scratch.empty(self.directories)

    def _output(self, drain: watch.Drain | None) -> list[Any]:
        if drain is None:
            return [None, None]
        drain.close()
        if drain.size > drain.limit:
            return [None, None]
        wanted = self.problem.get("keep_output") or drain.size <= outcomes.SHORT
        text = bytes(drain.data).decode("utf-8", "replace") if wanted else None
        return [wire.output_digest(bytes(drain.data)), text]


def _oom_kills() -> int:
    """How often the kernel killed in this slot's memory group."""
    for path in OOM_COUNTERS:
        try:
            with open(path) as file:
                for line in file:
                    if line.startswith("oom_kill "):
                        return int(line.split()[1])
        except OSError:
            continue
    return 0


def main() -> None:
    """Serve until the host closes the stream; killed cells and our own faults never end it quietly."""
    os.dup2(0, FROM_HOST)
    os.dup2(1, TO_HOST)
    cell.standard_streams()
    config = wire.read_frame(FROM_HOST)
    supervisor = Supervisor(config)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        supervisor.prepare(config.get("isolate", False), config.get("scratch_mib", 64))
    except scratch.NotOurs as error:
        wire.write_all(TO_HOST, wire.encode({"refused": str(error)}))
        return
    ready = {"ready": sys.version.split()[0], "pid": os.getpid(), "missing": supervisor.missing}
    wire.write_all(TO_HOST, wire.encode(ready))
    while True:
        try:
            request = wire.read_frame(FROM_HOST)
        except wire.WireError:
            processes.kill_all()
            return
        _serve(supervisor, request)


def _serve(supervisor: Supervisor, request: dict[str, Any]) -> None:
    if request["op"] == "load":
        wire.write_all(TO_HOST, wire.encode({"loaded": supervisor.load(request)}))
    elif request["op"] == "row":
        supervisor.row(request["solution"], request["columns"])
    else:
        evidence = supervisor.run(supervisor.spec("checker", None, None))
        wire.write_all(TO_HOST, wire.encode({"cells": [[0, *evidence]], "end": True}))


def read_message(fd: int) -> bytes:
    """What a cell sent, cut one byte past the largest message; closes the descriptor."""
    try:
        return os.read(fd, report.MAX_MESSAGE + 1)
    except BlockingIOError:
        return b""
    finally:
        os.close(fd)
