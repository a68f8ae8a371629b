"""Scheduled runs whose processes are really killed: Prefect comes to say so, nothing stays behind, nothing counts twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from tests.prefect_clients import talking_to
from tests.processes import descendants, running, wait_until, wait_until_gone
from tests.recorded_run import recorded_run
from tests.slow_bench import stored_cells, wait_for_cells, write_bench

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

pytest_plugins = ["tests.servers"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.filterwarnings("default")]
POOL = "coderm-killed"
ROWS = 400
"""Some 100 cells a second of 1,200: both kills fall into the middle, also where other tests run beside this one."""


@pytest.fixture
def client(prefect_server: str) -> Iterator[SyncPrefectClient]:
    from prefect.client.orchestration import get_client

    with talking_to(prefect_server), get_client(sync_client=True) as client:
        yield client


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    return write_bench(tmp_path, ROWS)


@pytest.fixture
def environment(prefect_server: str, bench: Path) -> dict[str, str]:
    """Of everything that the test starts."""
    return {
        "PREFECT_API_URL": prefect_server,
        "PREFECT_HOME": str(bench / "prefect"),
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "CODERM_HOME": str(bench / "home"),
    }


def configuration(bench: Path) -> dict[str, Any]:
    sandbox = {"runtime": "process", "workers": 2, "limits": {"timeout_s": 5, "memory_mib": 256}}
    return {
        "benchmark": {"name": "killed", "problems": str(bench / "problems.jsonl")},
        "policy": {"type": "replay", "path": str(bench / "solutions.jsonl")},
        "tests": {"type": "replay", "path": str(bench / "tests.jsonl")},
        "n_solutions": ROWS,
        "n_tests": 3,
        "sandbox": sandbox,
        "label": False,
        "quality": {"reference": False},
        "selectors": ["majority"],
    }


def deployed(bench: Path) -> UUID:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.types.entrypoint import EntrypointType

    from flows.benchmark import benchmark

    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
    entry: Any = benchmark.to_deployment(
        "killed",
        parameters={"config": configuration(bench)},
        work_pool_name=POOL,
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    return UUID(str(entry.apply()))


def started(client: SyncPrefectClient, deployment: UUID, bench: Path, known: int) -> tuple[UUID, int]:
    """A new run of the deployment once it has stored cells beyond ``known``; its id and its process."""
    run = client.create_flow_run_from_deployment(deployment)
    wait_for_cells(bench / "home", None, known + 10)
    wait_until(lambda: client.read_flow_run(run.id).infrastructure_pid is not None, "the run has no process")
    process = client.read_flow_run(run.id).infrastructure_pid
    return run.id, int(str(process).rsplit(":", 1)[-1])


def state_of(client: SyncPrefectClient, run: UUID) -> tuple[str, str]:
    state = client.read_flow_run(run).state
    assert state is not None
    return str(state.name), str(state.message)


def events(api: str, name: str, resource: str) -> list[dict[str, Any]]:
    """What the server has of them, newest first."""
    wanted = {"event": {"name": [name]}, "resource": {"id": [resource]}}
    headers = {"Content-Type": "application/json"}
    ask = urllib.request.Request(f"{api}/events/filter", json.dumps({"filter": wanted}).encode(), headers)
    with urllib.request.urlopen(ask, timeout=30) as answer:
        return list(json.load(answer)["events"])


@contextmanager
def impatient(client: SyncPrefectClient, repo_root: Path, run: UUID) -> Iterator[None]:
    """The automation that ships, with ten seconds instead of ten minutes, and for this run alone."""
    from tasks.automations import SILENT_RUNS, automation_file, read_automation

    shipped = read_automation(automation_file(SILENT_RUNS, repo_root / "infra/prefect.yaml"))
    trigger = shipped.trigger.model_copy(
        update={"within": timedelta(seconds=10), "match": {"prefect.resource.id": f"prefect.flow-run.{run}"}}
    )
    made = client.create_automation(shipped.model_copy(update={"name": f"silent-{run}", "trigger": trigger}))
    try:
        yield
    finally:
        client.delete_automation(made)


def test_killed_processes_workers_and_machines_lose_nothing(
    prefect_server: str, client: SyncPrefectClient, bench: Path, environment: dict[str, str], repo_root: Path
) -> None:
    from prefect.events import emit_event

    deployment, home = deployed(bench), bench / "home"
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL]
    with running(command, bench, environment=environment) as log:
        # the process of a run: its worker says so
        first, process = started(client, deployment, bench, 0)
        below = descendants(process)
        os.kill(process, signal.SIGKILL)
        wait_until_gone(below | {process})
        wait_until(lambda: state_of(client, first)[0] == "Crashed", log.read_text())
        kept = stored_cells(home)

        # the machine: worker and run at once
        second, process = started(client, deployment, bench, kept)
        named = subprocess.run(["pgrep", "-f", POOL], capture_output=True, text=True, check=True).stdout.split()
        worker = next(pid for pid in map(int, named) if process in descendants(pid))
        everything = {worker} | descendants(worker)
        for pid in (worker, process):
            os.kill(pid, signal.SIGKILL)
        wait_until_gone(everything)
    kept, before = stored_cells(home), kept
    assert before < kept < ROWS * 3, "the kill came too late to show anything"
    assert state_of(client, second)[0] == "Running", "nobody is there to say that it is not"

    heartbeats = "prefect.flow-run.heartbeat", f"prefect.flow-run.{second}"
    wait_until(lambda: bool(events(prefect_server, *heartbeats)), "the run has sent no heartbeat")
    seen = events(prefect_server, *heartbeats)[0]
    with impatient(client, repo_root, second):
        time.sleep(2)  # the server loads a new trigger when it next looks
        emit_event(seen["event"], resource=seen["resource"], related=seen["related"])  # its own once more, for the late trigger
        done = resumed(bench, environment, repo_root)
        wait_until(lambda: state_of(client, second)[0] == "Crashed", "the automation did nothing")
    assert "No heartbeat" in state_of(client, second)[1]

    assert (done["ops/cells"], done["ops/cells_reused"]) == (ROWS * 3, kept)
    assert done["ops/cells_executed"] == ROWS * 3 - kept
    assert stored_cells(home) == ROWS * 3


def resumed(bench: Path, environment: dict[str, str], repo_root: Path) -> dict[str, float]:
    """Metrics of the newest run that was begun, gone on with by the command; it is there once, and the other one is not."""
    from tasks.resources import open_database
    from tasks.settings import Settings

    settings = Settings(home=bench / "home")
    with open_database(settings) as store:
        _, newest = sorted(str(row["run_id"]) for row in store.started_runs())
    command = [sys.executable, "-m", "flows", "runs", "resume", newest]
    shared = {**os.environ, **environment, "PYTHONPATH": str(repo_root)}
    done = subprocess.run(command, cwd=bench, env=shared, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    with open_database(settings) as store:
        assert [row["run_id"] for row in store.list_runs()] == [newest]
        return dict(store.load_run(newest).metrics)


def test_a_killed_serve_takes_its_server_with_it(tmp_path: Path) -> None:
    state = {"CODERM_HOME": str(tmp_path / "home"), "HOME": str(tmp_path), "PREFECT_HOME": str(tmp_path / "prefect")}
    command = [sys.executable, "-m", "flows", "serve", "--only", "promote"]
    with running(command, tmp_path, environment=state) as log:
        wait_until(lambda: "serving   1 deployments" in log.read_text(), "it does not serve")
        (serve,) = subprocess.run(
            ["pgrep", "-f", "flows serve --only promote"], capture_output=True, text=True, check=True
        ).stdout.split()
        below = descendants(int(serve))
        assert len(below) >= 2, "a keeper and a server"
        os.kill(int(serve), signal.SIGKILL)
        wait_until_gone(below)


def test_a_killed_run_takes_its_ephemeral_server_with_it(tmp_path: Path, repo_root: Path) -> None:
    state = {"CODERM_HOME": str(tmp_path / "home"), "HOME": str(tmp_path), "PREFECT_HOME": str(tmp_path / "prefect")}
    environment = {**os.environ, **state, "PYTHONPATH": str(repo_root)}
    command = [sys.executable, "-m", "flows", "demo", "--sandbox", "process"]
    with (tmp_path / "log").open("w") as log:
        demo = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log)

    def servers() -> set[int]:
        found = subprocess.run(["pgrep", "-f", "server.api.server:create_app"], capture_output=True, text=True, check=False)
        return set(map(int, found.stdout.split())) & descendants(demo.pid)

    try:
        wait_until(lambda: stored_cells(tmp_path / "home") or demo.poll() is not None, "it does not begin")
        below = descendants(demo.pid)
        assert servers(), (tmp_path / "log").read_text()
    finally:
        demo.kill()
        demo.wait()
    wait_until_gone(below)


def test_an_alarm_is_in_the_log_and_an_event(prefect_server: str, client: SyncPrefectClient, tmp_path: Path) -> None:
    from tasks.persist_run import ALARM_EVENT, raise_alarms
    from tasks.structured_log import start_log

    start_log(tmp_path)
    raise_alarms(recorded_run(metrics={"ops/slots_lost": 2.0, "ops/infra_error_share": 0.0, "ops/cells": 9.0}))
    (alarm,) = map(json.loads, (tmp_path / "events.jsonl").read_text().splitlines())
    assert (alarm["level"], alarm["event"]) == ("WARNING", "alarm")
    figures = {"run": recorded_run().run_id, "metric": "ops/slots_lost", "value": 2.0, "bound": 0.0}
    assert {name: alarm[name] for name in figures} == figures
    wait_until(lambda: events(prefect_server, ALARM_EVENT, "coderm.benchmark.demo"), "no event")
    assert events(prefect_server, ALARM_EVENT, "coderm.benchmark.demo")[0]["payload"] == figures
