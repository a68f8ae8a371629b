"""Retention as a task: what went stands in a table in the Prefect UI and in the log."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.artifacts import create_table_artifact

from models.retention import MIB, Retention, retention_rows
from tasks.caching import ONCE
from tasks.resources import open_database
from tasks.run_files import delete_unused
from tasks.settings import load_settings
from tasks.structured_log import note, start_log


@task(name="prune-database", **ONCE)
def prune_database(what: Retention) -> dict[str, Any]:
    """Delete what nobody uses, and the files of runs that go. Returns rows a kind, and MiB of the database before and after.

    Raises StoreUnavailable, and UnavailableError for a file that cannot be removed.
    """
    settings = load_settings()
    start_log(settings.root / "log", settings.log_level)
    with open_database(settings) as store:
        before = store.sizes().total
        gone = delete_unused(store, settings.root, what)
        after = store.sizes().total
    disk = {"mib_before": round(before / MIB, 1), "mib_after": round(after / MIB, 1)}
    create_table_artifact(retention_rows(gone), key="prune", description=f"what retention took; on disk, MiB: {disk}")
    done: dict[str, Any] = {**{str(u.kind): u.rows for u in gone}, **disk}
    note("database pruned", **done)
    return done
