"""Keeps one engine and ends with it: run as a program of its own (standard library only), between the coordinator and the engine.

``python engine_keeper.py RECORD LOG COMMAND …``. An engine is a tree of processes, and one that is orphaned holds its GPU. So the
keeper, and not the coordinator, is the engine's parent: it starts the tree in a session of its own, adopts whatever in it loses its
parent, and kills all of it when its standard input ends or its parent changes, that is also when the coordinator is killed with
SIGKILL. (A death signal alone would not do: it is tied to the thread that started the child, and reaches no grandchild.) Should the
keeper itself be killed, the engine's first process dies with it, and RECORD tells the next run what to look for.
Exits with the engine's status when the engine ended by itself (128 + n by signal n), else with 0.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
POLL_S = 0.5
GRACE_S = 8.0
"""vLLM's server ends its engine in 1 to 3 s after SIGTERM; what is left after this is killed."""


def main(record: Path, log: Path, command: list[str]) -> int:
    """Start, wait for a reason to end, end everything."""
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, _stop)
    parent = os.getppid()
    with log.open("ab") as sink:
        engine = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0),  # noqa: PLW1509 - this process has one thread
        )
    try:
        record.write_text(json.dumps({**json.loads(record.read_text()), "keeper": os.getpid(), "group": engine.pid}))
        while engine.poll() is None and os.getppid() == parent:
            if select.select([0], [], [], POLL_S)[0] and not os.read(0, 1):
                break
    except KeyboardInterrupt:
        return 0
    else:
        status = engine.poll() or 0
        return status if status >= 0 else 128 - status
    finally:
        _end(engine)
        record.unlink(missing_ok=True)


def _stop(*_signal: object) -> None:
    raise KeyboardInterrupt


def _end(engine: subprocess.Popen[bytes]) -> None:
    """Ask the group to end, then kill it and everything that this process has adopted."""
    deadline = time.monotonic() + GRACE_S
    with contextlib.suppress(ProcessLookupError):
        os.killpg(engine.pid, signal.SIGTERM)
    while time.monotonic() < deadline and _children():
        engine.poll()
        _reap(engine.pid)
        time.sleep(0.05)
    while children := _children():
        with contextlib.suppress(ProcessLookupError):
            os.killpg(engine.pid, signal.SIGKILL)
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        engine.poll()
        _reap(engine.pid)
        time.sleep(0.02)


def _children() -> list[int]:
    """Living and dead children of this process, adopted ones included."""
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def _reap(engine: int) -> None:
    for child in _children():
        if child != engine:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, os.WNOHANG)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
