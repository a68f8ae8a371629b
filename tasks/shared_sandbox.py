"""One sandbox for several askers at one time, and bounded channels between threads: what lets models and sandbox work side by side.

Decides only order and bounds. Jobs run in the order in which they come, whoever submits them, so that slots stay busy while
there is any job; an asker gets its own matrices back. A channel that is full makes its writer wait (back-pressure), and a stop
wakes everybody up. Refuses to guess after a failure: the first one stops the others and is raised.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from models.load import Gauge
from models.matrix import MatrixJob, PassMatrix

T = TypeVar("T")
TICK_S = 0.05
Execute = Callable[[Iterable[MatrixJob]], Iterator[PassMatrix]]


class Stopped(Exception):
    """The work was called off by another thread's failure."""


class Channel(Generic[T]):
    """A bounded queue with an end. One reader; ``stop`` ends both sides."""

    def __init__(self, bound: int, stop: threading.Event) -> None:
        """``bound``: items that may wait; ``waiting`` counts them, and the one that its writer has no room for."""
        self.waiting = Gauge()
        self._items: queue.Queue[T | None] = queue.Queue(bound)
        self._stop = stop
        self._ended = False

    def put(self, item: T | None) -> None:
        """Wait for room. Raises Stopped."""
        self.waiting.change(item is not None)
        while True:
            if self._stop.is_set():
                raise Stopped
            try:
                self._items.put(item, timeout=TICK_S)
            except queue.Full:
                continue
            return

    def close(self) -> None:
        """No more items."""
        self.put(None)

    def batches(self) -> Iterator[list[T]]:
        """Whatever waits, at least one item, until the end. Raises Stopped."""
        while not self._ended:
            batch = [self._next()]
            while batch[-1] is not None and not self._items.empty():
                batch.append(self._items.get_nowait())  # one reader: what is there stays there
            self._ended = batch[-1] is None
            if items := [item for item in batch if item is not None]:
                self.waiting.change(-len(items))
                yield items

    def __iter__(self) -> Iterator[T]:
        """Item by item. Raises Stopped."""
        return (item for batch in self.batches() for item in batch)

    def _next(self) -> T | None:
        while not self._stop.is_set():
            try:
                return self._items.get(timeout=TICK_S)
            except queue.Empty:
                continue
        raise Stopped


@dataclass
class Tally:
    """Jobs of one asker that wait or run, that are done, and the sandbox's seconds on those: of matrix after matrix."""

    waiting: int = 0
    done: int = 0
    seconds: float = 0.0

    @property
    def mean_s(self) -> float:
        """Of a job; 0 before the first."""
        return self.seconds / self.done if self.done else 0.0

    @property
    def queued_s(self) -> float:
        """What waits, at that pace."""
        return self.waiting * self.mean_s


class _Entry(NamedTuple):
    job: MatrixJob
    future: Future[PassMatrix]
    tally: Tally


class SharedSandbox:
    """``run`` drives the sandbox in one thread; ``submit`` and ``execute`` may be called in any other."""

    def __init__(self, execute: Execute, stop: threading.Event) -> None:
        """``execute``: jobs in, matrices out, in order (``tasks.execute_matrix.execute_jobs`` with its executor and store).

        ``waiting``: jobs that no slot has begun and the executor has not asked for yet.
        """
        self._execute, self._stop = execute, stop
        self.waiting = Gauge()
        self._waiting: queue.SimpleQueue[_Entry] = queue.SimpleQueue()
        self._guard = threading.Lock()
        self.tallies: dict[str, Tally] = defaultdict(Tally)

    def submit(self, job: MatrixJob, asker: str = "tests") -> Future[PassMatrix]:
        """Queue a job; its matrix comes as the future's result. ``asker``: under which name it is counted."""
        future: Future[PassMatrix] = Future()
        tally = self.tallies[asker]
        with self._guard:
            tally.waiting += 1
        self.waiting.change(1)
        self._waiting.put(_Entry(job, future, tally))
        return future

    def execute(self, jobs: Iterable[MatrixJob]) -> Iterator[PassMatrix]:
        """Queue all jobs, of ground truth, then yield their matrices in order: an executor. Raises Stopped."""
        futures = [self.submit(job, "truth") for job in jobs]
        for future in futures:
            while not wait([future], timeout=TICK_S).done:
                if self._stop.is_set():
                    raise Stopped
            yield future.result()

    def run(self, busy: Callable[[], bool]) -> None:
        """Run jobs until ``busy`` says that no more will come. Raises what the sandbox raises."""
        while True:
            more = busy()
            try:
                first = self._waiting.get(timeout=TICK_S)
            except queue.Empty:
                if more:
                    continue
                return
            self._run_from(first)

    def _run_from(self, first: _Entry) -> None:
        """One call of the executor: the first job and every one that is there when the sandbox has room for another."""
        running: deque[_Entry] = deque()

        def jobs() -> Iterator[MatrixJob]:
            entry: _Entry | None = first
            while entry is not None and not self._stop.is_set():
                self.waiting.change(-1)
                running.append(entry)
                yield entry.job
                entry = self._next_now()

        began = time.monotonic()
        for matrix in self._execute(jobs()):
            done, now = running.popleft(), time.monotonic()
            with self._guard:
                done.tally.waiting -= 1
                done.tally.done += 1
                done.tally.seconds += now - began
            began = now
            done.future.set_result(matrix)

    def _next_now(self) -> _Entry | None:
        try:
            return self._waiting.get_nowait()
        except queue.Empty:
            return None
