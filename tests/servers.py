"""Real servers on loopback for tests: MLflow and Prefect, one of each a session.

Loaded by ``pytest_plugins`` where it is needed. Each worker of pytest-xdist starts its own. Prefect's keeps its data in PostgreSQL
where that is installed, as infra/compose.yaml has it: on SQLite a busy machine's server answers "database is locked", and
then a run's log lines are lost and a slot is held until its lease ends, which no test here is about.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from tasks.prefect_server import UI
from tests.postgres_server import PostgresServer, program
from tests.prefect_clients import talking_to
from tests.processes import free_port, running


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a running ``mlflow server``."""
    folder, port = tmp_path_factory.mktemp("mlflow-server"), free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder}/server.db", "--artifacts-destination", str(folder / "served")]
    with running(command, folder, f"http://127.0.0.1:{port}/health", {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """API URL of a running ``prefect server``, scheduler and event services included."""
    folder, port = tmp_path_factory.mktemp("prefect-server"), free_port()
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    environment = {"PREFECT_HOME": str(folder / "home"), "PREFECT_SERVER_ANALYTICS_ENABLED": "false", **UI}
    with ExitStack() as stack:
        if program("initdb"):
            database = stack.enter_context(closing(PostgresServer()))
            database.start()
            url = f"postgresql+asyncpg://coderm@/postgres?host={database.home}"
            environment["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = url
        stack.enter_context(running(command, folder, f"http://127.0.0.1:{port}/api/health", environment))
        yield f"http://127.0.0.1:{port}/api"


@pytest.fixture(scope="module")
def prefect_client(prefect_server: str) -> Iterator[None]:
    """This process is a client of that server."""
    with talking_to(prefect_server):
        yield
