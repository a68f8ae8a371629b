"""Turns of two models over a memory of draws: a run that broke off in a later wave, resumed, and one that has everything."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path
from typing import Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.backend_config import VllmConfig
from models.backends.engine_pool import EnginePool
from models.backends.stored import StoredGenerator
from models.errors import BackendUnavailable
from models.extraction.extract import extract
from models.ports import Generator
from models.run_record import Generation, GenerationRequest, Response
from models.types import CheckTruth, Limits, Problem, SolutionSet
from tasks.execute_matrix import matrix_job
from tasks.generate_tests import kept_tests
from tasks.overlap import Drawn, Plan, overlap
from tasks.shared_sandbox import SharedSandbox
from tasks.waves import SLEEP_SHARE, Switches, WavePlan, Waves
from tests.unit.test_overlap import execute
from tests.unit.test_stored_draws import Drawing, Memory

PROBLEMS = {
    f"t/{i}": Problem(task_id=f"t/{i}", prompt=f"p{i}", entry_point="f", style="function", ground_truth=CheckTruth(source="x"))
    for i in range(12)
}


class Breaking(Drawing):
    """Goes away when it has drawn for ``healthy`` problems."""

    def __init__(self, healthy: int, temperature: float) -> None:
        super().__init__(temperature)
        self.healthy = healthy

    def generate(self, requests: Iterable[GenerationRequest]) -> Iterator[Generation]:
        for generation in super().generate(requests):
            if len(self.asked) > self.healthy:
                raise BackendUnavailable("the model went away")
            yield generation


def asked(kind: str, problem: Problem, _solutions: SolutionSet | None = None) -> GenerationRequest:
    return GenerationRequest(task_id=problem.task_id, kind=kind, prompt=problem.prompt, n=3, seed=0)  # type: ignore[arg-type]


def run(memory: Memory, policy: Drawing, generator: Drawing, waves: WavePlan, *, together: bool = False, ahead: int = 2) -> Drawn:
    def stored(model: Drawing, kind: str) -> Callable[[], AbstractContextManager[Generator]]:
        return lambda: StoredGenerator(model, memory, "ast-2", partial(waves.switches.record, kind))

    plan = Plan(
        problems=PROBLEMS,
        ask_solutions=partial(asked, "solution"),
        ask_tests=partial(asked, "test"),
        cells_of=lambda problem, solutions, drawn: matrix_job(solutions, kept_tests(drawn), Limits(), problem),
        label_limits=None,
        together=together,
        ahead=ahead,
        waves=waves,
    )
    return overlap(plan, stored(policy, "solution"), stored(generator, "test"), execute)


def texts(drawn: Mapping[str, Generation]) -> dict[str, list[str]]:
    return {task: [sample.text for sample in drawn[task].samples] for task in PROBLEMS}


def test_a_run_that_broke_off_in_its_second_wave_asks_only_for_what_is_missing() -> None:
    memory, whole = Memory(), run(Memory(), Drawing(), Drawing(1.0), WavePlan())
    first = Breaking(7, 0.8), Breaking(99, 1.0)
    with pytest.raises(BackendUnavailable, match="went away"):
        run(memory, *first, WavePlan(3))
    assert [len(model.asked) for model in first] == [8, 4]
    assert first[0].opened == 2
    policy, generator, plan = Drawing(), Drawing(1.0), WavePlan(3)
    drawn = run(memory, policy, generator, plan)
    assert len(policy.asked) == 12 - 7
    assert len(generator.asked) == 12 - 4
    assert policy.opened == 2  # the first wave is known
    assert len(plan.switches.spans["solution"]) == 2
    assert texts(drawn.solutions) == texts(whole.solutions)
    assert texts(drawn.tests) == texts(whole.tests)
    assert set(drawn.matrices) == set(PROBLEMS)


@pytest.mark.parametrize("known", [0, 1, 2, 5, 11])
@pytest.mark.parametrize("together", [True, False])
def test_a_run_that_knows_some_problems_is_finished_with_any_plan(known: int, together: bool) -> None:
    memory = Memory()
    with StoredGenerator(Drawing(), memory, "ast-2") as stored:
        list(stored.generate([asked("solution", problem) for problem in list(PROBLEMS.values())[:known]]))
    policy, generator = Drawing(), Drawing(1.0)
    drawn = run(memory, policy, generator, WavePlan("auto"), together=together)
    assert len(policy.asked) == 12 - known
    assert set(drawn.matrices) == set(PROBLEMS)
    assert bool(drawn.waves) is not together


@pytest.mark.parametrize("wanted", ["auto", 1, 3])
def test_with_everything_known_no_model_is_opened(wanted: int) -> None:
    memory = Memory()
    run(memory, Drawing(), Drawing(1.0), WavePlan())
    policy, generator = Drawing(), Drawing(1.0)
    drawn = run(memory, policy, generator, WavePlan(wanted))
    assert policy.opened == generator.opened == 0
    assert drawn.switch_s == 0
    assert set(drawn.matrices) == set(PROBLEMS)


@given(st.integers(1, 40), st.one_of(st.just("auto"), st.integers(1, 9)), st.floats(0, 3), st.floats(0, 3), st.floats(0, 9))
def test_waves_hold_every_problem_once_whatever_is_measured(
    count: int, wanted: int, sample_s: float, test_s: float, cells_s: float
) -> None:
    problems = [
        Problem(task_id=str(i), prompt="?", entry_point="f", style="function", ground_truth=CheckTruth(source="x"))
        for i in range(count)
    ]
    sandbox = SharedSandbox(execute, None)  # type: ignore[arg-type]
    waves, seen = Waves(problems, WavePlan(wanted, switches=Switches(spans={"solution": [(0.0, 1.0)]})), sandbox), list[str]()
    while waves.more:
        wave: list[str] = []
        for problem in waves.next_wave():
            wave.append(problem.task_id)
            waves.note("solution", drawn_for(problem), len(wave) * sample_s)
        assert wave
        for at, task in enumerate(wave, 1):
            waves.note("test", drawn_for(problems[int(task)]), at * test_s)
        sandbox.tallies["tests"].done += len(wave)
        sandbox.tallies["tests"].seconds += len(wave) * cells_s
        seen += wave
    assert sorted(seen, key=int) == [p.task_id for p in problems]
    assert wanted == "auto" or waves.begun <= wanted


def test_an_engine_that_both_models_wait_for_starts_once(tmp_path: Path) -> None:
    """The policy knows all but one problem, so that the generator asks at once too."""
    starts: list[VllmConfig] = []

    class Engine:
        alive = True

        def __init__(self, config: VllmConfig, _state: Path) -> None:
            starts.append(config)

        def __enter__(self) -> None:
            time.sleep(0.2)

        def __exit__(self, *_error: object) -> None:
            """Nothing to end."""

    class Leasing(Drawing):
        def __enter__(self) -> Self:
            leases.enter_context(pool.lease(config, tmp_path))
            return super().__enter__()

    memory, pool = Memory(), EnginePool(Engine)  # type: ignore[arg-type]
    config = VllmConfig.model_validate({"type": "vllm", "model": "m", "revision": "r"})
    with StoredGenerator(Drawing(), memory, "ast-2") as stored:
        list(stored.generate([asked("solution", problem) for problem in list(PROBLEMS.values())[:11]]))
    with ExitStack() as leases:
        drawn = run(memory, policy := Leasing(), generator := Leasing(1.0), WavePlan(), together=True, ahead=12)
    assert (len(starts), policy.opened, generator.opened) == (1, 1, 1)
    assert 0 < drawn.switch_s <= drawn.wall_s


def drawn_for(problem: Problem) -> Generation:
    return extract(asked("solution", problem), [Response(text="x")] * 3, "ast-2")


def test_the_next_switch_is_as_the_last_ones_and_cheaper_where_models_sleep() -> None:
    for asleep, before, again, after in ((False, 30.0, 9.0, 23.0), (True, 30.0 * SLEEP_SHARE, 5.0, 5.0)):
        switches = Switches(asleep)
        assert switches.expected_s == 0
        switches.record("solution", 0.0, 40.0)
        switches.record("test", 40.0, 60.0)
        assert switches.expected_s == before
        switches.record("solution", 60.0, 60.0 + again)
        assert switches.expected_s == after
        assert switches.total_s == 60.0 + again
        switches.record("test", 1.0, 61.0)
        assert switches.total_s == 60.0 + again, "what passes at one time passes once"
