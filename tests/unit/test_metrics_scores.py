"""The table of a run: names, means, intervals, what is left out and what is undefined."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.errors import InputError
from models.matrix import ExecutionContext, PassMatrix
from models.metrics import cell_shares, per_problem, score_rankings
from models.metrics_bootstrap import interval, paired_difference
from models.reward.registry import rank_all, resolve
from models.types import Labels, Verdict

CONTEXT = ExecutionContext(sandbox="process", image=None, version="test", timeout_s=1.0, memory_mib=512)
P, F, SKIPPED, MISSING = Verdict.PASSED, Verdict.FAILED, Verdict.NOT_ASKED, Verdict.NOT_RUN


def matrix_of(task: str, verdicts: list[list[Verdict]]) -> PassMatrix:
    codes = np.array(verdicts, dtype=np.uint8).reshape(len(verdicts), -1)
    n, m = codes.shape
    digests = tuple(f"{task}-s{i}" for i in range(n)), tuple(f"u{j}" for j in range(m))
    return PassMatrix(task, codes, np.zeros((n, m), dtype=np.float32), CONTEXT, *digests)


def labels_of(matrix: PassMatrix, *correct: bool | None) -> Labels:
    return Labels(task_id=matrix.task_id, correct=correct, solution_digests=matrix.solution_digests)


def example() -> tuple[dict[str, PassMatrix], dict[str, Labels]]:
    a = matrix_of("a", [[P, P], [P, F], [F, F]])
    b = matrix_of("b", [[], []])
    c = matrix_of("c", [[P], [F]])
    d = matrix_of("d", [[P], [F]])
    return {m.task_id: m for m in (a, b, c, d)}, {
        "a": labels_of(a, True, False, None),
        "b": labels_of(b, True, False),
        "c": labels_of(c, None, None),
    }


def scored(names: list[str], k: tuple[int, ...] = (1, 2)) -> dict[str, float]:
    matrices, labels = example()
    return score_rankings(matrices, labels, rank_all(matrices, resolve(names), labels), k)


def test_names_means_and_what_was_left_out() -> None:
    metrics = scored(["random", "oracle", "majority", "codet"])
    assert metrics["selector/majority/pass_1"] == 0.75, "a: right; b has no tests: random, one half"
    assert metrics["selector/majority/fallbacks"] == 1
    assert metrics["selector/majority/problems"] == 2
    assert metrics["selector/random/pass_1"] == 0.5
    assert metrics["selector/random/pass_2"] == 1.0, "without replacement"
    assert metrics["selector/random/fallbacks"] == 2
    assert metrics["selector/oracle/pass_1"] == 1.0
    assert metrics["labels/null"] == 3
    assert metrics["labels/problems_without"] == 2
    assert not [name for name in metrics if "@" in name]
    assert {name.split("/")[2] for name in metrics if name.startswith("selector/codet/")} == {
        *("pass_1", "pass_2", "pass_1_lo", "pass_1_hi", "problems", "fallbacks")
    }


def test_interval_holds_the_mean() -> None:
    metrics = scored(["majority"])
    assert metrics["selector/majority/pass_1_lo"] <= 0.75 <= metrics["selector/majority/pass_1_hi"]


def test_test_quality_stands_on_judged_problems() -> None:
    metrics = scored(["majority"])
    assert metrics["tests/individual/decisions"] == 4
    assert metrics["tests/individual/recall"] == 1.0
    assert metrics["tests/individual/fpr"] == 0.5
    assert metrics["tests/combined/accuracy"] == 1.0


def test_cell_shares_add_up() -> None:
    shares = cell_shares([matrix_of("a", [[P, F], [SKIPPED, MISSING]])])
    assert sum(shares[f"cells/{v.label}"] for v in Verdict) == 1.0
    assert (shares["cells/not_asked"], shares["cells/total"], shares["cells/missing"]) == (0.25, 4, 1)
    assert math.isnan(cell_shares([])["cells/passed"])


def test_metrics_over_missing_cells_are_undefined() -> None:
    matrix = matrix_of("a", [[P, MISSING], [F, P]])
    labels = {"a": labels_of(matrix, True, False)}
    metrics = score_rankings({"a": matrix}, labels, rank_all({"a": matrix}, resolve(["majority", "random"]), labels), (1,))
    assert math.isnan(metrics["selector/majority/pass_1"])
    assert math.isnan(metrics["selector/majority/pass_1_lo"])
    assert math.isnan(metrics["tests/individual/f1"])
    assert metrics["cells/missing"] == 1
    assert metrics["selector/random/pass_1"] == 0.5


def test_no_labels_at_all_is_nan_not_zero() -> None:
    matrices, _ = example()
    metrics = score_rankings(matrices, {}, rank_all(matrices, resolve(["majority"])), (1,))
    assert math.isnan(metrics["selector/majority/pass_1"])
    assert metrics["selector/majority/problems"] == 0


def test_foreign_labels_are_refused() -> None:
    matrices, labels = example()
    labels["b"] = labels["b"].model_copy(update={"solution_digests": ("x", "y")})
    with pytest.raises(InputError, match="b: labels belong to another solution set"):
        score_rankings(matrices, labels, {}, (1,))


def test_per_problem_keeps_the_order_of_the_tasks() -> None:
    matrices, labels = example()
    rankings = rank_all(matrices, resolve(["majority"]))["majority"]
    assert per_problem(rankings, labels, ["b", "a"], 1) == [0.5, 1.0]
    assert per_problem({}, labels, ["a"], 1) == [0.5]


def test_bootstrap() -> None:
    values = np.random.default_rng(1).random(164)
    lo, hi = interval(values)
    assert lo < values.mean() < hi
    assert hi - lo == pytest.approx(2 * 1.96 * values.std() / math.sqrt(164), rel=0.1)
    assert interval(values) == (lo, hi), "same seed, same interval"
    assert interval([0.5]) == (0.5, 0.5)
    assert all(math.isnan(bound) for bound in (*interval([]), *interval([0.1, math.nan])))


def test_paired_difference_is_tighter_than_its_parts() -> None:
    base = np.random.default_rng(2).random(100)
    mean, lo, hi = paired_difference(list(base + 0.1), list(base))
    assert (mean, lo, hi) == pytest.approx((0.1, 0.1, 0.1))
    assert math.isnan(paired_difference([], [])[0])
    with pytest.raises(ValueError, match="same problems"):
        paired_difference([1.0], [])
