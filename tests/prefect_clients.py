"""Which Prefect server a process of tests is a client of.

Prefect's background services (slots, events) keep the server that the process first spoke to: a slot would be taken on one server,
given back to another, and then waited for until its lease ends. Whoever changes servers ends the services, before and after.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

ROOM = {"CODERM_GPU_SLOTS": "16", "CODERM_SANDBOX_SLOTS": "16"}
"""For whoever makes the limits of a server that tests share: a killed run keeps its slot for five minutes."""


@contextmanager
def talking_to(api_url: str) -> Iterator[None]:
    """This process is a client of that server."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    end_services()
    with temporary_settings({PREFECT_API_URL: api_url}):
        try:
            yield
        finally:
            end_services()


def end_services() -> None:
    """Those of every kind; the next use starts new ones."""
    from prefect.concurrency.services import ConcurrencySlotAcquisitionWithLeaseService

    ConcurrencySlotAcquisitionWithLeaseService.drain_all(timeout=60)  # ends the services of every kind
