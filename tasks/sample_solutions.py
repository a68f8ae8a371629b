"""Candidates: n samples a problem from the policy model, through one port whether a model draws them or a replay serves them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from prefect import task

from models.backend_config import BackendConfig, ReplayConfig
from models.config import RunConfig
from models.fingerprint import digest_json
from models.operations import of_stage
from models.prompts import solution_prompt
from models.run_record import Generation, GenerationRequest, SampleCounts
from models.types import Problem, SolutionSet
from tasks.caching import RETRY_INFRA_ONLY
from tasks.progress import progress_bar
from tasks.resources import open_stored_generator
from tasks.shard import Shard

SEED_STRIDE = 1 << 14
"""Seeds of one problem and stage: more than the 10,000 samples that a run may ask for, so that no two ranges overlap."""


@task(name="sample-solutions", task_run_name="sample-{shard.index}", **RETRY_INFRA_ONLY)
def sample_solutions(config: RunConfig, shard: Shard) -> Shard:
    """Add the shard's solutions. Raises ExhaustedError, BackendUnavailable."""
    began = time.time()
    requests = [solution_request(config, problem) for problem in shard.problems.values()]
    drawn, seconds = draw(config.policy, requests, f"sample shard {shard.index}")
    filled = with_draws(shard, "solution", drawn, seconds).measured(of_stage("sample", began))
    return filled.evolve(solutions={t: kept_solutions(drawn[t]) for t in shard.problems})


def with_draws(shard: Shard, kind: str, drawn: Mapping[str, Generation], seconds: float) -> Shard:
    """The shard with what is known of its draws: digests of the prompts, counts, seconds of the model."""
    return shard.evolve(
        prompt_digests={**shard.prompt_digests, kind: {t: drawn[t].prompt_digest for t in shard.problems}},
        samples={**shard.samples, kind: {t: SampleCounts.of(drawn[t]) for t in shard.problems}},
        times={**shard.times, kind: seconds},
    )


def draw(backend: BackendConfig, requests: Sequence[GenerationRequest], title: str) -> tuple[dict[str, Generation], float]:
    """(task id → generation, seconds of the model) for all requests. Raises ExhaustedError, BackendUnavailable."""
    drawn: dict[str, Generation] = {}
    with open_stored_generator(backend) as model, progress_bar(title, len(requests)) as advance:
        for generation in model.generate(requests):
            drawn[generation.task_id] = generation
            advance(1)
        return drawn, model.busy_s


def solution_request(config: RunConfig, problem: Problem) -> GenerationRequest:
    """What the policy is asked; a replay's prompt is the statement, since nobody knows what the recorded model was told."""
    prompt = problem.prompt if isinstance(config.policy, ReplayConfig) else solution_prompt(problem, config.policy.prompt)
    return GenerationRequest(
        task_id=problem.task_id,
        kind="solution",
        prompt=prompt,
        n=config.n_solutions,
        seed=seed_of(config.seed, "solution", problem.task_id),
        style=problem.style,
        entry_point=problem.entry_point,
    )


def seed_of(seed: int, kind: str, task_id: str, round_: int = 0) -> int:
    """First seed of a problem, stage and round, below 2^48: one seed for all prompts would correlate their samples.

    A multiple of ``SEED_STRIDE``: draw k of a request has seed + k (vLLM), so ranges that are not the same do not overlap.
    """
    slots = (1 << 48) // SEED_STRIDE
    return int(digest_json([seed, kind, task_id, round_])[:16], 16) % slots * SEED_STRIDE


def kept_solutions(generation: Generation) -> SolutionSet:
    """What was kept, in the order in which it was drawn."""
    kept = tuple(s.content for s in generation.samples if isinstance(s.content, str))
    return SolutionSet(task_id=generation.task_id, solutions=kept)
