"""Column types that make a value come back as it was put in, on SQLite and on PostgreSQL alike.

``Document`` is JSON that must come back exactly: PostgreSQL's ``json`` keeps the order of keys and the spelling of numbers,
while ``jsonb`` sorts and normalises; the price is that a containment query needs a cast (``config::jsonb @> …``). ``Facts`` is JSON
whose order says nothing, hence JSONB on PostgreSQL. Both dialects refuse or lose NaN in their own way: here it is kept.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import JSON, DateTime, Dialect, Double
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator

Facts = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""JSON for questions: lists, and objects whose key order does not matter."""

NON_FINITE = "$float"
"""Key of the object that stands for a number which JSON cannot hold: ``{"$float": "nan"}``."""


def to_json(value: Any) -> Any:
    """A value that every JSON column holds: tuples as lists, numpy scalars as numbers, NaN and infinities as ``{"$float": …}``."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {NON_FINITE: repr(value)}
    if isinstance(value, Mapping):
        return {key: to_json(item) for key, item in value.items()}
    return [to_json(item) for item in value] if isinstance(value, (list, tuple)) else value


def from_json(value: Any) -> Any:
    """The inverse of ``to_json``, but that tuples stay lists."""
    if isinstance(value, dict):
        if value.keys() == {NON_FINITE}:
            return float(value[NON_FINITE])
        return {key: from_json(item) for key, item in value.items()}
    return [from_json(item) for item in value] if isinstance(value, list) else value


class Document(TypeDecorator[Any]):
    """JSON that is read back exactly: order of keys, kind of numbers, NaN."""

    impl = JSON(none_as_null=True)
    cache_ok = True

    def process_bind_param(self, value: Any, _dialect: Dialect) -> Any:
        """Python to JSON."""
        return to_json(value)

    def process_result_value(self, value: Any, _dialect: Dialect) -> Any:
        """JSON to Python."""
        return from_json(value)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: aware on both sides, UTC in the database (SQLite drops the zone, so it must always be the same one)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Raises ValueError for a naive time."""
        if value is not None and value.tzinfo is None:
            raise ValueError(f"naive datetime {value}: expected one with a time zone")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Always aware."""
        return None if value is None else (value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC))


class NanFloat(TypeDecorator[float]):
    """A float whose NaN is stored as NULL: what SQLite does anyway, and what ``avg()`` should skip on both."""

    impl = Double()
    cache_ok = True

    def process_bind_param(self, value: float | None, _dialect: Dialect) -> float | None:
        """NaN to NULL."""
        return None if value is None or math.isnan(value) else float(value)

    def process_result_value(self, value: float | None, _dialect: Dialect) -> float:
        """NULL to NaN."""
        return math.nan if value is None else value
