"""Who gets how many tests: against the paper's heap written out, by hand, and as sums that must hold."""

from __future__ import annotations

from heapq import heapify, heappop, heappush

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.budget import (
    MIN_GAIN,
    RATE_BOUNDS,
    asked_columns,
    equal_counts,
    estimate_rates,
    gold_rates,
    greedy_counts,
)
from models.budget_allocate import Bounds, allocate_equal, allocate_greedy, token_costs
from models.budget_offline import greedy_by_cost
from models.errors import InputError
from models.matrix import ExecutionContext, PassMatrix
from models.types import Labels, TestSet, UnitTest, Verdict

CONTEXT = ExecutionContext(sandbox="process", image=None, version="test", timeout_s=1.0, memory_mib=512)
PROBLEMS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12)), min_size=1, max_size=8)


def heap_allocation(rates: list[float], caps: list[int], total: int, bmin: int) -> list[int]:
    """ALGORITHMS §1.11, line by line."""
    lam = [min(max(rate, RATE_BOUNDS[0]), RATE_BOUNDS[1]) for rate in rates]
    counts = [min(bmin, cap) for cap in caps]
    left = total - sum(counts)
    heap = [(-lam[p] * (1 - lam[p]) ** counts[p], p) for p in range(len(lam)) if counts[p] < caps[p]]
    heapify(heap)
    while left > 0 and heap:
        gain, p = heappop(heap)
        if -gain <= MIN_GAIN:
            break
        counts[p], left = counts[p] + 1, left - 1
        if counts[p] < caps[p]:
            heappush(heap, (-lam[p] * (1 - lam[p]) ** counts[p], p))
    while left > 0 and any(count < cap for count, cap in zip(counts, caps, strict=True)):
        for p in range(len(lam)):
            if left > 0 and counts[p] < caps[p]:
                counts[p], left = counts[p] + 1, left - 1
    return counts


@given(PROBLEMS, st.integers(0, 60), st.integers(0, 2))
def test_greedy_is_the_papers_heap(problems: list[tuple[float, int]], extra: int, bmin: int) -> None:
    rates, caps = [p[0] for p in problems], [p[1] for p in problems]
    total = sum(min(bmin, cap) for cap in caps) + extra
    ours = greedy_counts(np.array(rates), np.array(caps), [total], bmin)[0].tolist()
    assert ours == heap_allocation(rates, caps, total, bmin)
    assert sum(ours) == min(total, sum(caps))
    assert all(min(bmin, cap) <= count <= cap for count, cap in zip(ours, caps, strict=True))


@given(st.lists(st.integers(0, 9), min_size=1, max_size=8), st.integers(0, 60))
def test_equal_spends_its_total_unless_capped(caps: list[int], total: int) -> None:
    counts = equal_counts(np.array(caps), total)
    uncapped = equal_counts(np.full(len(caps), 100), total)
    assert uncapped.sum() == total
    assert uncapped.max() - uncapped.min() <= 1
    assert counts.tolist() == np.minimum(uncapped, caps).tolist()


def test_small_but_positive_rates_get_most() -> None:
    rates = {"never": 0.0, "hard": 0.2, "half": 0.5, "easy": 1.0}
    counts = allocate_greedy(dict.fromkeys(rates, 50), rates, 5, source="x")
    assert counts.tests == {"never": 0, "hard": 13, "half": 6, "easy": 1}
    assert counts.rates["never"] == 0.01
    assert counts.rates["easy"] == 0.99
    assert counts.source == "x"


def test_several_totals_at_once_are_the_totals_one_by_one() -> None:
    rates, caps = np.array([0.3, 0.3, 0.9]), np.array([4, 9, 9])
    together = greedy_counts(rates, caps, [0, 3, 10, 99])
    assert together.tolist() == [greedy_counts(rates, caps, [total])[0].tolist() for total in (0, 3, 10, 99)]
    assert together[1].tolist() == [1, 1, 1] or together[1].sum() == 3
    assert together[3].tolist() == [4, 9, 9]


def test_ties_go_to_the_lowest_problem_and_the_rest_goes_round() -> None:
    assert greedy_counts(np.array([0.5, 0.5]), np.array([9, 9]), [3])[0].tolist() == [2, 1]
    worthless = greedy_counts(np.array([1.0, 1.0]), np.array([30, 30]), [40])[0]
    assert worthless.tolist() == [20, 20], "after six each no test is worth anything"
    # 0.99 x 0.01^5 and 0.5^39 are the last gains over 10^-12: 6 + 39 tests by the path, the other 15 by turns
    assert greedy_counts(np.array([0.99, 0.5]), np.array([99, 99]), [60])[0].tolist() == [14, 46]


def test_no_problems() -> None:
    assert allocate_equal({}, 4).tests == {}
    assert allocate_greedy({}, {}, 4, source="x").tests == {}


def test_bad_budgets_and_rates_are_named() -> None:
    with pytest.raises(InputError, match="budget of 1 tests is less than the minimum"):
        allocate_equal({"a": 5}, 1, Bounds(2))
    with pytest.raises(InputError, match="bounds of 'z': expected a task of the benchmark"):
        allocate_equal({"a": 5}, 1, Bounds(by_task={"z": (0, 1)}))
    with pytest.raises(InputError, match="bounds of a: at least 3 and at most 2"):
        allocate_equal({"a": 5}, 1, Bounds(3, 2))
    with pytest.raises(InputError, match="cost of a test of a: 0"):
        allocate_equal({"a": 5}, 1, costs={"a": 0})
    with pytest.raises(InputError, match=r"budget of 5 is less than .* costs \(8\)"):
        allocate_greedy({"a": 5}, {"a": 0.5}, 5, Bounds(2), {"a": 4}, source="x")
    with pytest.raises(InputError, match="pass rate of b: None"):
        allocate_greedy({"a": 5, "b": 5}, {"a": 0.5}, 1, source="x")
    with pytest.raises(InputError, match=r"pass rate of a: 1\.5"):
        allocate_greedy({"a": 5}, {"a": 1.5}, 1, source="x")
    with pytest.raises(InputError, match="budget of 1 tests is less than the minimum of all problems together"):
        greedy_counts(np.array([0.5, 0.5]), np.array([3, 3]), [1], 1)


def test_bounds() -> None:
    assert allocate_equal({"a": 9, "b": 1}, 3, Bounds(most=2)).tests == {"a": 2, "b": 1}
    assert allocate_greedy({"a": 9, "b": 9}, {"a": 0.0, "b": 0.5}, 2, Bounds(1, 2), source="x").tests == {"a": 2, "b": 2}


def test_bounds_of_one_problem_and_zero_for_another() -> None:
    available, bounds = dict.fromkeys("abc", 9), Bounds(0, None, {"a": (5, 6), "c": (0, 0)})
    assert allocate_equal(available, 3, bounds).tests == {"a": 5, "b": 2, "c": 0}
    greedy = allocate_greedy(available, {"a": 0.0, "b": 0.5, "c": 0.5}, 3, bounds, source="x")
    assert greedy.tests == {"a": 5, "b": 4, "c": 0}


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 5)), min_size=1, max_size=8), st.integers(0, 40))
def test_equal_with_floors_meets_them_and_the_total(problems: list[tuple[int, int]], extra: int) -> None:
    caps, floor = (np.array(column) for column in zip(*problems, strict=True))
    total = int(np.minimum(floor, caps).sum()) + extra
    counts = equal_counts(caps, total, floor)
    assert (counts >= np.minimum(floor, caps)).all()
    assert (counts <= caps).all()
    assert counts.sum() <= total
    above = counts > np.minimum(floor, caps)
    free = counts[above & (counts < caps)]
    assert free.size == 0 or free.max() - free.min() <= 1, "who is bound by nothing gets the same"


@given(PROBLEMS, st.integers(0, 30), st.integers(1, 5))
def test_greedy_by_cost_is_greedy_where_costs_are_alike_and_never_overspends(
    problems: list[tuple[float, int]], total: int, price: int
) -> None:
    rates, caps = np.array([p[0] for p in problems]), np.array([p[1] for p in problems])
    alike = greedy_by_cost(rates, caps, np.full(len(caps), float(price)), total * price)
    plain = greedy_counts(rates, caps, [total])[0]
    lam = np.clip(rates, *RATE_BOUNDS)
    worth = [float((1 - (1 - lam) ** counts).sum()) for counts in (alike, plain)]
    assert worth[0] == pytest.approx(worth[1], abs=1e-9)
    costs = 1.0 + np.arange(len(caps))
    assert greedy_by_cost(rates, caps, costs, total) @ costs <= total + 1e-9


def test_dear_tests_are_bought_less() -> None:
    rates = dict.fromkeys("ab", 0.3)
    by_tokens = allocate_greedy(dict.fromkeys("ab", 20), rates, 100, costs={"a": 10.0, "b": 40.0}, source="x").tests
    assert by_tokens["a"] * 10 + by_tokens["b"] * 40 <= 200
    # gains per token: a 0.03 x 0.7^k, b 0.0075 x 0.7^k, so a a a a b a b a b a; the next one, b's fourth, does not fit
    assert by_tokens == {"a": 7, "b": 3}
    assert allocate_equal(dict.fromkeys("ab", 20), 100, costs={"a": 10.0, "b": 40.0}).tests == {"a": 10, "b": 2}


def test_tokens_of_tests_are_estimated_from_their_length() -> None:
    lines = {
        "a": TestSet(task_id="a", tests=(UnitTest(source="x" * 40), UnitTest(source="x" * 40), UnitTest(stdin="12", stdout="34"))),
        "b": TestSet(task_id="b", tests=()),
    }
    assert token_costs(lines) == {"a": (40 + 4) / 2 / 4, "b": 1.0}


def test_identical_tests_cost_once_and_come_together() -> None:
    assert asked_columns(("x", "y", "x", "z"), 1).tolist() == [True, False, True, False]
    assert asked_columns(("x", "y", "x", "z"), 2).tolist() == [True, True, True, False]
    assert asked_columns((), 2).tolist() == []


def probe_matrix() -> PassMatrix:
    p, f, skipped = Verdict.PASSED, Verdict.FAILED, Verdict.NOT_ASKED
    codes = np.array([[skipped, p, p, f], [skipped, p, p, p]], dtype=np.uint8)
    return PassMatrix("t", codes, np.zeros((2, 4), dtype=np.float32), CONTEXT, ("s0", "s1"), ("w", "x", "x", "z"))


def test_rates_are_estimated_from_the_first_distinct_asked_tests() -> None:
    assert estimate_rates({"t": probe_matrix()}) == {"t": 3 / 4}
    assert estimate_rates({"t": probe_matrix()}, first=2) == {"t": (3 + 1) / (4 + 2)}
    nothing = PassMatrix("e", np.zeros((2, 0), dtype=np.uint8), np.zeros((2, 0), dtype=np.float32), CONTEXT, ("s0", "s1"), ())
    assert estimate_rates({"e": nothing}) == {"e": 0.5}


def test_gold_rates_leave_out_what_was_not_judged() -> None:
    labels = {
        task: Labels(task_id=task, correct=c, solution_digests=("s0", "s1", "s2"))
        for task, c in (("a", (True, False, None)), ("b", (None,) * 3))
    }
    assert gold_rates(labels) == {"a": 0.5}
