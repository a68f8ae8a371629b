"""The gate over the database itself: real Great Expectations, by SQL, on SQLite and PostgreSQL, against real damage."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.integrity import Expected, expected_of
from db.session import writing
from db.store import SqlStore, open_store
from models.errors import StoreUnavailable
from models.run_record import GateResult
from tasks.settings import Settings
from tasks.validate_data import unsubstituted
from tasks.validate_database import check_database
from tests.contracts.store_records import full_record

pytest_plugins = ["tests.contracts.store_fixtures"]
pytestmark = pytest.mark.filterwarnings("ignore:module 'sre_.*' is deprecated:DeprecationWarning")

SECRET = "only-in-memory"
OF_RUN = "run_problem_id IN (SELECT p.id FROM run_problem p JOIN run r ON r.id = p.run_pk WHERE r.run_id = '{0}')"
METRICS = "run_pk = (SELECT id FROM run WHERE run_id = '{0}')"
FIRST = "task_id = 'z/1' AND run_pk = (SELECT id FROM run WHERE run_id = '{0}')"
DAMAGE = {  # column that must find it → (statement over the run {0}, place it must name)
    "matrix_missing": (f"DELETE FROM pass_matrix WHERE {OF_RUN} AND n_tests = 3", "{0} z/1"),
    "matrix_damaged": (f"UPDATE pass_matrix SET duration_ms = verdicts WHERE {OF_RUN} AND n_tests = 3", "{0} z/1"),
    "uncounted": (f"UPDATE pass_matrix SET n_failed = n_failed + 1 WHERE {OF_RUN} AND n_tests = 2", "{0} a/2"),
    "rows_missing": (f"DELETE FROM test_result WHERE {OF_RUN} AND idx = 2", "{0} z/1"),
    "counts_off": (f"UPDATE solution_result SET n_error = n_error + 1 WHERE {OF_RUN} AND idx = 3 AND correct IS NULL", "{0} z/1"),
    "labels_missing": (
        "UPDATE run_problem SET n_labels = NULL WHERE run_pk = (SELECT id FROM run WHERE run_id = '{0}')",
        "{0} a/2",
    ),
    "rankings_missing": (f"DELETE FROM selection WHERE {OF_RUN} AND selector = 'codet'", "{0} z/1"),
    "ranked_beyond": (f"UPDATE selection SET ranking = '[[0], [4]]' WHERE {OF_RUN} AND selector = 'b4'", "{0} z/1"),
    "problems_missing": (f"UPDATE run_problem SET problem_digest = NULL WHERE {FIRST}", "{0}"),
    "cells_off": ("UPDATE run SET n_cells = n_cells - 1 WHERE run_id = '{0}'", "{0}"),
    "metrics_missing": (f"DELETE FROM metric WHERE {METRICS} AND position = 1", "{0}"),
}


def settings_of(url: str, home: Path) -> Settings:
    return Settings(home=home, database_url=url)  # type: ignore[arg-type]


@pytest.fixture
def store(database_url: str) -> Iterator[SqlStore]:
    with open_store(database_url) as opened:
        yield opened


def sql(store: SqlStore, *statements: str) -> None:
    with writing(store._engine, "test") as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def found_by(gates: list[GateResult]) -> dict[str, list[str]]:
    return {str(f["column"]): list(f["sample"]) for gate in gates for f in gate.failures}


def test_what_was_saved_is_found_and_the_password_stays_out_of_every_file(
    store: SqlStore, database_url: str, tmp_path: Path
) -> None:
    store.save_run(full_record("it's:one"))
    store.save_run(full_record("two"))
    url = database_url.replace("coderm@", f"coderm:{SECRET}@")
    gates = check_database(settings_of(url, tmp_path), tmp_path / "docs", "it's:one", expected_of(full_record("it's:one")))
    assert [(g.gate, g.passed, g.failures) for g in gates] == [("stored-problems", True, ()), ("stored-runs", True, ())]
    assert all(g.evaluated > 5 for g in gates)
    every = check_database(settings_of(url, tmp_path), tmp_path / "docs")
    assert all(g.passed and not g.failures for g in every)
    assert [g.gate for g in every] == ["stored-problems", "stored-runs", "stored-references"]
    written = [p for p in (tmp_path / "docs").rglob("*") if p.is_file()]
    assert any("stored-problems" in p.read_text(errors="replace") for p in written)
    assert not [p for p in written if SECRET.encode() in p.read_bytes()]


@given(st.text(st.sampled_from(r"$\{}:@/% aA_1|é")) | st.text())
@settings(max_examples=300)
def test_great_expectations_reads_a_secret_as_it_is(secret: str) -> None:
    from great_expectations.core.config_substitutor import _ConfigurationSubstitutor

    substitute = _ConfigurationSubstitutor().substitute_config_variable
    assert substitute("${NAME}", {"NAME": unsubstituted(secret), "a": "other"}) == secret


@pytest.mark.postgres
def test_any_password_logs_in(guarded: tuple[str, str], postgres_url: str, tmp_path: Path) -> None:
    role, password = guarded
    for spelled in (password.replace("%", "%25"), quote(password)):
        url = postgres_url.replace("coderm@", f"{role}:{spelled}@")
        with open_store(url) as opened:
            opened.save_run(full_record())
        assert all(gate.passed for gate in check_database(settings_of(url, tmp_path), tmp_path / "docs"))
    with pytest.raises(StoreUnavailable, match="Great Expectations cannot connect"):
        check_database(settings_of(postgres_url.replace("coderm@", f"{role}:wrong@"), tmp_path), tmp_path / "docs")


def test_every_damage_is_found_and_names_its_run_and_task(store: SqlStore, database_url: str, tmp_path: Path) -> None:
    for column in ("good", *DAMAGE):
        store.save_run(full_record(column))
    for column, (statement, _) in DAMAGE.items():
        sql(store, statement.format(column))
    found = found_by(check_database(settings_of(database_url, tmp_path), tmp_path / "docs"))
    missed = {
        column: found.get(column) for column, (_, place) in DAMAGE.items() if place.format(column) not in found.get(column, [])
    }
    assert not missed, found
    assert not [place for places in found.values() for place in places if place.startswith("good")]


def test_what_differs_from_what_was_handed_over_is_found(store: SqlStore, database_url: str, tmp_path: Path) -> None:
    store.save_run(full_record("run"))
    told = expected_of(full_record("run"))
    other = Expected([told.problems[0], (*told.problems[1][:-1], 0), told.problems[2]], [0.25, 3.5, *told.metrics[2:]])
    sql(store, "DELETE FROM sample_item WHERE idx = 1", "UPDATE problem SET sha256 = digest WHERE task_id = 'm/3'")
    gates = check_database(settings_of(database_url, tmp_path), tmp_path / "docs", "run", other)
    assert found_by(gates) == {
        "changed": ["run a/2"],
        "metrics_changed": ["run"],
        "samples_missing": ["run z/1", "run a/2"],
        "problems_damaged": ["run"],
    }
    assert not any(gate.passed for gate in gates)


def test_the_command_names_what_is_wrong(
    store: SqlStore, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from flows.__main__ import run

    monkeypatch.setenv("CODERM_DATABASE_URL", database_url)
    monkeypatch.setenv("COLUMNS", "400")
    store.save_run(full_record("run-1"))
    store.save_run(full_record("run-2"))
    assert run(["db", "check", "run-1"]) == 0
    assert "0 of 17 expectations failed" in capsys.readouterr().out
    assert run(["db", "check", "nobody"]) == 2
    sql(store, "DELETE FROM run_problem WHERE position = 2")
    if database_url.startswith("sqlite"):  # somebody's own client, which does not keep foreign keys
        with sqlite3.connect(database_url.removeprefix("sqlite:///")) as client:
            client.execute("DELETE FROM run WHERE run_id = 'run-2'")
        client.close()
    capsys.readouterr()
    assert run(["db", "check"]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "every problem of the run is in the database" in said
    assert "every row is of some run" in said  # a problem that nobody uses any more: a warning
    assert "run-1" in said
    assert ("run_problem.run_pk" in said) == database_url.startswith("sqlite")
