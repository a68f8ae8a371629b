"""The day on which a row was last asked for, noted on look-up: at most one write a row and day, so that reading stays reading.

Coarse on purpose. Retention counts in days; a finer clock would make a write of every look-up.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

from sqlalchemy import ColumnElement, Engine, update

from db.session import writing
from db.tables import ResponseSeries, VerdictRow

Remembered = type[VerdictRow] | type[ResponseSeries]


def today() -> date:
    """The day in UTC, wherever the machine stands."""
    return datetime.now(UTC).date()


def is_outdated(updated: datetime, used: date | None) -> bool:
    """Whether the row says nothing of today yet."""
    return max(updated.date(), used or date.min) < today()


def note_use(engine: Engine, table: Remembered, lock: str, *rows: ColumnElement[bool]) -> None:
    """Write today's date on the rows that each condition names. Raises StoreUnavailable."""
    with writing(engine, lock) as connection:
        for condition in rows:
            connection.execute(update(table).where(condition).values(used=today()))
