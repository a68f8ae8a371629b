"""Seconds of a call, and of the SQL in it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import event


class Clock:
    """Seconds spent in SQL since the last reading."""

    def __init__(self, engine: Any) -> None:
        self.spent = self._start = 0.0
        event.listen(engine, "before_cursor_execute", self._before)
        event.listen(engine, "after_cursor_execute", self._after)

    def _before(self, *_: object) -> None:
        self._start = time.perf_counter()

    def _after(self, *_: object) -> None:
        self.spent += time.perf_counter() - self._start


def print_times(title: str, rows: Mapping[str, list[tuple[float, float]]]) -> None:
    """Median and maximum of (SQL, whole) seconds."""
    print(f"\n{title:44}{'SQL':>8}{'max':>8}{'whole':>8}{'max':>8}   seconds")
    for name, rounds in rows.items():
        sql, whole = zip(*rounds, strict=True)
        print(f"{name:44}{statistics.median(sql):8.3f}{max(sql):8.3f}{statistics.median(whole):8.3f}{max(whole):8.3f}")


def seconds(call: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
