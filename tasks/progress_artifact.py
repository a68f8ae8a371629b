"""Progress of a stage in the Prefect UI: one artifact of type progress a stage, told to the server at most once a second.

A thread of its own talks to the server, so that a slow one slows nothing and one that is gone fails nothing: what people see then
stands still, which is said once in the log. Outside of a flow run there is nobody to show it to and nothing happens.
"""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import UUID

from tasks.artifact_key import artifact_key
from tasks.structured_log import note

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

EVERY_S = 1.0
REQUEST_S = 5.0
"""Seconds that one answer of the server may take."""
PATIENCE_S = 10.0
"""Seconds that a stage waits at its end for the last word to arrive."""


@contextmanager
def progress_artifact(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yield ``advance(count)``, for any thread. At 100 % once the block has ended well, however much of ``total`` was counted."""
    from prefect.runtime import flow_run, task_run

    if not flow_run.id or total <= 0:
        yield lambda _count: None
        return
    teller = _Teller(title, total, UUID(str(flow_run.id)), UUID(str(task_run.id)) if task_run.id else None)
    try:
        yield teller.advance
    except BaseException:
        teller.end(teller.done)
        raise
    teller.end(total)


class _Teller:
    """Counts, and the thread that tells them. The artifact is made with the first word."""

    def __init__(self, title: str, total: int, of_flow: UUID, of_task: UUID | None) -> None:
        self.title, self.total, self.done = title, total, 0
        self._key = f"progress-{artifact_key(title)}"
        self._of_flow, self._of_task = of_flow, of_task
        self._artifact: UUID | None = None
        self._silent = False
        self._guard, self._ended = threading.Lock(), threading.Event()
        # the context leads a client to this run's server
        self._thread = threading.Thread(target=contextvars.copy_context().run, args=(self._work,), daemon=True, name=self._key)
        self._thread.start()

    def advance(self, count: int) -> None:
        """So many more are done."""
        with self._guard:
            self.done = min(self.total, self.done + count)

    def end(self, done: int) -> None:
        """The last word."""
        self.done = done
        self._ended.set()
        self._thread.join(PATIENCE_S)

    def _work(self) -> None:
        from prefect.client.orchestration import get_client

        try:
            with get_client(sync_client=True, httpx_settings={"timeout": REQUEST_S}) as client:
                self._talk(client)
        except Exception as error:  # noqa: BLE001 - no fault of the server's may reach the run
            self._stand_still(error)

    def _talk(self, client: SyncPrefectClient) -> None:
        told, ended = -1, False
        while not ended:
            ended = self._ended.wait(EVERY_S)
            done = self.done
            if done != told:
                try:
                    self._tell(client, done)
                    told = done
                except Exception as error:  # noqa: BLE001 - as above; the next second may do better
                    self._stand_still(error)

    def _tell(self, client: SyncPrefectClient, done: int) -> None:
        from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate

        state = {"data": 100.0 * done / self.total, "description": f"{self.title}: {done:,} of {self.total:,}"}
        if self._artifact is not None:
            client.update_artifact(self._artifact, ArtifactUpdate(**state))
            return
        new = ArtifactCreate(key=self._key, type="progress", flow_run_id=self._of_flow, task_run_id=self._of_task, **state)
        self._artifact = client.create_artifact(new).id

    def _stand_still(self, error: Exception) -> None:
        if not self._silent:
            note("progress not shown", level=logging.WARNING, stage=self.title, error=type(error).__name__)
        self._silent = True
