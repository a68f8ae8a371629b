"""Test quality in both conventions, and the identity behind the paper's Table 2."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InputError
from models.matrix import ExecutionContext, PassMatrix
from models.metrics_tests import Confusion, combined_quality, individual_quality, missing_cells
from models.types import Labels, Verdict

CONTEXT = ExecutionContext(sandbox="process", image=None, version="test", timeout_s=1.0, memory_mib=512)
P, F, SKIPPED, MISSING = Verdict.PASSED, Verdict.FAILED, Verdict.NOT_ASKED, Verdict.NOT_RUN

TABLE_2 = [
    # accuracy, F1, FAR, FRR in percent, as printed
    (60.02, 44.97, 13.66, 46.13),
    (73.65, 70.15, 11.10, 34.51),
    (69.64, 63.63, 11.17, 38.55),
    (74.21, 74.35, 20.44, 30.55),
    (78.30, 78.76, 17.19, 25.97),
    (80.46, 81.27, 16.48, 22.71),
]


def pair(verdicts: list[list[Verdict]], correct: tuple[bool | None, ...]) -> tuple[PassMatrix, Labels]:
    codes = np.array(verdicts, dtype=np.uint8).reshape(len(correct), -1)
    digests = tuple(f"s{i}" for i in range(len(correct)))
    tests = tuple(f"u{j}" for j in range(codes.shape[1]))
    matrix = PassMatrix("t", codes, np.zeros(codes.shape, dtype=np.float32), CONTEXT, digests, tests)
    return matrix, Labels(task_id="t", correct=correct, solution_digests=digests)


@pytest.mark.parametrize(("accuracy", "f1", "far", "frr"), TABLE_2)
def test_table_2_follows_the_printed_formulas(accuracy: float, f1: float, far: float, frr: float) -> None:
    """From (accuracy, F1, FAR) the recall and the base rate follow; the printed FRR must then come out, and does within 0.03."""
    acc, f, precision = accuracy / 100, f1 / 100, 1 - far / 100
    recall = f * precision / (2 * precision - f)
    base = (1 - acc) / (1 - recall + recall * (1 - precision) / precision)
    tp, total = base * recall, 10**7
    fp = tp * (1 - precision) / precision
    counts = Confusion(*(round(total * share) for share in (tp, fp, base - tp, 1 - base - fp)))
    rates = counts.rates()
    assert base == pytest.approx(0.536, abs=0.002), "the base rate is the policy's vanilla accuracy in every row"
    assert 100 * rates["accuracy"] == pytest.approx(accuracy, abs=1e-3)
    assert 100 * rates["f1"] == pytest.approx(f1, abs=1e-3)
    assert 100 * rates["far_paper"] == pytest.approx(far, abs=1e-3)
    assert 100 * rates["frr_paper"] == pytest.approx(frr, abs=0.03)


def test_individual_pools_judged_asked_cells() -> None:
    matrix, labels = pair([[P, F, SKIPPED], [P, P, SKIPPED], [P, P, P]], (True, False, None))
    assert individual_quality([(matrix, labels)]) == Confusion(tp=1, fp=2, fn=1, tn=0)
    assert individual_quality([(matrix, labels)] * 3) == Confusion(tp=3, fp=6, fn=3, tn=0)


def test_combined_accepts_every_solution_with_most_votes() -> None:
    matrix, labels = pair([[P, F], [F, P], [F, F], [F, P]], (True, False, True, None))
    assert combined_quality([(matrix, labels)]) == Confusion(tp=1, fp=1, fn=1, tn=0)


def test_a_problem_without_asked_tests_decides_nothing() -> None:
    assert combined_quality([pair([[], []], (True, False))]) == Confusion()
    assert combined_quality([pair([[SKIPPED], [SKIPPED]], (True, False))]) == Confusion()
    assert all(math.isnan(value) for name, value in Confusion().rates().items() if name != "decisions")


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_both_conventions_hold_together(tp: int, fp: int, fn: int, tn: int) -> None:
    rates = Confusion(tp, fp, fn, tn).rates()
    for name, other in (("far_paper", "precision"), ("fnr", "recall")):
        assert math.isnan(rates[name]) == math.isnan(rates[other])
        assert math.isnan(rates[name]) or rates[name] == pytest.approx(1 - rates[other])
    assert rates["decisions"] == tp + fp + fn + tn


def test_missing_cells_are_counted_and_foreign_labels_refused() -> None:
    matrix, labels = pair([[MISSING, P], [P, MISSING]], (True, False))
    assert missing_cells([matrix, matrix]) == 4
    foreign = Labels(task_id="t", correct=(True, False), solution_digests=("x", "y"))
    with pytest.raises(InputError, match="another solution set"):
        individual_quality([(matrix, foreign)])
    with pytest.raises(InputError, match="another solution set"):
        combined_quality([(matrix, foreign)])
    assert labels.correct == (True, False)
