"""Which schema a database has, and bringing it to the one this version writes. No alembic.ini: everything is set here.

A fresh database gets its schema at once. One that is behind is upgraded or refused, as the caller says; one that is ahead is always
refused: an older program must not write into tables that it does not know.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from db.session import make_engine, masked, parse_url, reading, writing
from models.errors import StoreUnavailable

VERSION_TABLE = "coderm_alembic_version"
MIGRATIONS = Path(__file__).with_name("migrations")


def alembic_config() -> Config:
    """Alembic's configuration in memory."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def head_revision() -> str:
    """The revision this version of the program writes."""
    return str(ScriptDirectory.from_config(alembic_config()).get_current_head())


def known_revisions() -> frozenset[str]:
    """Every revision that this version can read the history of."""
    return frozenset(script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions())


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()


def schema_status(url: str) -> tuple[str | None, str]:
    """(current, head); current is None for a database without our schema. Raises StoreUnavailable, InputError."""
    engine = make_engine(parse_url(url))
    try:
        with reading(engine) as connection:
            return _current(connection), head_revision()
    finally:
        engine.dispose()


def upgrade(url: str) -> None:
    """Bring the schema to head, in one transaction; two processes at once are safe, the second finds nothing to do.

    Raises StoreUnavailable, also for a database that is ahead of this program.
    """
    parsed = parse_url(url)
    engine = make_engine(parsed, foreign_keys=False)  # SQLite: a table that is rebuilt must not cascade into its children
    try:
        with writing(engine, "schema") as connection:
            _refuse_unknown(masked(parsed), _current(connection))
            config = alembic_config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()


def ensure_schema(url: str, *, migrate: bool) -> None:
    """What ``open_store`` does first. Raises StoreUnavailable for a schema that is ahead, or behind with ``migrate`` False."""
    current, head = schema_status(url)
    where = masked(parse_url(url))
    _refuse_unknown(where, current)
    if current not in (None, head) and not migrate:
        raise StoreUnavailable(f"database {where}: schema {current} is behind {head}; run `coderm db upgrade`")
    if current != head:
        upgrade(url)


def _refuse_unknown(where: str, current: str | None) -> None:
    if current is not None and current not in known_revisions():
        raise StoreUnavailable(f"database {where}: schema {current} was written by a newer coderm; install that version")
