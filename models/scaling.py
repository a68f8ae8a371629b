"""How accuracy grows with candidates and tests: the scaling study of the paper (arXiv 2501.01054, Fig. 1 and 5).

Every order draws one permutation of the solutions and one of the distinct tests; n and m take prefixes of them, without
replacement, so one order answers for all pairs. n beyond what a problem has means all of it, likewise m.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from models.budget import IntArray
from models.budget_replay import scoring_selector
from models.matrix import PassMatrix
from models.metrics_bootstrap import interval
from models.reward.choice import ReplayProblem, columns_of, expected_correct, orders_of, replay_problems
from models.reward.selector import ScoreSelector
from models.types import FloatArray, Labels

GRID = (1, 2, 5, 10, 20, 50, 100)
"""Candidates and tests of the paper's study."""


def scaling_curve(
    matrices: Mapping[str, PassMatrix],
    labels: Mapping[str, Labels],
    selector: str,
    *,
    ns: Sequence[int],
    ms: Sequence[int],
    orders: int = 100,
    seed: int = 0,
) -> dict[str, object]:
    """{"selector", "problems", "orders", "points": [{"n", "m", "accuracy", "lo", "hi"}, …]} for every pair of ``ns`` and ``ms``.

    A problem counts with the orders in which a judged solution was drawn. Raises InputError as ``replay_budget`` does.
    """
    chosen = scoring_selector(selector)
    problems = replay_problems(matrices, labels, chosen.reads_outputs)
    rng = np.random.default_rng(seed)
    surface = np.stack([surface_of(problem, chosen, (ns, ms), draws_of(problem, orders, rng)) for problem in problems])
    points = [{"n": n, "m": m, **_band(surface[:, row, column])} for row, n in enumerate(ns) for column, m in enumerate(ms)]
    return {"selector": chosen.name, "problems": len(problems), "orders": orders, "points": points}


def surface_of(
    problem: ReplayProblem, selector: ScoreSelector, grid: tuple[Sequence[int], Sequence[int]], draws: tuple[IntArray, IntArray]
) -> FloatArray:
    """(ns, ms) accuracy of one problem, mean over orders; NaN where no order drew a judged solution."""
    (ns, ms), (solutions, tests) = grid, draws
    sizes, row = np.unique(np.minimum(ns, problem.solutions), return_inverse=True)
    lengths, column = np.unique(np.minimum(ms, problem.units), return_inverse=True)
    cols = columns_of(problem, tests[:, None], lengths)[:, :, None, :]
    drawn = (solutions[:, None] < sizes[:, None])[:, None, :, :]
    accuracy = expected_correct(problem, selector, cols, drawn)
    counted = ~np.isnan(accuracy)
    with np.errstate(invalid="ignore"):
        mean = np.where(counted, accuracy, 0.0).sum(axis=0) / counted.sum(axis=0)
    return np.asarray(mean.T[np.ix_(row, column)])


def draws_of(problem: ReplayProblem, orders: int, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
    """Places (orders, n) of the solutions and (orders, units) of the distinct tests."""
    return orders_of(problem.solutions, orders, rng), orders_of(problem.units, orders, rng)


def _band(accuracy: FloatArray) -> dict[str, float]:
    values = accuracy[~np.isnan(accuracy)]
    lo, hi = interval(values)
    return {"accuracy": float(values.mean()) if values.size else float("nan"), "lo": lo, "hi": hi}
