"""A process that is killed in the middle of writing a run leaves no half of it."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from sqlalchemy import func, select

from db.store import open_store
from db.tables import Base
from tests.contracts.store_records import full_record, plain

pytest_plugins = ["tests.contracts.store_fixtures"]

KILLED = """
import os, signal, sys
from sqlalchemy import Engine, event
from db.store import open_store
from tests.contracts.store_records import full_record

@event.listens_for(Engine, "after_cursor_execute")
def kill(connection, cursor, statement, *rest):
    if statement.startswith("INSERT INTO " + sys.argv[2] + " "):
        os.kill(os.getpid(), signal.SIGKILL)

with open_store(sys.argv[1]) as store:
    store.save_run(full_record())
"""


@pytest.mark.parametrize("table", ["source", "pass_matrix", "metric"])
def test_kill_9_leaves_no_half_written_run(database_url: str, table: str) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, database_url, table], check=False, timeout=120)
    assert done.returncode == -signal.SIGKILL
    with open_store(database_url) as store:
        with store._engine.connect() as connection:
            counts = {t.name: connection.scalar(select(func.count()).select_from(t)) for t in Base.metadata.sorted_tables}
        assert set(counts.values()) == {0}, counts
        store.save_run(full_record())
        assert plain(store.load_run("run-0123")) == plain(full_record())
