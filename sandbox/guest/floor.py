"""One thread of the judge speaks to the server at a time, and each has a strand there: a thread that does what this one asks.

Who waits for an answer that takes its time, or runs what the solution called back, leaves the floor to others. What the server
says of strands that are ready is a hint and no more: it wakes the thread that asks again.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

THREADS = frozenset("threading Thread ThreadPoolExecutor ThreadPool concurrent Timer _thread".split())  # noqa: SIM905
"""Words of tests that start threads."""
SHORTEST_S, LONGEST_S = 0.0002, 0.005


class Strand:
    """A thread of the test's."""

    def __init__(self, number: int) -> None:
        """That of the thread that runs here. ``number``: 0 is the main thread's."""
        self.number, self.turn = number, 0
        self.thread: Any = threading.current_thread()
        self.ready = threading.Event()
        self.patience_s = SHORTEST_S


class Floor:
    """A lock that its holder takes as often as it likes, and leaves as a whole."""

    def __init__(self) -> None:
        """Nobody speaks."""
        self.lock = threading.Lock()
        self.holder = self.depth = self.wanting = self.waiting = 0
        self.strands: dict[int, Strand] = {}
        self.over: list[int] = []
        self.count = 0
        self.own = threading.local()

    def __enter__(self) -> None:
        """Wait for one's turn."""
        if self.holder != threading.get_ident():
            self._take()
        self.depth += 1

    def _take(self) -> None:
        if not self.lock.acquire(blocking=False):
            self.wanting += 1
            try:
                self.lock.acquire()
            finally:
                self.wanting -= 1
        self.holder = threading.get_ident()

    def _give(self) -> None:
        self.holder = 0
        self.lock.release()

    def __exit__(self, *_: object) -> None:
        """Let others speak."""
        self.depth -= 1
        if not self.depth:
            self._give()

    @contextlib.contextmanager
    def left(self) -> Iterator[None]:
        """Others speak meanwhile."""
        depth, self.depth = self.depth, 0
        self._give()
        try:
            yield
        finally:
            self._take()
            self.depth = depth

    def strand(self) -> Strand:
        """That of this thread."""
        found: Strand | None = getattr(self.own, "strand", None)
        if found is None:
            over = [number for number, strand in self.strands.items() if not strand.thread.is_alive()]
            for number in over:
                del self.strands[number]
            self.over += over
            found = self.own.strand = self.strands[self.count] = Strand(self.count)
            self.count += 1
        return found

    def asking(self, request: dict[str, Any]) -> dict[str, Any]:
        """A question with what the server has to know: whose it is, and how long it may take before others are heard."""
        strand, over, self.over = self.strand(), self.over, []
        patience_s = 0.0 if self.wanting else strand.patience_s
        return {**request, "strand": [strand.number, strand.thread.name, patience_s], **({"over": over} if over else {})}

    def rest(self, ready: Any) -> None:
        """The answer takes its time: others first. ``ready``: strands of which the server says that they have an answer."""
        for number in ready if type(ready) is list else ():
            if type(number) is int and number in self.strands:
                self.strands[number].ready.set()
        strand = self.strand()
        strand.ready.clear()
        self.waiting += 1
        with self.left():
            strand.ready.wait(strand.patience_s * self.waiting if self.waiting > 1 or self.wanting else SHORTEST_S)
        self.waiting -= 1
        strand.patience_s = min(2 * strand.patience_s, LONGEST_S)

    def answered(self) -> None:
        """The answer has come."""
        self.strand().patience_s = SHORTEST_S
