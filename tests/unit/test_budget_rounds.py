"""Budgets spent in rounds, driven by stored matrices: the same decisions and the same cells as the replay of those matrices."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.budget import equal_counts
from models.budget_adaptive import DEFAULT, audit_schedule, schedule_of, spend
from models.budget_rounds import Cells, Course, Known, Shape, Trail, adaptive_course, drive, stopping_course
from models.matrix import ExecutionContext, PassMatrix
from models.reward.choice import ReplayProblem, replay_problem
from models.reward.registry import resolve
from models.reward.selector import ScoreSelector
from models.stopping import RULES, audit_trail
from models.types import Labels, Verdict

CONTEXT = ExecutionContext(sandbox="process", image=None, version="test", timeout_s=1.0, memory_mib=512)


def stored(task: str, n: int, m: int, seed: int) -> PassMatrix:
    """A third of the tests pass nobody, and every fourth column repeats an earlier one."""
    rng = np.random.default_rng(seed)
    kinds = [j if j % 4 != 3 else int(rng.integers(0, j)) for j in range(m)]
    kinds = [kinds[k] for k in kinds]
    unique = (rng.random((n, m)) < np.linspace(0.1, 0.9, n)[:, None]) & (rng.random(m) < 0.67)
    codes = np.where(unique[:, kinds], Verdict.PASSED, Verdict.FAILED).astype(np.uint8)
    digests = tuple(f"u{k}" for k in kinds)
    return PassMatrix(task, codes, np.zeros((n, m), np.float32), CONTEXT, tuple(f"s{i}" for i in range(n)), digests)


def shape_of(matrix: PassMatrix) -> Shape:
    return Shape(matrix.verdicts.shape[0], matrix.test_digests)


def problem_of(matrix: PassMatrix) -> ReplayProblem:
    n = len(matrix.solution_digests)
    return replay_problem(matrix, Labels(task_id=matrix.task_id, correct=(True,) * n, solution_digests=matrix.solution_digests))


class Recorded:
    """Answers from stored matrices: only what was asked, and nothing twice."""

    def __init__(self, matrices: dict[str, PassMatrix]) -> None:
        self.matrices = matrices
        self.asked = {task: np.zeros(m.verdicts.shape, dtype=bool) for task, m in matrices.items()}
        self.rounds = 0

    def __call__(self, wanted: Cells) -> Known:
        self.rounds += 1
        for task, cells in wanted.items():
            assert cells.any(), "a round asks for something"
            self.asked[task] |= cells
        return {task: self.partial(task) for task in wanted}

    def partial(self, task: str) -> PassMatrix:
        whole = self.matrices[task]
        return replace(whole, verdicts=np.where(self.asked[task], whole.verdicts, np.uint8(Verdict.NOT_ASKED)))


def run(course: Course, matrices: dict[str, PassMatrix]) -> tuple[Trail, Recorded]:
    recorded = Recorded(matrices)
    return drive(course, recorded), recorded


def b4() -> ScoreSelector:
    (selector,) = resolve(["b4"])
    assert isinstance(selector, ScoreSelector)
    return selector


SIZES = ((13, 6), (13, 0), (20, 11), (4, 3), (41, 9))


@given(st.integers(0, 40), st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_adaptive_asks_what_its_replay_reveals(total: int, seed: int) -> None:
    matrices = {f"p{i}": stored(f"p{i}", n, m, seed + i) for i, (n, m) in enumerate(SIZES)}
    problems = {task: problem_of(matrix) for task, matrix in matrices.items()}
    schedules = {task: schedule_of(p, np.arange(p.units)[None, :]) for task, p in problems.items()}
    events, cost = spend(list(schedules.values()), [total])
    trail, recorded = run(adaptive_course({task: shape_of(m) for task, m in matrices.items()}, total), matrices)
    for index, (task, schedule) in enumerate(schedules.items()):
        done = int(events[0, 0, index])
        replayed = audit_schedule(schedule, 0)[:done]
        assert [(step["test"], step["decision"]) for step in trail[task]] == [(step.test, step.decision) for step in replayed]
        assert sum(step["cost"] for step in trail[task]) == pytest.approx(cost[0, 0, index])
        for test, columns in enumerate(shape_of(matrices[task]).units):
            cells = recorded.asked[task][:, columns]
            if schedule.reveal[0, test] < done:
                assert cells.all()
            elif any(step["test"] == test for step in trail[task]):
                assert (cells.all(axis=1).sum(), cells.any(axis=1).sum()) == (DEFAULT.of(len(cells)),) * 2
            else:
                assert not cells.any()


def test_one_round_serves_many_problems() -> None:
    matrices = {f"p{i}": stored(f"p{i}", 20, 12, i) for i in range(30)}
    _, recorded = run(adaptive_course({task: shape_of(m) for task, m in matrices.items()}, 120), matrices)
    assert recorded.rounds < 60, "one problem a round would be over 120"


@pytest.mark.parametrize("name", sorted(RULES))
def test_stops_decide_as_their_replay_does(name: str) -> None:
    matrices = {f"p{i}": stored(f"p{i}", 12, 24, 50 + i) for i in range(6)}
    caps = np.array([len(set(m.test_digests)) for m in matrices.values()])
    shares = dict(zip(matrices, equal_counts(caps, 6 * 14).tolist(), strict=True))
    trail, recorded = run(stopping_course({t: shape_of(m) for t, m in matrices.items()}, shares, b4(), RULES[name]), matrices)
    for task, matrix in matrices.items():
        problem = problem_of(matrix)
        replayed = [asdict(step) for step in audit_trail(problem, b4(), RULES[name], np.arange(problem.units))][: shares[task]]
        assert len(trail[task]) == len(replayed)
        for live, step in zip(trail[task], replayed, strict=True):
            if step["decision"] == "no test left" or (step["decision"] == "go on" and step["tests"] == shares[task]):
                step["decision"] = "share spent"
            assert live.pop("error") == pytest.approx(step.pop("error"))
            assert live == step
        asked = recorded.asked[task].all(axis=0)
        assert len({d for d, a in zip(matrix.test_digests, asked, strict=True) if a}) == len(replayed)


def test_what_could_not_be_run_is_no_vote_and_no_reason_to_fail() -> None:
    matrix = stored("p", 12, 9, 3)
    holes = np.where(np.eye(12, 9, dtype=bool), np.uint8(Verdict.NOT_RUN), matrix.verdicts)
    failed = np.where(np.eye(12, 9, dtype=bool), np.uint8(Verdict.FAILED), matrix.verdicts)
    trails = [
        run(stopping_course({"p": shape_of(matrix)}, {"p": 7}, b4(), RULES["beta"]), {"p": replace(matrix, verdicts=codes)})[0]
        for codes in (holes, failed)
    ]
    assert trails[0] == trails[1]
