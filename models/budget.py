"""How many tests a problem gets, and why. Tests are the currency: identical tests of a problem run once, so they cost once.

``equal`` gives everybody the same. ``greedy`` is CodeRM's dynamic scaling (arXiv 2501.01054, §3.2, Eq. 2, after Damani et al.,
arXiv 2410.04707): with pass rate λ the b-th test is worth λ(1-λ)^(b-1), decreasing in b, so taking the largest values first is
exact. What follows from the formula: λ → 0 gets nothing, λ → 1 gets one, small but positive λ gets most. λ is the *policy's* pass
rate and stands in for the value of a test; the authors list that as a limitation.

    rates      (P,) λ of each problem, clipped to [0.01, 0.99]
    floor      (P,) tests that a problem gets in any case; zero is allowed
    caps       (P,) distinct tests that a problem may get
    costs      (P,) what one test of a problem costs, where tests are not alike: tokens
    total      what to spend over all problems, in tests round(mean_tests x P)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from models.errors import InputError
from models.matrix import PassMatrix
from models.types import BoolMatrix, FloatArray, Labels

IntArray = npt.NDArray[np.int64]

RATE_BOUNDS = (0.01, 0.99)
"""A rate of 0 or 1 from few samples is no certainty: §1.11 (c)."""

MIN_GAIN = 1e-12
"""Below this a further test is worth nothing and the rest of the budget is spread evenly; at λ = 0.99 that is the seventh test."""

PRIOR = 1.0
"""Beta(1, 1): one passing and one failing cell before any was seen."""

ESTIMATE_SOURCE = "pass share of all solutions over the first {first} distinct asked test(s), Beta(1, 1)-smoothed; no labels"
GOLD_SOURCE = "share of right solutions by the ground truth (gold)"


def equal_counts(caps: IntArray, total: int, floor: IntArray | int = 0) -> IntArray:
    """(P,) total / P each, the first problems one more for the remainder; what exceeds a problem's cap is not spent.

    A problem whose floor is above its share gets its floor, and the others share what is left. Raises InputError when the floors
    together exceed the total.
    """
    least = np.minimum(floor, caps)
    after_floor(least, total)
    counts, held = least.copy(), np.zeros(len(caps), dtype=np.bool_)
    while not held.all():
        open_ = np.flatnonzero(~held)
        share, extra = divmod(total - int(least[held].sum()), len(open_))
        shares = share + (np.arange(len(open_)) < extra)
        above = least[open_] > shares
        if not above.any():
            counts[open_] = np.minimum(caps[open_], shares)
            break
        held[open_[above]] = True
    return counts


def greedy_counts(rates: FloatArray, caps: IntArray, totals: Sequence[int], min_tests: IntArray | int = 0) -> IntArray:
    """(totals, P) greedy allocation for several totals at once; ties go to the lowest problem.

    A heap of marginals gives the same: they decrease with b, so the first ``total`` of all sorted marginals are a greedy path.
    """
    lam = np.clip(rates, *RATE_BOUNDS)
    floor = np.minimum(min_tests, caps)
    problem = np.repeat(np.arange(len(caps)), caps - floor)
    start = np.repeat(np.cumsum(caps - floor) - (caps - floor), caps - floor)
    step = np.arange(problem.size) - start + floor[problem]
    gain = lam[problem] * (1 - lam[problem]) ** step
    path = problem[np.lexsort((problem, -gain))][: int(np.count_nonzero(gain > MIN_GAIN))]
    return np.array([_spend(path, floor, caps, total) for total in totals], dtype=np.int64).reshape(len(totals), len(caps))


def _spend(path: npt.NDArray[np.intp], floor: IntArray, caps: IntArray, total: int) -> IntArray:
    """Floor, then the path, then round-robin over the problems that still have tests."""
    left = after_floor(floor, total)
    counts = floor + np.bincount(path[:left], minlength=len(caps))
    left -= min(left, len(path))
    while left > 0 and (counts < caps).any():
        unsaturated = np.flatnonzero(counts < caps)[:left]
        counts[unsaturated] += 1
        left -= len(unsaturated)
    return counts


def after_floor(floor: IntArray, total: int) -> int:
    """What is left once every problem has its minimum. Raises InputError when the budget is less than that."""
    least = int(floor.sum())
    if total < least:
        raise InputError(f"a budget of {total} tests is less than the minimum of all problems together ({least})")
    return total - least


def distinct_tests(test_digests: Sequence[str]) -> dict[str, int]:
    """digest → rank of its first appearance: what a problem's tests cost, in the order of the file."""
    return {digest: rank for rank, digest in enumerate(dict.fromkeys(test_digests))}


def asked_columns(test_digests: Sequence[str], tests: int) -> BoolMatrix:
    """(m,) bool: the first ``tests`` distinct tests with all their duplicates."""
    rank = distinct_tests(test_digests)
    return np.array([rank[digest] < tests for digest in test_digests], dtype=np.bool_)


def estimate_rates(matrices: Mapping[str, PassMatrix], first: int = 1) -> dict[str, float]:
    """task id → λ without labels: share of passing cells over the first distinct asked tests, smoothed; see ESTIMATE_SOURCE."""
    return {task: _estimate(matrix, first) for task, matrix in matrices.items()}


def gold_rates(labels: Mapping[str, Labels]) -> dict[str, float]:
    """task id → share of right solutions among the judged ones; a task with none is absent."""
    judged = {task: [right for right in line.correct if right is not None] for task, line in labels.items()}
    return {task: rights.count(True) / len(rights) for task, rights in judged.items() if rights}


def _estimate(matrix: PassMatrix, first: int) -> float:
    column: dict[str, int] = {}
    for j in np.flatnonzero(matrix.asked.any(axis=0)):
        column.setdefault(matrix.test_digests[j], int(j))
    probe = list(column.values())[:first]
    return float((matrix.passes[:, probe].sum() + PRIOR) / (matrix.asked[:, probe].sum() + 2 * PRIOR))
