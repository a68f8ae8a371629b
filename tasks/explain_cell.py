"""One cell explained: what stood against what, under which limits, what came out then and what comes out now.

The run may be finished, or begun and stopped, as by a gate (tasks/problem_of_run.py): then "recorded" is what the store knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

import numpy as np

from models.errors import InputError
from models.matrix import PassMatrix
from models.ports import Executor
from models.types import Verdict
from tasks.execute_matrix import execute_jobs, matrix_job
from tasks.problem_of_run import ProblemOfRun, cells_of, find_problem, sets_of
from tasks.resources import open_database, open_executor


def explain_cell(run_id: str, task_id: str, row: int, column: int, *, rerun: bool) -> Iterator[tuple[str, str]]:
    """Yield (title, text) sections. Raises InputError for a run, task, row or column that is not there."""
    with open_database() as store:
        found = find_problem(run_id, task_id, store)
        solutions, tests = sets_of(found, store)
        for name, index, size in (("row I", row, len(solutions.solutions)), ("column J", column, len(tests.tests))):
            if index >= size:
                raise InputError(f"run {found.run_id}, task {task_id}: {name} is {index}; expected 0 to {size - 1}")
        if found.record is None:
            yield f"run {found.run_id}", "begun and not finished: `coderm runs resume` goes on with it"
        test = tests.tests[column]
        yield f"solution {row} of {task_id} ({solutions.digests[row]})", solutions.solutions[row]
        yield f"test {column} ({test.digest}, {test.origin})", test.source or f"stdin:\n{test.stdin}\nstdout:\n{test.stdout}"
        with _executor(found) if rerun or found.record is None else nullcontext() as executor:
            matrix = cells_of(found, solutions, tests, store, executor)
            yield "where", "\n".join(f"{k}: {v}" for k, v in matrix.context.model_dump().items())
            yield "recorded", _verdict(matrix, row, column)
            if executor is not None and rerun:
                asked = np.zeros(matrix.verdicts.shape, dtype=bool)
                asked[row, column] = True
                job = matrix_job(solutions, tests, found.config.sandbox.limits, found.problem, asked)
                yield "rerun", _verdict(next(iter(execute_jobs(executor, [job]))), row, column)


def _executor(found: ProblemOfRun) -> AbstractContextManager[Executor]:
    """One slot of the runtime that the run used."""
    matrix = found.record.matrices.get(found.problem.task_id) if found.record else None
    runtime = matrix.context.sandbox if matrix else found.config.sandbox.runtime
    return open_executor(found.config.sandbox.model_copy(update={"runtime": runtime, "workers": 1}))


def _verdict(matrix: PassMatrix, row: int, column: int) -> str:
    flags = ", ".join(matrix.flags.get((row, column), ())) or "none"
    label = Verdict(int(matrix.verdicts[row, column])).label
    output = matrix.output_table.text((row, column)) or matrix.outputs.get((row, column)) or "none"
    return f"verdict: {label}\nduration_ms: {matrix.duration_ms[row, column]:.1f}\nflags: {flags}\noutput: {output}"
