"""One run over many workers: whatever runs the shards, the database holds the same; and what a failing or lost worker costs."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.many_workers import executed, known_cells, run_demo, run_of
from tests.processes import ROOT, running

pytest_plugins = ["tests.servers"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """One store for all runs here: making one takes seconds."""
    return {"CODERM_MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"}


@pytest.fixture(scope="module")
def in_one_process(prefect_server: str, mlflow: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("one")
    done = run_demo(home, prefect_server, **mlflow)
    assert done.returncode == 0, done.stderr
    assert len({event["process"] for event in executed(home)}) == 1
    return home


@pytest.mark.parametrize(("runner", "workers"), [("processes", 2), ("dask", 2)])
def test_a_run_over_workers_leaves_the_same_database_as_one_process(
    prefect_server: str, mlflow: dict[str, str], in_one_process: Path, tmp_path: Path, runner: str, workers: int
) -> None:
    done = run_demo(tmp_path, prefect_server, CODERM_TASK_RUNNER=runner, CODERM_TASK_WORKERS="2", **mlflow)
    assert done.returncode == 0, done.stderr
    assert run_of(tmp_path / "coderm.db") == run_of(in_one_process / "coderm.db")
    assert known_cells(tmp_path / "coderm.db") == known_cells(in_one_process / "coderm.db")
    assert len({event["process"] for event in executed(tmp_path)}) == workers
    assert sorted(event["shard"] for event in executed(tmp_path)) == [0, 0, 1, 1]
    assert len(done.stderr.splitlines()) == 1, "one warning about the process runtime, whoever runs the cells"


def test_two_workers_of_a_pool_run_a_deployment_a_shard_and_the_run_only_assembles(
    prefect_server: str, mlflow: dict[str, str], in_one_process: Path, tmp_path: Path
) -> None:
    """The shards are asked twice, for samples and first tests, and for what was then allocated."""
    one, two, run = (tmp_path / name for name in ("worker-1", "worker-2", "run"))
    shared = {"CODERM_DATABASE_URL": f"sqlite:///{tmp_path / 'shared.db'}"}
    server = {"PREFECT_API_URL": prefect_server, "PREFECT_HOME": str(tmp_path / "prefect"), "CODERM_CHECKOUT": str(ROOT)}
    _deploy_shard(server)
    with ExitStack() as stack:
        for home in (one, two):
            home.mkdir()
            own = {**server, **shared, "CODERM_HOME": str(home), "PREFECT_WORKER_QUERY_SECONDS": "1"}
            worker = ["-m", "prefect", "worker", "start", "--pool", "coderm-shards", "--limit", "1", "--name", home.name]
            stack.enter_context(running([sys.executable, *worker], home, environment=own))
        done = run_demo(run, prefect_server, CODERM_SHARD_DEPLOYMENT="benchmark-shard/shard", **shared, **mlflow)
        assert done.returncode == 0, done.stderr
    assert run_of(tmp_path / "shared.db") == run_of(in_one_process / "coderm.db")
    assert known_cells(tmp_path / "shared.db") == known_cells(in_one_process / "coderm.db")
    assert sorted(event["shard"] for home in (one, two) for event in executed(home)) == [0, 0, 1, 1]
    assert executed(one)
    assert executed(two)
    assert all(event["executed"] == 0 and event["reused"] == event["cells"] for event in executed(run))


def _deploy_shard(environment: dict[str, str]) -> None:
    """As infra/prefect.yaml says; with room in the server's limits for the other tests."""
    slots = {"CODERM_GPU_SLOTS": "16", "CODERM_SANDBOX_SLOTS": "16"}
    base = {**os.environ, **environment, **slots, "PYTHONPATH": str(ROOT)}
    for words in (
        ["-m", "flows", "serve", "--prepare"],
        ["-m", "prefect", "--no-prompt", "deploy", "--name", "shard", "--prefect-file", "infra/prefect.yaml"],
    ):
        done = subprocess.run([sys.executable, *words], env=base, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("fates", "said"),
    [
        (["long", "bad"], "MalformedLine p.jsonl:3: field 'prompt': a string"),
        (["killed", "short"], "UnavailableError CODERM_TASK_RUNNER=processes: a worker was lost (BrokenProcessPool:"),
    ],
)
def test_a_failing_shard_ends_the_others_and_a_lost_worker_is_one_line(
    prefect_server: str, tmp_path: Path, fates: list[str], said: str
) -> None:
    """The error keeps its type over the processes; a shard that would take longer than this test is ended."""
    base = {"PREFECT_API_URL": prefect_server, "PREFECT_HOME": str(tmp_path / "prefect"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.integration.fated_shards", "processes", *fates]
    done = subprocess.run(command, env={**os.environ, **base}, capture_output=True, text=True, check=False, timeout=600)
    assert done.stdout.splitlines()[-1].startswith(said), done.stdout + done.stderr
