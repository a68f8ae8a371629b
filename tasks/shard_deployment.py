"""Shards as runs of a deployment: workers on any machine fill the store ahead, and the run itself then finds everything known.

One flow run a shard, as a subflow of this one, on the work pool of ``CODERM_SHARD_DEPLOYMENT``; a second round where the budget is
allocated from what the first one saw (equal, greedy). Policies that decide in rounds run their rounds here, on samples and labels
that the shards made. A shard that fails ends the run with its own line and exit code, and cancels the others. Refuses a run
without a shared server, without a shared store (``sandbox.reuse``), and an unknown deployment.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.settings import PREFECT_API_URL
from prefect.states import Cancelling

from models.config import RunConfig
from models.errors import (
    BackendUnavailable,
    CodeRMError,
    ExhaustedError,
    InputError,
    SandboxUnavailable,
    StoreUnavailable,
    UnavailableError,
)
from tasks.progress import progress_bar
from tasks.run_header import RunHeader
from tasks.shard import Shard
from tasks.shard_orders import ShardOrder, orders_of
from tasks.shard_runner import InTurn
from tasks.structured_log import note

POLL_S = 1.0
PATIENCE_S = 60.0
"""A worker looks every ten to fifteen seconds."""
PAGE = 200
"""Flow runs that the server gives at a time."""


class Ahead(InTurn):
    """In turn, once the workers of a deployment have filled the store."""

    def __init__(self, header: RunHeader, config: RunConfig, deployment: str) -> None:
        """Raises InputError for a run that no worker can help."""
        if PREFECT_API_URL.value() is None:
            raise InputError("CODERM_SHARD_DEPLOYMENT: expected a Prefect server that workers ask for work; set PREFECT_API_URL")
        if not config.sandbox.reuse:
            raise InputError("sandbox.reuse = false: shards come back through the store of known cells; expected reuse = true")
        self._header, self._deployment = header, deployment

    def ahead(self, shards: Sequence[Shard], tests: Mapping[str, int] | None) -> None:
        """Start a run a shard and wait for all. Raises what a shard raised, UnavailableError for one that was lost."""
        started: list[FlowRun] = []
        try:
            started.extend(map(self._start, orders_of(self._header, shards, tests)))
            _wait([run.id for run in started], self._deployment)
        except BaseException:
            _cancel(run.id for run in started)
            raise

    def _start(self, order: ShardOrder) -> FlowRun:
        name = f"{order.run}-{order.shard}" + ("" if order.tests is None else "-allocated")
        try:
            found: Any = run_deployment(
                self._deployment, parameters={"order": order.model_dump(mode="json")}, flow_run_name=name, timeout=0
            )
        except ObjectNotFound:
            raise InputError(
                f"CODERM_SHARD_DEPLOYMENT: the Prefect server knows no deployment {self._deployment!r}; make it with "
                "`prefect deploy --name shard --prefect-file infra/prefect.yaml`, or `coderm serve --only shard`"
            ) from None
        note("shard ordered", run=order.run, shard=order.shard, shard_run=str(found.id))
        assert isinstance(found, FlowRun)
        return found


def _wait(ids: Sequence[UUID], deployment: str) -> None:
    began, said, done = time.monotonic(), False, 0
    with progress_bar("shards on workers", len(ids)) as advance:
        while True:
            runs = _read(ids)
            ended = [run for run in runs if run.state and run.state.is_final()]
            for run in ended:
                if run.state_type != StateType.COMPLETED:
                    raise _error_of(run)
            advance(len(ended) - done)
            done = len(ended)
            if done == len(ids):
                return
            idle = all(run.state_type in (StateType.SCHEDULED, StateType.PENDING) for run in runs if run not in ended)
            if idle and not said and time.monotonic() - began > PATIENCE_S:
                note("no worker takes the shards", level=logging.WARNING, deployment=deployment, waiting=len(ids) - done)
                sys.stderr.write(
                    f"no worker has taken a shard for {PATIENCE_S:g} s: start one for the work pool of {deployment} "
                    "(`prefect worker start --pool coderm-shards --limit 1`), or `coderm serve --only shard`\n"
                )
                said = True
            time.sleep(POLL_S)


def _read(ids: Sequence[UUID]) -> list[FlowRun]:
    with get_client(sync_client=True) as client:
        pages = [FlowRunFilter(id=FlowRunFilterId(any_=list(ids[at : at + PAGE]))) for at in range(0, len(ids), PAGE)]
        return [run for page in pages for run in client.read_flow_runs(flow_run_filter=page)]


def _error_of(run: FlowRun) -> CodeRMError:
    """The shard's own error, of its own kind: its state's message names the class and says the line."""
    message = " ".join(str(run.state and run.state.message).split())
    for name, kind in _KINDS.items():
        _before, found, line = message.partition(f"{name}: ")
        if found:
            return kind(f"{run.name}: {line}")
    return UnavailableError(
        f"shard {run.name} ended as {run.state_name}: {message[:300]}; `coderm runs resume` goes on, what is known is not run twice"
    )


_KINDS: dict[str, type[CodeRMError]] = {
    "SandboxUnavailable": SandboxUnavailable,
    "StoreUnavailable": StoreUnavailable,
    "BackendUnavailable": BackendUnavailable,
    "UnavailableError": UnavailableError,
    "ExhaustedError": ExhaustedError,
    "MalformedLine": InputError,  # its line says all
    "InputError": InputError,
}


def _cancel(ids: Iterable[UUID]) -> None:
    with get_client(sync_client=True) as client:
        for run_id in ids:
            with suppress(PrefectHTTPStatusError, ObjectNotFound):  # ended meanwhile
                client.set_flow_run_state(run_id, Cancelling())
