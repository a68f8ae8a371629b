"""Known cells, by content: one packed row a (context, solution), merged under the writer's lock: no process loses another's cells.

A cell that is there already is left as it is: the first answer stands, and a rerun cannot make a stored run look different. A row
that was asked for says so once a day (db/last_used.py), and goes when nobody asks any more (db/retention.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, and_, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from db.codec import CELLS, decode_cells, encode_cells, sha256, verify
from db.last_used import is_outdated, note_use
from db.samples import chunks
from db.session import reading, writing
from db.tables import VerdictRow
from models.ports import CachedCell
from models.types import Verdict

STORABLE = frozenset(Verdict) - {Verdict.NOT_ASKED, Verdict.NOT_RUN}

Rows = Mapping[str, Mapping[str, CachedCell]]


def lookup(engine: Engine, context_key: str, solution_digests: Sequence[str]) -> dict[str, dict[str, CachedCell]]:
    """Known cells: solution digest → test digest → cell; a solution without any is absent. Raises StoreUnavailable."""
    outdated: list[str] = []
    with reading(engine) as connection:
        found = _read(connection, context_key, solution_digests, outdated)
    if outdated:
        of_context = VerdictRow.context_key == context_key
        parts = (and_(of_context, VerdictRow.solution_digest.in_(chunk)) for chunk in chunks(outdated))
        note_use(engine, VerdictRow, _lock(context_key), *parts)
    return found


def store(engine: Engine, context_key: str, rows: Rows) -> None:
    """Add cells that are not there yet. Raises ValueError for cells that never ran, StoreUnavailable."""
    for cells in rows.values():
        _refuse_not_run(cells)
    wanted = [solution for solution, cells in rows.items() if cells]
    if not wanted:
        return
    with writing(engine, _lock(context_key)) as connection:
        known = _read(connection, context_key, wanted)
        merged = {solution: {**rows[solution], **known.get(solution, {})} for solution in sorted(wanted)}
        changed = {solution: cells for solution, cells in merged.items() if len(cells) > len(known.get(solution, {}))}
        if changed:
            _upsert(connection, [_row(context_key, solution, cells) for solution, cells in changed.items()])


def _lock(context_key: str) -> str:
    return f"verdicts:{context_key}"


def _refuse_not_run(cells: Mapping[str, CachedCell]) -> None:
    for test, cell in cells.items():
        if cell.verdict not in STORABLE:
            raise ValueError(f"test {test}: verdict code {cell.verdict} cannot be reused; expected the verdict of a cell that ran")


def _read(
    connection: Connection, context_key: str, solutions: Sequence[str], outdated: list[str] | None = None
) -> dict[str, dict[str, CachedCell]]:
    """``outdated``: takes the solutions whose day of use is not today."""
    columns = select(
        VerdictRow.solution_digest, VerdictRow.codec, VerdictRow.data, VerdictRow.sha256, VerdictRow.updated, VerdictRow.used
    )
    found: dict[str, dict[str, CachedCell]] = {}
    for chunk in chunks(solutions):
        query = columns.where(VerdictRow.context_key == context_key, VerdictRow.solution_digest.in_(chunk))
        for solution, codec, data, check, updated, used in connection.execute(query):
            verify(check, f"verdicts of solution {solution}", data)
            found[solution] = decode_cells(codec, data)
            if outdated is not None and is_outdated(updated, used):
                outdated.append(solution)
    return found


def _row(context_key: str, solution: str, cells: Mapping[str, CachedCell]) -> dict[str, Any]:
    data = encode_cells(cells)
    named = {"context_key": context_key, "solution_digest": solution, "updated": datetime.now(UTC)}
    return {**named, "n_cells": len(cells), "codec": CELLS, "data": data, "sha256": sha256(data)}


def _upsert(connection: Connection, rows: list[dict[str, Any]]) -> None:
    insert = postgresql_insert if connection.dialect.name == "postgresql" else sqlite_insert
    statement = insert(VerdictRow)
    new = {name: statement.excluded[name] for name in ("n_cells", "codec", "data", "sha256", "updated")}
    key = [VerdictRow.context_key, VerdictRow.solution_digest]
    connection.execute(statement.on_conflict_do_update(index_elements=key, set_=new), rows)
