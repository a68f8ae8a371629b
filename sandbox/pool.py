"""One call of ``execute``: threads that drive slots, a queue of pieces, and the order of the answers.

The main thread plans jobs and yields matrices; the workers only take pieces and record evidence, under one lock. A piece that a
fault interrupted keeps what was answered; the rest goes back once and then runs cell by cell, so that a second fault has exactly
one cell to be charged to. A worker whose slot cannot be restarted gives its piece back and ends; when none is left, the run does.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

from models.errors import SandboxUnavailable
from models.load import SlotLoad
from models.matrix import ExecutionContext, MatrixJob, PassMatrix
from models.ports import OnRows
from models.types import Limits
from sandbox.classify import Evidence
from sandbox.plan import Piece, PlannedJob
from sandbox.slot import InfraFault, Slot

PIECES_AHEAD = 4
"""Rows queued for every slot: enough that none waits for the planner."""
JOBS_AHEAD = 16
"""Jobs in work at most, so that one slow row cannot make finished matrices pile up behind it."""
TICK_S = 0.1
ROWS_S = 1.0
"""Seconds between two deliveries of unfinished jobs: what a killed coordinator can lose."""
OURS = Evidence("infra", "-", 0, 0.0, 0.0)


class Slots(Protocol):
    """Where workers get their slots."""

    @property
    def workers(self) -> int:
        """How many."""
        ...

    @property
    def load(self) -> SlotLoad:
        """Where a run counts what its slots go through."""
        ...

    def context(self, limits: Limits) -> ExecutionContext:
        """Under what cells run."""
        ...

    def slot(self, number: int, memory_mib: int) -> Slot:
        """A started slot. Raises SandboxUnavailable."""
        ...

    def discard(self, number: int) -> None:
        """Close a slot that broke."""
        ...

    def interrupt(self) -> None:
        """Close all slots, so that workers waiting for an answer wake up."""
        ...


class Run:
    """Jobs in, matrices out, in the same order."""

    def __init__(self, slots: Slots) -> None:
        """Threads start with the first job."""
        self._slots = slots
        self._change = threading.Condition()
        self._pieces: deque[Piece] = deque()
        self._jobs: deque[PlannedJob] = deque()
        self._settled = 0
        self._stopping = False
        self._error: BaseException | None = None
        self._threads: list[threading.Thread] = []
        self._alive = 0

    def matrices(
        self, jobs: Iterator[MatrixJob], on_cells: Callable[[int], None], on_rows: OnRows | None = None
    ) -> Iterator[PassMatrix]:
        """Plan ahead, wait for the oldest job, yield it."""
        self._start()
        told = time.monotonic()
        more = True
        while more or self._jobs:
            while more and self._has_room():
                more = self._plan(next(jobs, None))
            done = bool(self._jobs) and self._wait(on_cells)
            if on_rows and (self._error or time.monotonic() - told > ROWS_S):
                self._tell(on_rows)
                told = time.monotonic()
            if self._error is not None:
                raise self._error
            if done:
                yield self._jobs.popleft().matrix()

    def _start(self) -> None:
        self._alive = self._slots.workers
        for number in range(self._alive):
            thread = threading.Thread(target=self._work, args=(number,), name=f"sandbox-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _has_room(self) -> bool:
        return len(self._pieces) < PIECES_AHEAD * self._slots.workers and len(self._jobs) < JOBS_AHEAD

    def _plan(self, job: MatrixJob | None) -> bool:
        if job is None:
            return False
        work = PlannedJob(job, self._slots.context(job.limits))
        with self._change:
            self._jobs.append(work)
            self._slots.load.queue.change(work.open_cells)
            self._pieces.extend(work.pieces())
            self._change.notify_all()
        return True

    def _wait(self, on_cells: Callable[[int], None]) -> bool:
        """Wait a little; True when the oldest job is done."""
        with self._change:
            if self._jobs[0].open_cells and self._error is None:
                self._change.wait(TICK_S)
            settled, self._settled = self._settled, 0
            done = not self._jobs[0].open_cells
        if settled:
            on_cells(settled)
        return done

    def _tell(self, on_rows: OnRows) -> None:
        with self._change:
            news = [(work.job, *work.news()) for work in self._jobs if work.changed]
        for job, rows, matrix in news:
            on_rows(job, rows, matrix)

    def stop(self) -> None:
        """End the threads; those in the middle of a cell are woken by closing their slots. Idempotent."""
        with self._change:
            busy = bool(self._pieces) or any(job.open_cells for job in self._jobs)
            self._stopping = True
            self._pieces.clear()
            self._change.notify_all()
        while any(thread.is_alive() for thread in self._threads):
            if busy:
                self._slots.interrupt()
            for thread in self._threads:
                thread.join(TICK_S)
        left, self._jobs = sum(job.open_cells for job in self._jobs), deque()
        self._slots.load.queue.change(-left)

    def _work(self, number: int) -> None:
        try:
            while (piece := self._take()) is not None:
                self._drive(number, piece)
        except SandboxUnavailable as error:
            self._retire(error)
        except BaseException as error:  # noqa: BLE001 - a bug of ours must reach the caller, not die with the thread
            self._fail(error)

    def _take(self) -> Piece | None:
        with self._change:
            while not self._pieces and not self._stopping:
                self._change.wait()
            return None if self._stopping else self._pieces.popleft()

    def _retire(self, error: SandboxUnavailable) -> None:
        with self._change:
            self._alive -= 1
            last = not self._alive
        if last:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        with self._change:
            self._error = self._error or error
            self._stopping = True
            self._change.notify_all()

    def _drive(self, number: int, piece: Piece) -> None:
        """Run a piece; what a fault leaves over goes back into the queue. Raises SandboxUnavailable, with the piece given back."""
        left, load, began = dict.fromkeys(piece.columns), self._slots.load, time.monotonic()
        try:
            slot = self._slots.slot(number, piece.work.job.limits.memory_mib)
            slot.load(piece.work, piece.work.problem(), piece.work.job.limits)
            for batch in [piece.columns] if piece.attempt == 0 else [[column] for column in piece.columns]:
                self._run(slot, piece, batch, left)
        except InfraFault:
            self._slots.discard(number)
            with self._change:
                load.lost += not self._stopping  # a slot that a stop closed did not break
            self._give_back(piece, list(left))
        except SandboxUnavailable:
            self._give_back(piece, list(left), blameless=True)
            raise
        finally:
            with self._change:
                load.busy_s += time.monotonic() - began

    def _run(self, slot: Slot, piece: Piece, columns: list[int], left: dict[int, None]) -> None:
        seen = (
            list(self._judged(slot, piece, columns))
            if piece.work.job.checker
            else slot.row(piece.work.source(piece.solution), columns)
        )
        for column, evidence in seen:
            if evidence.ending == "infra":
                raise InfraFault(f"the supervisor could not go on: {evidence.note or 'scratch space would not empty'}")
            self._record(piece, column, evidence)
            del left[column]

    def _judged(self, slot: Slot, piece: Piece, columns: list[int]) -> Iterator[tuple[int, Evidence]]:
        """Outputs of a stdin program, each judged by the checker in a cell of its own; other endings pass through."""
        for column, evidence in [*slot.row(piece.work.source(piece.solution), columns)]:
            yield column, piece.work.judged(evidence, column, slot)

    def _record(self, piece: Piece, column: int, evidence: Evidence) -> None:
        with self._change:
            self._settled += piece.work.record(piece.solution, column, evidence)
            self._slots.load.answered()
            if not piece.work.open_cells:
                self._change.notify_all()

    def _give_back(self, piece: Piece, left: list[int], *, blameless: bool = False) -> None:
        if piece.attempt and left and not blameless and not self._stopping:
            self._record(piece, left.pop(0), OURS)
        with self._change:
            if left and not self._stopping:
                self._slots.load.retries += not blameless
                self._pieces.append(Piece(piece.work, piece.solution, left, piece.attempt if blameless else 1))
                self._change.notify()
