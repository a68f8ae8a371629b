"""Every test against every solution: jobs → matrices, taking known cells from the store and adding new ones to it.

A cell is known when the same complete source, the same test, the same entry point and the same context (image, sandbox version,
limits) were run before. It is not taken when its time came near the limit, since on another day it might fall on the other side.
What our own fault left unrun is never stored.
"""

from __future__ import annotations

import itertools
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from prefect import task

from models.budget import asked_columns
from models.config import RunConfig
from models.fingerprint import digest_json, digest_text
from models.labelling import complete_source
from models.matrix import ExecutionContext, MatrixJob, PassMatrix
from models.operations import CellCounts, Operations
from models.outputs import Outputs
from models.ports import CachedCell, Executor, VerdictCache
from models.reward.registry import bound_of
from models.reward.selector import VotesAndSize
from models.reward.winner import cells_to_ask
from models.types import BoolMatrix, Limits, Problem, SolutionSet, TestSet, Verdict
from tasks.caching import RETRY_INFRA_ONLY
from tasks.sandbox_stage import sandbox_stage
from tasks.shard import Shard
from tasks.structured_log import note, start_own_log

NEAR_LIMIT = 0.8
"""Share of the time limit above which a finished cell is run again: shared machines vary by some 20 %."""

WINNER_PROBLEMS = 64
"""Problems searched together: each round of one is short, and slots are kept busy by the others."""

KnownCells = Mapping[str, Mapping[str, CachedCell]]


def matrix_job(
    solutions: SolutionSet, tests: TestSet, limits: Limits, problem: Problem | None = None, asked: BoolMatrix | None = None
) -> MatrixJob:
    """One problem's job. Limits: the test set's, else the problem's, else ``limits``. Without ``problem`` sources stand alone."""
    stdin = problem.style == "stdin" if problem else any(t.source is None for t in tests.tests)
    return MatrixJob(
        task_id=solutions.task_id,
        style="stdin" if stdin else "function",
        entry_point=problem.entry_point if problem else None,
        solutions=tuple(complete_source(problem, s) if problem else s for s in solutions.solutions),
        solution_digests=solutions.digests,
        tests=tests.tests,
        limits=tests.limits or (problem.limits if problem else None) or limits,
        asked=asked,
        checker=problem.ground_truth.checker if problem and problem.ground_truth.kind == "stdin" else None,
    )


def context_key(context: ExecutionContext, job: MatrixJob) -> str:
    """What besides solution and test decides a verdict, as one digest."""
    return digest_json([context.model_dump(), job.style, job.entry_point, job.checker])


def execute_jobs(
    executor: Executor,
    jobs: Iterable[MatrixJob],
    cache: VerdictCache | None = None,
    on_cells: Callable[[int], None] | None = None,
    counts: CellCounts | None = None,
) -> Iterator[PassMatrix]:
    """Yield one matrix a job, in order, stored before it is yielded; unfinished ones are stored as they grow, once a second."""
    counts = counts or CellCounts()
    waiting: deque[tuple[MatrixJob, KnownCells, BoolMatrix]] = deque()

    def unknown_cells() -> Iterator[MatrixJob]:
        for job in jobs:
            wanted = _wanted(job)
            known = _lookup(executor, cache, job)
            have = _known_mask(job, known) & wanted
            counts.cells += int(wanted.sum())
            counts.reused += int(have.sum())
            if on_cells and have.any():
                on_cells(int(have.sum()))
            waiting.append((job, known, have))
            counts.executed += _distinct_cells(job, wanted & ~have)
            yield replace(job, asked=wanted & ~have)

    def remember(job: MatrixJob, rows: Sequence[int], matrix: PassMatrix) -> None:
        new = _new_rows([job.solutions[row] for row in rows], job, matrix)
        if cache is not None and new:
            cache.store(context_key(matrix.context, job), new)

    for matrix in executor.execute(unknown_cells(), on_cells, remember if cache is not None else None):
        job, known, have = waiting.popleft()
        counts.infra += int(np.count_nonzero(matrix.verdicts == Verdict.NOT_RUN))
        counts.timeouts += int(np.count_nonzero(matrix.verdicts == Verdict.TIMEOUT))
        remember(job, range(len(job.solutions)), matrix)
        yield _with_known(job, matrix, known, have)


def execute_winners(
    executor: Executor,
    jobs: Iterable[MatrixJob],
    selector: str,
    cache: VerdictCache | None = None,
    on_cells: Callable[[int], None] | None = None,
    counts: CellCounts | None = None,
) -> Iterator[PassMatrix]:
    """As ``execute_jobs``, without the cells that can no longer change the selector's first group: those are ``not_asked``.

    A job's columns with any asked cell take part, but for tests from the statement, which no such selector reads. ``on_cells`` also
    counts the cells that need not run, once that is certain. Raises InputError for a selector without a bound.
    """
    bound = bound_of(selector)
    stream = iter(jobs)
    while window := list(itertools.islice(stream, WINNER_PROBLEMS)):
        known = [_nothing_asked(executor, job) for job in window]
        asks = [_cells_to_ask(bound, job, matrix) for job, matrix in zip(window, known, strict=True)]
        while any(ask.any() for ask in asks):
            places = [place for place, ask in enumerate(asks) if ask.any()]
            found = execute_jobs(executor, [replace(window[p], asked=asks[p]) for p in places], cache, on_cells, counts)
            for place, matrix in zip(places, found, strict=True):
                known[place] = known[place].completed_by(matrix)
                asks[place] = _cells_to_ask(bound, window[place], known[place])
        for job, matrix in zip(window, known, strict=True):
            if on_cells:
                on_cells(int((_wanted(job) & ~matrix.asked).sum()))
            yield replace(matrix, only_winner=selector)


def known_matrix(executor: Executor, cache: VerdictCache, job: MatrixJob) -> PassMatrix:
    """What the store knows of a job; nothing is run, and unknown cells are ``not_asked``."""
    known = _lookup(executor, cache, job)
    return _with_known(job, _nothing_asked(executor, job), known, _known_mask(job, known))


def _wanted(job: MatrixJob) -> BoolMatrix:
    return np.ones((len(job.solutions), len(job.tests)), dtype=bool) if job.asked is None else job.asked


def _nothing_asked(executor: Executor, job: MatrixJob) -> PassMatrix:
    shape = (len(job.solutions), len(job.tests))
    verdicts, durations = np.full(shape, Verdict.NOT_ASKED, np.uint8), np.full(shape, np.nan, np.float32)
    digests = (job.solution_digests, tuple(t.digest for t in job.tests))
    return PassMatrix(job.task_id, verdicts, durations, executor.context(job.limits), *digests)


def _cells_to_ask(bound: VotesAndSize, job: MatrixJob, matrix: PassMatrix) -> BoolMatrix:
    generated = np.array([test.origin != "statement" for test in job.tests], dtype=np.bool_)
    return cells_to_ask(bound, matrix.verdicts, job.solutions, matrix.test_digests, _wanted(job).any(axis=0) & generated)


def _distinct_cells(job: MatrixJob, asked: BoolMatrix) -> int:
    """Identical sources run once: how many different (solution, test) pairs are among the asked cells."""
    rows, columns = (np.unique(d, return_inverse=True)[1] for d in (job.solutions or ("",), _digests(job)[1] or ("",)))
    i, j = np.nonzero(asked)
    return len(np.unique(rows[i].astype(np.int64) * (columns.max() + 1) + columns[j]))


def _digests(job: MatrixJob) -> tuple[list[str], list[str]]:
    return [digest_text(s) for s in job.solutions], [t.digest for t in job.tests]


def _lookup(executor: Executor, cache: VerdictCache | None, job: MatrixJob) -> KnownCells:
    if cache is None:
        return {}
    return cache.lookup(context_key(executor.context(job.limits), job), sorted(set(_digests(job)[0])))


def _known_mask(job: MatrixJob, known: KnownCells) -> BoolMatrix:
    if not known:
        return np.zeros((len(job.solutions), len(job.tests)), dtype=bool)
    rows, columns = _digests(job)
    return np.array([[t in known.get(s, {}) for t in columns] for s in rows], dtype=bool).reshape(len(rows), len(columns))


def _with_known(job: MatrixJob, matrix: PassMatrix, known: KnownCells, have: BoolMatrix) -> PassMatrix:
    """The executed matrix with the known cells laid over it."""
    if not have.any():
        return matrix
    rows, columns = _digests(job)
    verdicts, duration, flags = matrix.verdicts.copy(), matrix.duration_ms.copy(), dict(matrix.flags)
    outputs: dict[tuple[int, int], str] = {}
    texts: dict[str, str] = {}
    for i, j in np.argwhere(have).tolist():
        cell = known[rows[i]][columns[j]]
        verdicts[i, j], duration[i, j] = cell.verdict, cell.duration_ms
        if cell.flags:
            flags[i, j] = cell.flags
        if cell.output is not None:
            outputs[i, j] = cell.output
        if cell.output is not None and cell.text is not None:
            texts[cell.output] = cell.text
    table = Outputs.of(outputs, verdicts.shape)
    reused = Outputs(table.codes, table.digests, texts)
    return replace(matrix, verdicts=verdicts, duration_ms=duration, flags=flags, outputs=reused.where(have, matrix.output_table))


def _new_rows(solutions: Sequence[str], job: MatrixJob, matrix: PassMatrix) -> dict[str, dict[str, CachedCell]]:
    """Cells worth remembering: run, and not so near their limit that another day might judge them differently."""
    rows, columns = [digest_text(s) for s in solutions], matrix.test_digests
    ran = ~np.isin(matrix.verdicts, (Verdict.NOT_ASKED, Verdict.NOT_RUN))
    near = (matrix.duration_ms >= NEAR_LIMIT * 1000 * job.limits.timeout_s) & (matrix.verdicts != Verdict.TIMEOUT)
    new: dict[str, dict[str, CachedCell]] = {}
    for i, j in np.argwhere(ran & ~near).tolist():
        flags = tuple(matrix.flags.get((i, j), ()))
        output = matrix.outputs.get((i, j))
        text = None if output is None else matrix.output_table.texts.get(output)
        cell = CachedCell(int(matrix.verdicts[i, j]), float(matrix.duration_ms[i, j]), flags, output, text)
        new.setdefault(rows[i], {})[columns[j]] = cell
    return new


@task(name="execute-matrix", task_run_name="execute-{shard.index}", **RETRY_INFRA_ONLY)
def execute_matrix(config: RunConfig, shard: Shard, tests_asked: Mapping[str, int] | None = None) -> Shard:
    """Fill the shard's matrices. ``tests_asked``: task id → how many of its first distinct tests; None: all. Earlier cells stay."""
    open_tasks = [t for t in shard.problems if t not in shard.matrices or not shard.matrices[t].asked.all()]
    if not open_tasks:
        return shard
    jobs = [_shard_job(config, shard, t, None if tests_asked is None else tests_asked[t]) for t in open_tasks]
    total = sum(int(job.asked.sum()) if job.asked is not None else len(job.solutions) * len(job.tests) for job in jobs)
    earlier, winner = shard.matrices, config.budget.only_winner
    with sandbox_stage(config.sandbox, "execute", f"execute shard {shard.index}", total) as stage:
        if winner is None:
            done = execute_jobs(stage.executor, jobs, stage.cache, stage.advance, stage.counts)
        else:
            done = execute_winners(stage.executor, jobs, winner, stage.cache, stage.advance, stage.counts)
        run = {m.task_id: earlier[m.task_id].completed_by(m) if m.task_id in earlier else m for m in done}
    start_own_log()
    _note_execution(shard.index, stage.operations, run.values())
    return shard.evolve(matrices={t: run.get(t) or earlier[t] for t in shard.problems}).measured(stage.operations)


def _note_execution(shard: int, done: Operations, matrices: Iterable[PassMatrix]) -> None:
    """Throughput and shares of one shard; cells that could not be run are a warning, since they are our fault."""
    found = Counter({Verdict.NOT_RUN: 0, Verdict.TIMEOUT: 0, Verdict.TAMPERED: 0})
    for matrix in matrices:
        found.update({v: int(np.count_nonzero(matrix.verdicts == v)) for v in found})
    level = logging.WARNING if found[Verdict.NOT_RUN] else logging.INFO
    seconds, shares = done.seconds("execute"), {verdict.label: count for verdict, count in found.items()}
    cells = done.counts
    counts = {"cells": cells.cells, "reused": cells.reused, "executed": cells.executed, "seconds": round(seconds, 2)}
    broken = {"retries": done.retries, "slots_lost": done.slots_lost}
    speed = {"cells_per_s": round(cells.cells / max(seconds, 1e-3), 1)}
    note("shard executed", level=level, shard=shard, **counts, **speed, **shares, **broken)


def _shard_job(config: RunConfig, shard: Shard, task_id: str, count: int | None) -> MatrixJob:
    problem, solutions, tests = shard.problems[task_id], shard.solutions[task_id], shard.tests[task_id]
    columns = np.ones(len(tests.tests), dtype=bool) if count is None else asked_columns(tests.digests, count)
    asked = np.tile(columns, (len(solutions.solutions), 1))
    if task_id in shard.matrices:
        asked &= ~shard.matrices[task_id].asked
    return matrix_job(solutions, tests, config.sandbox.limits, problem, asked)
