"""The learned stop: the best action by hand, what a rule may look at, and that it learns where there is something to learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.budget_curves import Replay, Spending, accuracy_and_cost
from models.budget_learned import best_action, learned_counts
from models.budget_policies import POLICIES
from models.matrix import ExecutionContext, PassMatrix
from models.reward.choice import ReplayProblem, orders_of, replay_problems
from models.reward.registry import resolve
from models.reward.selector import ScoreSelector
from models.types import Labels, Verdict

CONTEXT = ExecutionContext(sandbox="process", image=None, version="test", timeout_s=1.0, memory_mib=512)


def majority() -> ScoreSelector:
    (selector,) = resolve(["majority"])
    assert isinstance(selector, ScoreSelector)
    return selector


def problem(task: str, seed: int, *, noisy: bool, m: int = 40, turned: bool = False) -> ReplayProblem:
    """Clear problems are decided by the first test; noisy ones need all of them."""
    rng = np.random.default_rng(seed)
    right = np.arange(12) % 3 == 0
    rate = np.where(right, 0.6, 0.4) if noisy else np.where(right, 1.0, 0.0)
    passes = rng.random((12, m)) < rate[:, None]
    digests = tuple(f"s{i}" for i in range(12))
    codes = np.where(passes, Verdict.PASSED, Verdict.FAILED).astype(np.uint8)
    matrix = PassMatrix(task, codes, np.zeros((12, m), np.float32), CONTEXT, digests, tuple(f"u{j}" for j in range(m)))
    correct = tuple(bool(r) != turned for r in right)
    return replay_problems({task: matrix}, {task: Labels(task_id=task, correct=correct, solution_digests=digests)})[0]


def places_of(problems: list[ReplayProblem], orders: int = 5) -> list[np.ndarray]:
    return [orders_of(p.units, orders, np.random.default_rng(i)) for i, p in enumerate(problems)]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.floats(0.001, 0.5))
def test_the_best_action_is_a_loop_over_the_future(worth: list[float], price: float) -> None:
    tests = np.cumsum(np.arange(1, len(worth) + 1))
    net = [w - price * t for w, t in zip(worth, tests.tolist(), strict=True)]
    expected = [max(net[k + 1 :]) > net[k] for k in range(len(worth) - 1)]
    assert best_action(np.array(worth), tests, price).tolist() == expected


def test_it_tests_the_doubtful_and_leaves_the_clear() -> None:
    problems = [problem(f"p{i}", i, noisy=i % 4 > 1) for i in range(24)]
    places = places_of(problems)
    counts = learned_counts(Replay(problems, places, [24 * 20], majority()))[:, 0]
    clear, noisy = (counts[:, [i for i in range(24) if (i % 4 > 1) == kind]].mean() for kind in (False, True))
    assert clear < 4
    assert noisy > 3 * clear
    learned, equal = (
        accuracy_and_cost(replay, POLICIES[name](replay))
        for name, replay in (
            ("learned", Replay(problems, places, [24 * 20], majority())),
            ("equal", Replay(problems, places, [round(counts.mean()) * 24], majority())),
        )
    )
    assert learned.accuracy.mean() > equal.accuracy.mean()


def test_it_spends_no_more_than_it_has_on_its_training_half_and_never_sees_its_own_labels() -> None:
    plain = [problem(f"p{i}", i, noisy=i % 4 > 1) for i in range(12)]
    turned = [problem(f"p{i}", i, noisy=i % 4 > 1, turned=i % 2 == 0) for i in range(12)]
    places = places_of(plain)
    first, other = (learned_counts(Replay(side, places, [30, 120, 480], majority())) for side in (plain, turned))
    assert (first[:, :, 0::2] == other[:, :, 0::2]).all()
    assert (first >= 1).all()
    assert (first <= 40).all()
    assert (np.diff(first.mean(axis=(0, 2))) >= 0).all()


def test_problems_without_a_decision_get_what_they_have() -> None:
    problems = [problem("a", 0, noisy=True, m=1), problem("b", 1, noisy=True, m=0), problem("c", 2, noisy=True, m=1)]
    counts = learned_counts(Replay(problems, places_of(problems), [3], majority()))
    assert counts[0, 0].tolist() == [1, 0, 1]
    assert learned_counts(Replay(problems[:1], places_of(problems[:1]), [1], majority())).tolist() == [[[1]]] * 5
    spending = POLICIES["learned"](Replay(problems, places_of(problems), [3], majority()))
    assert isinstance(spending, Spending)
    assert spending.cost[0, 0].tolist() == pytest.approx([1, 0, 1])
