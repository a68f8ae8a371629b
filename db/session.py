"""Connections and transactions: one engine a URL, one kind of reader, one kind of writer, one place that translates errors.

A writer takes its lock before it reads (SQLite: ``BEGIN IMMEDIATE``; PostgreSQL: a transaction-scoped advisory lock), so that
read-merge-write is safe between processes. With a deferred BEGIN 306 of 600 such transactions of 4 processes failed at once with
"database is locked", busy_timeout or not; with this one none. The trade: one writer at a time, for milliseconds. A file that is
new is turned to WAL by whoever comes first; SQLite refuses a second one at once, busy_timeout or not, so that is asked again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from tenacity import retry, retry_if_exception, stop_after_delay, wait_random

from models.errors import InputError, StoreUnavailable

BUSY_TIMEOUT_MS = 30_000
"""How long a SQLite writer waits for another: far above any transaction of ours (a run of 1.64 M cells takes about 5 s)."""
CONNECT_TIMEOUT_S = 10
PRAGMAS = ("page_size=8192", "synchronous=NORMAL")
"""Pages: a packed verdict row of 100 tests has about 2.2 kB; three fit into 8 kB, only one into SQLite's usual 4 kB."""
DRIVERS = ("sqlite", "postgresql+psycopg")
WRITER, OUTSIDE = "coderm_writer", "coderm_outside_transaction"
RUNS = "runs"
"""The lock of whoever writes or removes runs, or what they share."""
MESSAGE_CHARS = 300


def parse_url(url: str) -> URL:
    """Raises InputError for what is no database URL of a kind that we run on."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise InputError("database URL: cannot be parsed; expected sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME") from None
    if parsed.drivername not in DRIVERS:
        raise InputError(
            f"database URL: driver {parsed.drivername!r}; expected sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME"
        )
    if parsed.drivername == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise InputError("database URL: SQLite in memory forgets everything; expected sqlite:///FILE")
    return parsed


def masked(url: URL) -> str:
    """The URL as a person may see it."""
    return url.render_as_string(hide_password=True)


def make_engine(url: URL, *, foreign_keys: bool = True) -> Engine:
    """An engine with our settings; makes the directory of a SQLite file. ``foreign_keys`` off: migrations rebuild tables there.

    Raises StoreUnavailable when the directory cannot be made.
    """
    if url.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": CONNECT_TIMEOUT_S})
    try:
        Path(url.database or "").expanduser().parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(f"database {masked(url)}: {error}; set CODERM_DATABASE_URL or CODERM_HOME") from None
    engine = create_engine(url)
    _use_sqlite(engine, foreign_keys)
    return engine


def _use_sqlite(engine: Engine, foreign_keys: bool) -> None:
    """Pragmas on connect, and transactions that begin when we say so."""

    def on_connect(raw: Any, _record: object) -> None:
        raw.isolation_level = None  # the driver's own BEGIN comes too late and is deferred
        for pragma in (*PRAGMAS, f"busy_timeout={BUSY_TIMEOUT_MS}", f"foreign_keys={int(foreign_keys)}"):
            raw.execute(f"PRAGMA {pragma}")
        _turn_to_wal(raw)

    def on_begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if not options.get(OUTSIDE):
            connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get(WRITER) else "BEGIN")

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", on_begin)


def _busy(error: BaseException) -> bool:
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode == sqlite3.SQLITE_BUSY


@retry(retry=retry_if_exception(_busy), wait=wait_random(0.005, 0.05), stop=stop_after_delay(BUSY_TIMEOUT_MS / 1000), reraise=True)
def _turn_to_wal(raw: Any) -> None:
    raw.execute("PRAGMA journal_mode=WAL")


@contextmanager
def translated(url: URL) -> Iterator[None]:
    """The one place where a database's trouble becomes StoreUnavailable: one line, password masked, and what to do.

    Statements that we got wrong (IntegrityError, ProgrammingError, DataError) are ours and pass through.
    """
    try:
        yield
    except (IntegrityError, ProgrammingError, DataError):
        raise
    except (DBAPIError, PoolTimeout) as error:
        raise StoreUnavailable(_one_line(url, error)) from None


def _one_line(url: URL, error: DBAPIError | PoolTimeout) -> str:
    cause = " ".join(str(error.orig if isinstance(error, DBAPIError) else error).split())[:MESSAGE_CHARS]
    if url.password:
        cause = cause.replace(str(url.password), "***")
    return f"database {masked(url)}: {cause}; check CODERM_DATABASE_URL and that the server or file is there (`coderm db status`)"


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One consistent look at the database. Raises StoreUnavailable."""
    with translated(engine.url), engine.connect() as connection:
        yield connection


@contextmanager
def writing(engine: Engine, lock: str) -> Iterator[Connection]:
    """One transaction that holds the writer's lock from its start; ``lock`` names what is written. Raises StoreUnavailable."""
    with translated(engine.url), engine.connect().execution_options(**{WRITER: True}) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"coderm:{lock}",))
        yield connection


@contextmanager
def outside_transaction(engine: Engine) -> Iterator[Connection]:
    """For what databases do only outside of transactions. Raises StoreUnavailable."""
    options: dict[str, Any] = {OUTSIDE: True} if engine.dialect.name == "sqlite" else {"isolation_level": "AUTOCOMMIT"}
    with translated(engine.url), engine.connect().execution_options(**options) as connection:
        yield connection
