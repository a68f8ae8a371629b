"""Column types: what goes in comes out."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql, sqlite

from db.columns import NanFloat, UtcDateTime, from_json, to_json
from db.tables import Base, Run, Selection

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(values)
def test_documents_round_trip_with_nan_and_order(value: object) -> None:
    text = json.dumps(to_json(value), allow_nan=False)
    assert repr(from_json(json.loads(text))) == repr(value)


def test_numpy_scalars_and_tuples_become_plain() -> None:
    assert to_json({"a": (np.int64(1), np.float32(0.5), np.bool_(True)), "b": np.float64("nan")}) == {
        "a": [1, 0.5, True],
        "b": {"$float": "nan"},
    }


def test_times_are_aware_on_both_sides() -> None:
    column, dialect = UtcDateTime(), sqlite.dialect()
    noon = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    stored = column.process_bind_param(noon, dialect)
    assert stored == noon
    assert stored.hour == 10
    assert column.process_result_value(stored.replace(tzinfo=None), dialect) == noon
    assert column.process_result_value(noon, dialect).tzinfo is UTC
    with pytest.raises(ValueError, match="naive"):
        column.process_bind_param(datetime(2026, 1, 1), dialect)  # noqa: DTZ001 - the point of the test


def test_nan_is_null() -> None:
    column, dialect = NanFloat(), sqlite.dialect()
    assert column.process_bind_param(math.nan, dialect) is None
    assert math.isnan(column.process_result_value(None, dialect))
    assert column.process_result_value(column.process_bind_param(math.inf, dialect), dialect) == math.inf


def test_json_columns_are_what_each_dialect_has() -> None:
    def kind(column: object, dialect: object) -> str:
        return column.type.compile(dialect=dialect)

    assert kind(Run.__table__.c.config, postgresql.dialect()) == "JSON"
    assert kind(Selection.__table__.c.ranking, postgresql.dialect()) == "JSONB"
    assert kind(Selection.__table__.c.ranking, sqlite.dialect()) == "JSON"


def test_every_constraint_has_a_name() -> None:
    unnamed = [c for table in Base.metadata.tables.values() for c in table.constraints if not c.name and len(c.columns)]
    assert not unnamed
