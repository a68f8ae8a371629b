"""Retention on SQLite and PostgreSQL: what is used stays, what nobody uses goes, and nobody is disturbed meanwhile."""

from __future__ import annotations

import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, event, select, update

from db import retention
from db.last_used import today
from db.retention import delete_unused, find_unused
from db.session import writing
from db.store import SqlStore, open_store
from db.tables import ResponseSeries, StartedRun, VerdictRow
from models.ports import CachedCell
from models.retention import Retention
from models.run_record import Response
from tests.contracts.store_records import empty_record, full_record, plain

pytest_plugins = ["tests.contracts.store_fixtures"]

CELL = CachedCell(10, 12.5)
NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)


@pytest.fixture
def store(database_url: str) -> Iterator[SqlStore]:
    with open_store(database_url) as opened:
        yield opened


def remember(store: SqlStore, *names: str) -> None:
    """A known cell and a stored answer of each name."""
    store.store("here", {name: {"t": CELL} for name in names})
    for name in names:
        store.store_responses(name, [Response(text=name)], {"task_id": name, "kind": "test", "model": "m"})


def age(store: SqlStore, days: int, *names: str) -> None:
    """As if these had been written so long ago and never been asked for."""
    then = {"updated": datetime.now(UTC) - timedelta(days=days), "used": None}
    with writing(store._engine, "test") as connection:
        connection.execute(update(VerdictRow).where(VerdictRow.solution_digest.in_(names)).values(**then))
        connection.execute(update(ResponseSeries).where(ResponseSeries.draw_key.in_(names)).values(**then))


def left(store: SqlStore) -> tuple[set[str], set[str]]:
    with store._engine.connect() as connection:
        return set(connection.scalars(select(VerdictRow.solution_digest))), set(connection.scalars(select(ResponseSeries.draw_key)))


def updates(store: SqlStore) -> list[str]:
    """Takes every UPDATE that follows."""
    seen: list[str] = []

    @event.listens_for(store._engine, "before_cursor_execute")
    def see(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.extend([statement] if statement.startswith("UPDATE") else [])

    return seen


def test_a_look_up_is_noted_once_a_day(store: SqlStore) -> None:
    remember(store, "a", "b")
    seen = updates(store)
    assert store.lookup("here", ["a"])["a"] == {"t": CELL}
    assert store.lookup_responses(["a"])["a"][0].text == "a"
    assert seen == []  # they were written today
    age(store, 40, "a", "b")
    seen.clear()
    for _ in range(3):
        assert store.lookup("here", ["a", "none"])["a"] == {"t": CELL}
        assert store.lookup_responses(["a", "none"])["a"][0].text == "a"
    assert [s.split()[1] for s in seen] == ["verdict_row", "response_series"]
    with store._engine.connect() as connection:
        assert connection.scalar(select(VerdictRow.used).where(VerdictRow.solution_digest == "a")) == today()
    found = store.find_unused(Retention(verdicts_unused_days=30, responses_unused_days=30))
    assert [(u.kind, u.rows) for u in found] == [("verdicts", 1), ("responses", 1)]
    assert all(u.size > 0 for u in found)
    assert store.delete_unused(Retention(verdicts_unused_days=30, responses_unused_days=30)) == found
    assert left(store) == ({"a"}, {"a"})


def test_nothing_goes_that_was_not_named(store: SqlStore) -> None:
    remember(store, "a")
    age(store, 4000, "a")
    store.start_run("r", "2020-01-01T00:00:00+00:00", "demo", {})
    assert store.delete_unused(Retention()) == []
    assert left(store) == ({"a"}, {"a"})
    assert [row["run_id"] for row in store.started_runs()] == ["r"]


def test_what_a_begun_run_may_need_stays_as_long_as_it_does(store: SqlStore) -> None:
    remember(store, "before", "since")
    age(store, 60, "before")
    age(store, 40, "since")
    store.start_run("begun", (datetime.now(UTC) - timedelta(days=50)).isoformat(), "demo", {})
    all_of_30 = Retention(verdicts_unused_days=30, responses_unused_days=30)
    assert [(u.rows, u.held_by) for u in store.delete_unused(all_of_30)] == [(1, "begun"), (1, "begun")]
    assert left(store) == ({"since"}, {"since"})
    gone = store.delete_unused(Retention(begun_days=45, verdicts_unused_days=30, responses_unused_days=30))
    assert [(u.kind, u.rows, u.held_by) for u in gone] == [("begun", 1, None), ("verdicts", 1, None), ("responses", 1, None)]
    assert store.started_runs() == []


def test_a_stored_run_that_did_not_finish_keeps_its_pages_when_it_is_given_up(store: SqlStore) -> None:
    for run_id in ("only-begun", "run-0123"):
        store.start_run(run_id, "2020-01-01T00:00:00+00:00", "demo", {})
    store.save_run(full_record())
    taken: list[str] = []
    assert [u.rows for u in store.delete_unused(Retention(begun_days=1), taken.append)] == [2]
    assert taken == ["only-begun"]
    assert store.started_runs() == []
    assert store.load_run("run-0123").run_id == "run-0123"


days = st.integers(0, 12)
moments = st.tuples(days, st.none() | days)


@given(
    rows=st.lists(moments, max_size=8),
    begun=st.lists(days, max_size=2),
    limit=st.integers(1, 12),
    stale=st.none() | st.integers(1, 12),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_exactly_what_was_not_used_for_so_long_goes(
    store: SqlStore, rows: list[tuple[int, int | None]], begun: list[int], limit: int, stale: int | None
) -> None:
    def ago(back: int) -> datetime:
        return NOW - timedelta(days=back)

    with writing(store._engine, "test") as connection:
        for table in (VerdictRow, StartedRun):
            connection.execute(delete(table))
    store.store("here", {f"s{at}": {"t": CELL} for at in range(len(rows))})
    for at, back in enumerate(begun):
        store.start_run(f"run-{at}", ago(back).isoformat(), "demo", {})
    with writing(store._engine, "test") as connection:
        for at, (written, used) in enumerate(rows):
            values = {"updated": ago(written), "used": None if used is None else ago(used).date()}
            connection.execute(update(VerdictRow).where(VerdictRow.solution_digest == f"s{at}").values(**values))
    what = Retention(verdicts_unused_days=limit, begun_days=stale)
    found = find_unused(store._engine, what, NOW)
    assert delete_unused(store._engine, what, NOW) == found
    stays = [back for back in begun if stale is None or back <= stale]
    oldest = max([limit, *stays])
    expected = {f"s{at}" for at, (w, u) in enumerate(rows) if w <= oldest or (u is not None and u <= oldest)}
    assert left(store)[0] == expected
    assert len(store.started_runs()) == len(stays)


def test_many_rows_go_in_small_steps(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 7)
    names = [f"{i:03d}" for i in range(40)]
    remember(store, *names)
    age(store, 100, *names[:30])
    steps: list[int] = []
    event.listen(
        store._engine,
        "after_cursor_execute",
        lambda _c, cursor, statement, *_: steps.append(cursor.rowcount) if statement.startswith("DELETE") else None,
    )
    assert [u.rows for u in store.delete_unused(Retention(verdicts_unused_days=30))] == [30]
    assert steps == [7, 7, 7, 7, 2]
    assert left(store)[0] == set(names[30:])


def test_a_row_that_a_writer_holds_is_left_out(store: SqlStore, database_url: str) -> None:
    if database_url.startswith("sqlite"):
        pytest.skip("SQLite has one writer at a time")
    remember(store, "held", "free")
    age(store, 100, "held", "free")
    with writing(store._engine, "another") as connection:
        connection.execute(select(VerdictRow.n_cells).where(VerdictRow.solution_digest == "held").with_for_update())
        with open_store(database_url) as other:
            assert [u.rows for u in other.delete_unused(Retention(verdicts_unused_days=30))] == [1]
    assert left(store)[0] == {"held"}


def test_runs_that_go_take_what_only_they_used(store: SqlStore) -> None:
    for hour in range(3):
        store.save_run(replace(full_record(f"r{hour}", f"2026-01-01T0{hour}:00:00+00:00", seed=hour)))
    (found,) = store.find_unused(Retention(keep_runs=1))
    assert (found.kind, found.rows) == ("runs", 2)
    assert found.size > 0
    assert store.delete_unused(Retention(keep_runs=1)) == [found]
    assert plain(store.load_run("r2")) == plain(full_record("r2", "2026-01-01T02:00:00+00:00", seed=2))
    assert len(store.list_runs()) == 1


KILLED = """
import os, signal, sys
from sqlalchemy import Engine, event
from db import retention
from db.store import open_store
from models.retention import Retention
retention.BATCH, left = 2, [int(sys.argv[2])]

@event.listens_for(Engine, "after_cursor_execute")
def kill(connection, cursor, statement, *rest):
    left[0] -= statement.startswith("DELETE")
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)

with open_store(sys.argv[1]) as store:
    store.delete_unused(Retention(verdicts_unused_days=30, keep_runs=1))
"""


@pytest.mark.parametrize("deletes", [2, 6])
def test_kill_9_in_the_middle_leaves_a_valid_store(store: SqlStore, database_url: str, deletes: int) -> None:
    names = [f"{i:03d}" for i in range(8)]
    store.store("here", {name: {"t": CELL} for name in names})
    age(store, 100, *names[:6])  # DELETEs 1 to 3; then 4 and 5, a run each; then what no run uses
    for hour in range(3):
        store.save_run(full_record(f"r{hour}", f"2026-01-01T0{hour}:00:00+00:00", seed=hour))
    done = subprocess.run([sys.executable, "-c", KILLED, database_url, str(deletes)], check=False, timeout=120)
    assert done.returncode == -signal.SIGKILL
    runs = [str(run["run_id"]) for run in store.list_runs()]
    assert set(names[6:]) <= left(store)[0]
    assert all(plain(store.load_run(r).metrics) == plain(full_record().metrics) for r in runs)
    gone = store.delete_unused(Retention(verdicts_unused_days=30, keep_runs=1))
    assert [u.rows for u in gone] == ([4, 2] if deletes == 2 else [0, 0])
    assert left(store)[0] == set(names[6:])
    assert plain(store.load_run("r2")) == plain(full_record("r2", "2026-01-01T02:00:00+00:00", seed=2))
    store.delete_run("r2")
    rows = {t.name: t.rows for t in store.sizes().tables if t.rows}
    assert rows == {"verdict_row": 2}


WRITER = """
import sys
from db.store import open_store
from models.ports import CachedCell
with open_store(sys.argv[1]) as store:
    for at in range(12):
        name, cell = f"{sys.argv[2]}{at}", CachedCell(10, 1.0)
        store.store("here", {name: {"t": cell}, "shared": {name: cell}})
"""


def test_nothing_of_an_executing_run_goes(store: SqlStore, database_url: str) -> None:
    store.start_run("executing", datetime.now(UTC).isoformat(), "demo", {})
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, database_url, name]) for name in "ab"]
    rounds = 0
    while any(w.poll() is None for w in writers):
        old = [f"old-{rounds}-{at}" for at in range(20)]
        store.store("elsewhere", {name: {"t": CELL} for name in old})
        age(store, 100, *old)
        assert [u.rows for u in store.delete_unused(Retention(verdicts_unused_days=1))] == [20]
        rounds += 1
    assert [w.returncode for w in writers] == [0, 0]
    assert rounds > 1
    assert left(store)[0] == {"shared", *(f"{name}{at}" for name in "ab" for at in range(12))}
    assert len(store.lookup("here", ["shared"])["shared"]) == 24


def test_sizes_count_every_table_and_space_comes_back(store: SqlStore, database_url: str) -> None:
    store.save_run(full_record())
    many = {uuid.uuid4().hex: {uuid.uuid4().hex: CELL} for _ in range(1000)}
    store.store("here", many)
    age(store, 100, *many)
    before = store.sizes()
    rows = {t.name: t.rows for t in before.tables}
    assert (rows["run"], rows["run_problem"], rows["verdict_row"], rows["started_run"]) == (1, 3, 1000, 0)
    assert all(t.size for t in before.tables)
    assert sum(t.size or 0 for t in before.tables) <= before.total
    store.delete_unused(Retention(verdicts_unused_days=30))
    emptied = store.sizes()
    assert (emptied.free > 0) == database_url.startswith("sqlite")
    store.vacuum()
    after = store.sizes()
    assert after.free == 0
    taken = [{t.name: t.size or 0 for t in sizes.tables}["verdict_row"] for sizes in (before, after)]
    assert taken[1] < taken[0] / 2
    assert plain(store.load_run("run-0123")) == plain(full_record())


def test_the_commands(
    store: SqlStore, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from flows.__main__ import run

    monkeypatch.setenv("CODERM_DATABASE_URL", database_url)
    remember(store, "a", "b")
    age(store, 100, "a")
    store.save_run(empty_record())
    assert run(["db", "status"]) == 0
    said = capsys.readouterr().out
    assert "not used for 90 days" in said
    assert "the cells are executed again" in " ".join(said.replace("│", " ").split())
    assert run(["db", "prune"]) == 2
    assert "expected at least one of" in capsys.readouterr().err
    assert run(["db", "prune", "--verdicts-unused-days", "30"]) == 0
    assert "nothing was deleted: add --yes" in capsys.readouterr().err
    assert left(store) == ({"a", "b"}, {"a", "b"})
    assert run(["db", "prune", "--verdicts-unused-days", "30", "--keep-runs", "0", "--vacuum", "--yes"]) == 0
    assert "MiB on disk before" in capsys.readouterr().out
    assert left(store) == ({"b"}, {"a", "b"})
    assert store.list_runs() == []
