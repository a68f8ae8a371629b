"""Retry and cache policies as named values. Retries are for our failures; a program that fails has its verdict and stays failed.

Prefect's own result cache stays off (``NO_CACHE``): its key sees a task's source and inputs but not the code that a thin task
calls. What may be reused is content-addressed in SQL, where the key names the sandbox's version.
"""

from __future__ import annotations

from typing import Any, TypedDict

from prefect import Task
from prefect.cache_policies import NO_CACHE, CachePolicy
from prefect.client.schemas.objects import State, TaskRun

from models.errors import BackendUnavailable, SandboxUnavailable


def is_infrastructure(_task: Task[Any, Any], _run: TaskRun, state: State[Any]) -> bool:
    """True when a slot or a model went away: worth another try. Bad input and failed gates are not."""
    try:
        state.result(raise_on_failure=True)
    except (SandboxUnavailable, BackendUnavailable):
        return True
    except Exception:  # noqa: BLE001 - every other failure, of whatever type, is final
        return False
    return False


class TaskPolicy(TypedDict, total=False):
    """Keyword arguments of ``@task``."""

    cache_policy: CachePolicy
    persist_result: bool
    retries: int
    retry_delay_seconds: list[float]
    retry_condition_fn: Any


ONCE: TaskPolicy = {"cache_policy": NO_CACHE, "persist_result": False}
"""Run once; the result stays in memory."""

RETRY_INFRA_ONLY: TaskPolicy = {**ONCE, "retries": 1, "retry_delay_seconds": [2.0], "retry_condition_fn": is_infrastructure}
"""One more try after 2 s (an engine's restart of a slot takes 0.2 to 0.4 s), for infrastructure faults only."""
