"""Ground truth as cells: a problem's own tests become the columns of a job, and its verdicts become labels.

Decides which source a solution is judged as (after the problem's preamble), which columns ask the truth, and that a solution is
right when every column passed, wrong when one did not. Refuses to guess: where neither is known the label is None, and so where
the truth has no column left. Extra inputs take two jobs: the reference alone on every input, to drop those that it cannot
answer, then the candidates.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.errors import InputError
from models.input_truth import REFERENCE_LIMIT_S, InputPlan, input_plan, input_test
from models.matrix import MatrixJob, PassMatrix
from models.python_source import parsed
from models.types import (
    AssertsTruth,
    BoolMatrix,
    CheckTruth,
    InputsTruth,
    Labels,
    Limits,
    Problem,
    SolutionSet,
    StdinTruth,
    UnitTest,
    Verdict,
)

Execute = Callable[[Iterable[MatrixJob]], Iterator[PassMatrix]]
"""Runs jobs in order, one matrix a job: ``Executor.execute``, or the same with the store before it."""

_FUTURE = re.compile(r"^from __future__ import [^\n]*\n?", re.MULTILINE)


def complete_source(problem: Problem, source: str) -> str:
    """A solution as it runs: after its problem's preamble, unless it starts with it already. ``__future__`` imports stay first."""
    preamble = problem.preamble.rstrip("\n")
    if not preamble.strip() or f"{source}\n".startswith(f"{preamble}\n"):
        return source
    future = "".join(line if line.endswith("\n") else line + "\n" for line in _FUTURE.findall(source))
    return f"{future}{preamble}\n\n{_FUTURE.sub('', source) if future else source}"


def label_job(problem: Problem, solutions: SolutionSet, limits: Limits, plan: InputPlan | None = None) -> MatrixJob:
    """The truth's columns against all solutions. ``plan``: of the pre-check, for ground truth by inputs.

    The digests are those of the S file's sources. The problem's own limits win over ``limits``.
    Raises ValueError for ground truth by inputs without a plan.
    """
    return MatrixJob(
        task_id=problem.task_id,
        style=problem.style,
        entry_point=problem.entry_point,
        solutions=tuple(complete_source(problem, source) for source in solutions.solutions),
        solution_digests=solutions.digests,
        tests=truth_tests(problem, plan),
        limits=problem.limits or limits,
        checker=problem.ground_truth.checker if isinstance(problem.ground_truth, StdinTruth) else None,
    )


def truth_tests(problem: Problem, plan: InputPlan | None = None) -> tuple[UnitTest, ...]:
    """The columns: one ``check``, one an assert, one a stdin case, or the benchmark's ``check`` and one a group of inputs."""
    match problem.ground_truth:
        case CheckTruth(source=source):
            return (UnitTest(source=_with_helpers(problem, source)),)
        case AssertsTruth(asserts=asserts):
            return tuple(UnitTest(source=_with_helpers(problem, text)) for text in asserts)
        case StdinTruth(cases=cases):
            return tuple(UnitTest(stdin=case.stdin, stdout=case.stdout) for case in cases)
        case InputsTruth(check=check):
            if plan is None:
                raise ValueError(f"{problem.task_id}: ground truth by inputs needs the plan of its pre-check")
            own = () if check is None else (UnitTest(source=_with_helpers(problem, check)),)
            return (*own, *(input_test(problem, _reference(problem), group) for group in plan.groups))


def _with_helpers(problem: Problem, test: str) -> str:
    """The test after the preamble, where it uses a function of it (``poly`` of HumanEval/32): else a solution that defines the name
    anew would answer for both sides. A preamble with classes stays the solution's alone: its objects are of those.
    """
    given, tree = parsed(problem.preamble), parsed(test)
    if given is None or tree is None or any(isinstance(node, ast.ClassDef) for node in ast.walk(given)):
        return test
    helpers = {node.name for node in given.body if isinstance(node, ast.FunctionDef)} - {problem.entry_point}
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return f"{problem.preamble.rstrip()}\n\n\n{test}" if helpers & used else test


def precheck_job(problem: Problem, limits: Limits) -> MatrixJob:
    """The reference against itself, one column an input. A cell runs it twice, so it has twice the limit of one run."""
    reference = _reference(problem)
    solution = SolutionSet(task_id=problem.task_id, solutions=(reference,))
    truth = problem.ground_truth
    count = len(truth.inputs) if isinstance(truth, InputsTruth) else 0
    return MatrixJob(
        task_id=problem.task_id,
        style=problem.style,
        entry_point=problem.entry_point,
        solutions=(reference,),
        solution_digests=solution.digests,
        tests=tuple(input_test(problem, reference, (i,)) for i in range(count)),
        limits=Limits(timeout_s=2 * REFERENCE_LIMIT_S, memory_mib=(problem.limits or limits).memory_mib),
    )


def _reference(problem: Problem) -> str:
    if problem.reference is None:
        raise InputError(f"problem {problem.task_id!r}: field 'reference': ground truth by inputs needs a reference solution")
    return complete_source(problem, problem.reference)


def labels_from(problem: Problem, matrix: PassMatrix) -> Labels:
    """False where a cell of the row ran and did not pass, True where all passed; None where neither can be said.

    One failure is enough: a row may hold cells that were not asked after it. Without a column nothing can be said.
    Raises ValueError for the matrix of another problem.
    """
    if matrix.task_id != problem.task_id:
        raise ValueError(f"the matrix of {matrix.task_id!r} says nothing about {problem.task_id!r}")
    right = matrix.passes.all(axis=1) & (matrix.verdicts.shape[1] > 0)
    correct = tuple(bool(r) if r or w else None for r, w in zip(right, _failed(matrix), strict=True))
    return Labels(task_id=problem.task_id, correct=correct, solution_digests=matrix.solution_digests)


def _failed(matrix: PassMatrix) -> BoolMatrix:
    """(n,) bool: some cell of the row ran and did not pass."""
    ran = ~np.isin(matrix.verdicts, (Verdict.NOT_RUN, Verdict.NOT_ASKED))
    return np.asarray((ran & ~matrix.passes).any(axis=1))


@dataclass(frozen=True, eq=False)
class Judgement:
    """One problem's labels, how many of its inputs were dropped, and how many could not be pre-checked."""

    labels: Labels
    dropped_inputs: int = 0
    unknown_inputs: int = 0


STAGES = (1, 3)
"""Columns after which rows that have failed are left alone. A wrong program usually fails at once, and one that loops burns its
whole limit in every column; with stages it burns one, three at most."""


def judge(
    problems: Mapping[str, Problem],
    solution_sets: Sequence[SolutionSet],
    execute: Execute,
    limits: Limits,
    on_judged: Callable[[int], None] | None = None,
) -> Iterator[Judgement]:
    """Labels of every solution set, in order: pre-checks first, then the truth. Raises InputError for a task without a problem.

    ``on_judged`` counts solutions of which no more cells will run.
    """
    if foreign := [s.task_id for s in solution_sets if s.task_id not in problems]:
        raise InputError(f"solutions of task {foreign[0]!r} have no problem; expected a P line for each task of S")
    by_inputs = [problems[s.task_id] for s in solution_sets if problems[s.task_id].ground_truth.kind == "inputs"]
    plans = {m.task_id: input_plan(m) for m in execute(precheck_job(p, limits) for p in by_inputs)}
    sets = {s.task_id: s for s in solution_sets}
    known = {t: s for t, s in sets.items() if t not in plans or not plans[t].unknown}
    matrices = _in_stages([label_job(problems[t], s, limits, plans.get(t)) for t, s in known.items()], execute, on_judged)
    for task_id, solutions in sets.items():
        plan = plans.get(task_id, InputPlan((), 0, 0))
        if task_id in matrices:
            labels = labels_from(problems[task_id], matrices[task_id])
        else:
            none: tuple[None, ...] = (None,) * len(solutions.solutions)
            labels = Labels(task_id=task_id, correct=none, solution_digests=solutions.digests)
        yield Judgement(labels, plan.dropped, plan.unknown)


def _in_stages(
    jobs: Sequence[MatrixJob], execute: Execute, on_judged: Callable[[int], None] | None = None
) -> dict[str, PassMatrix]:
    """Columns up to each stage for the rows that have not failed before it; cells after a failure stay ``not_asked``."""
    done: dict[str, PassMatrix] = {}
    for start, stop in zip((0, *STAGES), (*STAGES, None), strict=True):
        staged = (replace(job, asked=_stage(job, done.get(job.task_id), start, stop)) for job in jobs)
        for matrix in execute([job for job in staged if start == 0 or (job.asked is not None and job.asked.any())]):
            earlier = done.get(matrix.task_id)
            done[matrix.task_id] = earlier.completed_by(matrix) if earlier else matrix
            if on_judged:
                on_judged(int((_failed(matrix) | matrix.asked[:, -1:].any(axis=1)).sum()))
    return done


def _stage(job: MatrixJob, done: PassMatrix | None, start: int, stop: int | None) -> BoolMatrix:
    asked = np.zeros((len(job.solutions), len(job.tests)), dtype=np.bool_)
    asked[:, start:stop] = True
    if done is not None:
        asked[_failed(done)] = False
    return asked
