"""One run over many workers: whatever runs the shards, the database holds the same; and what a failing or lost worker costs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from tests.chat_server import MODEL, chat_server
from tests.integration.many_workers import DEMO, executed, known_cells, run_demo, run_of, store_of
from tests.prefect_clients import ROOM, talking_to
from tests.processes import ROOT, descendants, free_port, running, wait_for_line, wait_until

pytest_plugins = ["tests.servers", "tests.contracts.store_fixtures"]
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


RAY = pytest.mark.skipif(find_spec("prefect_ray") is None, reason="no Ray; install the extra [ray]")


@pytest.mark.parametrize("runner", ["processes", "dask", pytest.param("ray", marks=RAY)])
def test_a_run_over_workers_leaves_the_same_database_as_one_process(
    prefect_server: str, mlflow: dict[str, str], in_one_process: Path, tmp_path: Path, runner: str
) -> None:
    done = run_demo(tmp_path, prefect_server, CODERM_TASK_RUNNER=runner, CODERM_TASK_WORKERS="2", **mlflow)
    assert done.returncode == 0, done.stderr
    assert run_of(store_of(tmp_path)) == run_of(store_of(in_one_process))
    assert known_cells(store_of(tmp_path)) == known_cells(store_of(in_one_process))
    assert len({event["process"] for event in executed(tmp_path)}) == 2
    assert sorted(event["shard"] for event in executed(tmp_path)) == [0, 0, 1, 1]
    said = [line for line in done.stderr.splitlines() if not line.startswith("waiting for a slot of coderm-sandbox: ")]
    assert len(said) == 1, "one warning about the process runtime, whoever runs the cells; other tests may hold a slot"


@pytest.mark.postgres
def test_a_deployment_a_shard_outlives_a_killed_worker_and_the_run_only_assembles(
    prefect_server: str, mlflow: dict[str, str], in_one_process: Path, tmp_path: Path, postgres_url: str
) -> None:
    """One worker polls the pool, one is served; the shards are asked twice, for samples and first tests, and for the allocated."""
    one, two, run = (tmp_path / folder for folder in ("polls", "served", "run"))
    name = f"polls-{os.getpid()}"
    server = {"PREFECT_API_URL": prefect_server, "PREFECT_HOME": str(tmp_path / "prefect"), "CODERM_CHECKOUT": str(ROOT)}
    shared = {"CODERM_DATABASE_URL": postgres_url.replace("+psycopg", "")}
    asking = {"CODERM_SHARD_DEPLOYMENT": "benchmark-shard/shard", **shared, **mlflow}
    _deploy_shard(server)
    polls = {"PREFECT_WORKER_QUERY_SECONDS": "1", "PREFECT_RUNNER_POLL_FREQUENCY": "1", **ROOM}
    with ExitStack() as stack:

        def start(home: Path, *words: str) -> Path:
            home.mkdir()
            own = {**server, **shared, **polls, "CODERM_HOME": str(home)}
            return stack.enter_context(running([sys.executable, "-m", *words, "--limit", "1"], home, environment=own))

        start(one, "prefect", "worker", "start", "--pool", "coderm-shards", "--name", name)
        with _killing_the_first_shard_of(name):
            done = run_demo(run, prefect_server, **asking)
        assert done.returncode == 3, done.stderr
        assert "ended as Crashed" in done.stderr.splitlines()[-1]
        wait_for_line(start(two, "flows", "serve", "--only", "shard"), "serving   1 deployments")
        begun = done.stderr.splitlines()[-1].partition("shard ")[2][:20]
        again = run_demo(run, prefect_server, resume=begun, **asking)
        assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout.splitlines()[-1])["run_id"] == begun
    assert run_of(postgres_url) == run_of(store_of(in_one_process))
    assert known_cells(postgres_url) == known_cells(store_of(in_one_process))
    ran = [event for home in (one, two) for event in executed(home)]
    assert sum(event["executed"] for event in ran) == sum(event["executed"] for event in executed(in_one_process))
    assert {event["shard"] for event in ran} == {0, 1}
    assert executed(one)
    assert executed(two)
    assert all(event["executed"] == 0 and event["reused"] == event["cells"] for event in executed(run))


@contextmanager
def _killing_the_first_shard_of(worker: str) -> Iterator[None]:
    """SIGKILL to the first process that a worker of this name starts for a shard, while the block waits for that shard."""

    def kill() -> None:
        (polling,) = map(int, subprocess.run(["pgrep", "-f", worker], capture_output=True, text=True, check=True).stdout.split())
        wait_until(lambda: descendants(polling), "no shard was begun")
        for process in descendants(polling):
            os.kill(process, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    yield
    killer.join()


def _deploy_shard(environment: dict[str, str]) -> None:
    """As infra/prefect.yaml says."""
    base = {**os.environ, **environment, **ROOM, "PYTHONPATH": str(ROOT)}
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


def test_a_dask_cluster_samples_a_live_model_a_shard_at_a_time_and_leaves_the_same_database(
    prefect_server: str, mlflow: dict[str, str], tmp_path: Path
) -> None:
    """A scheduler and two workers as the README starts them; the model is asked in one process first, and then on the workers."""
    one, two, run, alone = (tmp_path / name for name in ("worker-1", "worker-2", "run", "alone"))
    shared = {"CODERM_DATABASE_URL": f"sqlite:///{tmp_path / 'shared.db'}"}
    address = f"tcp://127.0.0.1:{free_port()}"
    with ExitStack() as stack:

        def start(home: Path, *words: str) -> None:
            home.mkdir()
            own = {"CODERM_HOME": str(home), "PREFECT_HOME": str(home / "prefect"), **shared}
            command = [sys.executable, "-m", "dask", *words, "--no-dashboard"]
            stack.enter_context(running(command, home, environment={**own, "PREFECT_API_URL": prefect_server}))

        start(tmp_path / "scheduler", "scheduler", "--host", "127.0.0.1", "--port", address.rpartition(":")[2])
        for home in (one, two):
            start(home, "worker", address, "--nthreads", "1")
        with chat_server(lambda _number, _body: time.sleep(0.1), wrote) as chat, _one_gpu(prefect_server):
            model = f'{{type = "openai", model = "{MODEL}", base_url = "{chat.url}"}}'
            live = f"policy={model}", f"tests={model}"
            assert (done := run_demo(alone, prefect_server, *live, **mlflow)).returncode == 0, done.stderr
            asked = len(chat.bodies)
            cluster = {"CODERM_TASK_RUNNER": "dask", "CODERM_TASK_RUNNER_ADDRESS": address}
            assert (done := run_demo(run, prefect_server, *live, **cluster, **shared, **mlflow)).returncode == 0, done.stderr
    assert all("Task run 'find-run-" in (home / "dask.log").read_text() for home in (one, two)), "workers were not checked"
    assert run_of(shared["CODERM_DATABASE_URL"]) == run_of(store_of(alone))
    assert known_cells(shared["CODERM_DATABASE_URL"]) == known_cells(store_of(alone))
    key = lambda body: (body["messages"][0]["content"], body["seed"], body["n"])  # noqa: E731
    assert sorted(map(key, chat.bodies[:asked])) == sorted(map(key, chat.bodies[asked:]))
    assert len(list(groupby(about(body["messages"][0]["content"]) // 2 for body in chat.bodies[asked:]))) == 2, (
        "one slot of the GPU: one shard, then the other"
    )
    assert {event["shard"] for home in (one, two) for event in executed(home)} == {0, 1}
    assert executed(one)
    assert executed(two)


@contextmanager
def _one_gpu(server: str) -> Iterator[None]:
    from tasks.settings import Settings
    from tasks.slots import make_limits

    with talking_to(server):
        make_limits(Settings(gpu_slots=1, sandbox_slots=16))
        yield
        make_limits(Settings(gpu_slots=16, sandbox_slots=16))


@cache
def recorded() -> list[tuple[str, Sequence[str], Sequence[Any]]]:
    """Entry point, solutions and tests of the demo's first problems."""
    from tasks.load_problems import load_problems

    def lines(name: str) -> list[Any]:
        return [json.loads(line) for line in (DEMO.parent / name).read_text().splitlines()]

    problems = load_problems(DEMO.parent / "problems.jsonl", 3).values()
    drawn = zip(problems, lines("solutions.jsonl"), lines("tests.jsonl"), strict=False)
    return [(str(problem.entry_point), solutions["solutions"], tests["tests"]) for problem, solutions, tests in drawn]


def about(content: str) -> int:
    """Place of the problem that a request is about."""
    (at,) = (at for at, (name, _solutions, _tests) in enumerate(recorded()) if name in content)
    return at


def wrote(content: str, seed: int) -> str:
    """One of the demo's recordings by its seed."""
    _name, solutions, tests = recorded()[about(content)]
    drawn = tests if "### code solution" in content else solutions
    return f"```python\n{drawn[seed % len(drawn)]}\n```"


def test_a_cluster_whose_workers_are_gone_is_said_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A real scheduler without workers, and for contrast one with; a run waits, since a worker that comes takes the work."""
    from distributed import Client, LocalCluster

    from tasks import task_runners

    monkeypatch.setattr(task_runners, "LOOK_S", 0.05)
    monkeypatch.setattr(task_runners, "PATIENCE_S", 0.2)
    said = {}
    for workers in (1, 0):
        with (
            LocalCluster(n_workers=workers, processes=False, dashboard_address=None) as cluster,
            Client(cluster, set_as_default=False) as client,
            task_runners.watched(client, "tcp://here"),
        ):
            time.sleep(1)
        said[workers] = capsys.readouterr().err
    assert "no worker" not in said[1]
    assert said[0] == "the Dask cluster at tcp://here has had no worker for 0.2 s: start one, and the run goes on\n"


def test_a_prefect_server_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    nobody = f"http://127.0.0.1:{free_port()}/api"
    done = run_demo(tmp_path, nobody)
    assert done.returncode == 3, done.stderr
    assert done.stderr.splitlines()[-1].startswith(f"coderm: the Prefect server {nobody} stopped answering: ")
