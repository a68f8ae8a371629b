"""Sampling beside execution: everything arrives once, bounds hold, the first failure is the one that is raised."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from models.errors import BackendUnavailable, SandboxUnavailable
from models.extraction.extract import extract
from models.matrix import ExecutionContext, MatrixJob, PassMatrix
from models.ports import Generator
from models.run_record import Generation, GenerationRequest, Response
from models.types import CheckTruth, Limits, Problem, SolutionSet, Verdict
from tasks.execute_matrix import matrix_job
from tasks.generate_tests import kept_tests
from tasks.overlap import Drawn, Plan, overlap
from tasks.waves import Wanted, WavePlan
from tests.chat_server import default_text

PROBLEMS = {
    f"t/{i}": Problem(task_id=f"t/{i}", prompt="?", entry_point="f", style="function", ground_truth=CheckTruth(source="x"))
    for i in range(7)
}


def request(kind: Any, problem: Problem) -> GenerationRequest:
    return GenerationRequest(task_id=problem.task_id, kind=kind, prompt=problem.task_id, n=3, seed=0)


def plan(*, together: bool = True, ahead: int = 2, label: bool = True, tests: bool = True, waves: WavePlan | None = None) -> Plan:
    return Plan(
        problems=PROBLEMS,
        ask_solutions=lambda problem: request("solution", problem),
        ask_tests=(lambda problem, _solutions: request("test", problem)) if tests else None,
        cells_of=lambda problem, solutions, drawn: matrix_job(solutions, kept_tests(drawn), Limits(), problem),
        label_limits=Limits() if label else None,
        together=together,
        ahead=ahead,
        waves=waves or WavePlan(),
    )


def passing(job: MatrixJob) -> PassMatrix:
    shape = (len(job.solutions), len(job.tests))
    context = ExecutionContext(sandbox="process", image=None, version="1", timeout_s=1, memory_mib=64)
    asked = np.ones(shape, bool) if job.asked is None else job.asked
    return PassMatrix(
        task_id=job.task_id,
        verdicts=np.where(asked, Verdict.PASSED, Verdict.NOT_ASKED).astype(np.uint8),
        duration_ms=np.zeros(shape, np.float32),
        context=context,
        solution_digests=job.solution_digests,
        test_digests=tuple(t.digest for t in job.tests),
    )


class Model:
    """Draws whatever is asked; ``before(task)`` runs before each draw."""

    busy_s = 1.5

    def __init__(self, before: Callable[[str], None] = lambda _task: None) -> None:
        self.before = before
        self.open, self.opened, self.drawn = False, 0, 0

    def generate(self, requests: Iterable[GenerationRequest]) -> Iterator[Generation]:
        for asked in requests:
            self.before(asked.task_id)
            self.drawn += 1
            yield extract(asked, [Response(text=default_text("", k)) for k in range(asked.n)], "ast-2")

    @contextmanager
    def __call__(self) -> Iterator[Generator]:
        self.open = True
        self.opened += 1
        yield self  # type: ignore[misc]
        self.open = False


def execute(jobs: Iterable[MatrixJob]) -> Iterator[PassMatrix]:
    return (passing(job) for job in jobs)


def solutions_of(drawn: Drawn) -> dict[str, SolutionSet]:
    from tasks.sample_solutions import kept_solutions

    return {t: kept_solutions(g) for t, g in drawn.solutions.items()}


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("ahead", [1, 100])
def test_every_problem_is_drawn_labelled_and_run_once(together: bool, ahead: int) -> None:
    policy, generator = Model(), Model()
    drawn = overlap(plan(together=together, ahead=ahead), policy, generator, execute)
    assert set(drawn.solutions) == set(drawn.tests) == set(drawn.labels) == set(drawn.matrices) == set(PROBLEMS)
    assert policy.drawn == generator.drawn == len(PROBLEMS)
    assert all(drawn.matrices[t].solution_digests == s.digests for t, s in solutions_of(drawn).items())
    assert all(labels.correct == (True, True, True) for labels in drawn.labels.values())
    assert drawn.busy_s == {"solution": 1.5, "test": 1.5}


@pytest.mark.parametrize("waves", [1, 3])
@pytest.mark.parametrize(("label", "tests"), [(True, True), (False, True), (True, False)])
def test_progress_reaches_its_total_and_no_more(label: bool, tests: bool, waves: int) -> None:
    counted: list[int] = []
    wanted = plan(together=waves == 1, label=label, tests=tests, waves=WavePlan(waves))
    overlap(wanted, Model(), Model(), execute, counted.append)
    assert sum(counted) == wanted.steps == len(PROBLEMS) * (1 + label + 2 * tests)


@pytest.mark.parametrize("wanted", [2, 3, 7, 100, "auto"])
def test_turns_draw_what_one_turn_draws(wanted: Wanted) -> None:
    once, policy, generator = overlap(plan(together=False), Model(), Model(), execute), Model(), Model()
    drawn = overlap(plan(together=False, ahead=1, waves=WavePlan(wanted)), policy, generator, execute)
    for name in ("solutions", "tests", "labels"):
        assert getattr(drawn, name) == getattr(once, name)
    assert {t: m.verdicts.tolist() for t, m in drawn.matrices.items()} == {t: m.verdicts.tolist() for t, m in once.matrices.items()}
    assert policy.drawn == generator.drawn == len(PROBLEMS)
    assert policy.opened == generator.opened == drawn.waves
    if wanted != "auto":
        assert min(2, wanted) <= drawn.waves <= min(wanted, len(PROBLEMS))
    assert drawn.busy_s == {"solution": 1.5 * drawn.waves, "test": 1.5 * drawn.waves}
    assert drawn.wall_s > 0
    assert drawn.gpu_s == sum(drawn.busy_s.values())


@pytest.mark.parametrize(("error", "ended"), [(KeyboardInterrupt, True), (SandboxUnavailable, False)])
def test_an_interrupt_ends_what_the_models_are_at_and_a_failure_waits_for_it(error: type[BaseException], ended: bool) -> None:
    at_work, gone, failed = threading.Event(), threading.Event(), threading.Event()

    def draw(_task: str) -> None:
        if policy.drawn:  # the first goes to the sandbox, where the error is
            at_work.set()
            assert (gone if ended else failed).wait(20)

    def failing(_jobs: Iterable[MatrixJob]) -> Iterator[PassMatrix]:
        assert at_work.wait(20)
        failed.set()
        raise error("x")

    policy = Model(draw)
    with pytest.raises(error):
        overlap(plan(), policy, Model(), failing, abandon=gone.set)
    assert gone.is_set() == ended


def test_cells_run_while_the_policy_has_its_second_turn() -> None:
    ran = threading.Event()
    policy = Model()

    def wait_for_cells(_task: str) -> None:
        if policy.opened == 2:
            assert ran.wait(20)

    def running(jobs: Iterable[MatrixJob]) -> Iterator[PassMatrix]:
        for job in jobs:
            ran.set()
            yield passing(job)

    policy.before = wait_for_cells
    assert overlap(plan(together=False, label=False, waves=WavePlan(2)), policy, Model(), running).waves == 2


def test_models_on_one_gpu_are_never_open_at_one_time() -> None:
    seen: list[tuple[bool, bool]] = []
    policy, generator = Model(lambda _t: look()), Model(lambda _t: look())

    def look() -> None:
        seen.append((policy.open, generator.open))

    overlap(plan(together=False, waves=WavePlan(3)), policy, generator, execute)
    assert set(seen) == {(True, False), (False, True)}


def test_the_sandbox_works_while_the_model_still_draws() -> None:
    ran = threading.Event()

    def wait_for_cells(task: str) -> None:
        if task == "t/6":
            assert ran.wait(20)

    def running(jobs: Iterable[MatrixJob]) -> Iterator[PassMatrix]:
        for job in jobs:
            ran.set()
            yield passing(job)

    overlap(plan(), Model(wait_for_cells), Model(), running)


def test_a_model_that_is_ahead_waits_for_the_sandbox() -> None:
    policy, generator = Model(), Model()
    held: list[int] = []

    def slowly(jobs: Iterable[MatrixJob]) -> Iterator[PassMatrix]:
        for job in jobs:
            if not held:
                threading.Event().wait(0.5)  # time enough to run away
                held.append(generator.drawn)
            yield passing(job)

    overlap(plan(ahead=2, label=False), policy, generator, slowly)
    assert held[0] <= 2 + 1  # two wait for the sandbox, one is in the hand of the model's thread
    assert generator.drawn == len(PROBLEMS)


def test_without_tests_or_labels_nothing_is_asked_for_them() -> None:
    drawn = overlap(plan(tests=False, label=False), Model(), Model(), execute)
    assert set(drawn.solutions) == set(PROBLEMS)
    assert not drawn.tests
    assert not drawn.labels


@pytest.mark.parametrize("waves", [None, 1, 3])
@pytest.mark.parametrize("part", ["policy", "tests", "sandbox"])
def test_the_first_failure_stops_the_others_and_is_raised(part: str, waves: int | None) -> None:
    def fail(task: str) -> None:
        if task == "t/3":
            raise BackendUnavailable(f"the {part} model went away")

    def breaking(jobs: Iterable[MatrixJob]) -> Iterator[PassMatrix]:
        for job in jobs:
            if part == "sandbox" and job.task_id == "t/3":
                raise SandboxUnavailable("the sandbox went away")
            yield passing(job)

    models = [Model(fail if part == name else lambda _t: None) for name in ("policy", "tests")]
    expected = SandboxUnavailable if part == "sandbox" else BackendUnavailable
    with pytest.raises(expected, match="went away"):
        overlap(plan(together=waves is None, ahead=1, waves=WavePlan(waves or 1)), *models, breaking)
    assert not [t for t in threading.enumerate() if t.name.startswith("overlap")]
