"""The process tree of one cell: what it has burnt, and its end.

The supervisor is pid 1 of its own pid namespace wherever the kernel allows. There ``kill(-1, SIGKILL)`` ends every other process
at once (the kernel holds the task list, so nothing forks its way out) and whatever is left becomes our child to reap. Without a
namespace, orphans are adopted and the tree is scanned until it is empty.
"""

# ruff: noqa: PTH208, PTH123
# No pathlib in the supervisor: every page that it maps is paid for in each fork.
from __future__ import annotations

import os
import resource
import signal
import time

from sandbox.guest.kernel import thread_group_cpu_s

spared: set[int] = set()
"""Processes of ours below the supervisor (keeper and judge) that outlive a cell."""
KILLING_S = 2.0
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def reaped_cpu_s() -> float:
    """CPU seconds of all descendants that were waited for, since the supervisor began."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _stat(pid: int) -> list[str]:
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []


def descendants() -> list[int]:
    """Live processes below the supervisor, zombies included. In its own namespace: all others."""
    me = os.getpid()
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    if me == 1:
        return [pid for pid in pids if pid != 1 and pid not in spared]
    parents = {pid: int(stat[1]) for pid in pids if (stat := _stat(pid))}
    found: list[int] = []
    frontier = {me}
    while frontier:
        frontier = {pid for pid, parent in parents.items() if parent in frontier}
        found.extend(frontier)
    return [pid for pid in found if pid not in spared]


def tree_cpu_s(leader: int, baseline_s: float) -> float:
    """CPU seconds of a running cell: its leader, live relatives, children that they reaped (10 ms ticks), orphans we reaped."""
    total = thread_group_cpu_s(leader) + reaped_cpu_s() - baseline_s
    others = [pid for pid in descendants() if pid != leader]
    for pid in [leader, *others]:
        stat = _stat(pid)
        if stat:
            total += (int(stat[13]) + int(stat[14])) / TICKS_PER_S
    return total + sum(thread_group_cpu_s(pid) for pid in others)


def kill_all() -> bool:
    """SIGKILL for everything below the supervisor that is not spared, then reap until nothing is left. False: it would not end."""
    deadline = time.monotonic() + KILLING_S
    while time.monotonic() < deadline:
        _signal_all()
        try:
            while True:
                pid, _ = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    break
        except ChildProcessError:
            if os.getpid() == 1 or not descendants():
                return True
        if spared and not descendants():
            return True
        time.sleep(0.0005)
    return False


def _signal_all() -> None:
    targets = [-1] if os.getpid() == 1 and not spared else descendants()
    for target in targets:
        try:
            os.kill(target, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue
