"""Progress in the Prefect UI is a courtesy: nothing outside of a flow run, and no fault of the server's reaches the work."""

from __future__ import annotations

import logging
import threading
import uuid

import pytest

from tasks import progress_artifact
from tasks.structured_log import LOG


class Kept(logging.Handler):
    """Events as they are noted."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.events.append(f"{getattr(record, 'event', '')} {getattr(record, 'fields', {}).get('error')}")


def test_outside_of_a_flow_run_nothing_happens() -> None:
    threads = threading.active_count()
    with progress_artifact.progress_artifact("execute", 10) as advance:
        advance(10)
        assert threading.active_count() == threads


def test_a_server_that_is_gone_is_said_once_and_fails_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__ID", str(uuid.uuid4()))
    monkeypatch.setattr(progress_artifact, "EVERY_S", 0.05)
    kept = Kept()
    LOG.addHandler(kept)
    told = threading.Event()
    monkeypatch.setattr(kept, "emit", lambda record, emit=kept.emit: (emit(record), told.set()))
    try:
        with (
            temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api", PREFECT_CLIENT_MAX_RETRIES: 0}),
            progress_artifact.progress_artifact("execute", 10) as advance,
        ):
            advance(3)
            assert told.wait(60)
            advance(3)
    finally:
        LOG.removeHandler(kept)
    assert kept.events == ["progress not shown ConnectError"]


def test_the_block_s_own_error_comes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__ID", str(uuid.uuid4()))
    with (
        temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api", PREFECT_CLIENT_MAX_RETRIES: 0}),
        pytest.raises(ZeroDivisionError),
        progress_artifact.progress_artifact("execute", 10),
    ):
        raise ZeroDivisionError
