"""The closed form and the offline bins: sums, the optimum they approximate, and what they may look at."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.budget import RATE_BOUNDS, greedy_counts
from models.budget_offline import BINS, bin_table, binned_counts, closed_form_counts
from models.errors import InputError

PROBLEMS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12)), min_size=1, max_size=8)


def value(rates: np.ndarray, counts: np.ndarray) -> float:
    """What an allocation is worth by Eq. 2: Σ 1 - (1-λ)^b."""
    return float((1 - (1 - np.clip(rates, *RATE_BOUNDS)) ** counts).sum())


@given(PROBLEMS, st.integers(0, 60), st.integers(0, 2))
def test_closed_form_spends_the_total_within_its_bounds(problems: list[tuple[float, int]], extra: int, bmin: int) -> None:
    rates, caps = np.array([p[0] for p in problems]), np.array([p[1] for p in problems])
    total = int(np.minimum(bmin, caps).sum()) + extra
    counts = closed_form_counts(rates, caps, [total], bmin)[0]
    assert counts.sum() == min(total, caps.sum())
    assert (counts >= np.minimum(bmin, caps)).all()
    assert (counts <= caps).all()


@given(st.lists(st.floats(0.05, 0.95), min_size=2, max_size=8), st.integers(10, 60))
def test_closed_form_is_nearly_the_greedy_optimum(rates: list[float], total: int) -> None:
    lam, caps = np.array(rates), np.full(len(rates), 100)
    best, ours = (value(lam, f(lam, caps, [total])[0]) for f in (greedy_counts, closed_form_counts))
    assert best - len(rates) * 0.1 <= ours <= best + 1e-9


def test_closed_form_by_hand() -> None:
    assert closed_form_counts(np.array([0.5, 0.5, 0.5]), np.array([9, 9, 9]), [6, 7])[0].tolist() == [2, 2, 2]
    assert closed_form_counts(np.array([0.5, 0.5]), np.array([9, 9]), [5])[0].tolist() == [3, 2], "ties to the lowest problem"
    with pytest.raises(InputError, match="less than the minimum"):
        closed_form_counts(np.array([0.5]), np.array([3]), [0], 1)


def test_bins_give_the_hard_ones_more_and_meet_the_mean_on_their_own_data() -> None:
    rng = np.random.default_rng(0)
    gold = rng.random(400)
    estimated = np.clip(gold + rng.normal(0, 0.05, 400), 0, 1)
    edges, tests = bin_table(estimated, gold, 6.0)
    assert len(tests) == BINS
    assert len(edges) == BINS - 1
    counts = binned_counts(estimated, np.full(400, 99), (edges, tests))
    assert counts.mean() == pytest.approx(6.0, abs=0.5)
    assert tests[1] > tests[-1]
    assert binned_counts(estimated, np.full(400, 2), (edges, tests)).max() == 2


def test_few_problems_make_few_bins() -> None:
    edges, tests = bin_table(np.array([0.3]), np.array([0.5]), 4.0, 1)
    assert edges.size == 0
    assert tests.tolist() == [4]
    same = bin_table(np.full(20, 0.5), np.full(20, 0.5), 3.0)
    assert binned_counts(np.full(20, 0.5), np.full(20, 99), same).tolist() == [3] * 20, "equal estimates share one bin"
