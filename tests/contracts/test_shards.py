"""Shards on every runtime: cut, sent as text to other processes with slots of their own, joined; slots that lie are never used."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.cell_shard import CellShard, ShardResult, cut, joined, to_json
from models.errors import InputError, SandboxUnavailable
from models.matrix import MatrixJob
from models.types import Limits, UnitTest, Verdict
from sandbox import docker_runtime, process_runtime
from sandbox.executor import START_ATTEMPTS, PooledExecutor
from sandbox.slot import InfraFault, Slot

SOLUTIONS = (
    "def f(x):\n    return x + 1\n",
    "def f(x):\n    return 0\n",
    "def f(x):\n    return x + 1\n",
    "def f(:",
    "def f(x):\n    return x + 1 # \ud800\n",
    "def f(x):\n    return [x]\n",
)
TESTS = ("assert f(1) == 2", "assert f(2) == 3", "assert f(0) == 0", "assert f(")


def a_job(asked: np.ndarray | None = None) -> MatrixJob:
    tests = tuple(UnitTest(source=test) for test in TESTS)
    return MatrixJob("t/1", "function", "f", SOLUTIONS, tuple(f"d{i}" for i in range(6)), tests, Limits(timeout_s=2.0), asked)


@given(st.integers(1, 30), st.booleans(), st.randoms(use_true_random=False))
def test_every_row_is_in_one_shard_and_copies_stay_together(cells: int, some: bool, rng) -> None:
    asked = np.array([[rng.random() < 0.5 for _ in TESTS] for _ in SOLUTIONS]) if some else None
    shards = list(cut(a_job(asked), cells))
    assert sorted(row for shard in shards for row in shard.rows) == list(range(6))
    assert any({0, 2} <= set(shard.rows) for shard in shards)
    for shard in shards:
        assert CellShard.model_validate(json.loads(to_json(shard))) == shard == pickle.loads(pickle.dumps(shard))
        if asked is not None:
            assert np.array_equal(shard.work.job().asked, asked[list(shard.rows)])


@pytest.fixture(params=["process", pytest.param("docker", marks=pytest.mark.docker)])
def runtime(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def work(shards: list[CellShard], tmp_path: Path, name: str, runtime: str, root: Path) -> subprocess.Popen[bytes]:
    """A worker process that knows nothing but its file."""
    (tmp_path / f"{name}.jsonl").write_text("".join(to_json(shard) + "\n" for shard in shards))
    files = ["--shards", f"{name}.jsonl", "--out", f"{name}.done", "--sandbox", runtime, "--workers", "1"]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.Popen([sys.executable, "-m", "flows", "sandbox", "work", *files], cwd=tmp_path, env=environment)


def results_of(tmp_path: Path, name: str) -> list[ShardResult]:
    return [ShardResult.model_validate(json.loads(line)) for line in (tmp_path / f"{name}.done").read_text().splitlines()]


def test_two_workers_give_what_one_executor_gives(runtime: str, tmp_path: Path, repo_root: Path) -> None:
    job = a_job()
    shards = list(cut(job, 4))
    assert len(shards) == 5
    workers = [work(shards[::2], tmp_path, "a", runtime, repo_root), work(shards[1::2], tmp_path, "b", runtime, repo_root)]
    assert [w.wait(120) for w in workers] == [0, 0]
    matrix = joined(job, [*results_of(tmp_path, "b"), *results_of(tmp_path, "a")])
    labels = [[Verdict(int(code)).label for code in row] for row in matrix.verdicts]
    good, bad = ["passed", "passed", "failed", "invalid_test"], ["invalid_solution"] * 4
    assert labels == [
        good,
        ["failed", "failed", "passed", "invalid_test"],
        good,
        bad,
        bad,
        ["failed", "failed", "failed", "invalid_test"],
    ]
    assert matrix.solution_digests == job.solution_digests
    with pytest.raises(InputError, match="no shard answered for 3 of 6 rows"):
        joined(job, results_of(tmp_path, "b")[:0] + results_of(tmp_path, "a")[:2])
    other = results_of(tmp_path, "b")[0]
    context = other.found.context.model_copy(update={"version": "another"})
    foreign = other.model_copy(update={"found": other.found.model_copy(update={"context": context})})
    with pytest.raises(InputError, match="expected one sandbox, image and version"):
        joined(job, [*results_of(tmp_path, "a"), foreign])
    with pytest.raises(InputError, match="other solutions or tests"):
        joined(job, [other.model_copy(update={"rows": tuple(r + 1 for r in other.rows)})])


class Liar:
    """A channel that tells the truth about everything but verdicts: whatever a cell said, it passed."""

    def __init__(self, channel: Any) -> None:
        self.channel, self.name, self.pending = channel, channel.name, b""

    def send(self, data: bytes) -> None:
        self.channel.send(data)

    def receive(self, size: int, timeout_s: float) -> bytes:
        if not self.pending:
            head = self.channel.receive(4, timeout_s)
            body = self.channel.receive(int.from_bytes(head, "big"), timeout_s).replace(b'"exit","F"', b'"exit","P"')
            self.pending = len(body).to_bytes(4, "big") + body
        part, self.pending = self.pending[:size], self.pending[size:]
        return part

    def close(self) -> None:
        self.channel.close()


def test_a_slot_whose_sentinels_disagree_is_never_used() -> None:
    """The first slot lies and is refused before it sees a cell; the next one is honest and does the work."""
    started: list[str] = []
    executor = PooledExecutor(_starting(started, lies=1), workers=1, sandbox="process", image=None)
    with executor:
        [matrix] = executor.execute([a_job()])
    assert started == ["refused", "used"]
    assert Verdict(int(matrix.verdicts[1, 0])) is Verdict.FAILED


def test_where_every_slot_lies_the_sandbox_is_unavailable() -> None:
    started: list[str] = []
    executor = PooledExecutor(_starting(started, lies=99), workers=1, sandbox="process", image=None)
    with pytest.raises(SandboxUnavailable, match="sentinels answered"), executor:
        pass
    assert started == ["refused"] * START_ATTEMPTS


def test_sentinels_run_again_after_a_fault() -> None:
    """A slot dies in mid-run; what replaces it lies at first and is refused; no verdict changes."""
    started: list[str] = []
    starting = _starting(started, lies=0)
    executor = PooledExecutor(starting, workers=1, sandbox="process", image=None)
    with executor:
        starting.lies = 1  # type: ignore[attr-defined]
        next(iter(executor._slots.values())).channel.close()
        [matrix] = executor.execute([a_job()])
    assert started == ["used", "refused", "used"]
    assert (matrix.verdicts == Verdict.PASSED).sum() == 5
    assert not (matrix.verdicts == Verdict.NOT_RUN).any()


def _starting(started: list[str], lies: int) -> Callable[[int, int], Slot]:
    def start(number: int, memory_mib: int) -> Slot:
        channel = process_runtime.ProcessChannel(number)
        lying, start.lies = start.lies > 0, start.lies - 1  # type: ignore[attr-defined]
        config = {"scratch": channel.scratch, "isolate": channel.isolated, "nproc": 64, "scratch_mib": 64}
        try:
            slot = Slot(Liar(channel) if lying else channel, config)
        except InfraFault:
            started.append("refused")
            channel.close()
            raise
        started.append("used")
        return slot

    start.lies = lies  # type: ignore[attr-defined]
    return start


@pytest.mark.docker
def test_a_container_whose_sentinels_disagree_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As above, seen from the engine: the lying container is gone."""
    client = docker_runtime.connect(None)
    try:
        channel = docker_runtime.DockerChannel(client, "coderm-sandbox:latest", 0, 256)
        monkeypatch.setattr(docker_runtime, "DockerChannel", lambda *_: Liar(channel))
        with pytest.raises(InfraFault, match="sentinels"):
            docker_runtime.start_slot(client, "coderm-sandbox:latest", 0, 256)
        assert channel._id not in {c["Id"] for c in client.api.containers(all=True)}
    finally:
        client.close()
