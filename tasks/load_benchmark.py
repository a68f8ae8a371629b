"""Problems in: a P file → shards."""

from __future__ import annotations

from itertools import islice

from prefect import task

from models.config import RunConfig
from models.errors import InputError
from models.types import Problem
from tasks.caching import ONCE
from tasks.jsonl import read_lines
from tasks.shard import Shard, split


@task(name="load-benchmark", **ONCE)
def load_benchmark(config: RunConfig) -> list[Shard]:
    """Read the benchmark's problems. Raises InputError for a missing, malformed or empty file."""
    path = config.benchmark.problems
    problems = {p.task_id: p for p in islice(read_lines(path, Problem), config.benchmark.limit)}
    if not problems:
        raise InputError(f"{path}: no problem in it; expected one P line a problem")
    return split(problems, config.shard_problems)
