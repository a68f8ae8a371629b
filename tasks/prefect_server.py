"""The server that schedules: the one that PREFECT_API_URL names, or one of our own for as long as a command serves.

A server of our own is kept as an engine is (models/backends/engine_process.py): it ends with the command, also when that is killed
with SIGKILL. The ephemeral server that Prefect starts by itself runs no scheduler, so a cron deployment on it silently never fires;
neither does one on a server whose SQLAlchemy is too new (pyproject.toml). Hence ``wait_for_schedules``: it asks whether runs were
really made.
"""

from __future__ import annotations

import json
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.settings import PREFECT_API_URL, temporary_settings

from models.backends.engine_process import EngineProcess, sweep
from models.errors import UnavailableError
from sandbox.docker_runtime import DOCKERFILES
from tasks.settings import default_environment

START_S = 180
"""A loaded two-core machine has taken a hundred."""
PREFERRED_PORT = 4200
UI = {"PREFECT_SERVER_UI_API_URL": "/api", "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false"}
"""Unless told where, the UI looks for its server at port 4200 of the browser's own machine, whatever port it was started on."""
PROCESS_POOLS = ("coderm-process", "coderm-shards")
"""Of whole runs, and of their shards: with one pool, runs that wait for shards could fill it."""
CONTAINER_POOL = "coderm-docker"
"""Of runs in a container each. Its template leaves nothing but the memory to who starts a run: with Prefect's own, they may also
mount the worker's disk and choose the image."""
TEMPLATE = DOCKERFILES / "work-pool.json"
RECORDS = "prefect-server"
"""Folder beside the log that names the servers that run."""


@contextmanager
def scheduling_server(log: Path) -> Iterator[str]:
    """URL of the API. A server of our own ends with the block. Raises UnavailableError when it does not come up."""
    known = PREFECT_API_URL.value()
    if known is not None:
        yield known
        return
    port = _free_port()
    default_environment(UI)
    log.unlink(missing_ok=True)
    sweep(log.parent / RECORDS)
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    server = EngineProcess(command, {}, log, log.parent / RECORDS)
    try:
        url = f"http://127.0.0.1:{port}/api"
        _wait_until_healthy(server, url, log)
        with temporary_settings({PREFECT_API_URL: url}):
            yield url
    finally:
        server.close()


def _free_port() -> int:
    """4200, where people look for Prefect, or any other."""
    for port in (PREFERRED_PORT, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise UnavailableError("no free port on 127.0.0.1 for a Prefect server")


def _wait_until_healthy(server: EngineProcess, url: str, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and server.exit_status is None:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise UnavailableError(f"Prefect's server did not come up on {url}; its log: {log}")


def wait_for_schedules(crons: Mapping[str, str], timeout_s: float = 60.0) -> dict[str, str]:
    """flow/deployment → time of its next run, once the server has made runs for every one of ``crons``.

    Raises UnavailableError that names the first deployment without runs: its cron would never fire.
    """
    found: dict[str, str] = {}
    deadline = time.monotonic() + timeout_s
    with get_client(sync_client=True) as client:
        while missing := [name for name in crons if name not in found]:
            for name in missing:
                runs = client.read_flow_runs(
                    deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=[name.split("/")[1]])),
                    flow_run_filter=FlowRunFilter(
                        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED]))
                    ),
                )
                planned = sorted(r.expected_start_time for r in runs if r.auto_scheduled and r.expected_start_time)
                if planned:
                    found[name] = planned[0].isoformat(timespec="minutes")
            if len(found) < len(crons) and time.monotonic() > deadline:
                lacking = next(name for name in crons if name not in found)
                raise UnavailableError(
                    f"the Prefect server made no run for {lacking} (cron {crons[lacking]}) in {timeout_s:g} s: its scheduler does "
                    "not work; see `coderm doctor` (fastapi, SQLAlchemy) and the server's log"
                )
            time.sleep(0.5)
    return found


def make_work_pools() -> None:
    """The pools that infra/prefect.yaml names; one that is there stays as it is."""
    pools = [WorkPoolCreate(name=name, type="process") for name in PROCESS_POOLS]
    template = json.loads(TEMPLATE.read_text(encoding="utf-8"))
    pools.append(WorkPoolCreate(name=CONTAINER_POOL, type="docker", base_job_template=template))
    with get_client(sync_client=True) as client:
        for pool in pools:
            with suppress(ObjectAlreadyExists):
                client.create_work_pool(pool)


def deployment_ids(names: Sequence[str]) -> dict[str, str]:
    """flow/deployment → id, of those that the server knows."""
    found: dict[str, str] = {}
    with get_client(sync_client=True) as client:
        for name in names:
            try:
                found[name] = str(client.read_deployment_by_name(name).id)
            except ObjectNotFound:
                continue
    return found
