"""Ground truth as cells: a problem's own tests become the columns of a job, and its verdicts become labels.

Decides which source a solution is judged as (after the problem's preamble), which columns ask the truth, and that a solution is
right when every column passed. Refuses to guess: a cell that did not run makes the label None, and so does a truth with no column
left. Extra inputs take two jobs: the reference alone on every input, to drop those that it cannot answer, then the candidates.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.errors import InputError
from models.input_truth import REFERENCE_LIMIT_S, InputPlan, input_plan, input_test
from models.types import (  # fmt: skip
    AssertsTruth,
    BoolMatrix,
    CheckTruth,
    InputsTruth,
    Labels,
    Limits,
    MatrixJob,
    PassMatrix,
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
            return (UnitTest(source=source),)
        case AssertsTruth(asserts=asserts):
            return tuple(UnitTest(source=text) for text in asserts)
        case StdinTruth(cases=cases):
            return tuple(UnitTest(stdin=case.stdin, stdout=case.stdout) for case in cases)
        case InputsTruth(check=check):
            if plan is None:
                raise ValueError(f"{problem.task_id}: ground truth by inputs needs the plan of its pre-check")
            own = () if check is None else (UnitTest(source=check),)
            return (*own, *(input_test(problem, _reference(problem), group) for group in plan.groups))


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
    """True where every cell of the row passed; None where one was not run or not asked, or there is no column.

    Raises ValueError for the matrix of another problem.
    """
    if matrix.task_id != problem.task_id:
        raise ValueError(f"the matrix of {matrix.task_id!r} says nothing about {problem.task_id!r}")
    unknown = np.isin(matrix.verdicts, (Verdict.NOT_RUN, Verdict.NOT_ASKED))
    judged: BoolMatrix = ~unknown.any(axis=1) & (matrix.verdicts.shape[1] > 0)
    correct = tuple(bool(row.all()) if known else None for row, known in zip(matrix.passes, judged, strict=True))
    return Labels(task_id=problem.task_id, correct=correct, solution_digests=matrix.solution_digests)


@dataclass(frozen=True, eq=False)
class Judgement:
    """One problem's labels, how many of its inputs were dropped, and how many could not be pre-checked."""

    labels: Labels
    dropped_inputs: int = 0
    unknown_inputs: int = 0


def judge(
    problems: Mapping[str, Problem], solution_sets: Sequence[SolutionSet], execute: Execute, limits: Limits
) -> Iterator[Judgement]:
    """Labels of every solution set, in order: pre-checks first, then the truth. Raises InputError for a task without a problem."""
    if foreign := [s.task_id for s in solution_sets if s.task_id not in problems]:
        raise InputError(f"solutions of task {foreign[0]!r} have no problem; expected a P line for each task of S")
    by_inputs = [problems[s.task_id] for s in solution_sets if problems[s.task_id].ground_truth.kind == "inputs"]
    plans = {m.task_id: input_plan(m) for m in execute(precheck_job(p, limits) for p in by_inputs)}
    unknown = {task_id for task_id, plan in plans.items() if plan.unknown}
    sets = {s.task_id: s for s in solution_sets}
    jobs = (label_job(problems[t], s, limits, plans.get(t)) for t, s in sets.items() if t not in unknown)
    matrices = iter(execute(jobs))
    for task_id, solutions in sets.items():
        plan = plans.get(task_id, InputPlan((), 0, 0))
        if task_id in unknown:
            none: tuple[None, ...] = (None,) * len(solutions.solutions)
            labels = Labels(task_id=task_id, correct=none, solution_digests=solutions.digests)
        else:
            labels = labels_from(problems[task_id], next(matrices))
        yield Judgement(labels, plan.dropped, plan.unknown)
