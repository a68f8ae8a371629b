"""Named slots over all runs of one Prefect server: how many stages may sample on a GPU, or run cells, at once.

Taken once a stage (a hand-over costs a second and a half of polling), leased, so that a killed run gives its slot back. Where no
server is shared there is nobody to share with and nothing is taken; a server without the limits (`coderm serve --prepare` makes
them) lets everything through.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import copy_context

from prefect.client.orchestration import get_client
from prefect.concurrency.sync import concurrency
from prefect.settings import PREFECT_API_URL

from models.config import RunConfig
from tasks.settings import Settings
from tasks.structured_log import note

GPU, SANDBOX = "coderm-gpu", "coderm-sandbox"
PATIENCE_S = 10.0
"""A hand-over between two stages takes about two."""


@contextmanager
def slot(name: str) -> Iterator[None]:
    """Hold one slot of a limit for the block; a wait that is not short is said, since others may hold it for hours."""
    if PREFECT_API_URL.value() is None:
        yield
        return
    with ExitStack() as held:
        waits = threading.Timer(PATIENCE_S, copy_context().run, (_say_wait, name))
        waits.daemon = True
        waits.start()
        try:
            held.enter_context(concurrency(name, occupy=1, strict=False))
        finally:
            waits.cancel()
        yield


def _say_wait(name: str) -> None:
    note("waiting for a slot", level=logging.WARNING, slot=name)
    sys.stderr.write(f"waiting for a slot of {name}: `prefect gcl inspect {name}` says how many are held\n")


@contextmanager
def sampling_slot(config: RunConfig) -> Iterator[None]:
    """A GPU slot where a model samples; recordings need none."""
    if {config.policy.type, config.tests.type} == {"replay"}:
        yield
        return
    with slot(GPU):
        yield


def make_limits(settings: Settings) -> dict[str, int]:
    """Create or resize the limits on the server that this process talks to."""
    limits = {GPU: settings.gpu_slots, SANDBOX: settings.sandbox_slots}
    with get_client(sync_client=True) as client:
        for name, size in limits.items():
            client.upsert_global_concurrency_limit_by_name(name, size)
    return limits
