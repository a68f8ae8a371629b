"""The gate that asks the database itself: what stands there of a run, by SQL, before anything is made from it.

Great Expectations connects by itself. The URL may hold a password: its files name a variable, whose value lives in this process
alone, and what it says of a failed connection is said without it. A query's answer is put into a temporary table first, since each
expectation asks it three times over.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from db.expectations import STORED_PROBLEMS, STORED_REFERENCES, STORED_RUNS, stored_suite
from db.integrity import Expected, checksums, stored_problems, stored_references, stored_runs
from models.errors import StoreUnavailable
from models.run_record import GateResult
from tasks.settings import Settings
from tasks.validate_data import ONE_AT_A_TIME, gate_result, open_context, run_checkpoint

URL = "CODERM_CHECKED_DATABASE"
PLACE = "place"


def check_database(
    settings: Settings, docs_dir: Path, run_id: str | None = None, expected: Expected | None = None
) -> list[GateResult]:
    """Gates ``stored-problems`` and ``stored-runs`` over one run, by its full id, or over all, then with ``stored-references``.

    Data Docs go to ``docs_dir``.
    ``expected``: what must be found. Raises StoreUnavailable when the database cannot be asked, UnavailableError for ``docs_dir``.
    """
    url = settings.database
    queries = {
        "stored-problems": (stored_problems(url, run_id, expected), STORED_PROBLEMS),
        "stored-runs": (stored_runs(url, run_id, expected), STORED_RUNS),
    }
    if run_id is None:
        queries["stored-references"] = (stored_references(), STORED_REFERENCES)
    with ONE_AT_A_TIME, checksums():
        context = open_context(docs_dir, {URL: url})
        source = _connect(context, settings)
        try:
            checks = {name: (_batch(source, name, query), stored_suite(name, faults)) for name, (query, faults) in queries.items()}
            found = run_checkpoint(context, "stored", checks, PLACE)
        finally:
            source.get_engine().dispose()
    return [gate_result(name, found[name], PLACE) for name in queries]


def _connect(context: Any, settings: Settings) -> Any:
    from great_expectations.datasource.fluent.interfaces import TestConnectionError

    kind = "sqlite" if settings.database.startswith("sqlite") else "postgres"
    add = getattr(context.data_sources, f"add_or_update_{kind}")
    try:
        return add(name="database", connection_string=f"${{{URL}}}", create_temp_table=True)
    except TestConnectionError:
        raise StoreUnavailable(
            f"database {settings.shown_database}: Great Expectations cannot connect; `coderm db status`"
        ) from None


def _batch(source: Any, name: str, query: str) -> Any:
    return source.add_query_asset(name=name, query=query).add_batch_definition_whole_table("all")
