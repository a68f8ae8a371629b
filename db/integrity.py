"""What the database really holds, as queries: a row a problem, a run or a reference, and columns that count faults.

For the gate that stands between SQL and everything that is made from it, and for ``coderm db check``; what each column means
stands in ``db.expectations``. Everything is counted from the rows themselves: a matrix from its blobs' checksum and the rows of its
solutions and tests, a set from its items, the parts of a run from the list that the run keeps of them (``run.layout``). What a
record said when it was handed over (``Expected``) comes in as numbers at places, so that no text of a user stands in SQL.

    place      "RUN TASK", "RUN", or "table.column": the first column
    others     0 where all is well; otherwise how many rows, cells or numbers are off
"""

from __future__ import annotations

import hashlib
import math
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import event
from sqlalchemy.pool import Pool

from db.run_removal import SHARED
from db.run_writer import COUNT_NAMES, task_ids
from db.tables import Base
from models.run_record import RunRecord

TOLERANCE = 1e-12
"""Relative: SQLite reads a decimal to within a unit in the last place."""

SQLITE = {
    "matrices": "json_each(r.layout, '$.matrices')",
    "labels": "json_each(r.layout, '$.labels')",
    "rankings": "json_each(r.layout, '$.rankings') s, json_each(s.value, '$[1]') j",
    "task": "j.value",
    "indices": "json_each(s.ranking) g, json_each(g.value) i",
    "index": "i.value",
    "matrix_sha256": "coderm_sha256(verdicts, duration_ms, extras, coalesce(outputs, x''))",
    "problem_sha256": "coderm_sha256(b.data)",
    "infinity": "9e999",
}
POSTGRESQL = {
    "matrices": "json_array_elements_text(r.layout->'matrices')",
    "labels": "json_array_elements_text(r.layout->'labels')",
    "rankings": "json_array_elements(r.layout->'rankings') s, json_array_elements_text(s->1) j",
    "task": "j",
    "indices": "jsonb_array_elements(s.ranking) g, jsonb_array_elements(g) i",
    "index": "CAST(i AS integer)",
    "matrix_sha256": "encode(sha256(verdicts || duration_ms || extras || coalesce(outputs, '')), 'hex')",
    "problem_sha256": "encode(sha256(b.data), 'hex')",
    "infinity": "CAST('Infinity' AS double precision)",
}
QUERIES = Path(__file__).with_name("queries")


class Expected(NamedTuple):
    """What was handed over: by place in the run, (solutions, tests, passed cells, judged, right); and the metrics in order."""

    problems: list[tuple[int, int, int, int, int]]
    metrics: list[float]


def expected_of(run: RunRecord) -> Expected:
    """The figures of a record that the database must show once it is saved."""
    problems = []
    for task in task_ids(run):
        matrix, labels = run.matrices.get(task), run.labels.get(task)
        n, m = matrix.verdicts.shape if matrix is not None else (0, 0)
        judged = [right for right in (labels.correct if labels else ()) if right is not None]
        problems.append((n, m, int(matrix.passes.sum()) if matrix is not None else 0, len(judged), sum(judged)))
    return Expected(problems, list(run.metrics.values()))


def stored_problems(url: str, run_id: str | None = None, expected: Expected | None = None) -> str:
    """SQL with a row a problem of one run, by its full id, or of all. ``url``: of the database that will be asked."""
    rows = [str((at, *row)) for at, row in enumerate(expected.problems)] if expected else []
    total = " + ".join(f"x.{name}" for name in COUNT_NAMES)
    return _filled(
        "stored_problems.sql",
        url,
        run_id,
        handed=_values(rows, 6),
        compared="0 = 0" if expected else "0 = 1",
        total=f"({total})",
        sums=", ".join(f"sum(x.{name}) AS {name}" for name in COUNT_NAMES),
        of_matrix=" + ".join(f"m.{name}" for name in COUNT_NAMES),
        differences=" + ".join(f"abs(sr.{name} - m.{name}) + abs(coalesce(tr.{name}, 0) - m.{name})" for name in COUNT_NAMES),
    )


def stored_runs(url: str, run_id: str | None = None, expected: Expected | None = None) -> str:
    """SQL with a row a run: one, by its full id, or all."""
    say = _words(url)
    rows = [f"({at}, {_number(value, say['infinity'])})" for at, value in enumerate(expected.metrics)] if expected else []
    compared = "0 = 0" if expected else "0 = 1"
    return _filled("stored_runs.sql", url, run_id, handed=_values(rows, 2), compared=compared, tolerance=repr(TOLERANCE))


def stored_references() -> str:
    """SQL with a row a foreign key, and a row a table of what runs share; its columns are ``dangling`` and ``unreferenced``."""
    keys = [(key.parent, key.column) for table in Base.metadata.sorted_tables for key in table.foreign_keys]
    parts = [
        _count(str(user), "count(*)", "0", user.table.name, f"t.{user.name} IS NOT NULL AND {_absent(used, user.name)}")
        for user, used in keys
    ]
    for table, key, users in SHARED:
        nobody = " AND ".join(_absent(user.property.columns[0], key.key) for user in users)
        parts.append(_count(table.__tablename__, "0", "count(*)", table.__tablename__, nobody))
    return f"SELECT * FROM ({' UNION ALL '.join(parts)}) AS stored"


def _count(place: str, dangling: str, unreferenced: str, table: str, condition: str) -> str:
    return f"SELECT '{place}' AS place, {dangling} AS dangling, {unreferenced} AS unreferenced FROM {table} t WHERE {condition}"


def _absent(column: Any, name: str) -> str:
    """No row has t's ``name`` in ``column``."""
    return f"NOT EXISTS (SELECT 1 FROM {column.table.name} o WHERE o.{column.name} = t.{name})"


def _words(url: str) -> dict[str, str]:
    return SQLITE if url.startswith("sqlite") else POSTGRESQL


def _filled(name: str, url: str, run_id: str | None, **parts: str) -> str:
    """Ids of runs are printable (``check_record``): a quote is all that there is to escape, and a colon, for SQLAlchemy."""
    where = "" if run_id is None else "WHERE run_id = '{}'".format(run_id.replace("'", "''").replace(":", r"\:"))
    text = "\n".join(line for line in (QUERIES / name).read_text(encoding="utf-8").splitlines() if not line.startswith("--"))
    return text.format(where=where, **_words(url), **parts)


def _values(rows: list[str], columns: int) -> str:
    return f"VALUES {', '.join(rows)}" if rows else f"SELECT {', '.join(['0'] * columns)} WHERE 0 = 1"


def _number(value: float, infinity: str) -> str:
    if math.isnan(value):
        return "CAST(NULL AS double precision)"
    if math.isinf(value):
        return infinity if value > 0 else f"-{infinity}"
    return f"CAST({value!r} AS double precision)"


@contextmanager
def checksums() -> Iterator[None]:
    """SQLite connections that are opened inside the block know ``coderm_sha256``; PostgreSQL has its own."""

    def teach(raw: Any, _record: object) -> None:
        if isinstance(raw, sqlite3.Connection):
            raw.create_function("coderm_sha256", -1, _sha256, deterministic=True)

    event.listen(Pool, "connect", teach)
    try:
        yield
    finally:
        event.remove(Pool, "connect", teach)


def _sha256(*parts: bytes) -> str:
    check = hashlib.sha256()
    for part in parts:
        check.update(part)
    return check.hexdigest()
