"""Schemas that are not ours, made before anybody waits for them: a first run otherwise spends some ten seconds on migrations."""

from __future__ import annotations

import subprocess
import sys

from models.errors import UnavailableError
from tasks.mlflow_store import connected
from tasks.settings import Settings, prefect_home


def create_prefect_schema(settings: Settings) -> None:
    """The database of the ephemeral Prefect server. Raises UnavailableError with its last line when it cannot be made."""
    prefect_home(settings)
    command = [sys.executable, "-m", "prefect", "server", "database", "upgrade", "--yes"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise UnavailableError(f"Prefect's database cannot be made: {' '.join(last)}; see `prefect server database upgrade`")


def create_mlflow_schema(settings: Settings) -> None:
    """The MLflow store: any question makes its tables. Raises UnavailableError."""
    with connected(settings.mlflow_uri) as client:
        client.search_experiments(max_results=1)
