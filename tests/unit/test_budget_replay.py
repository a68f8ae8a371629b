"""Replayed budgets and scaling curves against a loop that ranks every sub-sample and scores its first group."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.budget_curves import Replay
from models.budget_policies import COUNTS, POLICIES
from models.budget_replay import replay_budget
from models.errors import InputError
from models.matrix import ExecutionContext, PassMatrix
from models.metrics_ranking import best_of_n
from models.reward.choice import columns_of, expected_correct, orders_of, replay_problems
from models.reward.registry import resolve
from models.reward.selector import ScoreSelector, view_of
from models.scaling import scaling_curve
from models.types import Labels, Verdict

CONTEXT = ExecutionContext(sandbox="process", image=None, version="test", timeout_s=1.0, memory_mib=512)


def random_matrix(task: str, seed: int, n: int = 12, m: int = 15, distinct: int = 9) -> tuple[PassMatrix, Labels]:
    """A matrix in which duplicates of a test agree, as they do when they run once."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, distinct, m)
    right = rng.random(n) < 0.4
    unique = rng.random((n, distinct)) < np.where(right, 0.7, 0.3)[:, None]
    unique[1], unique[2] = unique[0], unique[0]
    codes = np.where(unique[:, kinds], Verdict.PASSED, Verdict.FAILED).astype(np.uint8)
    digests = tuple(f"{task}-s{i}" for i in range(n))
    correct = tuple(None if i == n - 1 else bool(right[i]) for i in range(n))
    matrix = PassMatrix(task, codes, np.zeros((n, m), dtype=np.float32), CONTEXT, digests, tuple(f"u{k}" for k in kinds))
    return matrix, Labels(task_id=task, correct=correct, solution_digests=digests)


def data(problems: int = 4) -> tuple[dict[str, PassMatrix], dict[str, Labels]]:
    pairs = {f"p{i}": random_matrix(f"p{i}", i) for i in range(problems)}
    return {task: pair[0] for task, pair in pairs.items()}, {task: pair[1] for task, pair in pairs.items()}


def restricted(matrix: PassMatrix, columns: list[int], rows: list[int]) -> PassMatrix:
    return PassMatrix(
        matrix.task_id,
        matrix.verdicts[np.ix_(rows, columns)],
        matrix.duration_ms[np.ix_(rows, columns)],
        CONTEXT,
        tuple(matrix.solution_digests[i] for i in rows),
        tuple(matrix.test_digests[j] for j in columns),
    )


def slow_expectation(matrix: PassMatrix, labels: Labels, selector: ScoreSelector, asked: set[str], rows: list[int]) -> float:
    columns = [j for j, digest in enumerate(matrix.test_digests) if digest in asked]
    view = view_of(restricted(matrix, columns, rows))
    return best_of_n(selector.rank(view), [labels.correct[i] for i in rows])


@pytest.mark.parametrize("name", ["majority", "codet", "random"])
def test_a_stack_of_sub_samples_is_every_sub_sample_ranked(name: str) -> None:
    matrix, labels = random_matrix("t", 7)
    (problem,) = replay_problems({"t": matrix}, {"t": labels})
    (selector,) = resolve([name])
    assert isinstance(selector, ScoreSelector)
    rng = np.random.default_rng(0)
    places, people = orders_of(problem.units, 6, rng), orders_of(problem.solutions, 6, rng)
    distinct = list(dict.fromkeys(matrix.test_digests))
    for tests in range(problem.units + 1):
        for n in (1, 4, 12):
            cols = columns_of(problem, places, np.full(6, tests))
            ours = expected_correct(problem, selector, cols, people < n)
            for order in range(6):
                asked = {distinct[d] for d in range(problem.units) if places[order, d] < tests}
                rows = [i for i in range(problem.solutions) if people[order, i] < n]
                slow = slow_expectation(matrix, labels, selector, asked, rows)
                assert ours[order] == pytest.approx(slow, nan_ok=True)


def test_a_budget_of_everything_is_all_and_one_of_nothing_is_random() -> None:
    matrices, labels = data()
    curves = replay_budget(matrices, labels, ["equal", "greedy-gold"], budgets=[0, 99], orders=3, selector="codet")
    everything, random = curves["all"], replay_budget(matrices, labels, [], orders=1, selector="random")["all"]
    assert everything["selector"] == "codet"
    assert everything["problems"] == 4
    for policy in ("equal", "greedy-gold"):
        none, full = curves[policy]
        assert (none["mean_tests"], none["accuracy"]) == (0, pytest.approx(random["accuracy"]))
        assert {key: full[key] for key in ("mean_tests", "accuracy", "lo", "hi")} == pytest.approx(
            {key: everything[key] for key in ("mean_tests", "accuracy", "lo", "hi")}
        )


def test_all_agrees_with_ranking_the_stored_matrices() -> None:
    matrices, labels = data()
    (majority,) = resolve(["majority"])
    expected = np.mean([best_of_n(majority.rank(view_of(m)), labels[t].correct) for t, m in matrices.items()])
    assert replay_budget(matrices, labels, [], selector="majority")["all"]["accuracy"] == pytest.approx(expected)


def test_equal_counts_distinct_tests_and_repeats_with_its_seed() -> None:
    matrices, labels = data()
    first, again = (replay_budget(matrices, labels, ["equal"], budgets=[1, 3], orders=5, seed=3) for _ in range(2))
    assert first == again
    assert [point["mean_tests"] for point in first["equal"]] == [1, 3]
    assert [point["budget"] for point in first["equal"]] == [1, 3]
    assert all(point["lo"] <= point["accuracy"] <= point["hi"] for point in first["equal"])


def test_points_and_areas_stand_beside_what_equal_does() -> None:
    matrices, labels = data()
    curves = replay_budget(matrices, labels, ["equal", "greedy"], budgets=[1, 3], orders=5)
    assert set(curves["all"]["area"]) == {"equal", "greedy"}
    for ours, equal in zip(curves["greedy"], curves["equal"], strict=True):
        assert ours["difference"] == pytest.approx(ours["accuracy"] - equal["accuracy"])
        assert ours["difference_lo"] <= ours["difference"] <= ours["difference_hi"]
        assert "difference" not in equal
    assert "saved" not in replay_budget(matrices, labels, ["greedy"], budgets=[1, 3], orders=5)["all"]


def test_greedy_never_looks_at_labels_and_gold_does() -> None:
    matrices, labels = data()
    problems = replay_problems(matrices, labels)
    turned = replay_problems(matrices, {t: line.model_copy(update={"correct": (True,) * 12}) for t, line in labels.items()})
    places = [orders_of(problem.units, 4, np.random.default_rng(1)) for problem in problems]
    totals = [4, 10, 20]
    (majority,) = resolve(["majority"])
    assert isinstance(majority, ScoreSelector)
    ours, other = (Replay(side, places, totals, majority) for side in (problems, turned))
    for name in sorted(set(POLICIES) - {"greedy-gold", "bins", "learned", "adaptive-held-out"}):
        assert np.array_equal(POLICIES[name](ours).events, POLICIES[name](other).events), name
    assert not np.array_equal(COUNTS["greedy-gold"](ours), COUNTS["greedy-gold"](other))
    for name in ("greedy", "closed"):
        assert (COUNTS[name](ours).sum(axis=2) == totals).all()
        assert (COUNTS[name](ours) >= 1).all(), "the test that the rate is estimated from is paid for"


def test_problems_that_cannot_be_scored_are_left_out() -> None:
    matrices, labels = data(3)
    labels["p0"] = labels["p0"].model_copy(update={"correct": (None,) * 12})
    del labels["p1"]
    assert replay_budget(matrices, labels, ["equal"], budgets=[2], orders=2)["all"]["problems"] == 1


def test_a_problem_without_tests_stays_in_and_is_a_random_draw() -> None:
    matrices, labels = data(1)
    empty = restricted(matrices["p0"], [], list(range(12)))
    curves = replay_budget({"p0": empty}, labels, ["equal", "greedy", "greedy-gold"], budgets=[1], orders=2)
    base = labels["p0"].correct.count(True) / 11
    assert curves["all"]["accuracy"] == pytest.approx(base)
    assert [curves[name][0]["mean_tests"] for name in ("equal", "greedy", "greedy-gold")] == [0, 0, 0]


def test_what_a_replay_refuses() -> None:
    matrices, labels = data(1)
    with pytest.raises(InputError, match=r"unknown policy 'fair'.*greedy-gold"):
        replay_budget(matrices, labels, ["fair"])
    with pytest.raises(InputError, match="'oracle' cannot be replayed"):
        replay_budget(matrices, labels, ["equal"], selector="oracle")
    with pytest.raises(InputError, match="no judged solution"):
        replay_budget(matrices, {}, ["equal"])
    broken = matrices["p0"].verdicts.copy()
    broken[0, 0] = Verdict.NOT_RUN
    matrix = PassMatrix(**{**vars(matrices["p0"]), "verdicts": broken})
    with pytest.raises(InputError, match="p0: 1 cells are not_run"):
        replay_budget({"p0": matrix}, labels, ["equal"])


def test_scaling_curve_ends_where_all_tests_and_all_solutions_stand() -> None:
    matrices, labels = data()
    curve = scaling_curve(matrices, labels, "majority", ns=[1, 12], ms=[0, 3, 99], orders=20)
    points = {(p["n"], p["m"]): p["accuracy"] for p in curve["points"]}
    assert points[12, 99] == pytest.approx(replay_budget(matrices, labels, [], selector="majority")["all"]["accuracy"])
    base = np.mean([line.correct.count(True) / 11 for line in labels.values()])
    assert points[12, 0] == pytest.approx(base)
    assert points[1, 0] == points[1, 99], "one candidate leaves nothing to choose"
    assert (curve["problems"], curve["orders"], curve["selector"]) == (4, 20, "majority")


def test_scaling_of_a_problem_that_no_order_could_judge_is_nan() -> None:
    matrices, labels = data(1)
    labels["p0"] = labels["p0"].model_copy(update={"correct": (True, *(None,) * 11)})
    curve = scaling_curve(matrices, labels, "majority", ns=[0, 12], ms=[2], orders=3)
    assert math.isnan(curve["points"][0]["accuracy"])
    assert curve["points"][1]["accuracy"] == 1.0
