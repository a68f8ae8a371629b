"""The servers of infra/compose.yaml as processes on loopback, started by the same scripts that the compose file starts.

Prefect and MLflow keep their data in PostgreSQL. Each server can be killed and started again,
on the same port. Loaded by ``pytest_plugins`` where it is needed; one stack a module, since it takes half a minute to come up.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.postgres_server import PostgresServer
from tests.processes import free_port

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "infra" / "servers"
START_S = 120


@dataclass
class Server:
    """One script of infra/servers in a process group of its own."""

    name: str
    environment: Mapping[str, str]
    question: str
    login: str
    log: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def healthy(self, login: str | None = None) -> bool:
        command = [sys.executable, str(SCRIPTS / "health.py"), self.url + self.question, self.login if login is None else login]
        return subprocess.run(command, check=False, capture_output=True, timeout=30).returncode == 0

    def start(self) -> None:
        bin_dir = str(Path(sys.executable).parent)
        base = {"PATH": f"{bin_dir}:{os.environ['PATH']}", "HOME": str(self.log.parent), "PORT": str(self.port)}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["sh", str(SCRIPTS / f"{self.name}.sh")],
                env={**base, **self.environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_S
        while not self.healthy():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError(f"{self.name} did not start: {self.log.read_text()[-3000:]}")
            time.sleep(0.5)

    def kill(self) -> None:
        """SIGKILL to the whole group, as a machine that loses power."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(timeout=30)
            self.process = None


@dataclass
class Stack:
    """Three servers and what a client sets to use them."""

    postgres: PostgresServer
    prefect: Server
    mlflow: Server
    home: Path
    secrets: Mapping[str, str]

    @property
    def socket(self) -> Path:
        """Where PostgreSQL listens."""
        return self.postgres.home

    @property
    def client(self) -> dict[str, str]:
        """The environment of a worker, as the compose file sets it."""
        return {
            "PREFECT_API_URL": f"{self.prefect.url}/api",
            "PREFECT_API_AUTH_STRING": self.prefect.login,
            "CODERM_DATABASE_URL": f"postgresql://coderm@/coderm?host={self.socket}",
            "CODERM_MLFLOW_TRACKING_URI": self.mlflow.url,
            "MLFLOW_TRACKING_USERNAME": "admin",
            "MLFLOW_TRACKING_PASSWORD": self.secrets["mlflow"],
            "PREFECT_HOME": str(self.home / "prefect-client"),
            "CODERM_HOME": str(self.home / "state"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HOME": str(self.home),
            "DO_NOT_TRACK": "true",
        }

    def coderm(self, *words: str, **changes: str) -> subprocess.Popen[str]:
        """A command of ours as a user's process."""
        command = [sys.executable, "-m", "flows", *words]
        return subprocess.Popen(
            command, env={**self.client, **changes}, cwd=self.home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    home = tmp_path_factory.mktemp("stack")
    words = {name: secrets.token_urlsafe(24) for name in ("prefect", "mlflow", "session")}
    for folder in ("prefect-server", "prefect-client"):
        (home / folder).mkdir()
    with closing(PostgresServer(durable=True)) as postgres:
        postgres.start()
        admin = {"PGHOST": str(postgres.home), "PGUSER": "coderm", "PATH": os.environ["PATH"]}
        subprocess.run(["sh", str(SCRIPTS / "databases.sh")], env=admin, check=True, capture_output=True, timeout=60)
        servers = _prefect(postgres.home, home, words), _mlflow(postgres.home, home, words)
        try:
            for server in servers:
                server.start()
            yield Stack(postgres, *servers, home, words)
        finally:
            for server in servers:
                server.kill()


def _prefect(database: Path, home: Path, words: Mapping[str, str]) -> Server:
    login = f"coderm:{words['prefect']}"
    environment = {
        "PREFECT_SERVER_API_AUTH_STRING": login,
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"postgresql+asyncpg://coderm@/prefect?host={database}",
        "PREFECT_HOME": str(home / "prefect-server"),
    }
    return Server("prefect", environment, "/api/flows/count", login, home / "prefect.log")


def _mlflow(database: Path, home: Path, words: Mapping[str, str]) -> Server:
    environment = {
        "MLFLOW_BACKEND_STORE_URI": f"postgresql+psycopg://coderm@/mlflow?host={database}",
        "MLFLOW_AUTH_ADMIN_PASSWORD": words["mlflow"],
        "MLFLOW_FLASK_SERVER_SECRET_KEY": words["session"],
        "STATE": str(home / "mlflow"),
    }
    question = "/api/2.0/mlflow/experiments/get?experiment_id=0"
    return Server("mlflow", environment, question, f"admin:{words['mlflow']}", home / "mlflow.log")
