"""Databases to run the store's contract on: SQLite in a file, and a PostgreSQL server that is started and thrown away.

Loaded by ``pytest_plugins`` where it is needed. Each worker of pytest-xdist has a server of its own, behind a unix socket,
so that no port can be taken; each test has a database of its own.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

START_S = 60


def program(name: str) -> str | None:
    """Path of one of PostgreSQL's programs; Debian keeps them out of PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name)


def unprivileged() -> dict[str, Any]:
    """Arguments for subprocess: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    account = names.get("postgres") or names["nobody"]
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def wait_until_ready(server: subprocess.Popen[bytes], socket_dir: Path, log: Path) -> None:
    """Raises RuntimeError with the end of the server's log when it does not come up."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            psycopg.connect(host=str(socket_dir), user="coderm", dbname="postgres").close()
        except psycopg.OperationalError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"PostgreSQL did not start: {log.read_text()[-2000:]}")


@pytest.fixture(scope="session")
def postgres_socket() -> Iterator[Path]:
    """Directory of the unix socket of a running PostgreSQL server."""
    initdb, postgres = program("initdb"), program("postgres")
    if initdb is None or postgres is None:
        pytest.skip("no PostgreSQL programs; install PostgreSQL")
    as_user = unprivileged()
    home = Path(tempfile.mkdtemp(prefix="coderm-pg-"))  # short: a socket's path may have 107 characters
    server = None
    try:
        if as_user:
            os.chown(home, as_user["user"], as_user["group"])
        quiet = {"cwd": home, "env": {"PATH": os.environ["PATH"], "HOME": str(home), "LC_ALL": "C.UTF-8"}, **as_user}
        options = ["-A", "trust", "-U", "coderm", "-E", "UTF8", "--no-sync"]
        subprocess.run([initdb, "-D", str(home / "data"), *options], check=True, capture_output=True, **quiet)
        settings = ["listen_addresses=", "fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=40"]
        command = [postgres, "-D", str(home / "data"), "-k", str(home), *(word for s in settings for word in ("-c", s))]
        with (home / "log").open("wb") as log:
            server = subprocess.Popen(command, stdout=log, stderr=log, **quiet)
        wait_until_ready(server, home, home / "log")
        yield home
    finally:
        if server is not None:
            server.send_signal(2)  # SIGINT: disconnect the clients and stop
            server.wait(timeout=30)
        shutil.rmtree(home)


@pytest.fixture
def postgres_url(postgres_socket: Path) -> Iterator[str]:
    """URL of an empty database, dropped afterwards."""
    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(host=str(postgres_socket), user="coderm", dbname="postgres", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        yield f"postgresql+psycopg://coderm@/{name}?host={postgres_socket}"
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """URL of a SQLite file that is not there yet, in a directory that is not there either."""
    return f"sqlite:///{tmp_path / 'state' / 'coderm.db'}"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """Each kind of database in turn."""
    return str(request.getfixturevalue(f"{request.param}_url"))
