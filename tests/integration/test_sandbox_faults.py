"""Faults that really happen: a slot's process killed, a container killed, the engine gone, the coordinator killed with -9.

Each time: no finished cell is lost, no verdict changes, and what is run again is only what was missing.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from models.config import SandboxConfig
from models.matrix import MatrixJob
from models.types import Limits, UnitTest, Verdict
from sandbox import docker_runtime
from sandbox.executor import PooledExecutor, docker_executor, process_executor
from tests.slow_bench import SLOW, TESTS, stored_cells, wait_for_cells, write_bench

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
IMAGE = "coderm-sandbox:latest"
RUNTIMES = ["process", pytest.param("docker", marks=pytest.mark.docker)]
EXPECTED = ["passed", "failed", "invalid_test"]


def slow_job(rows: int) -> MatrixJob:
    solutions = tuple(SLOW + "#" * i for i in range(rows))
    tests = tuple(UnitTest(source=test) for test in TESTS)
    return MatrixJob("t", "function", "f", solutions, solutions, tests, Limits(timeout_s=5.0, memory_mib=256))


def interrupted(executor: PooledExecutor, fault: Callable[[], None]) -> list[list[str]]:
    """Verdicts of a job during which ``fault`` happens three times."""
    done, strikes = 0, 0

    def count(cells: int) -> None:
        nonlocal done, strikes
        done += cells
        if done > 20 * (strikes + 1) and strikes < 3:
            strikes += 1
            fault()

    with executor:
        [matrix] = executor.execute([slow_job(40)], on_cells=count)
    assert strikes == 3
    assert executor.load.lost >= 1  # a strike may find a slot that is already gone
    assert executor.load.retries >= 1
    assert executor.load.queue.read().most == 120
    return [[Verdict(int(code)).label for code in row] for row in matrix.verdicts]


def test_the_process_of_a_slot_is_killed() -> None:
    executor = process_executor(SandboxConfig(runtime="process", workers=2))

    def kill() -> None:
        for slot in list(executor._slots.values()):
            os.kill(slot.channel._process.pid, signal.SIGKILL)  # type: ignore[attr-defined]

    assert interrupted(executor, kill) == [EXPECTED] * 40


@pytest.mark.docker
def test_a_container_is_killed() -> None:
    executor = docker_executor(SandboxConfig(workers=2), image=IMAGE, docker_host=None)
    mine = {"label": f"{docker_runtime.LABEL}={docker_runtime.SESSION}"}

    def kill() -> None:
        with closing(docker_runtime.connect(None)) as client:
            for container in client.api.containers(filters=mine)[:1]:
                client.api.kill(container["Id"], "SIGKILL")

    assert interrupted(executor, kill) == [EXPECTED] * 40


class Proxy:
    """A socket of our own before the engine's; ``die`` cuts every connection and refuses new ones, as an engine that crashes."""

    def __init__(self, path: Path, target: str) -> None:
        self.path, self.target, self.open = path, target, []  # type: ignore[var-annotated]
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(self.target)
                self.open += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while part := source.recv(1 << 16):
                sink.sendall(part)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def die(self) -> None:
        self.path.unlink(missing_ok=True)
        for end in [self.listener, *self.open]:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


ROWS = 60
"""0.03 s a cell of one problem: some 3 s on two slots, so that a kill falls into the middle of it."""


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    return write_bench(tmp_path, ROWS)


STARTED: list[subprocess.Popen[str]] = []


@pytest.fixture(autouse=True)
def _nothing_is_left_running() -> Iterator[None]:
    yield
    while STARTED:
        process = STARTED.pop()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def start(bench: Path, root: Path, arguments: list[str], **settings: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(root), "CODERM_HOME": str(bench / "home"), **settings}
    command = [sys.executable, "-m", "flows", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, cwd=bench, env=environment, text=True, start_new_session=True, **pipes)  # type: ignore[call-overload]
    STARTED.append(process)
    return process


def execute(runtime: str, out: str) -> list[str]:
    files = ["--problems", "problems.jsonl", "--solutions", "solutions.jsonl", "--tests", "tests.jsonl", "--out", out]
    return ["execute", *files, "--sandbox", runtime, "--workers", "2", "--timeout-s", "5", "--memory-mib", "256"]


def finished(process: subprocess.Popen[str]) -> tuple[dict[str, Any], str]:
    """The JSON line that it printed, and its stderr."""
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return dict(json.loads(out.strip().splitlines()[-1])), err


def verdicts(path: Path) -> Any:
    return json.loads(path.read_text())["verdicts"]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_killed_execute_resumes_where_it_was(bench: Path, repo_root: Path, runtime: str) -> None:
    """kill -9 in the middle of a problem: its cells so far are in the store; the rerun runs the others and nothing else."""
    first = start(bench, repo_root, execute(runtime, "M.jsonl"))
    wait_for_cells(bench / "home", first, 10)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    kept = stored_cells(bench / "home")
    assert not (bench / "M.jsonl").exists()
    assert kept < ROWS * 3, "the kill came too late to show anything"
    done, _ = finished(start(bench, repo_root, execute(runtime, "M.jsonl")))
    assert (done["cells"], done["reused"], done["executed"]) == (ROWS * 3, kept, ROWS * 3 - kept)
    assert verdicts(bench / "M.jsonl") == [EXPECTED] * ROWS


def run(runtime: str) -> list[str]:
    sets = {
        "benchmark.name": "faults",
        "benchmark.problems": "problems.jsonl",
        "policy.path": "solutions.jsonl",
        "tests.path": "tests.jsonl",
        "n_solutions": ROWS,
        "n_tests": 3,
        "sandbox.runtime": runtime,
        "sandbox.workers": 2,
        "sandbox.limits.timeout_s": 5,
        "sandbox.limits.memory_mib": 256,
        "label": "false",
        "quality.reference": "false",
        "selectors": '["majority"]',
    }
    return ["run", "run.toml", *(part for name, value in sets.items() for part in ("--set", f"{name}={value}"))]


def test_a_killed_run_resumes_where_it_was(bench: Path, repo_root: Path) -> None:
    """The same for a whole run: the second one takes over the cells of the first, durations and all."""
    (bench / "run.toml").write_text("")
    first = start(bench, repo_root, run("process"))
    wait_for_cells(bench / "home", first, 10)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    kept = stored_cells(bench / "home")
    assert kept < ROWS * 3
    with closing(sqlite3.connect(bench / "home" / "coderm.db")) as connection:
        before = dict(connection.execute("select solution_digest, data from verdict_row where n_cells = 3").fetchall())
    finished(start(bench, repo_root, run("process")))
    with closing(sqlite3.connect(bench / "home" / "coderm.db")) as connection:
        after = dict(connection.execute("select solution_digest, data from verdict_row").fetchall())
    assert len(after) == ROWS
    assert {digest: after[digest] for digest in before} == before, "a finished row was run again"
    assert before


@pytest.mark.docker
def test_an_engine_that_dies_is_one_line_and_loses_no_finished_cell(bench: Path, repo_root: Path) -> None:
    """The engine's socket goes in the middle: exit 3, one line; with the engine back only the missing cells run."""
    folder = Path(
        subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True).stdout.strip()
    )  # a short socket path
    target = docker_runtime._usual_socket().removeprefix("unix://")
    proxy = Proxy(folder / "e.sock", target)
    try:
        settings = {"CODERM_DOCKER_HOST": f"unix://{folder / 'e.sock'}"}
        first = start(bench, repo_root, execute("docker", "M.jsonl"), **settings)
        wait_for_cells(bench / "home", first, 10)
        proxy.die()
        _, error = first.communicate(timeout=120)
        assert first.returncode == 3, error
        assert len([line for line in error.strip().splitlines() if not line.startswith("warning:")]) == 1, error
        kept = stored_cells(bench / "home")
        assert kept < ROWS * 3
        proxy = Proxy(folder / "e.sock", target)
        done, _ = finished(start(bench, repo_root, execute("docker", "M.jsonl"), **settings))
        assert (done["reused"], done["executed"]) == (kept, ROWS * 3 - kept)
        assert verdicts(bench / "M.jsonl") == [EXPECTED] * ROWS
    finally:
        proxy.die()
        shutil.rmtree(folder)


@pytest.fixture
def leaked() -> Iterator[str]:
    """A container as a killed session on this host leaves it behind when the engine could not tell: running, its owner dead."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    labels = {**docker_runtime.labels(), "coderm.pid": str(ended.pid)}
    with closing(docker_runtime.connect(None)) as client:
        name = client.api.create_container(IMAGE, ["sleep", "600"], labels=labels)["Id"]
        client.api.start(name)
        yield name
        with contextlib.suppress(Exception):
            client.api.remove_container(name, force=True)


@pytest.mark.docker
def test_the_next_start_removes_what_a_dead_session_left(leaked: str, bench: Path, repo_root: Path) -> None:
    finished(start(bench, repo_root, [*execute("docker", "M.jsonl"), "--only-winner", "majority"]))
    with closing(docker_runtime.connect(None)) as client:
        assert leaked not in {container["Id"] for container in client.api.containers(all=True)}
