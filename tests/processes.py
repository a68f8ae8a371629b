"""Real processes for tests: on free ports of this machine, waited for with a bound, ended by their own process group."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
START_S = 240


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    command: list[str], folder: Path, ready: str | None = None, environment: Mapping[str, str] | None = None
) -> Iterator[Path]:
    """A process group in ``folder`` from when ``ready`` (an URL) answers 200 to the end of the block; yields its log."""
    log = folder / f"{Path(command[2] if command[1] == '-m' else command[0]).name}.log"
    shared = {**os.environ, "PYTHONPATH": str(ROOT), "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=folder, env={**shared, **(environment or {})}, stdout=out, stderr=out, start_new_session=True
        )
    try:
        if ready is not None:
            wait_until_ready(process, ready, log)
        yield log
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def descendants(pid: int) -> set[int]:
    """Everything that a process has started and that has not lost its parent."""
    found: set[int] = set()
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, children.read_text().split()):
            found |= {child} | descendants(child)
    return found


def alive(pids: set[int]) -> set[int]:
    """Those that are there and no zombies."""
    found = set()
    for pid in pids:
        with suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z":
                found.add(pid)
    return found


def wait_until(true: Callable[[], object], what: str, timeout_s: float = 180.0) -> None:
    """Raises AssertionError that says what did not happen."""
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def wait_until_gone(pids: set[int], timeout_s: float = 60.0) -> None:
    """Raises AssertionError that says which of them stay, and what they are."""
    deadline = time.monotonic() + timeout_s
    while left := alive(pids):
        assert time.monotonic() < deadline, {pid: _words(pid) for pid in left}
        time.sleep(0.1)


def _words(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")[:200]
    except OSError:
        return "gone"


def wait_for_line(log: Path, line: str, timeout_s: float = 300.0) -> None:
    """Until a process has written ``line``. Raises AssertionError with the end of its log."""
    deadline = time.monotonic() + timeout_s
    while line not in log.read_text(errors="replace"):
        assert time.monotonic() < deadline, log.read_text(errors="replace")[-2000:]
        time.sleep(0.3)


def wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Raises RuntimeError with the end of the log when the process leaves or does not answer in time."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError(f"{url} does not answer: {log.read_text(errors='replace')[-2000:]}")
