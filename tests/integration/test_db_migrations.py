"""The schema: made, upgraded, refused; the same on both dialects; a file of the first schema still reads."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from db import schema
from db.session import make_engine, parse_url, writing
from db.store import open_store
from db.tables import Base
from models.errors import StoreUnavailable
from models.ports import CachedCell
from tests.contracts.store_records import full_record, plain

pytest_plugins = ["tests.contracts.store_fixtures"]

NEXT = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "next", "0005"
def upgrade():
    with op.batch_alter_table("run", recreate="auto") as batch:
        batch.add_column(sa.Column("note", sa.Text()))
        batch.alter_column("benchmark", type_=sa.String(200))
"""


@pytest.fixture
def next_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program of tomorrow: one more revision, which rebuilds a table that others refer to."""
    shutil.copytree(schema.MIGRATIONS, tmp_path / "migrations", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "migrations" / "versions" / "next.py").write_text(NEXT)
    monkeypatch.setattr(schema, "MIGRATIONS", tmp_path / "migrations")


def test_a_fresh_database_gets_its_schema(database_url: str) -> None:
    assert schema.schema_status(database_url) == (None, schema.head_revision())
    open_store(database_url, migrate=False).__exit__(None, None, None)
    assert schema.schema_status(database_url) == (schema.head_revision(), schema.head_revision())
    schema.upgrade(database_url)  # nothing to do


def test_the_migrations_make_what_the_tables_say(database_url: str) -> None:
    schema.upgrade(database_url)
    engine = make_engine(parse_url(database_url))
    with engine.connect() as connection:
        opts = {"version_table": schema.VERSION_TABLE, "compare_server_default": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=opts), Base.metadata) == []
    engine.dispose()


def test_a_schema_that_is_behind_is_refused_or_upgraded(database_url: str, request: pytest.FixtureRequest) -> None:
    with open_store(database_url) as store:
        store.save_run(full_record())
    request.getfixturevalue("next_release")
    with pytest.raises(StoreUnavailable, match=r"schema 0005 is behind next; run `coderm db upgrade`"):
        open_store(database_url, migrate=False)
    with open_store(database_url) as store:
        assert schema.schema_status(database_url) == ("next", "next")
        assert plain(store.load_run("run-0123")) == plain(full_record())  # the rebuilt table took nothing with it


def test_a_schema_that_is_ahead_is_refused(database_url: str) -> None:
    open_store(database_url).__exit__(None, None, None)
    engine = make_engine(parse_url(database_url))
    with writing(engine, "test") as connection:
        connection.exec_driver_sql(f"UPDATE {schema.VERSION_TABLE} SET version_num = 'future'")
    engine.dispose()
    for attempt in (lambda: open_store(database_url), lambda: schema.upgrade(database_url)):
        with pytest.raises(StoreUnavailable, match="schema future was written by a newer coderm"):
            attempt()


def test_a_failed_upgrade_changes_nothing(database_url: str, tmp_path: Path, next_release: None) -> None:
    script = tmp_path / "migrations" / "versions" / "next.py"
    script.write_text(NEXT + "    raise RuntimeError('broken migration')\n")
    with pytest.raises(RuntimeError, match="broken migration"):
        schema.upgrade(database_url)
    assert schema.schema_status(database_url) == (None, "next")


def test_other_tables_in_the_same_database_are_left_alone(database_url: str) -> None:
    engine = make_engine(parse_url(database_url))
    with writing(engine, "test") as connection:
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num TEXT)")
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('of another program')")
    schema.upgrade(database_url)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one() == "of another program"
    engine.dispose()


@pytest.mark.parametrize("released", ["0001"])
def test_a_file_of_a_released_schema_reads(repo_root: Path, tmp_path: Path, released: str) -> None:
    """``store_<revision>.db`` holds ``full_record()`` and one known cell; the JSON beside it says what must come back."""
    golden = repo_root / "tests" / "golden" / f"store_{released}.db"
    assert golden.stat().st_size < 100_000
    shutil.copy(golden, tmp_path / "old.db")
    expected = json.loads(golden.with_suffix(".json").read_text())
    with open_store(f"sqlite:///{tmp_path / 'old.db'}") as store:
        run = store.load_run("golden")
        assert {name: repr(plain(getattr(run, name))) for name in expected} == expected
        assert store.lookup("context", ["s"]) == {"s": {"t": CachedCell(10, 12.5, ("near_limit",))}}
