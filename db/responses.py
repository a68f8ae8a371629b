"""Raw responses by content, so that no model is asked twice for the same draws; and runs that have begun, so that they can go on.

A series belongs to a model, its sampling, a prompt and a seed (``models.backends.identity.draw_key``) and to no run. It only grows:
of two writers the longer one stays, and what is there already is never replaced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, delete, func, select, update

from db.codec import JSON_ZLIB, decode_json, encode_json, sha256, verify
from db.last_used import is_outdated, note_use
from db.samples import chunks, insert_rows
from db.session import RUNS, reading, writing
from db.tables import ResponseSeries, StartedRun
from models.errors import InputError
from models.run_record import Response

LOCK = "responses"


def lookup(engine: Engine, keys: Sequence[str]) -> dict[str, tuple[Response, ...]]:
    """Known series by key; one without any is absent. Raises StoreUnavailable, also for damaged bytes."""
    found: dict[str, tuple[Response, ...]] = {}
    outdated: list[str] = []
    series = ResponseSeries
    columns = select(series.draw_key, series.codec, series.data, series.sha256, series.updated, series.used)
    with reading(engine) as connection:
        for chunk in chunks(keys):
            for key, codec, data, check, updated, used in connection.execute(columns.where(series.draw_key.in_(chunk))):
                verify(check, f"responses {key}", data)
                found[key] = tuple(Response.model_validate(r) for r in decode_json(codec, data))
                if is_outdated(updated, used):
                    outdated.append(key)
    if outdated:
        note_use(engine, series, LOCK, *(series.draw_key.in_(chunk) for chunk in chunks(outdated)))
    return found


def store(engine: Engine, key: str, responses: Sequence[Response], facts: Mapping[str, str]) -> None:
    """Write a series unless one at least as long is there. ``facts``: task_id, kind, model. Raises StoreUnavailable."""
    data = encode_json([r.model_dump() for r in responses])
    row = {"n_responses": len(responses), "codec": JSON_ZLIB, "data": data, "sha256": sha256(data), "updated": datetime.now(UTC)}
    with writing(engine, LOCK) as connection:
        known = connection.scalar(select(ResponseSeries.n_responses).where(ResponseSeries.draw_key == key))
        if known is None:
            insert_rows(connection, ResponseSeries, [{"draw_key": key, **facts, **row}])
        elif known < len(responses):
            connection.execute(update(ResponseSeries).where(ResponseSeries.draw_key == key).values(**row))


def start_run(engine: Engine, run_id: str, created_at: str, benchmark: str, config: Mapping[str, Any]) -> None:
    """Remember that a run began, and with what; a second call changes nothing."""
    with writing(engine, RUNS) as connection:
        if connection.scalar(select(StartedRun.run_id).where(StartedRun.run_id == run_id)) is None:
            row = {"run_id": run_id, "benchmark": benchmark, "created_at": created_at, "config": config}
            insert_rows(connection, StartedRun, [{**row, "created": datetime.fromisoformat(created_at)}])


def finish_run(engine: Engine, run_id: str) -> None:
    """There is nothing left to go on with; a second call changes nothing."""
    with writing(engine, RUNS) as connection:
        connection.execute(delete(StartedRun).where(StartedRun.run_id == run_id))


def started_runs(engine: Engine) -> list[dict[str, Any]]:
    """Runs that began and have not finished, newest first: run_id, benchmark, created_at."""
    columns = select(StartedRun.run_id, StartedRun.benchmark, StartedRun.created_at)
    with reading(engine) as connection:
        return [dict(row._mapping) for row in connection.execute(columns.order_by(StartedRun.created.desc()))]


def started_run(engine: Engine, prefix: str) -> tuple[str, dict[str, Any]]:
    """(run id, configuration) of the one begun run that starts so. Raises InputError when there is none, or more than one."""
    with reading(engine) as connection:
        starts = func.substr(StartedRun.run_id, 1, len(prefix)) == prefix
        found = connection.execute(select(StartedRun.run_id, StartedRun.config).where(starts)).all()
    if len(found) == 1 and prefix:
        return found[0].run_id, found[0].config
    what = "more than one run that was not finished starts so" if found and prefix else "no run of that name was left unfinished"
    raise InputError(f"run {prefix!r}: {what}; expected one of `coderm runs list`")
