"""What a budget would have bought: stored matrices replayed under every policy, over many orders of the tests.

A replay executes nothing. In every order each problem gets its first b distinct tests, the selector chooses among all its
solutions, and the accuracy is the mean over orders, then over problems; the interval is a bootstrap over problems. ``mean_tests``
is what was really spent, duplicates free; a problem with fewer tests than its share leaves the rest unspent under ``equal``.

    all           every test of every problem: the ceiling of the selector, not of the budget
    equal         the same number of tests for every problem
    greedy        §1.11 with λ estimated from the first test of the same order, which is paid for; never sees a label
    greedy-gold   §1.11 with λ from the labels of the very problem: an upper bound for greedy, and no policy for use
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from models.budget import PRIOR, IntArray, equal_counts, greedy_counts
from models.errors import InputError
from models.metrics_bootstrap import interval
from models.reward.choice import ReplayProblem, columns_of, expected_correct, orders_of, replay_problems
from models.reward.registry import resolve
from models.reward.selector import ScoreSelector
from models.types import FloatArray, Labels, PassMatrix

BUDGETS = (1, 2, 4, 8, 16, 32, 64)
"""Average tests a problem: the axis of the paper's Fig. 6."""

PROBE_TESTS = 1
"""Tests that ``greedy`` runs everywhere before it estimates λ: the paper's curves start at an average of one."""

Orders = Sequence[npt.NDArray[np.int64]]
"""One (orders, units) array of places a problem."""

Counts = Callable[[Sequence[ReplayProblem], Orders, Sequence[int]], IntArray]
"""(problems, orders, totals) → (orders, totals, P) tests of each problem."""


def replay_budget(
    matrices: Mapping[str, PassMatrix],
    labels: Mapping[str, Labels],
    policies: Iterable[str] = ("equal", "greedy", "greedy-gold"),
    *,
    budgets: Sequence[float] = BUDGETS,
    orders: int = 100,
    seed: int = 0,
    selector: str = "auto",
) -> dict[str, object]:
    """The JSON of ``coderm budget``: "all" and one list of points a policy, each with budget, mean_tests, accuracy, lo, hi.

    Raises InputError for an unknown policy, a selector that does not read tests, and inputs as ``replay_problems`` does.
    """
    chosen = scoring_selector(selector)
    wanted = {name: policy_of(name) for name in dict.fromkeys(policies)}
    problems = replay_problems(matrices, labels)
    rng = np.random.default_rng(seed)
    places = [orders_of(problem.units, orders, rng) for problem in problems]
    totals = [round(budget * len(problems)) for budget in budgets]
    curves = {name: counts(problems, places, totals) for name, counts in wanted.items()}
    return {
        "all": {"selector": chosen.name, **_everything(problems, chosen), "problems": len(problems)},
        **{name: _points(problems, places, chosen, counts, budgets) for name, counts in curves.items()},
    }


def scoring_selector(name: str) -> ScoreSelector:
    """The selector by name, if replays can run it. Raises InputError otherwise."""
    (selector,) = resolve([name])
    if not isinstance(selector, ScoreSelector):
        raise InputError(
            f"selector {name!r} cannot be replayed under a test budget: its choice does not follow from the asked tests alone"
        )
    return selector


def policy_of(name: str) -> Counts:
    """Raises InputError for a name that is no policy."""
    if name not in POLICIES:
        raise InputError(f"unknown policy {name!r}: expected one of {', '.join(POLICIES)}")
    return POLICIES[name]


def _caps(problems: Sequence[ReplayProblem]) -> IntArray:
    return np.array([problem.units for problem in problems], dtype=np.int64)


def _equal(problems: Sequence[ReplayProblem], places: Orders, totals: Sequence[int]) -> IntArray:
    counts = np.array([equal_counts(_caps(problems), total) for total in totals])
    return np.broadcast_to(counts, (len(places[0]), *counts.shape))


def _gold(problems: Sequence[ReplayProblem], places: Orders, totals: Sequence[int]) -> IntArray:
    counts = greedy_counts(np.array([problem.base_rate for problem in problems]), _caps(problems), totals)
    return np.broadcast_to(counts, (len(places[0]), *counts.shape))


def _greedy(problems: Sequence[ReplayProblem], places: Orders, totals: Sequence[int]) -> IntArray:
    rates = np.stack([_probe(problem, place) for problem, place in zip(problems, places, strict=True)], axis=1)
    return np.stack([greedy_counts(rate, _caps(problems), totals, PROBE_TESTS) for rate in rates])


def _probe(problem: ReplayProblem, place: npt.NDArray[np.int64]) -> FloatArray:
    """(orders,) smoothed pass share over the first tests of each order; ½ for a problem without tests."""
    once = (problem.spread > 0) @ (problem.classes.rows @ problem.classes.passes)
    tests = min(PROBE_TESTS, problem.units)
    return np.asarray(((place < tests) @ once + PRIOR) / (tests * problem.solutions + 2 * PRIOR))


POLICIES: Mapping[str, Counts] = MappingProxyType({"equal": _equal, "greedy": _greedy, "greedy-gold": _gold})


def _everything(problems: Sequence[ReplayProblem], selector: ScoreSelector) -> dict[str, float]:
    accuracy = np.array([expected_correct(problem, selector, problem.classes.cols) for problem in problems])
    return _point(_caps(problems), accuracy)


def _points(
    problems: Sequence[ReplayProblem], places: Orders, selector: ScoreSelector, counts: IntArray, budgets: Sequence[float]
) -> list[dict[str, float]]:
    accuracy = accuracy_of(problems, places, selector, counts)
    return [{"budget": budget, **_point(counts[:, index], accuracy[index])} for index, budget in enumerate(budgets)]


def accuracy_of(problems: Sequence[ReplayProblem], places: Orders, selector: ScoreSelector, counts: IntArray) -> FloatArray:
    """(budgets, P) accuracy of each problem, mean over orders, for ``counts`` (orders, budgets, P)."""
    accuracy = np.empty(counts.shape[1:])
    for index, (problem, place) in enumerate(zip(problems, places, strict=True)):
        for budget in range(counts.shape[1]):
            cols = columns_of(problem, place, counts[:, budget, index])
            accuracy[budget, index] = expected_correct(problem, selector, cols).mean()
    return accuracy


def _point(counts: IntArray, accuracy: FloatArray) -> dict[str, float]:
    lo, hi = interval(accuracy)
    return {"mean_tests": float(counts.mean()), "accuracy": float(accuracy.mean()), "lo": lo, "hi": hi}
