"""What every store must do, run over SQLite and PostgreSQL: runs come back exactly, once, whole; known verdicts are never lost."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings

from db.store import SqlStore, open_store
from models.errors import InputError
from models.ports import CachedCell, RunStore, VerdictCache
from models.retention import Retention
from models.run_record import GateResult, RunRecord
from models.types import Verdict
from tests.contracts.store_records import empty_record, full_record, plain, run_records

pytest_plugins = ["tests.contracts.store_fixtures"]

CELL = CachedCell(int(Verdict.PASSED), 12.5, ("near_limit",), "0123456789abcdef", "[1, '\ud800']")


@pytest.fixture
def store(database_url: str) -> Iterator[SqlStore]:
    with open_store(database_url) as opened:
        yield opened


def _spawn(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code, *arguments], stderr=subprocess.PIPE, text=True)


def _finish(processes: list[subprocess.Popen[str]]) -> None:
    errors = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), errors


def test_implements_both_ports(store: SqlStore) -> None:
    runs: RunStore = store
    cache: VerdictCache = store
    assert runs.list_runs() == []
    assert cache.lookup("context", ["a" * 32]) == {}


@pytest.mark.parametrize("record", [full_record(), empty_record()], ids=["full", "empty"])
def test_a_run_comes_back_exactly(store: SqlStore, record: RunRecord) -> None:
    store.save_run(record)
    assert plain(store.load_run(record.run_id)) == plain(record)


@given(record=run_records())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_any_run_comes_back_exactly(store: SqlStore, record: RunRecord) -> None:
    record = replace(record, run_id=uuid.uuid4().hex)
    store.save_run(record)
    assert plain(store.load_run(record.run_id)) == plain(record)


def test_saving_again_changes_nothing(store: SqlStore) -> None:
    store.save_run(full_record())
    store.save_run(replace(full_record(seed=7), benchmark="other"))
    assert plain(store.load_run("run-0123")) == plain(full_record())
    assert len(store.list_runs()) == 1


def test_what_a_gate_found_later_stands_in_its_run_alone(store: SqlStore) -> None:
    found = GateResult("stored-runs", False, 6, ({"expectation": "e", "unexpected": 1, "sample": ["run-0123"]},))
    store.save_run(full_record())
    store.save_run(full_record("other"))
    store.set_gates("run-0123", [found])
    assert plain(store.load_run("run-0123")) == plain(replace(full_record(), gates=(found,)))
    assert plain(store.load_run("other")) == plain(full_record("other"))
    with pytest.raises(InputError, match="no such run"):
        store.set_gates("run-01", [found])


def test_a_begun_run_is_remembered_until_it_has_finished(store: SqlStore) -> None:
    for run_id in ("run-0123", "other"):
        store.start_run(run_id, "2026-01-01T00:00:00+00:00", "demo", {"n": 1})
    assert store.save_run(full_record())
    assert not store.save_run(full_record())
    assert store.started_run("run-0") == ("run-0123", {"n": 1})
    for _again in range(2):
        store.finish_run("run-0123")
    assert [row["run_id"] for row in store.started_runs()] == ["other"]
    with pytest.raises(InputError, match="no run of that name was left unfinished"):
        store.started_run("run-0")


def test_two_processes_save_the_same_run(database_url: str, store: SqlStore) -> None:
    code = "import sys; from db.store import open_store; from tests.contracts.store_records import full_record\n"
    code += "with open_store(sys.argv[1]) as store: store.save_run(full_record())"
    _finish([_spawn(code, database_url) for _ in range(2)])
    assert plain(store.load_run("run-0123")) == plain(full_record())
    assert len(store.list_runs()) == 1


def test_two_processes_create_the_schema(database_url: str) -> None:
    code = "import sys; from db.store import open_store\nwith open_store(sys.argv[1]) as store: store.list_runs()"
    _finish([_spawn(code, database_url) for _ in range(2)])


def test_lists_newest_first(store: SqlStore) -> None:
    store.save_run(full_record("old", "2026-01-01T00:00:00+00:00"))
    store.save_run(full_record("new", "2026-01-01T01:00:00+00:00"))
    store.save_run(full_record("middle", "2026-01-01T02:30:00+02:00"))
    runs = store.list_runs(limit=2)
    assert [run["run_id"] for run in runs] == ["new", "middle"]
    assert runs[0] | {"metrics": None} == {
        "run_id": "new",
        "benchmark": "demo",
        "created_at": "2026-01-01T01:00:00+00:00",
        "problems": 3,
        "cells": 20,
        "failed_gates": "matrix",
        "metrics": None,
    }
    assert plain(runs[0]["metrics"]) == plain(full_record().metrics)


def test_finds_a_run_by_its_beginning(store: SqlStore) -> None:
    for run_id in ("abc", "abcd", "abX", "b_1"):
        store.save_run(empty_record(run_id))
    assert [store.find_run(prefix) for prefix in ("abc", "abcd", "abX", "b")] == ["abc", "abcd", "abX", "b_1"]
    assert store.load_run("b").run_id == "b_1"
    for unknown in ("", "z", "abx", "%"):
        with pytest.raises(InputError, match="no such run"):
            store.find_run(unknown)
    with pytest.raises(InputError, match=r"more than one run starts so \(abX, abc, abcd"):
        store.find_run("ab")


def test_delete_removes_what_only_that_run_used(store: SqlStore) -> None:
    store.save_run(full_record("kept"))
    store.save_run(replace(full_record("gone", seed=5), benchmark="other"))
    store.delete_run("gone")
    assert plain(store.load_run("kept")) == plain(full_record("kept"))
    with pytest.raises(InputError, match="no such run"):
        store.delete_run("gone")
    with pytest.raises(InputError, match="no such run"):
        store.delete_run("kep")
    store.delete_run("kept")
    assert _row_counts(store) == {}


def test_prune_keeps_the_newest(store: SqlStore) -> None:
    for hour in range(4):
        store.save_run(replace(empty_record(f"r{hour}"), created_at=f"2026-01-01T0{hour}:00:00+00:00"))
    keep_two = Retention(keep_runs=2)
    assert [gone.rows for gone in store.delete_unused(keep_two)] == [2]
    assert [run["run_id"] for run in store.list_runs()] == ["r3", "r2"]
    assert [gone.rows for gone in store.delete_unused(keep_two)] == [0]


def _row_counts(store: SqlStore) -> dict[str, int]:
    """Tables that hold rows, and how many."""
    from sqlalchemy import func, select

    from db.tables import Base

    with store._engine.connect() as connection:
        counts = {t.name: connection.scalar(select(func.count()).select_from(t)) for t in Base.metadata.sorted_tables}
    return {name: count for name, count in counts.items() if count}


def test_what_is_equal_is_stored_once(store: SqlStore) -> None:
    store.save_run(full_record("one"))
    before = _row_counts(store)
    store.save_run(full_record("two"))
    after = _row_counts(store)
    shared = ("problem", "source", "generator", "sample_set", "sample_item")
    assert {name: after[name] for name in shared} == {name: before[name] for name in shared}
    assert after["run_problem"] == 2 * before["run_problem"]


def test_counts_stand_on_their_rows(store: SqlStore) -> None:
    from sqlalchemy import select

    from db.tables import PassMatrixRow, RunProblem, SolutionResult, TestResult

    record = full_record()
    store.save_run(record)
    verdicts = record.matrices["a/2"].verdicts
    with store._engine.connect() as connection:
        row = connection.execute(select(RunProblem.id, RunProblem.n_labels).where(RunProblem.task_id == "a/2")).one()
        solutions = connection.execute(
            select(SolutionResult.n_passed, SolutionResult.correct)
            .where(SolutionResult.run_problem_id == row.id)
            .order_by(SolutionResult.idx)
        ).all()
        n_tests = TestResult.n_passed + TestResult.n_failed + TestResult.n_error + TestResult.n_timeout
        n_tests += TestResult.n_not_asked + TestResult.n_other
        per_test = connection.scalars(select(n_tests).where(TestResult.run_problem_id == row.id)).all()
        total = connection.scalar(select(PassMatrixRow.n_timeout).where(PassMatrixRow.run_problem_id == row.id))
    assert [count for count, _ in solutions] == (verdicts == Verdict.PASSED).sum(axis=1).tolist()
    assert [correct for _, correct in solutions] == list(record.labels["a/2"].correct)
    assert per_test == [verdicts.shape[0]] * verdicts.shape[1]
    assert total == (verdicts == Verdict.TIMEOUT).sum()


def test_every_cell_is_traceable(store: SqlStore) -> None:
    from sqlalchemy import select

    from db.tables import Generator, PassMatrixRow, RunProblem, SampleSet

    store.save_run(full_record())
    query = select(
        SampleSet.prompt_digest,
        Generator.model,
        Generator.sampling,
        PassMatrixRow.image_digest,
        PassMatrixRow.timeout_s,
        PassMatrixRow.memory_mib,
    )
    query = query.select_from(RunProblem).join(PassMatrixRow, PassMatrixRow.run_problem_id == RunProblem.id)
    query = query.join(SampleSet, SampleSet.id == RunProblem.test_set_id).join(
        Generator, Generator.digest == SampleSet.generator_digest
    )
    with store._engine.connect() as connection:
        row = connection.execute(query.where(RunProblem.task_id == "z/1")).one()
    assert tuple(row) == ("1" * 32, "coderm-8b", {"top_p": 0.95, "n": 100, "a": None}, "sha256:beef", 0.1, 256)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"created_at": "yesterday"}, "ISO 8601"),
        ({"benchmark": "nul\x00"}, "printable text"),
        ({"run_id": ""}, "printable text"),
        ({"metrics": {"a\nb": 1.0}}, "printable text"),
        ({"solutions": {"q": full_record().solutions["z/1"]}}, "its own task_id"),
    ],
)
def test_a_record_that_could_not_be_found_again_is_refused(store: SqlStore, change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        store.save_run(replace(full_record(), **change))
    assert _row_counts(store) == {}


def test_exports_every_cell(store: SqlStore, tmp_path: Path) -> None:
    record = full_record()
    store.save_run(record)
    paths = store.export_parquet("run-", tmp_path / "out")
    assert [path.name for path in paths] == ["cells.parquet", "selections.parquet", "metrics.parquet"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(path.name for path in paths)
    table = pq.read_table(paths[0])
    assert table.schema.metadata == {b"coderm_run_id": b"run-0123"}
    cells = table.to_pylist()
    expected = [
        (task, i, j, Verdict(code).label, m.solution_digests[i], m.test_digests[j], m.outputs.get((i, j)))
        for task, m in record.matrices.items()
        for (i, j), code in np.ndenumerate(m.verdicts)
    ]
    assert [
        tuple(cell[k] for k in ("task_id", "solution", "test", "verdict", "solution_digest", "test_digest", "output"))
        for cell in cells
    ] == expected
    durations = np.concatenate([m.duration_ms.ravel() for m in record.matrices.values()])
    np.testing.assert_array_equal(np.array([cell["duration_ms"] for cell in cells], np.float32), durations)
    chosen = {
        (row["task_id"], row["selector"]): (row["chosen"], row["ranking"], row["confidence"], row["abstained"])
        for row in pq.read_table(paths[1]).to_pylist()
    }
    assert chosen == {
        ("z/1", "majority"): (0, [[3, 0], [1]], None, None),
        ("a/2", "majority"): (0, [[3, 0], [1]], None, None),
        ("z/1", "codet"): (None, [], None, True),
        ("z/1", "b4"): (1, [[1]], 1 / 3, False),
    }
    assert plain({row["name"]: row["value"] for row in pq.read_table(paths[2]).to_pylist()}) == plain(record.metrics)


def test_exports_a_run_without_cells(store: SqlStore, tmp_path: Path) -> None:
    store.save_run(empty_record())
    assert [pq.read_table(path).num_rows for path in store.export_parquet("empty", tmp_path)] == [0, 0, 0]
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written: a part of its path is a file"):
        store.export_parquet("empty", tmp_path / "file" / "below")


def test_cells_are_found_again(store: SqlStore) -> None:
    known = {"s1": {"t1": CELL, "t2": CachedCell(int(Verdict.TIMEOUT), 1.1)}, "s2": {"t1": CELL}}
    store.store("here", known)
    assert store.lookup("here", ["s1", "s2", "s3"]) == known
    assert store.lookup("here", ["s2"]) == {"s2": {"t1": CELL}}
    assert store.lookup("elsewhere", ["s1"]) == {}


def test_cells_are_merged_and_the_first_answer_stands(store: SqlStore) -> None:
    store.store("here", {"s1": {"t1": CELL}})
    store.store("here", {"s1": {"t1": CachedCell(int(Verdict.FAILED), 1.0), "t2": CELL}, "s2": {}})
    assert store.lookup("here", ["s1", "s2"]) == {"s1": {"t1": CELL, "t2": CELL}}


@pytest.mark.parametrize("code", [Verdict.NOT_ASKED, Verdict.NOT_RUN, 99])
def test_a_cell_that_never_ran_is_refused(store: SqlStore, code: int) -> None:
    with pytest.raises(ValueError, match="cannot be reused"):
        store.store("here", {"s1": {"t1": CELL}, "s2": {"t1": CachedCell(int(code), 0.0)}})
    assert store.lookup("here", ["s1", "s2"]) == {}


def test_many_solutions_in_one_call(store: SqlStore) -> None:
    rows = {f"s{i}": {"t": CELL} for i in range(2500)}
    store.store("here", rows)
    assert store.lookup("here", list(rows)) == rows


WRITER = """
import sys
from db.store import open_store
from models.ports import CachedCell
with open_store(sys.argv[1]) as store:
    for round_ in range(25):
        test = f"{sys.argv[2]}-{round_}"
        store.store("here", {f"s{i}": {test: CachedCell(10, float(round_))} for i in range(5)})
"""


def test_four_processes_lose_no_cell(database_url: str, store: SqlStore) -> None:
    _finish([_spawn(WRITER, database_url, str(number)) for number in range(4)])
    found = store.lookup("here", [f"s{i}" for i in range(5)])
    expected = {f"{number}-{round_}": CachedCell(10, float(round_)) for number in range(4) for round_ in range(25)}
    assert found == {f"s{i}": expected for i in range(5)}
