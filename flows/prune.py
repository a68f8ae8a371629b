"""Retention by schedule: what nobody has used for so many days goes. Without parameters nothing goes."""

from typing import Any

from prefect import flow

from models.retention import Retention
from tasks.prune_database import prune_database


@flow(name="prune", validate_parameters=True)
def prune(retention: Retention) -> dict[str, Any]:
    """Prune the database beside executing runs. Returns rows a kind, MiB on disk before and after."""
    return prune_database(retention)
