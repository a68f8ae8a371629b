"""Unit tests: m samples a problem from the test generator, which sees the statement and one candidate (CodeRM section 2.1)."""

from __future__ import annotations

from prefect import task

from models.config import RunConfig
from models.run_record import Generation
from models.types import TestSet, UnitTest
from tasks.caching import RETRY_INFRA_ONLY
from tasks.sample_solutions import draw
from tasks.shard import Shard


@task(name="generate-tests", task_run_name="tests-{shard.index}", **RETRY_INFRA_ONLY)
def generate_tests(config: RunConfig, shard: Shard) -> Shard:
    """Add the shard's tests; none where ``n_tests`` is 0. Raises ExhaustedError, BackendUnavailable."""
    if config.n_tests == 0:
        return shard.evolve(tests={t: TestSet(task_id=t, tests=()) for t in shard.problems})
    drawn = draw(config.tests, "test", shard, config.n_tests, config.seed)
    return shard.evolve(
        tests={t: _test_set(drawn[t]) for t in shard.problems},
        prompt_digests={**shard.prompt_digests, "test": {t: drawn[t].prompt_digest for t in shard.problems}},
    )


def _test_set(generation: Generation) -> TestSet:
    kept = tuple(
        s.content if isinstance(s.content, UnitTest) else UnitTest(source=s.content)
        for s in generation.samples
        if s.content is not None
    )
    return TestSet(task_id=generation.task_id, tests=kept, limits=generation.limits)
