"""A process that is killed in the middle of writing a run leaves no half of it; many that come first at once all get in."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

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


TOGETHER = """
import sys
from multiprocessing import get_context
from db.session import make_engine, parse_url, writing

FILES, PROCESSES = 60, 6

def come(folder, barrier):
    for number in range(FILES):
        engine = make_engine(parse_url(f"sqlite:///{folder}/{number}.db"))
        barrier.wait()
        with writing(engine, "schema") as connection:
            connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS t (x)")
        engine.dispose()

fork = get_context("fork")
barrier = fork.Barrier(PROCESSES, timeout=20)
processes = [fork.Process(target=come, args=(sys.argv[1], barrier)) for _ in range(PROCESSES)]
for process in processes:
    process.start()
for process in processes:
    process.join()
sys.exit(max(abs(process.exitcode) for process in processes))
"""


def test_processes_that_make_a_sqlite_file_at_once_all_get_in(tmp_path: Path) -> None:
    """Unless asked again, about one of a hundred is refused: "database is locked", whatever busy_timeout says."""
    done = subprocess.run([sys.executable, "-c", TOGETHER, str(tmp_path)], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
