"""Every deployment of infra/prefect.yaml in one process: limits made, schedules checked to be real, then served until Ctrl-C."""

import os
import signal
import sys
import threading
from contextvars import copy_context
from importlib import import_module
from pathlib import Path
from typing import Any

from prefect import Flow, serve
from prefect.deployments.runner import RunnerDeployment
from prefect.schedules import Cron
from prefect.types.entrypoint import EntrypointType

from models.errors import InputError, UnavailableError
from tasks.automations import REGRESSION, SILENT_RUNS, automation_file, make_automation
from tasks.deployments import Deployment, deployments_file, read_deployments
from tasks.prefect_server import CONTAINER_POOL, deployment_ids, make_work_pools, scheduling_server, wait_for_schedules
from tasks.settings import load_settings
from tasks.slots import make_limits

ANSWERING = "weekly-comparison"
"""The deployment that the automation for regressions runs."""


def serve_all(file: Path | None, only: list[str], limit: int, prepare_only: bool = False) -> None:
    """Serve until interrupted. Raises InputError for a wrong file, UnavailableError when the server does not schedule."""
    path, settings = deployments_file(file), load_settings()
    entries = servable(path, only)
    with scheduling_server(settings.root / "log" / "prefect-server.log") as url:
        _say(f"Prefect   {url.removesuffix('/api')}")
        _say(f"slots     {', '.join(f'{name} {size}' for name, size in make_limits(settings).items())}")
        if prepare_only:
            make_work_pools()
            _make_automations(path, entries)
            return
        _serve(path, entries, limit)


def servable(path: Path, only: list[str]) -> list[Deployment]:
    """Those whose runs may be processes of ours. Raises InputError for another one that was named."""
    entries = read_deployments(path, only)
    contained = [e.name for e in entries if e.pool == CONTAINER_POOL]
    if only and contained:
        raise InputError(
            f"--only {contained[0]}: its runs are containers; expected a worker of theirs: "
            f"`prefect worker start --pool {CONTAINER_POOL}`"
        )
    return [e for e in entries if e.pool != CONTAINER_POOL]


def to_runner(entry: Deployment) -> RunnerDeployment:
    """A deployment that imports its flow by module, so that the working directory does not matter."""
    schedules: Any = [Cron(cron, timezone=timezone) for cron, timezone in entry.crons]
    deployment = flow_of(entry).to_deployment(
        entry.name,
        schedules=schedules or None,
        parameters=dict(entry.parameters),
        description=entry.description,
        tags=list(entry.tags),
        concurrency_limit=entry.concurrency,
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    assert isinstance(deployment, RunnerDeployment)
    return deployment


def flow_of(entry: Deployment) -> Flow[Any, Any]:
    """The flow that an entry names."""
    flow = getattr(import_module(entry.module), entry.function)
    assert isinstance(flow, Flow)
    return flow


def _serve(path: Path, entries: list[Deployment], limit: int) -> None:
    trouble: list[UnavailableError] = []
    # with this thread's settings: without them Prefect would start a second server, on the same database, to ask it
    watch = threading.Thread(target=copy_context().run, args=(_check, path, entries, trouble), daemon=True)
    watch.start()
    serve(*map(to_runner, entries), limit=limit, print_starting_message=False)
    if trouble:
        raise trouble[0]


def _check(path: Path, entries: list[Deployment], trouble: list[UnavailableError]) -> None:
    """Say when each deployment runs next; end the process when a cron is not real."""
    crons = {f"{flow_of(e).name}/{e.name}": e.crons[0][0] for e in entries if e.crons}
    try:
        for name, at in wait_for_schedules(crons).items():
            _say(f"scheduled {name}  next {at}")
        _make_automations(path, entries)
        _say(f"serving   {len(entries)} deployments; Ctrl-C pauses their schedules and ends")
    except UnavailableError as error:
        trouble.append(error)
        os.kill(os.getpid(), signal.SIGINT)


def _make_automations(path: Path, entries: list[Deployment]) -> None:
    make_automation(automation_file(SILENT_RUNS, path))
    names = [f"{flow_of(e).name}/{e.name}" for e in entries if e.name == ANSWERING]
    for deployment_id in deployment_ids(names).values():
        make_automation(automation_file(REGRESSION, path), deployment_id)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - people wait for these lines
