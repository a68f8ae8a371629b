"""Ends one process once another is gone: run as a program of its own (standard library only), beside both.

``python process_guard.py PARENT CHILD``, started by PARENT, which has started CHILD. A signal at the parent's death would not do:
it is asked for by the child itself, and tied to the thread that started it. A child that has ended is left alone, also when its
number is given to another process: the moment of its start tells them apart.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

POLL_S = 0.5
GRACE_S = 5.0
"""Prefect's own patience with its server."""


def main(parent: int, child: int) -> None:
    """Wait until one of the two is gone, and then for the other."""
    born = _started(child)
    while _lives(child, born) and os.getppid() == parent:
        time.sleep(POLL_S)
    for number, patience in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, 0.0)):
        if _lives(child, born):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, number)
        deadline = time.monotonic() + patience
        while _lives(child, born) and time.monotonic() < deadline:
            time.sleep(POLL_S / 10)


def _lives(pid: int, born: str | None) -> bool:
    return born is not None and _started(pid) == born


def _started(pid: int) -> str | None:
    """Clock ticks from the machine's start to the process's; None where it is gone, or a zombie."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return None
    return None if state == "Z" else rest[18]


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
