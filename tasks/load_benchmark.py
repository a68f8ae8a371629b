"""Problems in: a P file → shards."""

from __future__ import annotations

from prefect import task

from models.config import RunConfig
from tasks.caching import ONCE
from tasks.load_problems import load_problems
from tasks.shard import Shard, split


@task(name="load-benchmark", **ONCE)
def load_benchmark(config: RunConfig) -> list[Shard]:
    """Read the benchmark's problems. Raises InputError for a missing, malformed or empty file."""
    return split(load_problems(config.benchmark.problems, config.benchmark.limit), config.shard_problems)
