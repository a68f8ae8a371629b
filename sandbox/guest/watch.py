"""Waiting for a cell: by the supervisor's clock, ended by SIGKILL, never by a handler inside the cell.

The supervisor sleeps until the leader exits or the earliest moment at which a limit could be reached, then reads the CPU clock
of the tree and sleeps again; a cell that ends early costs one wake-up. A cell can burn at most ``CORES`` CPU seconds a second,
so the first look comes at limit / CORES.
"""

from __future__ import annotations

import os
import select
import time
from typing import Callable  # noqa: UP035

from sandbox.guest import processes

FINISHED, CPU_LIMIT, WALL_LIMIT = "exit", "cpu", "wall"
SETUP_CPU_S = 0.003
"""CPU seconds between the fork and the loading of the solution: 1 to 2 ms here, page faults included."""
MIN_SLEEP_S = 0.002
CORES = max(1, os.cpu_count() or 1)


class Drain:
    """Collects a program's stdout up to ``limit`` bytes and lets the rest run dry, so that the program never blocks."""

    def __init__(self, fd: int, limit: int) -> None:
        """``fd`` is made non-blocking and is closed by ``close``."""
        os.set_blocking(fd, False)
        self.fd, self.limit, self.data, self.size = fd, limit, bytearray(), 0

    def pull(self) -> bool:
        """Take what is there. False at the end of the stream."""
        try:
            part = os.read(self.fd, 1 << 16)
        except BlockingIOError:
            return True
        self.size += len(part)
        self.data += part[: max(0, self.limit - len(self.data))]
        return bool(part)

    def close(self) -> None:
        """Take what is left, without waiting, and close."""
        while self.size <= 1 << 30:
            before = self.size
            self.pull()
            if self.size == before:
                break
        os.close(self.fd)


def wait(pid: int, cpu_limit_s: float, wall_limit_s: float, baseline_s: float, drain: Drain | None) -> str:
    """How the cell's leader ended: FINISHED, or which limit it reached (it still runs then)."""
    handle = os.pidfd_open(pid)
    try:
        return wait_for(handle, lambda: processes.tree_cpu_s(pid, baseline_s), cpu_limit_s, wall_limit_s, drain)
    finally:
        os.close(handle)


def wait_for(handle: int, used_s: Callable[[], float], cpu_limit_s: float, wall_limit_s: float, drain: Drain | None = None) -> str:
    """Wait until ``handle`` can be read (FINISHED) or a limit is reached; ``used_s`` tells the CPU seconds so far."""
    poller = select.poll()
    poller.register(handle, select.POLLIN)
    if drain is not None:
        poller.register(drain.fd, select.POLLIN | select.POLLHUP)
    cpu_limit_s += SETUP_CPU_S
    began = time.monotonic()
    next_look = began + min(cpu_limit_s / CORES, wall_limit_s)
    while True:
        events = poller.poll(max(0.0, next_look - time.monotonic()) * 1000 + 0.5)
        ready = [fd for fd, _ in events]
        if handle in ready:
            return FINISHED
        if ready and drain is not None and not drain.pull():
            poller.unregister(drain.fd)
        now = time.monotonic()
        if now < next_look:
            continue
        if now - began >= wall_limit_s:
            return WALL_LIMIT
        left = cpu_limit_s - used_s()
        if left <= 0:
            return CPU_LIMIT
        next_look = min(now + max(left / CORES, MIN_SLEEP_S), began + wall_limit_s)
