"""Runs in containers, as a worker of the pool coderm-docker starts them, with the image and the template that ship."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sandbox import docker_runtime
from sandbox.docker_runtime import connect
from tests.integration import container_pool
from tests.integration.container_pool import prefect
from tests.integration.many_workers import DEMO, demo, executed, run_demo, run_of, store_of
from tests.prefect_clients import ROOM
from tests.processes import ROOT, running, wait_until

pytest_plugins = ["tests.servers", "tests.contracts.store_fixtures"]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.docker,
    pytest.mark.flows_image,
    pytest.mark.postgres,
    pytest.mark.filterwarnings("default"),
]


@dataclass(frozen=True)
class Machine:
    """``server``: the variables of Prefect's clients; ``database``: URL for this process; ``secret``: for a container."""

    server: dict[str, str]
    state: Path
    engine: str
    database: str
    secret: str
    files: Path

    @property
    def changes(self) -> tuple[str, ...]:
        """Of the demo's configuration: its files are where the containers find them too."""
        parts = (("benchmark.problems", "problems"), ("policy.path", "solutions"), ("tests.path", "tests"))
        return ("sandbox.runtime=docker", "budget.policy=all", *(f"{key}={self.files / name}.jsonl" for key, name in parts))


@pytest.fixture(scope="module")
def machine(prefect_server: str, postgres_socket: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A worker of the pool, the engine for untrusted code, and an empty database."""
    subprocess.run(["make", "flows-image"], cwd=ROOT, check=True, capture_output=True, timeout=300)  # of what is tested here
    home = tmp_path_factory.mktemp("pool")
    server = {"PREFECT_API_URL": prefect_server, "PREFECT_HOME": str(home / "prefect"), "CODERM_HOME": str(home / "client")}
    with container_pool.sandbox_engine() as engine, container_pool.database(postgres_socket, "pool") as secret:
        file = f"CODERM_DATABASE_URL='{secret}'\nCODERM_MLFLOW_TRACKING_URI=sqlite:////state/mlflow.db\n"
        secrets = container_pool.folder_of_owner(engine / "secrets", env=file)
        state = container_pool.folder_of_owner(engine / "state")
        shutil.copytree(DEMO.parent, files := engine / "demo")
        template = container_pool.template(secrets, engine, state, postgres_socket, files)
        container_pool.deploy({**server, **ROOM}, template, home)
        worker = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "coderm-docker"]
        with running(worker, home, environment={**server, "PREFECT_WORKER_QUERY_SECONDS": "1"}):
            yield Machine(server, state, f"unix://{engine}/docker.sock", secret.replace("/pg", str(postgres_socket)), secret, files)


@pytest.fixture(scope="module")
def in_one_process(machine: Machine, prefect_server: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    home = tmp_path_factory.mktemp("one")
    done = run_demo(home, prefect_server, *machine.changes)
    assert done.returncode == 0, done.stderr
    return run_of(store_of(home))


def test_runs_and_shards_in_containers_leave_what_one_process_leaves_and_a_killed_one_leaves_nothing(
    machine: Machine, in_one_process: Any, prefect_server: str, tmp_path: Path
) -> None:
    """One test, since a machine of the pool takes long to make, and tests may run in different processes."""
    a_run_leaves_what_one_process_leaves_and_its_secrets_stay_in_their_file(machine, in_one_process)
    a_killed_container_takes_its_slots_with_it_and_nobody_elses(machine)
    shards_leave_what_one_process_leaves(machine, in_one_process, prefect_server, tmp_path)


def a_run_leaves_what_one_process_leaves_and_its_secrets_stay_in_their_file(machine: Machine, in_one_process: Any) -> None:
    with started(machine) as (run, container):
        seen, shown = container.attrs["HostConfig"], json.dumps(container.attrs)
        assert run.wait(300) == 0
    assert run_of(machine.database) == in_one_process
    assert shards_of(machine)
    assert (seen["Privileged"], seen["CapDrop"], seen["ReadonlyRootfs"]) == (False, ["ALL"], True)
    assert machine.secret not in shown
    assert machine.secret not in prefect(machine.server, "prefect", "work-pool", "inspect", "coderm-docker")


def shards_leave_what_one_process_leaves(machine: Machine, in_one_process: Any, prefect_server: str, tmp_path: Path) -> None:
    """The run itself is a command of this machine; whether its cells were known before does not show in what it stores."""
    before = len(shards_of(machine))
    variables = {"CODERM_SHARD_DEPLOYMENT": "benchmark-shard/shard", "CODERM_DATABASE_URL": machine.database}
    done = run_demo(tmp_path, prefect_server, *machine.changes, **variables)
    assert done.returncode == 0, done.stderr
    assert run_of(machine.database) == in_one_process
    assert len(shards_of(machine)) - before == 2, "a shard a container"
    assert all(event["executed"] == 0 for event in executed(tmp_path))


def a_killed_container_takes_its_slots_with_it_and_nobody_elses(machine: Machine) -> None:
    """Also where a coordinator in another pid namespace starts meanwhile, under the same host name."""
    with (
        closing(connect(machine.engine)) as engine,
        started(machine, "n_solutions=16", "n_tests=16", "sandbox.reuse=false") as (run, container),
    ):
        wait_until(lambda: slots(engine), "no slot was started")
        assert docker_runtime.prune(engine) == 0
        container.kill()
        wait_until(lambda: not slots(engine), "slots outlive their coordinator", 30)
        assert run.wait(120) != 0


@contextmanager
def started(machine: Machine, *changes: str) -> Iterator[tuple[subprocess.Popen[bytes], Any]]:
    """A run of the deployment: the command that watches it, and its container."""
    config = demo(*machine.changes, *changes).model_dump(mode="json", exclude_unset=True)
    words = ["prefect", "deployment", "run", "benchmark/container", "--watch", "--param", f"config={json.dumps(config)}"]
    mine = {"label": "io.prefect.deployment-name=container"}
    with closing(connect(None)) as first:
        run = subprocess.Popen([sys.executable, "-m", *words], env={**os.environ, **machine.server}, stdout=subprocess.DEVNULL)
        try:
            wait_until(lambda: first.containers.list(filters=mine), "the worker started no container")
            (container,) = first.containers.list(filters=mine)
            yield run, container
        finally:
            run.kill()
            run.wait()


def shards_of(machine: Machine) -> list[dict[str, Any]]:
    """What containers have executed until now."""
    return executed(machine.state) if (machine.state / "log" / "events.jsonl").exists() else []


def slots(engine: Any) -> list[Any]:
    found: list[Any] = engine.api.containers(filters={"label": docker_runtime.LABEL})
    return found
