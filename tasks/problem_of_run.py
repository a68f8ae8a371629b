"""One problem of a run, finished or only begun, with what stands behind a cell of it: samples, cells, and who is asked for more.

A run that a gate stopped is no record in SQL; it is a begun run, whose configuration is there, and whose samples and cells are in
the store by content. From these the same sets and the same matrix are put together again, without asking any model and without
running any cell. Refuses to guess: answers that are no longer stored are said to be gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from db.store import SqlStore
from models.backend_config import BackendConfig, ReplayConfig
from models.backends.identity import draw_key
from models.config import RunConfig
from models.errors import InputError
from models.extraction.extract import extract
from models.matrix import PassMatrix
from models.ports import Executor
from models.run_record import Generation, RunRecord
from models.statement_examples import statement_tests, with_examples
from models.types import Problem, SolutionSet, TestSet
from tasks.execute_matrix import known_matrix, matrix_job
from tasks.generate_tests import kept_tests, unit_test_request
from tasks.load_problems import load_problems
from tasks.read_config import first_error
from tasks.resources import open_generator
from tasks.sample_solutions import kept_solutions, solution_request

Kind = Literal["solution", "test"]


@dataclass(frozen=True, eq=False)
class ProblemOfRun:
    """``stored``: the configuration as it was stored; ``record``: the run, where it is finished."""

    run_id: str
    stored: Mapping[str, Any]
    problem: Problem
    record: RunRecord | None

    @property
    def config(self) -> RunConfig:
        """Raises InputError for one that this version does not take any more."""
        return _config(self.run_id, self.stored)

    def backend(self, kind: Kind) -> BackendConfig:
        """Who gave the samples of a kind."""
        return self.config.policy if kind == "solution" else self.config.tests


def find_problem(prefix: str, task_id: str, store: SqlStore) -> ProblemOfRun:
    """Raises InputError for a run that is neither finished nor begun, or a task that it does not have."""
    try:
        run_id = store.find_run(prefix)
    except InputError as unknown:
        try:
            run_id, begun = store.started_run(prefix)
        except InputError:
            raise unknown from None
        benchmark = _config(run_id, begun).benchmark
        return ProblemOfRun(run_id, begun, _named(load_problems(benchmark.problems, benchmark.limit), task_id, run_id), None)
    record = store.load_run(run_id)
    return ProblemOfRun(run_id, record.config, _named(record.problems, task_id, run_id), record)


def _config(run_id: str, stored: Mapping[str, Any]) -> RunConfig:
    try:
        return RunConfig.model_validate(stored)
    except ValidationError as error:
        raise InputError(f"run {run_id}: its configuration is of another version of coderm: {first_error(error)}") from None


def _named(problems: Mapping[str, Problem], task_id: str, run_id: str) -> Problem:
    if task_id not in problems:
        raise InputError(f"run {run_id}: no task {task_id!r}; its first is {next(iter(problems), None)!r}")
    return problems[task_id]


def draws_of(found: ProblemOfRun, kind: Kind, store: SqlStore) -> Generation:
    """What was drawn, and what became of it: from the recording, or the stored answers of a live model.

    Raises InputError where they are gone.
    """
    config, problem = found.config, found.problem
    backend = found.backend(kind)
    if kind == "solution":
        request = solution_request(config, problem)
    else:
        request = unit_test_request(config, problem, kept_solutions(draws_of(found, "solution", store)))
    if isinstance(backend, ReplayConfig):
        with open_generator(backend) as recording:
            return next(iter(recording.generate([request])))
    key = draw_key(open_generator(backend).identity, request.prompt_digest, request.seed)
    series = store.lookup_responses([key]).get(key, ())
    if not series:
        raise InputError(
            f"run {found.run_id}, task {problem.task_id}: no answer of {backend.model} is stored for it; "
            "it was never asked, its prompt was too long, or `coderm db prune` took what nobody used"
        )
    return extract(request, series[: request.n], backend.extraction)


def sets_of(found: ProblemOfRun, store: SqlStore) -> tuple[SolutionSet, TestSet]:
    """Rows and columns of the problem's matrix. Raises InputError."""
    task = found.problem.task_id
    if found.record is not None:
        if task not in found.record.solutions or task not in found.record.tests:
            raise InputError(f"run {found.run_id}, task {task}: has no solutions and tests")
        return found.record.solutions[task], found.record.tests[task]
    solutions = kept_solutions(draws_of(found, "solution", store))
    tests = kept_tests(draws_of(found, "test", store)) if found.config.n_tests else TestSet(task_id=task, tests=())
    if found.config.statement_examples:
        tests = with_examples(statement_tests(found.problem), tests)
    return solutions, tests


def cells_of(found: ProblemOfRun, solutions: SolutionSet, tests: TestSet, store: SqlStore, executor: Executor | None) -> PassMatrix:
    """The run's matrix, or what is known of a begun one; unknown cells are ``not_asked``.

    ``executor``: says where a begun run's cells run; it runs none. Raises InputError where a finished run has no matrix.
    """
    task = found.problem.task_id
    if found.record is not None:
        if task not in found.record.matrices:
            raise InputError(f"run {found.run_id}, task {task}: has no matrix")
        return found.record.matrices[task]
    assert executor is not None
    return known_matrix(executor, store, matrix_job(solutions, tests, found.config.sandbox.limits, found.problem))
