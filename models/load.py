"""Counters that are fed while work goes on: how much waits, over time, and what broke. No results; see models.operations.

A level (cells that wait for a slot, problems that wait for a model) is integrated over time at each change, so that its mean is
exact however seldom somebody looks. Times are seconds of ``time.time``, since parts of a run may stand on several machines.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

POINTS = 200
"""Points that a timeline keeps; beyond them its buckets become twice as wide."""
Clock = Callable[[], float]


@dataclass(frozen=True)
class Level:
    """A level over ``seconds``: ``area`` is its integral, ``most`` its maximum. Two of them add up to both together."""

    area: float = 0.0
    seconds: float = 0.0
    most: int = 0

    def __add__(self, other: Level) -> Level:
        """Both stretches of time, one after the other."""
        return Level(self.area + other.area, self.seconds + other.seconds, max(self.most, other.most))


@dataclass
class Timeline:
    """Answered cells and the queue's integral in buckets of ``width`` seconds, at most POINTS of them; keys are time // width."""

    width: int = 1
    cells: dict[int, int] = field(default_factory=dict)
    queue: dict[int, float] = field(default_factory=dict)

    def answered(self, at: float, cells: int) -> None:
        """Count answers at one moment."""
        if int(at // self.width) not in self.cells:
            self._bound(at)
        key = int(at // self.width)
        self.cells[key] = self.cells.get(key, 0) + cells

    def waited(self, start: float, end: float, level: int) -> None:
        """``level`` cells waited from ``start`` to ``end``."""
        if level and int(end // self.width) not in self.queue:
            self._bound(start, end)
        while level and start < end:
            key = int(start // self.width)
            until = min(end, float((key + 1) * self.width))
            self.queue[key] = self.queue.get(key, 0.0) + level * (until - start)
            start = until

    def __add__(self, other: Timeline) -> Timeline:
        """Both, at the coarser of the two widths; sandboxes that worked at the same time add up."""
        width = max(self.width, other.width)
        mine, theirs = self._at(width), other._at(width)
        for key, cells in theirs.cells.items():
            mine.cells[key] = mine.cells.get(key, 0) + cells
        for key, area in theirs.queue.items():
            mine.queue[key] = mine.queue.get(key, 0.0) + area
        mine._bound()
        return mine

    def rows(self) -> list[tuple[int, float, float]]:
        """(seconds since the first bucket, cells answered a second, mean queue), one a bucket in which anything happened."""
        keys = sorted(self.cells.keys() | self.queue.keys())
        return [
            ((key - keys[0]) * self.width, self.cells.get(key, 0) / self.width, self.queue.get(key, 0.0) / self.width)
            for key in keys
        ]

    def _bound(self, *moments: float) -> None:
        """Widen the buckets until all of them, and ``moments``, are at most POINTS apart."""
        while True:
            keys = [*self.cells, *self.queue, *(int(at // self.width) for at in moments)]
            if not keys or max(keys) - min(keys) < POINTS:
                return
            wider = self._at(2 * self.width)
            self.width, self.cells, self.queue = wider.width, wider.cells, wider.queue

    def _at(self, width: int) -> Timeline:
        wide = Timeline(width)
        for key, cells in self.cells.items():
            place = key * self.width // width
            wide.cells[place] = wide.cells.get(place, 0) + cells
        for key, area in self.queue.items():
            place = key * self.width // width
            wide.queue[place] = wide.queue.get(place, 0.0) + area
        return wide


class Gauge:
    """A level that several threads change. ``timeline``: where the same level is drawn over time."""

    def __init__(self, clock: Clock = time.time, timeline: Timeline | None = None) -> None:
        """It stands at zero now."""
        self._clock, self._timeline = clock, timeline
        self._guard = threading.Lock()
        self._began = self._since = clock()
        self._level = self._most = 0
        self._area = 0.0

    def change(self, by: int) -> None:
        """The level is ``by`` more from now on."""
        with self._guard:
            self._integrate()
            self._level += by
            self._most = max(self._most, self._level)

    def read(self) -> Level:
        """Since the beginning."""
        with self._guard:
            self._integrate()
            return Level(self._area, self._since - self._began, self._most)

    def _integrate(self) -> None:
        now = max(self._clock(), self._since)  # a clock that was set back stands still here
        self._area += self._level * (now - self._since)
        if self._timeline is not None:
            self._timeline.waited(self._since, now, self._level)
        self._since = now


class SlotLoad:
    """What the slots of one sandbox go through. The caller holds its own lock; ``queue`` counts cells without an answer.

    ``retries``: rows that a fault sent back into the queue; ``lost``: slots that broke and were replaced; ``busy_s``: seconds of
    slots at work, summed over them.
    """

    def __init__(self, slots: int, clock: Clock = time.time) -> None:
        """It begins now."""
        self.slots, self.retries, self.lost, self.busy_s = slots, 0, 0, 0.0
        self.timeline = Timeline()
        self.queue = Gauge(clock, self.timeline)
        self._clock = clock

    def answered(self) -> None:
        """One cell has its answer."""
        self.queue.change(-1)
        self.timeline.answered(self._clock(), 1)
