"""Where the budget goes and what comes back: allocate and execute, in one go or in rounds that look at what they got.

``all`` and ``equal`` know their tests beforehand. ``greedy`` asks one test of everybody first (its probe, paid from the budget),
then allocates. The others decide after each round from the cells that they have seen; their course is in models.budget_rounds, this
module gives it a sandbox and the store of known cells, opened once for all rounds. A round asks for cells of many problems, so one
task runs them all: the budget belongs to the benchmark and not to a shard.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from prefect import task

from models.budget import equal_counts
from models.budget_replay import scoring_selector
from models.budget_rounds import Cells, Course, Known, Shape, Trail, adaptive_course, drive, stopping_course
from models.config import RunConfig
from models.errors import InputError
from models.matrix import PassMatrix
from models.run_record import Allocation, RunRecord
from models.stopping import RULES
from tasks.allocate_budget import allocate_budget, probe_counts
from tasks.caching import RETRY_INFRA_ONLY
from tasks.execute_matrix import execute_jobs, execute_matrix, matrix_job
from tasks.sandbox_stage import sandbox_stage
from tasks.shard import Shard, joined
from tasks.shard_runner import InTurn
from tasks.slots import SANDBOX, slot

IN_ROUNDS = {"adaptive": "cells seen so far: scouts first", **dict.fromkeys(RULES, "cells seen so far: the rule of that name")}
"""policy → what it decides from."""


def spend_budget(config: RunConfig, shards: Sequence[Shard], on_shards: InTurn) -> tuple[list[Shard], Allocation]:
    """Every cell that the policy wants, executed; and who got how many tests, and why. Raises InputError for bad bounds."""
    whole = joined(shards)
    if config.budget.policy in IN_ROUNDS:
        with slot(SANDBOX):
            done, allocation = execute_rounds(config, whole)
        parts = [shard.evolve(matrices={t: done.matrices[t] for t in shard.problems}) for shard in shards]
        return [*(part.measured(done.operations) for part in parts[:1]), *parts[1:]], allocation
    probe = probe_counts(config, whole)
    if probe is not None:
        shards = on_shards.each(execute_matrix, config, shards, tests_asked=probe)
    allocation = allocate_budget(config, joined(shards))
    if config.budget.policy != "all":
        on_shards.ahead(shards, allocation.tests)
    return on_shards.each(execute_matrix, config, shards, tests_asked=allocation.tests), allocation


@task(name="execute-rounds", **RETRY_INFRA_ONLY)
def execute_rounds(config: RunConfig, whole: Shard) -> tuple[Shard, Allocation]:
    """Drive the policy's course; known cells are taken from the store. ``tests`` of the allocation: those that ran on everybody.

    The shard that comes back carries what these rounds measured, and not what was measured before them.
    """
    matrices: dict[str, PassMatrix] = {}
    shapes = {t: Shape(len(s.solutions), whole.tests[t].digests) for t, s in whole.solutions.items()}
    total = round(config.budget.mean_tests * len(shapes))
    with sandbox_stage(config.sandbox, "execute", "execute in rounds", total * config.n_solutions) as stage:

        def execute(wanted: Cells) -> Known:
            """Ask the sandbox, and lay the answer over what is there."""
            jobs = [
                matrix_job(whole.solutions[t], whole.tests[t], config.sandbox.limits, whole.problems[t], cells)
                for t, cells in wanted.items()
            ]
            for matrix in execute_jobs(stage.executor, jobs, stage.cache, stage.advance, stage.counts):
                before = matrices.get(matrix.task_id)
                matrices[matrix.task_id] = before.completed_by(matrix) if before else matrix
            return {t: matrices[t] for t in wanted}

        trail = drive(_course(config, shapes, total), execute)
        execute({t: _nothing(shape) for t, shape in shapes.items() if t not in matrices})
    ordered = {t: matrices[t] for t in whole.problems}
    done = whole.evolve(matrices=ordered, operations=stage.operations)
    return done, _allocation(config, shapes, ordered, trail)


def _course(config: RunConfig, shapes: dict[str, Shape], total: int) -> Course:
    if config.budget.policy == "adaptive":
        return adaptive_course(shapes, total, config.seed)
    caps = np.array([len(shape.units) for shape in shapes.values()], dtype=np.int64)
    shares = dict(zip(shapes, equal_counts(caps, total).tolist(), strict=True))
    return stopping_course(shapes, shares, scoring_selector("auto"), RULES[config.budget.policy])


def _nothing(shape: Shape) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    return np.zeros((shape.solutions, len(shape.digests)), dtype=np.bool_)


def _allocation(config: RunConfig, shapes: dict[str, Shape], matrices: dict[str, PassMatrix], trail: Trail) -> Allocation:
    tests = {t: sum(bool(matrices[t].asked[:, unit].all()) for unit in shape.units) for t, shape in shapes.items()}
    return Allocation(config.budget.policy, tests, {}, IN_ROUNDS[config.budget.policy], trail)


def trail_of(run: RunRecord, task_id: str) -> list[dict[str, Any]]:
    """Every decision of the run's budget on one problem, in order. Raises InputError where there is none."""
    if task_id not in run.problems:
        raise InputError(f"run {run.run_id}: no task {task_id!r}; expected one of its {len(run.problems)} problems")
    allocation = run.allocation
    if allocation is None or not allocation.trail:
        policy = allocation.policy if allocation else "none"
        raise InputError(f"run {run.run_id}: policy {policy} decides beforehand; expected one of {', '.join(IN_ROUNDS)}")
    return [dict(step) for step in allocation.trail.get(task_id, [])]
