"""The SQL store: runs and known verdicts behind the ports. Nothing of SQLAlchemy leaves it; but for deletions, which take many
small ones, each method is one transaction.

A run is written whole or not at all, and once: an id that is there is left alone, whatever is handed in, and only gates over what
is stored are added to it. Deleting a run removes the problems, sample sets and sources that no other run uses; known verdicts stay,
they belong to no run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection, Engine, select, update

from db import responses, retention, run_removal, sizes, verdicts
from db.export import export_run
from db.run_reader import find_run_id, read_metrics, read_run
from db.run_removal import Forget, nothing_else
from db.run_writer import check_record, insert_run
from db.schema import ensure_schema
from db.session import RUNS, make_engine, parse_url, reading, writing
from db.sizes import Sizes
from db.tables import Run
from models.errors import InputError
from models.ports import CachedCell
from models.retention import Retention, Unused
from models.run_record import GateResult, Response, RunRecord


class SqlStore:
    """``RunStore`` and ``VerdictCache`` over one engine. Safe to use from several threads and, each with its own, processes."""

    def __init__(self, engine: Engine) -> None:
        """``engine`` as ``db.session.make_engine`` makes it, over a schema at head; ``open_store`` is the usual way."""
        self._engine = engine

    def __enter__(self) -> Self:
        """The store is open already."""
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        """Close every connection; a later call would open a new one."""
        self._engine.dispose()

    def save_run(self, run: RunRecord) -> bool:
        """Write everything or nothing; False: it is there already, and left as it is. Raises InputError, StoreUnavailable."""
        check_record(run)
        with writing(self._engine, RUNS) as connection:
            if connection.scalar(select(Run.id).where(Run.run_id == run.run_id)) is not None:
                return False
            insert_run(connection, run)
            return True

    def set_gates(self, run_id: str, gates: Sequence[GateResult]) -> None:
        """What was found of a stored run, by its full id. Raises InputError for an unknown id, StoreUnavailable."""
        with writing(self._engine, RUNS) as connection:
            rows = [asdict(gate) for gate in gates]
            if not connection.execute(update(Run).where(Run.run_id == run_id).values(gates=rows)).rowcount:
                raise InputError(f"run {run_id!r}: no such run; expected a full id from `coderm runs list`")

    def load_run(self, run_id: str) -> RunRecord:
        """Read back what was saved; a unique prefix is enough. Raises InputError, StoreUnavailable."""
        with reading(self._engine) as connection:
            return read_run(connection, run_id)

    def find_run(self, prefix: str) -> str:
        """The full id of the one run that starts so. Raises InputError when there is none or more than one."""
        with reading(self._engine) as connection:
            return find_run_id(connection, prefix)

    def list_runs(self, limit: int = 20) -> list[Mapping[str, object]]:
        """Newest first: run_id, benchmark, created_at, problems, cells, failed_gates, metrics."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(*Run.__table__.columns).order_by(Run.created.desc(), Run.id.desc()).limit(limit)).all()
            return [_summary(connection, row) for row in rows]

    def delete_run(self, run_id: str) -> None:
        """Remove a run, by its full id, and what only it used. Raises InputError for an unknown id, StoreUnavailable."""
        run_removal.delete_run(self._engine, run_id)

    def find_unused(self, what: Retention) -> list[Unused]:
        """What ``delete_unused`` would take: rows and bytes a kind. Raises StoreUnavailable."""
        return retention.find_unused(self._engine, what)

    def unused_runs(self, what: Retention) -> list[str]:
        """Ids of the runs that ``delete_unused`` would take. Raises StoreUnavailable."""
        return retention.unused_runs(self._engine, what)

    def delete_unused(self, what: Retention, forget: Forget = nothing_else) -> list[Unused]:
        """Take away what nobody uses, in small steps beside executing runs; what went, a kind. Raises StoreUnavailable.

        ``forget``: takes what else there is of a run, by its id, before its rows go; what it raises keeps them.
        """
        return retention.delete_unused(self._engine, what, forget=forget)

    def sizes(self) -> Sizes:
        """Rows and bytes of every table. Raises StoreUnavailable."""
        return sizes.read_sizes(self._engine)

    def vacuum(self) -> None:
        """Give free space back; on SQLite writers wait meanwhile (db/sizes.py). Raises StoreUnavailable."""
        sizes.give_back(self._engine)

    def export_parquet(self, run_id: str, out_dir: Path) -> list[Path]:
        """Write ``cells.parquet`` (one row a cell), ``selections.parquet`` and ``metrics.parquet``; returns their paths.

        Raises InputError for an unknown run (a unique prefix is enough) or a directory that cannot be written, StoreUnavailable.
        """
        with reading(self._engine) as connection:
            return export_run(connection, run_id, out_dir)

    def lookup(self, context_key: str, solution_digests: Sequence[str]) -> Mapping[str, Mapping[str, CachedCell]]:
        """Known cells: solution digest → test digest → cell; a solution without any is absent. Raises StoreUnavailable."""
        return verdicts.lookup(self._engine, context_key, solution_digests)

    def store(self, context_key: str, rows: Mapping[str, Mapping[str, CachedCell]]) -> None:
        """Add cells that are not there yet. Raises ValueError for ``not_run`` and ``not_asked``, StoreUnavailable."""
        verdicts.store(self._engine, context_key, rows)

    def lookup_responses(self, keys: Sequence[str]) -> Mapping[str, Sequence[Response]]:
        """Known series of responses by key; one without any is absent. Raises StoreUnavailable."""
        return responses.lookup(self._engine, keys)

    def store_responses(self, key: str, series: Sequence[Response], facts: Mapping[str, str]) -> None:
        """Remember a series; one at least as long stays. ``facts``: task_id, kind, model. Raises StoreUnavailable."""
        responses.store(self._engine, key, series, facts)

    def start_run(self, run_id: str, created_at: str, benchmark: str, config: Mapping[str, Any]) -> None:
        """Remember that a run began, until ``finish_run``. Raises StoreUnavailable."""
        responses.start_run(self._engine, run_id, created_at, benchmark, config)

    def finish_run(self, run_id: str) -> None:
        """A begun run has nothing left to do, and is forgotten as such. Raises StoreUnavailable."""
        responses.finish_run(self._engine, run_id)

    def started_runs(self) -> list[dict[str, Any]]:
        """Runs that began and have not finished, newest first: run_id, benchmark, created_at."""
        return responses.started_runs(self._engine)

    def started_run(self, prefix: str) -> tuple[str, dict[str, Any]]:
        """(run id, configuration) of a begun run. Raises InputError when none, or more than one, starts so."""
        return responses.started_run(self._engine, prefix)


def open_store(url: str, *, migrate: bool = True) -> SqlStore:
    """The store at an SQLAlchemy URL, with its schema made or upgraded.

    Raises InputError for a URL that we do not run on; StoreUnavailable when it cannot be reached, when its schema is behind and
    ``migrate`` is False, or when a newer version has written it.
    """
    ensure_schema(url, migrate=migrate)
    return SqlStore(make_engine(parse_url(url)))


def _summary(connection: Connection, row: Any) -> Mapping[str, object]:
    named = {"run_id": row.run_id, "benchmark": row.benchmark, "created_at": row.created_at}
    failed = ", ".join(gate["gate"] for gate in row.gates if not gate["passed"])
    counts = {"problems": row.n_problems, "cells": row.n_cells, "failed_gates": failed}
    return {**named, **counts, "metrics": read_metrics(connection, row.id)}
