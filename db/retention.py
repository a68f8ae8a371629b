"""What may go, by a ``models.retention.Retention``, and taking it away in small steps beside runs that are executing.

    begun      runs that began long ago and never finished
    verdicts   known cells that nobody looked up for so many days, and that no begun run that stays may have used
    responses  models' answers, likewise
    runs       all but the newest, and what no run uses any more (db/run_removal.py)

A step is one transaction of ``BATCH`` rows, one run, or all begun ones: readers never wait, writers for a moment, and a kill
between two steps leaves a valid store, of which the next call takes the rest. What a writer holds just now is in use and is left
out.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, and_, delete, func, or_, select, tuple_

from db.last_used import Remembered
from db.run_removal import Forget, count_old_runs, delete_old_runs, nothing_else, old_runs
from db.session import RUNS, reading, writing
from db.tables import ResponseSeries, Run, StartedRun, VerdictRow
from models.retention import Kind, Retention, Unused, unused_before

BATCH = 500
"""Rows a transaction: 1.2 MB of known cells, some 20 ms."""
LOCK = "retention"


def find_unused(engine: Engine, retention: Retention, now: datetime | None = None) -> list[Unused]:
    """What ``delete_unused`` would take; takes nothing. Raises StoreUnavailable."""
    now = now or datetime.now(UTC)
    found = []
    with reading(engine) as connection:
        if retention.begun_days is not None:
            old = select(func.count()).select_from(StartedRun).where(_began_before(retention.begun_days, now))
            found.append(Unused("begun", connection.scalar(old) or 0, 0))
        oldest = _oldest_begun(connection, retention, now)
        for kind, table, days in _remembered(retention):
            condition, held_by = _unused(table, days, now, oldest)
            counted = select(func.count(), func.coalesce(func.sum(func.length(table.data)), 0)).where(condition)
            rows, size = connection.execute(counted).one()
            found.append(Unused(kind, rows, int(size), held_by))
        if retention.keep_runs is not None:
            found.append(Unused("runs", *count_old_runs(connection, retention.keep_runs)))
    return found


def unused_runs(engine: Engine, retention: Retention, now: datetime | None = None) -> list[str]:
    """Ids of the runs that would go, begun ones first. Raises StoreUnavailable."""
    with reading(engine) as connection:
        begun = [] if retention.begun_days is None else _old_begun(connection, retention.begun_days, now or datetime.now(UTC))
        return [*begun, *([] if retention.keep_runs is None else old_runs(connection, retention.keep_runs))]


def delete_unused(engine: Engine, retention: Retention, now: datetime | None = None, forget: Forget = nothing_else) -> list[Unused]:
    """Take it away, ``forget`` first for every run. Raises StoreUnavailable; what was deleted until then stays deleted."""
    now = now or datetime.now(UTC)
    gone = []
    if retention.begun_days is not None:
        gone.append(Unused("begun", _delete_begun(engine, retention.begun_days, now, forget), 0))
    with reading(engine) as connection:
        oldest = _oldest_begun(connection, retention, now)
    for kind, table, days in _remembered(retention):
        condition, held_by = _unused(table, days, now, oldest)
        gone.append(Unused(kind, *_delete_rows(engine, table, condition), held_by))
    if retention.keep_runs is not None:
        with reading(engine) as connection:
            rows, size = count_old_runs(connection, retention.keep_runs)
        gone.append(Unused("runs", delete_old_runs(engine, retention.keep_runs, forget), size if rows else 0))
    return gone


def _remembered(retention: Retention) -> list[tuple[Kind, Remembered, int]]:
    wanted: tuple[tuple[Kind, Remembered, int | None], ...] = (
        ("verdicts", VerdictRow, retention.verdicts_unused_days),
        ("responses", ResponseSeries, retention.responses_unused_days),
    )
    return [(kind, table, days) for kind, table, days in wanted if days is not None]


def _began_before(days: int, now: datetime) -> ColumnElement[bool]:
    return StartedRun.created < now - timedelta(days=days)


def _old_begun(connection: Connection, days: int, now: datetime) -> list[str]:
    """Those that were never stored: the pages of one that was go with the run itself."""
    stored = select(Run.id).where(Run.run_id == StartedRun.run_id).exists()
    return list(connection.scalars(select(StartedRun.run_id).where(_began_before(days, now), ~stored).order_by(StartedRun.created)))


def _delete_begun(engine: Engine, days: int, now: datetime, forget: Forget) -> int:
    with writing(engine, RUNS) as connection:  # none of them can finish meanwhile
        for run_id in _old_begun(connection, days, now):
            forget(run_id)
        return connection.execute(delete(StartedRun).where(_began_before(days, now))).rowcount


def _oldest_begun(connection: Connection, retention: Retention, now: datetime) -> tuple[str, datetime] | None:
    """(id, moment) of the oldest begun run that stays."""
    query = select(StartedRun.run_id, StartedRun.created).order_by(StartedRun.created).limit(1)
    if retention.begun_days is not None:
        query = query.where(~_began_before(retention.begun_days, now))
    row = connection.execute(query).first()
    return None if row is None else (row.run_id, row.created)


def _unused(
    table: Remembered, days: int, now: datetime, oldest: tuple[str, datetime] | None
) -> tuple[ColumnElement[bool], str | None]:
    """(which rows may go, id of the begun run that keeps others)."""
    limit = unused_before(days, now, oldest[1] if oldest else None)
    held_by = oldest[0] if oldest and limit < unused_before(days, now, None) else None
    return and_(table.updated < limit, or_(table.used.is_(None), table.used < limit.date())), held_by


def _delete_rows(engine: Engine, table: Remembered, unused: ColumnElement[bool]) -> tuple[int, int]:
    """(rows, bytes) that went, ``BATCH`` rows a transaction, in the order of their keys."""
    keys = list(table.__table__.primary_key)
    rows = size = 0
    last: Sequence[Any] | None = None
    while True:
        query = select(*keys).where(unused, *([] if last is None else [_row(keys) > _row(last)]))
        with reading(engine) as connection:
            batch = connection.execute(query.order_by(*keys).limit(BATCH)).all()
        if not batch:
            return rows, size
        last = batch[-1]
        with writing(engine, LOCK) as connection:
            still = select(*keys, func.length(table.data)).where(_row(keys).in_([tuple(b) for b in batch]), unused)
            gone = connection.execute(still.with_for_update(skip_locked=True)).all()
            connection.execute(delete(table).where(_row(keys).in_([tuple(g[:-1]) for g in gone])))
        rows, size = rows + len(gone), size + sum(g[-1] for g in gone)


def _row(values: Sequence[Any]) -> Any:
    return tuple_(*values)
