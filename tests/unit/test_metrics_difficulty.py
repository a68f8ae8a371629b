"""Five groups of difficulty, and every selector against the default one on the same problems."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.matrix import ExecutionContext, PassMatrix
from models.metrics import score_rankings
from models.metrics_difficulty import difficulty_groups, quintiles
from models.reward.registry import DEFAULT
from models.types import Labels, Ranking, Verdict
from tasks.plots import curve_points

CONTEXT = ExecutionContext(sandbox="process", image=None, version="test", timeout_s=1.0, memory_mib=512)


def labels_of(task: str, right: int, n: int = 8) -> Labels:
    return Labels(task_id=task, correct=tuple(i < right for i in range(n)), solution_digests=tuple(f"s{i}" for i in range(n)))


def ranking(task: str, selector: str, first: tuple[int, ...]) -> Ranking:
    return Ranking(task_id=task, selector=selector, order=(first,) if first else ())


@given(st.lists(st.integers(0, 8), max_size=23))
@settings(max_examples=60)
def test_groups_are_equal_sorted_and_hold_every_problem_that_can_be_solved(rights: list[int]) -> None:
    labels = {f"t{k}": labels_of(f"t{k}", right) for k, right in enumerate(rights)}
    groups = difficulty_groups(labels, list(labels))
    solvable = [right for right in rights if right]
    if len(solvable) < 5:
        assert groups == []
        return
    assert max(map(len, groups)) - min(map(len, groups)) <= 1
    assert [sum(labels[t].correct) for group in groups for t in group] == sorted(solvable)


def test_accuracy_of_a_group_is_the_mean_over_its_problems() -> None:
    labels = {f"t{k}": labels_of(f"t{k}", right) for k, right in enumerate((1, 0, 2, 3, 4, 6, 8))}
    orders = {"majority": {t: ranking(t, "majority", (0, 7) if t != "t4" else ()) for t in labels}}
    points = quintiles(orders, labels, list(labels))["majority"]
    assert [(p["group"], p["problems"]) for p in points] == [(1, 2), (2, 1), (3, 1), (4, 1), (5, 1)]
    assert points[0] == {
        "group": 1, "problems": 2, "rate_lo": 0.125, "rate_hi": 0.25, "accuracy": 0.5, "lo": 0.5, "hi": 0.5
    }  # fmt: skip
    assert points[2]["accuracy"] == 0.5, "nothing ranked: a random draw, 4 of 8"
    assert quintiles({}, labels, list(labels)) == {}


def test_differences_to_the_default_are_paired_and_signed() -> None:
    n = 12
    tasks = [f"t{k}" for k in range(n)]
    labels = {t: labels_of(t, 4) for t in tasks}
    codes = np.full((8, 1), Verdict.PASSED, dtype=np.uint8)
    digests = tuple(f"s{i}" for i in range(8))
    matrices = {t: PassMatrix(t, codes, np.zeros((8, 1), np.float32), CONTEXT, digests, ("u",)) for t in tasks}
    rankings = {
        DEFAULT: {t: ranking(t, DEFAULT, (0,)) for t in tasks},
        "codet": {t: ranking(t, "codet", (7,) if k % 4 == 0 else (0,)) for k, t in enumerate(tasks)},
    }
    found = score_rankings(matrices, labels, rankings, (1,))
    at = f"paired/{DEFAULT}/codet/difference"
    assert found[at] == pytest.approx(-0.25)
    assert -0.5 <= found[f"{at}_lo"] < -0.25 < found[f"{at}_hi"] <= 0
    assert not [name for name in found if name.startswith(f"paired/{DEFAULT}/{DEFAULT}")]
    assert not [name for name in score_rankings(matrices, labels, {"codet": rankings["codet"]}, (1,)) if "paired" in name]
    codes[0, 0] = Verdict.NOT_RUN
    assert math.isnan(score_rankings(matrices, labels, rankings, (1,))[at])


def test_curves_that_are_no_budget_policy_stay_out_of_mlflow() -> None:
    point = {"mean_tests": 2.0, "accuracy": 0.5}
    assert curve_points({"equal": [point], "scaling": {}, "confidence": {"b4": {}}, "quintiles": {"b4": [{}]}}) == {
        "equal": [point]
    }
