"""Two sides on the same candidates and the same cells, taken from the store wherever they are known.

The candidates, and the labels, are those of A's run. A side asks the columns that its own run asked; where its run has other
candidates, every column that it asked of anyone. A cell (solution, test, limits) has one verdict for both sides: A's recorded one,
else B's, else the verdict cache's, else it is run now in the sandbox that A's run used. Recorded cells count only when both runs
were executed in the same sandbox and image; otherwise B's are asked again in A's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from db.store import SqlStore
from models.budget_allocate import token_costs
from models.comparison import Choice, Outcome, choice_of
from models.config import SandboxConfig
from models.errors import InputError
from models.matrix import MatrixJob, PassMatrix
from models.operations import CellCounts
from models.reward.registry import resolve
from models.reward.selector import view_of
from models.run_record import RunRecord
from models.types import BoolMatrix, Labels, TestSet, Verdict
from tasks.comparison_sides import Side, resolve_side
from tasks.execute_matrix import execute_jobs, matrix_job
from tasks.resources import open_database, open_executor
from tasks.settings import Settings, load_settings


@dataclass(eq=False)
class Comparison:
    """Both sides, one outcome a problem, and where the cells came from. Small: no matrix is kept."""

    a: Side
    b: Side
    outcomes: list[Outcome] = field(default_factory=list)
    cells: CellCounts = field(default_factory=CellCounts)
    left_out: list[str] = field(default_factory=list)
    """Tasks that only one side knows, or without a judged candidate."""


def compare_versions(a: str, b: str, benchmarks: Sequence[str] = (), settings: Settings | None = None) -> Comparison:
    """Compare two references on every benchmark that both were run on, or on those named.

    Raises InputError for an unknown reference or benchmark, UnavailableError when cells must run and their sandbox is not there.
    """
    settings = settings or load_settings()
    with open_database(settings) as store:
        done = Comparison(resolve_side(a, store, settings), resolve_side(b, store, settings))
        for name in shared_benchmarks(done.a, done.b, benchmarks):
            _compare_runs(done, done.a.runs[name], done.b.runs[name], store)
    return done


def shared_benchmarks(a: Side, b: Side, wanted: Sequence[str]) -> list[str]:
    """Benchmarks of both sides, in A's order. Raises InputError that says which side lacks which run."""
    for side in (a, b):
        for name in wanted:
            if name not in side.runs:
                raise InputError(
                    f"{side.label} has no run on benchmark {name!r} (it has {', '.join(side.runs)}): run it, register it"
                )
    shared = [name for name in a.runs if name in b.runs and (not wanted or name in wanted)]
    if not shared:
        raise InputError(
            f"{a.label} was run on {', '.join(a.runs)}, {b.label} on {', '.join(b.runs)}: no benchmark of both; "
            f"run one on the other's benchmark and register it"
        )
    return shared


def _compare_runs(done: Comparison, run_a: RunRecord, run_b: RunRecord, store: SqlStore) -> None:
    tasks = [t for t in run_a.matrices if t in run_b.matrices and _same_problem(run_a, run_b, t) and _labels(run_a, run_b, t)]
    done.left_out += [t for t in dict.fromkeys((*run_a.matrices, *run_b.matrices)) if t not in tasks]
    of_a = {t: run_a.matrices[t] for t in tasks}
    of_b = _matrices_of_b(done, run_a, run_b, tasks, store)
    done.cells.cells += sum(int(m.asked.sum()) for side in (of_a, of_b) for m in side.values())
    done.cells.reused = done.cells.cells - done.cells.executed
    for task in tasks:
        labels = _labels(run_a, run_b, task)
        assert labels is not None
        judged = [right for right in labels.correct if right is not None]
        choices = (_choice(done.a, run_a, run_a, of_a[task], labels), _choice(done.b, run_a, run_b, of_b[task], labels))
        done.outcomes.append(Outcome(task, run_a.benchmark, sum(judged) / len(judged), *choices))


def _same_problem(run_a: RunRecord, run_b: RunRecord, task: str) -> bool:
    return task in run_a.problems and task in run_b.problems and run_a.problems[task].digest == run_b.problems[task].digest


def _labels(run_a: RunRecord, run_b: RunRecord, task: str) -> Labels | None:
    """Labels of A's candidates, with a judged one among them; B's record serves where it has the same candidates."""
    for run in (run_a, run_b):
        labels = run.labels.get(task)
        if (
            labels
            and labels.solution_digests == run_a.matrices[task].solution_digests
            and any(c is not None for c in labels.correct)
        ):
            return labels
    return None


def _matrices_of_b(
    done: Comparison, run_a: RunRecord, run_b: RunRecord, tasks: Iterable[str], store: SqlStore
) -> dict[str, PassMatrix]:
    """B's columns on A's candidates, with A's verdict wherever A has one."""
    if run_a is run_b or run_a.run_id == run_b.run_id:
        return {t: run_a.matrices[t] for t in tasks}
    known: dict[str, PassMatrix] = {}
    jobs: list[MatrixJob] = []
    for task in tasks:
        start = _start(run_a, run_b, task)
        wanted = _asked(run_a, run_b, task)
        known[task] = _laid_over(start, run_a.matrices[task], wanted)
        missing = wanted & ~known[task].asked
        if missing.any():
            jobs.append(_job(done.b, run_a, run_b, task, missing))
    for matrix in _executed(done, run_a, jobs, store):
        known[matrix.task_id] = known[matrix.task_id].completed_by(matrix)
    return known


def _start(run_a: RunRecord, run_b: RunRecord, task: str) -> PassMatrix:
    """B's own record where it is of the same candidates and the same sandbox; else its columns, nothing asked yet."""
    mine, theirs = run_a.matrices[task], run_b.matrices[task]
    if theirs.solution_digests == mine.solution_digests and _place(theirs) == _place(mine):
        return theirs
    shape = (len(mine.solution_digests), len(theirs.test_digests))
    return PassMatrix(
        task_id=task,
        verdicts=np.full(shape, Verdict.NOT_ASKED, dtype=np.uint8),
        duration_ms=np.full(shape, np.nan, dtype=np.float32),
        context=mine.context.model_copy(update={"timeout_s": theirs.context.timeout_s, "memory_mib": theirs.context.memory_mib}),
        solution_digests=mine.solution_digests,
        test_digests=theirs.test_digests,
    )


def _place(matrix: PassMatrix) -> tuple[Any, ...]:
    return matrix.context.sandbox, matrix.context.image, matrix.context.version


def _asked(run_a: RunRecord, run_b: RunRecord, task: str) -> BoolMatrix:
    """(n of A, m of B) cells that B's budget wants of A's candidates."""
    theirs = run_b.matrices[task]
    if theirs.solution_digests == run_a.matrices[task].solution_digests:
        return theirs.asked
    return np.tile(theirs.asked.any(axis=0), (len(run_a.matrices[task].solution_digests), 1))


def _laid_over(start: PassMatrix, mine: PassMatrix, wanted: BoolMatrix) -> PassMatrix:
    """``start`` with A's verdicts where A ran the same test under the same limits. Digests of solutions are A's, row by row."""
    if (mine.context.timeout_s, mine.context.memory_mib) != (start.context.timeout_s, start.context.memory_mib):
        return start
    column = {digest: j for j, digest in enumerate(mine.test_digests)}
    verdicts, duration = start.verdicts.copy(), start.duration_ms.copy()
    for j, digest in enumerate(start.test_digests):
        if digest in column:
            source = column[digest]
            rows = wanted[:, j] & mine.asked[:, source]
            verdicts[rows, j], duration[rows, j] = mine.verdicts[rows, source], mine.duration_ms[rows, source]
    return replace(start, verdicts=verdicts, duration_ms=duration)


def _job(side: Side, run_a: RunRecord, run_b: RunRecord, task: str, asked: BoolMatrix) -> MatrixJob:
    return matrix_job(run_a.solutions[task], run_b.tests[task], side.version.limits, run_a.problems[task], asked)


def _executed(done: Comparison, run_a: RunRecord, jobs: Sequence[MatrixJob], store: SqlStore) -> Iterable[PassMatrix]:
    if not jobs:
        return
    runtime = next(iter(run_a.matrices.values())).context.sandbox
    config = SandboxConfig.model_validate({**run_a.config.get("sandbox", {}), "runtime": runtime, "limits": jobs[0].limits})
    counts = CellCounts()
    with open_executor(config) as executor:
        yield from execute_jobs(executor, jobs, store, counts=counts)
    done.cells.executed += counts.cells - counts.reused


def _choice(side: Side, run_a: RunRecord, run: RunRecord, matrix: PassMatrix, labels: Labels) -> Choice:
    """``run``: the side's own; sources are those of A's candidates."""
    (selector,) = resolve([side.version.selector])
    groups = selector.rank(view_of(matrix, sources=run_a.solutions[matrix.task_id].solutions))
    tests = len({matrix.test_digests[j] for j in np.flatnonzero(matrix.asked.any(axis=0))})
    seconds = float(np.nansum(matrix.duration_ms)) / 1000
    return choice_of(
        groups, labels.correct, tests, int(matrix.asked.sum()), seconds, tests * _tokens(run.tests.get(matrix.task_id))
    )


def _tokens(tests: TestSet | None) -> float:
    return token_costs({tests.task_id: tests})[tests.task_id] if tests and tests.tests else 0.0
