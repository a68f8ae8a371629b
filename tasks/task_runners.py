"""The Prefect task runner that the settings name, started and ended: threads, processes, Dask or Ray, ours or one that runs.

Decides how many workers, and that a run which ends early takes them with it: shards in threads end at their next cell, in
processes by SIGTERM, and what they had finished is in the store; on a cluster they go to their end, and no other begins. Refuses
in one line a library that is not installed, and a cluster that does not answer or has no worker; one that lost its workers later is
waited for, which is said.
"""

from __future__ import annotations

import logging
import multiprocessing
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.task_runners import ProcessPoolTaskRunner, ThreadPoolTaskRunner

from models.errors import InputError, UnavailableError
from tasks.progress import CALLED_OFF
from tasks.settings import Settings, default_environment
from tasks.structured_log import note

CONNECT_S = 30
"""For a cluster to answer and to have a worker."""
LOOK_S, PATIENCE_S = 5.0, 60.0
"""How often a Dask cluster is asked whether it has workers, and how long it may have none before that is said."""


@dataclass(frozen=True)
class OpenedRunner:
    """``runner``: started; ``lost``: what it raises when a worker or the cluster went away."""

    runner: Any
    lost: tuple[type[BaseException], ...] = ()


@contextmanager
def open_runner(settings: Settings) -> Iterator[OpenedRunner]:
    """The runner of ``CODERM_TASK_RUNNER``. Raises InputError, and UnavailableError for a missing library or cluster."""
    address = settings.task_runner_address
    if address and settings.task_runner not in ("dask", "ray"):
        raise InputError(f"CODERM_TASK_RUNNER_ADDRESS: expected with CODERM_TASK_RUNNER=dask or ray, found {settings.task_runner}")
    opened = _MAKERS[settings.task_runner](settings)
    with _one_server(settings), _started(opened, settings), _ending_early():
        yield opened


def _threads(settings: Settings) -> OpenedRunner:
    return OpenedRunner(ThreadPoolTaskRunner(max_workers=settings.task_workers))


def _processes(settings: Settings) -> OpenedRunner:
    return OpenedRunner(ProcessPoolTaskRunner(max_workers=settings.task_workers), (BrokenExecutor,))


def _dask(settings: Settings) -> OpenedRunner:
    dask, distributed = _library("prefect_dask", "dask"), _library("distributed", "dask")
    lost = (distributed.scheduler.KilledWorker, distributed.client.FutureCancelledError)
    if settings.task_runner_address:
        runner = dask.DaskTaskRunner(address=settings.task_runner_address, client_kwargs={"timeout": CONNECT_S})
        return OpenedRunner(runner, lost)
    cluster = {
        "n_workers": settings.task_workers,
        "threads_per_worker": 1,
        "memory_limit": 0,  # the sandbox bounds cells; a nanny that kills a coordinator bounds nothing
        "dashboard_address": None,
        "local_directory": str(settings.root / "dask"),
        "silence_logs": logging.CRITICAL,
    }
    return OpenedRunner(dask.DaskTaskRunner(cluster_kwargs=cluster), lost)


def _ray(settings: Settings) -> OpenedRunner:
    """Ray's clusters ask for the token in ``~/.ray`` where there is one; its client (``ray://``) offers it only when told to."""
    default_environment({"RAY_USAGE_STATS_ENABLED": "0"})
    if not settings.task_runner_address or (Path.home() / ".ray" / "auth_token").exists():
        default_environment({"RAY_AUTH_MODE": "token"})
    prefect_ray, ray = _library("prefect_ray", "ray"), _library("ray", "ray")
    lost = (ray.exceptions.RayError,)
    quiet = {"log_to_driver": False, "configure_logging": False}
    if settings.task_runner_address:
        return OpenedRunner(prefect_ray.RayTaskRunner(address=settings.task_runner_address, init_kwargs=quiet), lost)
    cluster = {"num_cpus": settings.task_workers, "include_dashboard": False, **quiet}
    return OpenedRunner(prefect_ray.RayTaskRunner(init_kwargs=cluster), lost)


_MAKERS = {"threads": _threads, "processes": _processes, "dask": _dask, "ray": _ray}


def _library(module: str, extra: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise UnavailableError(
            f"CODERM_TASK_RUNNER={extra}: {error.name} is not installed; `pip install -c constraints.txt -e '.[{extra}]'`"
        ) from None


@contextmanager
def _one_server(settings: Settings) -> Iterator[None]:
    """Workers report to this process' server: also to the one that Prefect started for it, instead of starting one each."""
    if PREFECT_API_URL.value() is not None or settings.task_runner == "threads":
        yield
        return
    if settings.task_runner_address:
        raise InputError("CODERM_TASK_RUNNER_ADDRESS: workers elsewhere need a Prefect server that they reach; set PREFECT_API_URL")
    with get_client(sync_client=True) as client, temporary_settings({PREFECT_API_URL: str(client.api_url)}):
        yield


@contextmanager
def _started(opened: OpenedRunner, settings: Settings) -> Iterator[None]:
    with _answering(settings):
        opened.runner.__enter__()
    try:
        if settings.task_runner != "dask":
            yield
            return
        with _answering(settings):
            opened.runner.client.wait_for_workers(1, timeout=CONNECT_S)
        with watched(opened.runner.client, settings.task_runner_address or "this machine"):
            yield
    finally:
        opened.runner.__exit__(None, None, None)


@contextmanager
def watched(client: Any, where: str) -> Iterator[None]:
    """Says once on stderr that a Dask cluster has been without workers for a while: it keeps its tasks for the next one."""
    over = threading.Event()
    watch = threading.Thread(target=_watch, args=(client, where, over), daemon=True)
    watch.start()
    try:
        yield
    finally:
        over.set()
        watch.join(CONNECT_S)


def _watch(client: Any, where: str, over: threading.Event) -> None:
    alone_s = 0.0
    while alone_s < PATIENCE_S and not over.wait(LOOK_S):
        try:
            alone_s = 0.0 if client.nthreads() else alone_s + LOOK_S
        except (OSError, RuntimeError):  # the scheduler is gone: whoever waits for a shard raises that
            return
    if not over.is_set():
        note("the cluster has no worker", level=logging.WARNING, cluster=where)
        sys.stderr.write(f"the Dask cluster at {where} has had no worker for {PATIENCE_S:g} s: start one, and the run goes on\n")


@contextmanager
def _answering(settings: Settings) -> Iterator[None]:
    try:
        yield
    except (OSError, TimeoutError, RuntimeError, ValueError) as error:
        where = settings.task_runner_address or "this machine"
        line = " ".join(str(error).split())[:200]
        raise UnavailableError(
            f"CODERM_TASK_RUNNER={settings.task_runner} at {where}: {line}; start the cluster and its workers"
        ) from None


@contextmanager
def _ending_early() -> Iterator[None]:
    """Shards at work do not outlive a block that raises: nothing else can interrupt a thread, and a pool waits for its children."""
    before = {child.pid for child in multiprocessing.active_children()}
    called_off = threading.Event()
    token = CALLED_OFF.set(called_off)
    try:
        yield
    except BaseException:
        called_off.set()
        for child in multiprocessing.active_children():
            if child.pid not in before:
                child.terminate()
        raise
    finally:
        CALLED_OFF.reset(token)
