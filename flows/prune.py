"""Retention by schedule: what nobody has used for so many days goes. Without parameters nothing goes."""

from typing import Any

from prefect import flow

from models.retention import Retention
from tasks.progress import without_known_tracebacks
from tasks.prune_database import prune_database


@flow(name="prune", validate_parameters=True)
def prune(retention: Retention) -> dict[str, Any]:
    """Prune the database beside executing runs. Returns rows a kind, MiB on disk before and after.

    Args:
        retention: Days after which what nobody used goes; what has no days stays.
    """
    without_known_tracebacks()
    return prune_database(retention)
