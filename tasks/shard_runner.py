"""How a stage of a run goes through the shards: in turn in this process, or beside one another in a task runner's workers.

A task is a shard: Dask and Ray run some ten tasks a second, a sandbox a thousand cells. Workers on one machine divide its slots
between them; workers elsewhere have their own (``CODERM_SANDBOX_WORKERS`` where several share a machine). Refuses matrices of a
worker whose sandbox, image or version is not this machine's: that would be another experiment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from prefect import Task
from prefect.futures import as_completed

from models.config import RunConfig
from models.errors import UnavailableError
from models.matrix import SandboxIdentity
from sandbox.executor import cores
from tasks.progress import progress_bar
from tasks.resources import with_slots
from tasks.settings import Settings
from tasks.shard import Shard
from tasks.slots import SANDBOX, slot
from tasks.task_runners import OpenedRunner

T = TypeVar("T")


class InTurn:
    """Shards one after another in this process, each with all slots."""

    elsewhere = False
    """True where workers have engines and slots of their own, so that a live model is sampled there."""

    def ahead(self, shards: Sequence[Shard], tests: Mapping[str, int] | None) -> None:
        """Where other processes fill the store: have them run these tests of each problem (None: what no allocation can change)."""

    def each(
        self, stage: Task[..., T], config: RunConfig, shards: Sequence[Shard], *, held: str | None = SANDBOX, **more: Any
    ) -> list[T]:
        """``stage(config=…, shard=…, **more)`` of every shard, in order, while a slot of the limit ``held`` is taken."""
        with _taken(held):
            return [stage(config=config, shard=shard, **more) for shard in shards]


def _taken(name: str | None) -> AbstractContextManager[None]:
    return nullcontext() if name is None else slot(name)


class Beside(InTurn):
    """A task a shard in the workers of a Prefect task runner; the first failure ends the others."""

    def __init__(self, opened: OpenedRunner, settings: Settings, sandbox: SandboxIdentity | None) -> None:
        """``sandbox``: this machine's."""
        self._opened, self._name, self._sandbox = opened, settings.task_runner, sandbox
        self.elsewhere = settings.task_runner_address is not None
        self._workers = None if self.elsewhere else settings.task_workers

    def each(
        self, stage: Task[..., T], config: RunConfig, shards: Sequence[Shard], *, held: str | None = SANDBOX, **more: Any
    ) -> list[T]:
        """As in turn. Raises what a shard raises, and UnavailableError for a worker that is lost or has another sandbox."""
        shared = self._shared(config)
        with _taken(held), progress_bar(f"{stage.name}: shards", len(shards)) as advance:
            try:
                futures = [self._opened.runner.submit(stage, {"config": shared, "shard": shard, **more}) for shard in shards]
                for future in as_completed(futures):
                    future.result()
                    advance(1)
                done = [future.result() for future in futures]
            except self._opened.lost as error:
                what = " ".join(str(error).split())[:200]
                raise UnavailableError(
                    f"CODERM_TASK_RUNNER={self._name}: a worker was lost ({type(error).__name__}: {what}); "
                    "`coderm runs resume` goes on, what is known is not run twice"
                ) from None
        self._check(found for found in done if isinstance(found, Shard))
        return done

    def _shared(self, config: RunConfig) -> RunConfig:
        """This machine's slots, divided among its workers."""
        if self._workers is None:
            return config
        share = max(1, (config.sandbox.workers or cores()) // self._workers)
        return config.model_copy(update={"sandbox": with_slots(config.sandbox, share)})

    def _check(self, shards: Iterable[Shard]) -> None:
        for shard in shards:
            for task_id, matrix in shard.matrices.items():
                if (found := matrix.context.identity) != self._sandbox:
                    raise UnavailableError(
                        f"a worker ran {task_id} in {found}, and this machine's sandbox is {self._sandbox}: "
                        "expected the same code and image on all machines (`coderm sandbox build`)"
                    )
