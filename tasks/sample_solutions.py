"""Candidates: n samples a problem from the policy model, through one port whether a model draws them or a replay serves them."""

from __future__ import annotations

from prefect import task

from models.config import RunConfig
from models.types import Generation, GenerationRequest, SolutionSet
from tasks.caching import RETRY_INFRA_ONLY
from tasks.progress import progress_bar
from tasks.resources import open_generator
from tasks.shard import Shard


@task(name="sample-solutions", task_run_name="sample-{shard.index}", **RETRY_INFRA_ONLY)
def sample_solutions(config: RunConfig, shard: Shard) -> Shard:
    """Add the shard's solutions. Raises ExhaustedError, BackendUnavailable."""
    requests = [
        GenerationRequest(task_id=t, kind="solution", prompt=p.prompt, n=config.n_solutions, seed=config.seed)
        for t, p in shard.problems.items()
    ]
    with open_generator(config.policy) as model, progress_bar("sample solutions", len(requests)) as advance:
        drawn: dict[str, Generation] = {}
        for generation in model.generate(requests):
            drawn[generation.task_id] = generation
            advance(1)
    return shard.evolve(
        solutions={t: _solution_set(drawn[t]) for t in shard.problems},
        prompt_digests={**shard.prompt_digests, "solution": {t: drawn[t].prompt_digest for t in shard.problems}},
    )


def _solution_set(generation: Generation) -> SolutionSet:
    kept = tuple(s.content for s in generation.samples if isinstance(s.content, str))
    return SolutionSet(task_id=generation.task_id, solutions=kept)
