"""What happened, for machines: one JSON object a line under the state, and the same lines in the Prefect UI of the run they are of.

A line names the event and what it is about (run, task run, shard, problem) as fields, so that a question such as "which shard had
infra errors last night" is one filter. No source, prompt or response ever goes in: ``note`` takes numbers, names and digests.
"""

from __future__ import annotations

import json
import logging
import math
import os
import socket
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

from tasks.settings import load_settings

LOG = logging.getLogger("coderm")
"""Its records reach the Prefect UI by ``PREFECT_LOGGING_EXTRA_LOGGERS`` (flows/__main__.py)."""
FILE_NAME = "events.jsonl"
FILE_BYTES, FILES = 10_000_000, 5
Field = str | int | float | bool | None


class _AsJson(logging.Formatter):
    """One object a line; NaN as null."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Field] = getattr(record, "fields", {})
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        clean = {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in fields.items()}
        return json.dumps(
            {"time": when, "level": record.levelname, "event": getattr(record, "event", record.msg), **_where(), **clean}
        )


def _where() -> dict[str, Field]:
    """The process, and flow and task run of this moment, where there is one."""
    from prefect.runtime import flow_run, task_run

    found = {name: value for name, value in (("flow_run_id", flow_run.id), ("task_run", task_run.name)) if value}
    return {"process": f"{socket.gethostname()}:{os.getpid()}", **found}


def start_own_log() -> None:
    """``start_log`` under this machine's state: for a worker's process, which has seen no preflight."""
    settings = load_settings()
    start_log(settings.root / "log", settings.log_level)


def start_log(folder: Path, level: str = "INFO") -> None:
    """Write events to ``folder`` from now on, in this process; a second call with the same folder changes nothing."""
    LOG.setLevel(level)
    LOG.propagate = False
    path = (folder / FILE_NAME).resolve()
    ours = [handler for handler in LOG.handlers if isinstance(handler, RotatingFileHandler)]
    if any(Path(handler.baseFilename) == path for handler in ours):
        return
    for handler in ours:
        LOG.removeHandler(handler)
        handler.close()
    folder.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(path, maxBytes=FILE_BYTES, backupCount=FILES, encoding="utf-8", delay=True)
    handler.setFormatter(_AsJson())
    LOG.addHandler(handler)


def note(event: str, *, level: int = logging.INFO, **fields: Field) -> None:
    """Say that something happened. ``fields``: what a person would filter by."""
    shown = " ".join(f"{name}={value:z.4g}" if isinstance(value, float) else f"{name}={value}" for name, value in fields.items())
    LOG.log(level, "%s %s", event, shown, extra={"event": event, "fields": fields})
