"""A verdict does not depend on order, neighbours or how many work at once: shuffles of rows and columns, one slot and several.

All of the corpus: ``python tests/benchmarks/bench_promises.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from models.config import SandboxConfig
from models.matrix import MatrixJob
from models.types import Limits
from sandbox.executor import PooledExecutor, docker_executor, process_executor
from sandbox.process_runtime import best_start
from sandbox.self_check import corpus
from tests.benchmarks.recorded_cells import sample
from tests.shuffled_cells import corpus_jobs, flips, shuffled, verdicts

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
LIMITS = Limits(timeout_s=4.0, memory_mib=256)
"""Far above what the cells need: on a busy machine a wall limit of seconds would be reached by chance, and that is no flip."""
SHUFFLES = 3
STEP = 9
"""Every ninth cell of the corpus."""


def make(runtime: str, workers: int) -> PooledExecutor:
    config = SandboxConfig(runtime=runtime, workers=workers)
    if runtime == "process":
        return process_executor(config)
    return docker_executor(config, image="coderm-sandbox:latest", docker_host=None)


def changed(jobs: list[MatrixJob], start: Callable[[int], PooledExecutor]) -> list[object]:
    """Flips of every shuffle, on one slot and on three, against the order of the file on one slot."""
    with start(1) as executor:
        first = verdicts(executor, jobs)
        found: list[object] = [flip for seed in range(SHUFFLES) for flip in flips(first, verdicts(executor, shuffled(jobs, seed)))]
    with start(3) as executor:
        found += [flip for seed in range(SHUFFLES) for flip in flips(first, verdicts(executor, shuffled(jobs, seed)))]
    assert len({verdict for verdict, _ in first.values()}) > 2, "cells that all end alike show nothing"
    return found


@pytest.mark.parametrize("runtime", ["process", pytest.param("docker", marks=pytest.mark.docker)])
def test_the_corpus_in_any_order(runtime: str) -> None:
    safe = runtime == "docker" or bool(best_start().prefix)
    cells = [cell for cell in corpus() if safe or cell["kind"] == "honest"][::STEP]
    assert changed(corpus_jobs(cells, LIMITS), lambda workers: make(runtime, workers)) == []


@pytest.mark.public_data
@pytest.mark.docker
def test_recorded_solutions_in_any_order(public_data: Path) -> None:
    jobs = sample(public_data / "codet", problems=4, solutions=8, tests=8, limits=Limits(timeout_s=2.0))
    assert changed(jobs, lambda workers: make("docker", workers)) == []
