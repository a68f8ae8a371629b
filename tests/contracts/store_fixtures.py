"""Databases to run the store's contract on: SQLite in a file, and a PostgreSQL server that is started and thrown away.

Loaded by ``pytest_plugins`` where it is needed. Each worker of pytest-xdist has a server of its own, behind a unix socket,
so that no port can be taken; each test has a database of its own.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.postgres_server import GUARDED, PostgresServer

PASSWORD = r"a\$a${aa}\\$$%b\\"
"""What Great Expectations, a URL or a format could take for something of theirs."""


@pytest.fixture(scope="session")
def postgres_socket() -> Iterator[Path]:
    """Directory of the unix socket of a running PostgreSQL server."""
    with closing(PostgresServer()) as server:
        server.start()
        yield server.home


@pytest.fixture
def postgres_url(postgres_socket: Path) -> Iterator[str]:
    """URL of an empty database, dropped afterwards."""
    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(host=str(postgres_socket), user="coderm", dbname="postgres", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        yield f"postgresql+psycopg://coderm@/{name}?host={postgres_socket}"
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def guarded(postgres_socket: Path) -> Iterator[tuple[str, str]]:
    """(role, password), both needed to log in; asked for before the database, which goes first."""
    with psycopg.connect(host=str(postgres_socket), user="coderm", dbname="postgres", autocommit=True) as admin:
        role = sql.Identifier(GUARDED)
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN SUPERUSER PASSWORD {}").format(role, PASSWORD))
        yield GUARDED, PASSWORD
        admin.execute(sql.SQL("DROP ROLE {}").format(role))


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """URL of a SQLite file that is not there yet, in a directory that is not there either."""
    return f"sqlite:///{tmp_path / 'state' / 'coderm.db'}"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """Each kind of database in turn."""
    return str(request.getfixturevalue(f"{request.param}_url"))
