"""Unit tests: m samples a problem from the test generator, which sees the statement and one candidate (CodeRM section 2.1)."""

from __future__ import annotations

import time

from prefect import task

from models.backend_config import ReplayConfig
from models.config import RunConfig
from models.operations import of_stage
from models.prompts import test_prompt
from models.run_record import Generation, GenerationRequest
from models.statement_examples import statement_tests, with_examples
from models.types import Problem, SolutionSet, TestSet, UnitTest
from tasks.caching import RETRY_INFRA_ONLY
from tasks.sample_solutions import draw, seed_of, with_draws
from tasks.shard import Shard


@task(name="generate-tests", task_run_name="tests-{shard.index}", **RETRY_INFRA_ONLY)
def generate_tests(config: RunConfig, shard: Shard) -> Shard:
    """Add the shard's tests; none where ``n_tests`` is 0. Raises ExhaustedError, BackendUnavailable."""
    if config.n_tests == 0:
        return shard.evolve(tests={t: TestSet(task_id=t, tests=()) for t in shard.problems})
    began = time.time()
    requests = [unit_test_request(config, p, shard.solutions[t]) for t, p in shard.problems.items()]
    drawn, seconds = draw(config.tests, requests, f"tests shard {shard.index}")
    filled = with_draws(shard, "test", drawn, seconds).measured(of_stage("sample", began))
    return filled.evolve(tests={t: kept_tests(drawn[t]) for t in shard.problems})


def add_examples(config: RunConfig, shard: Shard) -> Shard:
    """The statements' examples before the generated tests, so that every budget asks them first; nothing where none are wanted.

    They come after the gate on samples, which is about what the generator gave, and beyond ``n_tests``.
    """
    if not config.statement_examples:
        return shard
    return shard.evolve(tests={t: with_examples(statement_tests(shard.problems[t]), tests) for t, tests in shard.tests.items()})


def unit_test_request(config: RunConfig, problem: Problem, solutions: SolutionSet) -> GenerationRequest:
    """What the test generator is asked: it sees the first candidate, as in CodeRM's data, if there is one."""
    candidate = solutions.solutions[0] if solutions.solutions else ""
    prompt = problem.prompt if isinstance(config.tests, ReplayConfig) else test_prompt(problem, candidate)
    return GenerationRequest(
        task_id=problem.task_id,
        kind="test",
        prompt=prompt,
        n=config.n_tests,
        seed=seed_of(config.seed, "test", problem.task_id),
        style=problem.style,
        entry_point=problem.entry_point,
    )


def kept_tests(generation: Generation) -> TestSet:
    """What was kept, in the order in which it was drawn; with the limits that a recorded line carries."""
    kept = tuple(
        s.content if isinstance(s.content, UnitTest) else UnitTest(source=s.content)
        for s in generation.samples
        if s.content is not None
    )
    return TestSet(task_id=generation.task_id, tests=kept, limits=generation.limits)
