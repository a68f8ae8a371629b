"""The adaptive policy against a walk through one order with sets, and its path over problems against a heap."""

from __future__ import annotations

from heapq import heapify, heappop, heappush

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.budget_adaptive import DEFAULT, Schedule, audit_schedule, schedule_of, spend
from models.budget_curves import Replay, Spending, accuracy_and_cost
from models.budget_held_out import adaptive_held_out
from models.budget_policies import POLICIES
from models.matrix import ExecutionContext, PassMatrix
from models.metrics_ranking import best_of_n
from models.reward.choice import ReplayProblem, expected_correct, orders_of, replay_problems
from models.reward.registry import resolve
from models.reward.selector import ScoreSelector, view_of
from models.types import BoolMatrix, Labels, Verdict

CONTEXT = ExecutionContext(sandbox="process", image=None, version="test", timeout_s=1.0, memory_mib=512)


def problem_of(passes: BoolMatrix, task: str = "t", *, turned: bool = False) -> ReplayProblem:
    n, m = passes.shape
    codes = np.where(passes, Verdict.PASSED, Verdict.FAILED).astype(np.uint8)
    digests = tuple(f"s{i}" for i in range(n))
    matrix = PassMatrix(task, codes, np.zeros((n, m), dtype=np.float32), CONTEXT, digests, tuple(f"u{j}" for j in range(m)))
    labels = Labels(task_id=task, correct=tuple((i % 3 == 0) != turned for i in range(n)), solution_digests=digests)
    return replay_problems({task: matrix}, {task: labels})[0]


def drawn(n: int, m: int, seed: int) -> BoolMatrix:
    """A third of the tests pass nobody."""
    rng = np.random.default_rng(seed)
    return (rng.random((n, m)) < np.linspace(0.1, 0.9, n)[:, None]) & (rng.random(m) < 0.67)


@given(st.integers(1, 15), st.integers(0, 9), st.integers(0, 2**31))
@settings(max_examples=60)
def test_one_order_walked_through_by_hand(n: int, m: int, seed: int) -> None:
    passes = drawn(n, m, seed)
    problem = problem_of(passes)
    place = orders_of(problem.units, 2, np.random.default_rng(seed))
    schedule = schedule_of(problem, place)
    luck = np.random.default_rng(0).random((2, n)) / 2
    for o in range(2):
        order = [int(np.flatnonzero(place[o] == t)[0]) for t in range(m)]
        votes, aside, cost, reveal = [0] * n, [], [0.0], {}
        passed: list[set[int]] = [set() for _ in range(n)]
        for event, test in enumerate(order):
            ranked = sorted(range(n), key=lambda i: -(votes[i] + luck[o, i]))
            turn = {i: [k for k in ranked if passed[k] == passed[i]].index(i) for i in ranked}
            scouts = sorted(ranked, key=lambda i: turn[i])[: DEFAULT.of(n)]
            if any(passes[i, test] for i in scouts):
                votes = [v + int(passes[i, test]) for i, v in enumerate(votes)]
                passed = [have | {test} if passes[i, test] else have for i, have in enumerate(passed)]
                reveal[test] = event
                cost.append(cost[-1] + 1)
            else:
                aside.append(test)
                cost.append(cost[-1] + DEFAULT.of(n) / n)
        for later, test in enumerate(aside):
            reveal[test] = m + later
            cost.append(cost[-1] + 1 - DEFAULT.of(n) / n)
        assert [reveal[t] for t in range(m)] == schedule.reveal[o].tolist()
        assert schedule.spent[o, : len(cost)] == pytest.approx(cost)
        assert np.isinf(schedule.spent[o, len(cost) :]).all()
        assert cost[-1] == pytest.approx(m), "everything costs every test once"


def heap_path(schedules: list[Schedule], order: int, total: float) -> list[int]:
    """Always the problem that has spent least, what was put aside after everything else, while the next event is affordable."""
    done, left = [0] * len(schedules), total
    heap = [(False, 0.0, p) for p, s in enumerate(schedules) if s.reveal.shape[1]]
    heapify(heap)
    while heap:
        _, before, p = heappop(heap)
        price = schedules[p].spent[order, done[p] + 1] - before
        if (price if done[p] >= schedules[p].reveal.shape[1] else 1.0) > left + 1e-9:
            break
        done[p], left = done[p] + 1, left - price
        units = schedules[p].reveal.shape[1]
        if done[p] < 2 * units and np.isfinite(schedules[p].spent[order, done[p] + 1]):
            heappush(heap, (done[p] >= units, schedules[p].spent[order, done[p]], p))
    return done


def test_the_path_over_problems_is_the_heaps() -> None:
    problems = [problem_of(drawn(13, m, seed), f"p{seed}") for seed, m in enumerate((6, 0, 11, 3, 8))]
    rng = np.random.default_rng(1)
    schedules = [schedule_of(p, orders_of(p.units, 7, rng), seed=i) for i, p in enumerate(problems)]
    totals = [0, 2, 7, 15, 28]
    events, cost = spend(schedules, totals)
    for order in range(7):
        for b, total in enumerate(totals):
            assert events[order, b].tolist() == heap_path(schedules, order, total)
            assert cost[order, b].sum() <= total + 1e-6
    assert cost[:, -1].sum(axis=1) == pytest.approx(28)


@pytest.mark.parametrize("name", ["majority", "codet", "b4"])
def test_the_whole_budget_is_the_whole_matrix(name: str) -> None:
    (selector,) = resolve([name])
    assert isinstance(selector, ScoreSelector)
    problems = [problem_of(drawn(12, m, seed), f"p{seed}") for seed, m in enumerate((6, 0, 11))]
    places = [orders_of(p.units, 3, np.random.default_rng(0)) for p in problems]
    replay = Replay(problems, places, [17], selector)
    curve = accuracy_and_cost(replay, POLICIES["adaptive"](replay))
    assert curve.accuracy[0] == pytest.approx([float(expected_correct(p, selector, p.classes.cols)) for p in problems])
    assert curve.tests[0] == pytest.approx([6, 0, 11])


def test_it_never_sees_what_it_did_not_pay_for() -> None:
    """Two matrices that agree on the first six tests are treated alike until a seventh is asked."""
    passes = drawn(14, 12, 3)
    other = passes.copy()
    other[:, 6:] = ~other[:, 6:]
    first, second = (schedule_of(problem_of(p), np.arange(12)[None, :]) for p in (passes, other))
    assert first.spent[0, :7].tolist() == second.spent[0, :7].tolist()
    assert first.order.tolist() == second.order.tolist()


def test_audit_says_what_became_of_each_test() -> None:
    passes = np.zeros((20, 4), dtype=bool)
    passes[:, 0] = passes[:13, 2] = True
    schedule = schedule_of(problem_of(passes), np.arange(4)[None, :])
    steps = audit_schedule(schedule, 0)
    assert [step.test for step in steps] == [0, 1, 2, 3, 1, 3]
    assert [step.decision for step in steps] == [
        "ran on all",
        "put aside",
        "ran on all",
        "put aside",
        "ran on the rest",
        "ran on the rest",
    ]
    assert [step.cost for step in steps] == pytest.approx([1, 0.25, 1, 0.25, 0.75, 0.75])


def test_held_out_constants_never_come_from_the_problems_own_half() -> None:
    """Turned labels of one half may change what the other half uses, and never what this half does."""
    passes = {f"p{i}": drawn(40, 14, i) for i in range(6)}
    (majority,) = resolve(["majority"])
    assert isinstance(majority, ScoreSelector)
    places = [orders_of(14, 3, np.random.default_rng(i)) for i in range(6)]

    def reveals(turned: set[int]) -> list[list[list[int]]]:
        problems = [problem_of(p, task, turned=i in turned) for i, (task, p) in enumerate(passes.items())]
        spending = adaptive_held_out(Replay(problems, places, [12, 30], majority))
        assert spending.note.startswith("chosen on the other half: half 0: share")
        return [reveal.tolist() for reveal in spending.reveal]

    plain, even, odd = reveals(set()), reveals({0, 2, 4}), reveals({1, 3, 5})
    assert plain[0::2] == even[0::2]
    assert plain[1::2] == odd[1::2]


def test_what_was_put_aside_counts_as_a_test_that_nobody_passes() -> None:
    """The replay's accuracy is that of ranking the matrix with only the asked cells in it, as a live run does."""
    passes = drawn(13, 8, 5)
    problem = problem_of(passes)
    schedule = schedule_of(problem, np.arange(8)[None, :])
    (b4,) = resolve(["b4"])
    assert isinstance(b4, ScoreSelector)
    aside = ~schedule.kept[0]
    assert aside.any()
    for events in range(1, 9):
        spending = Spending(np.array([[[events]]]), np.zeros((1, 1, 1)), [schedule.reveal])
        ours = accuracy_and_cost(Replay([problem], [np.arange(8)[None, :]], [events], b4), spending).accuracy[0, 0]
        seen = passes[:, :events] & ~aside[:events]
        digests = tuple(f"s{i}" for i in range(13))
        matrix = PassMatrix(
            "t",
            np.where(seen, 10, 8).astype(np.uint8),
            np.zeros(seen.shape, np.float32),
            CONTEXT,
            digests,
            tuple(map(str, range(events))),
        )
        assert ours == pytest.approx(best_of_n(b4.rank(view_of(matrix)), [i % 3 == 0 for i in range(13)]))
