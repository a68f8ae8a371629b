"""Seconds of a call, and of the SQL in it: on the wall, and of CPU, which a busy machine does not stretch."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import event

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class Clock:
    """Seconds spent in SQL since the last reading. CPU: of this process in SQL, and of its PostgreSQL backend on this machine."""

    def __init__(self, engine: Any) -> None:
        self._engine, self._start = engine, (0.0, 0.0)
        self.reset()
        event.listen(engine, "before_cursor_execute", self._before)
        event.listen(engine, "after_cursor_execute", self._after)

    def reset(self) -> None:
        """Begin anew, with the backend that the pool hands out next."""
        with self._engine.connect() as connection:
            self._backend = connection.connection.driver_connection.info.backend_pid
        self.spent = self._own = 0.0
        self._before_s = self._backend_s()

    @property
    def cpu(self) -> float:
        """Seconds; of a backend elsewhere nothing is known, and nothing is counted."""
        return self._own + self._backend_s() - self._before_s

    def _backend_s(self) -> float:
        stat = Path(f"/proc/{self._backend}/stat")
        fields = stat.read_text().rpartition(")")[2].split() if stat.exists() else ["0"] * 13
        return (int(fields[11]) + int(fields[12])) * TICK_S

    def _before(self, *_: object) -> None:
        self._start = time.perf_counter(), time.process_time()

    def _after(self, *_: object) -> None:
        self.spent += time.perf_counter() - self._start[0]
        self._own += time.process_time() - self._start[1]


def print_times(title: str, rows: Mapping[str, list[tuple[float, float, float]]]) -> None:
    """Median and maximum of (SQL, its CPU, whole) seconds."""
    print(f"\n{title:44}{'SQL':>8}{'max':>8}{'its CPU':>9}{'whole':>8}{'max':>8}   seconds")
    for name, rounds in rows.items():
        sql, cpu, whole = zip(*rounds, strict=True)
        print(
            f"{name:44}{statistics.median(sql):8.3f}{max(sql):8.3f}{statistics.median(cpu):9.3f}"
            f"{statistics.median(whole):8.3f}{max(whole):8.3f}"
        )


def seconds(call: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
