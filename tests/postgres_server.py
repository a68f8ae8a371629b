"""PostgreSQL servers that tests start, kill and throw away: each in a directory of its own, behind a unix socket there, so that no
port can be taken.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

START_S = 60
GUARDED = "guarded"
"""A role of this name needs its password; others need none."""


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


class PostgresServer:
    """A cluster in a directory of its own, behind a unix socket there. It can be killed and started again."""

    def __init__(self, durable: bool = False) -> None:
        """Create the cluster. Its path is short: a socket's may have 107 characters.

        ``durable``: what was answered outlives a kill.
        """
        initdb, postgres = program("initdb"), program("postgres")
        if initdb is None or postgres is None:
            pytest.skip("no PostgreSQL programs; install PostgreSQL")
        self.home = Path(tempfile.mkdtemp(prefix="coderm-pg-"))
        as_user = unprivileged()
        if as_user:
            os.chown(self.home, as_user["user"], as_user["group"])
        env = {"PATH": os.environ["PATH"], "HOME": str(self.home), "LC_ALL": "C.UTF-8"}
        self._quiet = {"cwd": self.home, "env": env, "start_new_session": True, **as_user}
        options = ["-A", "trust", "-U", "coderm", "-E", "UTF8", "--no-sync"]
        subprocess.run([initdb, "-D", str(self.home / "data"), *options], check=True, capture_output=True, **self._quiet)
        access = self.home / "data" / "pg_hba.conf"
        access.write_text(f"local all {GUARDED} scram-sha-256\n" + access.read_text())
        settings = [
            "listen_addresses=",
            "fsync=off",
            f"synchronous_commit={'on' if durable else 'off'}",
            "full_page_writes=off",
            "max_connections=60",
        ]
        words = (word for setting in settings for word in ("-c", setting))
        self._command = [postgres, "-D", str(self.home / "data"), "-k", str(self.home), *words]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Raises RuntimeError with the end of the server's log when it does not come up."""
        log = self.home / "log"
        with log.open("ab") as stream:
            self._process = subprocess.Popen(self._command, stdout=stream, stderr=stream, **self._quiet)
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                psycopg.connect(host=str(self.home), user="coderm", dbname="postgres").close()
            except psycopg.OperationalError:
                time.sleep(0.1)
            else:
                return
        raise RuntimeError(f"PostgreSQL did not start: {log.read_text()[-2000:]}")

    def kill(self) -> None:
        """SIGKILL to the server and all its backends."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(timeout=30)
            self._process = None

    def close(self) -> None:
        """Disconnect the clients, stop, remove everything."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=30)
        shutil.rmtree(self.home)
