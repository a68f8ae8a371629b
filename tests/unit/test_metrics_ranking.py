"""pass@k of rankings and of random draws: by hand, by enumeration, and where it is undefined."""

from __future__ import annotations

import math
from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.metrics_ranking import best_of_n, pass_at_k, random_pass_at_k

LABELS = st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=7)


def enumerated_random(correct: list[bool | None], k: int) -> float:
    judged = [right for right in correct if right is not None]
    draws = list(combinations(judged, min(k, len(judged))))
    return sum(any(draw) for draw in draws) / len(draws)


def enumerated_ranking(order: list[list[int]], correct: list[bool | None], k: int) -> float:
    groups = [kept for group in order if (kept := [correct[i] for i in group if correct[i] is not None])]
    draws = [groups[i % min(k, len(groups))] for i in range(k)]
    outcomes = list(product(*draws))
    return sum(any(outcome) for outcome in outcomes) / len(outcomes)


@given(LABELS, st.integers(1, 9))
def test_random_is_the_share_of_draws_without_replacement(correct: list[bool | None], k: int) -> None:
    if any(right is not None for right in correct):
        assert random_pass_at_k(correct, k) == pytest.approx(enumerated_random(correct, k))


@given(LABELS, st.integers(1, 5), st.lists(st.integers(0, 3), min_size=7, max_size=7))
def test_a_ranking_is_the_share_of_its_draws(correct: list[bool | None], k: int, group_of: list[int]) -> None:
    order = [group for c in range(4) if (group := [i for i in range(len(correct)) if group_of[i] == c])]
    if any(right is not None for right in correct):
        assert pass_at_k(order, correct, k) == pytest.approx(enumerated_ranking(order, correct, k))


def test_by_hand() -> None:
    correct = [True, False, False, True]
    assert random_pass_at_k(correct, 2) == pytest.approx(1 - 1 / 6)
    assert best_of_n([[0, 1], [2, 3]], correct) == 0.5
    assert pass_at_k([[0, 1], [2, 3]], correct, 2) == 0.75
    assert pass_at_k([[0, 1], [2, 3]], correct, 3) == 1 - 0.25 * 0.5, "the first group is drawn twice"
    assert pass_at_k([[1], [0], [2]], correct, 1) == 0.0


def test_unjudged_solutions_leave_their_groups() -> None:
    assert best_of_n([[0, 1]], [True, None]) == 1.0
    assert best_of_n([[0], [1]], [None, True]) == 1.0, "a group with no judged solution is no group"


def test_nothing_ranked_falls_back_to_random() -> None:
    assert pass_at_k([], [True, False], 1) == 0.5
    assert pass_at_k([[0]], [None, False, True], 1) == 0.5


def test_undefined_is_nan() -> None:
    assert math.isnan(pass_at_k([[0]], [None], 1))
    assert math.isnan(random_pass_at_k([], 1))


def test_more_draws_than_solutions_draw_all_of_them() -> None:
    assert random_pass_at_k([False, False], 10) == 0.0
    assert random_pass_at_k([False, True], 10) == 1.0
