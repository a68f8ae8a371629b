"""Solutions and tests of all problems: recorded ones shard by shard, live ones beside the sandbox (tasks/overlap.py)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from prefect import task

from models.backend_config import BackendConfig, OpenAIConfig, ReplayConfig, VllmConfig
from models.backends.engine_pool import engine_key
from models.config import RunConfig
from models.matrix import MatrixJob, PassMatrix
from models.operations import Operations
from models.run_record import Generation
from models.statement_examples import statement_tests, with_examples
from models.types import Limits, Problem, SolutionSet, TestSet
from tasks.caching import RETRY_INFRA_ONLY
from tasks.estimate import CELLS_PER_S_A_SLOT, TOKENS_OUT
from tasks.execute_matrix import execute_jobs, matrix_job
from tasks.generate_tests import generate_tests, kept_tests, unit_test_request
from tasks.overlap import Drawn, Plan, overlap
from tasks.resources import engine_pool, open_stored_generator
from tasks.sample_solutions import kept_solutions, sample_solutions, solution_request, with_draws
from tasks.sandbox_stage import sandbox_stage
from tasks.shard import Shard, joined
from tasks.shard_runner import InTurn
from tasks.slots import sampling_slot
from tasks.structured_log import start_own_log
from tasks.waves import Switches, WavePlan


def draw_samples(config: RunConfig, shards: Sequence[Shard], on_shards: InTurn) -> list[Shard]:
    """Shards with solutions and tests; of live models also with the labels and cells that ran beside them.

    Recordings are read here. Live models are sampled here too, all problems at once, since one engine serves this machine best;
    a shard at a time where the workers are elsewhere. Raises ExhaustedError, BackendUnavailable, InputError, SandboxUnavailable.
    """
    if isinstance(config.policy, ReplayConfig) and isinstance(config.tests, ReplayConfig):
        return [generate_tests(config, sample_solutions(config, shard)) for shard in shards]
    if on_shards.elsewhere:
        return on_shards.each(draw_shard, config, shards, held=None)
    with sampling_slot(config), engine_pool().hold():
        return draw_and_execute(config, shards)


@task(name="draw-shard", task_run_name="draw-{shard.index}", **RETRY_INFRA_ONLY)
def draw_shard(config: RunConfig, shard: Shard) -> Shard:
    """One shard on a worker, which takes a GPU slot of its own: as many shards sample at once as there are slots."""
    start_own_log()
    with sampling_slot(config), engine_pool().hold():
        return _drawn(config, [shard])[0]


@task(name="draw-and-execute", **RETRY_INFRA_ONLY)
def draw_and_execute(config: RunConfig, shards: Sequence[Shard]) -> list[Shard]:
    """All problems in one task, since a model is opened once. A second try finds finished samples and cells in the store."""
    return _drawn(config, shards)


def _drawn(config: RunConfig, shards: Sequence[Shard]) -> list[Shard]:
    whole = joined(shards)
    plan = _plan(config, whole)
    with sandbox_stage(config.sandbox, "sample", "sample and execute", plan.steps) as stage:

        def execute(jobs: Iterable[MatrixJob]) -> Iterator[PassMatrix]:
            return execute_jobs(stage.executor, jobs, stage.cache, counts=stage.counts)

        policy, generator = (
            partial(open_stored_generator, backend, partial(plan.waves.switches.record, kind))
            for kind, backend in (("solution", config.policy), ("test", config.tests))
        )
        drawn = overlap(plan, policy, generator, execute, stage.advance, engine_pool().abandon)
    done = stage.operations + Operations(levels=drawn.levels)
    return [_filled(config, shard, drawn, done if at == 0 else None) for at, shard in enumerate(shards)]


def _plan(config: RunConfig, whole: Shard) -> Plan:
    memory_mib = config.sandbox.limits.memory_mib
    every_cell = config.budget.policy == "all" and config.budget.only_winner is None
    return Plan(
        problems=whole.problems,
        ask_solutions=partial(solution_request, config),
        ask_tests=partial(unit_test_request, config) if config.n_tests else None,
        cells_of=partial(_all_cells, config) if every_cell else None,
        label_limits=Limits(timeout_s=config.label_timeout_s, memory_mib=memory_mib) if config.label else None,
        together=together(config.policy, config.tests),
        ahead=config.problems_ahead,
        waves=_waves(config) if every_cell and config.n_tests else WavePlan(),
    )


def together(policy: BackendConfig, tests: BackendConfig) -> bool:
    """Whether both models can be there at one time: at most one of them is started by the run, or one engine serves both."""
    started = [backend for backend in (policy, tests) if not isinstance(backend, ReplayConfig | OpenAIConfig)]
    engines = {engine_key(backend) for backend in started if isinstance(backend, VllmConfig)}
    return len(started) < 2 or (len(engines) == 1 and all(isinstance(backend, VllmConfig) for backend in started))


def _waves(config: RunConfig) -> WavePlan:
    """Turns on one GPU, with the guesses of ``--dry-run`` until the run has measured; one turn where the two cannot switch."""
    if config.policy.type != config.tests.type:
        return WavePlan()
    slots = config.sandbox.workers or os.cpu_count() or 1
    return WavePlan(
        wanted=config.waves,
        cells_s=config.n_solutions * config.n_tests / CELLS_PER_S_A_SLOT / slots,
        test_share=config.n_tests * TOKENS_OUT["test"] / (config.n_solutions * TOKENS_OUT["solution"]),
        switches=Switches(asleep=all(isinstance(b, VllmConfig) and b.sleep for b in (config.policy, config.tests))),
    )


def _all_cells(config: RunConfig, problem: Problem, solutions: SolutionSet, tests: Generation) -> MatrixJob:
    columns = kept_tests(tests)
    if config.statement_examples:  # as the flow adds them to the set
        columns = with_examples(statement_tests(problem), columns)
    return matrix_job(solutions, columns, config.sandbox.limits, problem)


def _filled(config: RunConfig, shard: Shard, drawn: Drawn, done: Operations | None) -> Shard:
    """The shard's part. Times and ``done`` belong to the whole, so that the first shard carries them; the others have None."""
    tasks = list(shard.problems)
    seconds = drawn.busy_s if done else {}
    shard = with_draws(shard, "solution", drawn.solutions, seconds.get("solution", 0.0))
    if config.n_tests:
        shard = with_draws(shard, "test", drawn.tests, seconds.get("test", 0.0))
    return shard.evolve(
        solutions={t: kept_solutions(drawn.solutions[t]) for t in tasks},
        tests={t: kept_tests(drawn.tests[t]) if config.n_tests else TestSet(task_id=t, tests=()) for t in tasks},
        labels={t: drawn.labels[t] for t in tasks if t in drawn.labels},
        matrices={t: drawn.matrices[t] for t in tasks if t in drawn.matrices},
        times={**shard.times, **(_times(drawn) if done else {})},
    ).measured(done or Operations())


def _times(drawn: Drawn) -> dict[str, float]:
    seconds = {"wall": drawn.wall_s, "switch": drawn.switch_s, "gpu": drawn.gpu_s, "sandbox": drawn.sandbox_s}
    return {**seconds, "waves": float(drawn.waves)}
