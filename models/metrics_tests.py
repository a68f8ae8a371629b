"""How good the tests are as judges of solutions, in both conventions (CodeRM, arXiv 2501.01054, App. D).

The paper prints FAR = FP/(FP+TP) and FRR = FN/(FN+TN), a false discovery rate and a false omission rate, although its words
describe FP/(FP+TN) and FN/(FN+TP). Its Table 2 follows the printed formulas, pooled over all triples; so do ``far_paper`` and
``frr_paper``, and ``fpr`` and ``fnr`` are the classical ones. A rate whose denominator is empty is NaN.

    individual   accepts: the solution passes this one test                  one decision a judged cell that was asked
    combined     accepts: V_i is the maximum over the problem's candidates   one decision a judged solution of a problem with tests
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.matrix import PassMatrix
from models.reward.selector import check_labels
from models.types import BoolMatrix, Labels, Verdict


@dataclass(frozen=True)
class Confusion:
    """Decisions about solutions, pooled: accepted or rejected, right or wrong."""

    tp: int = 0
    fp: int = 0
    fn: int = 0
    tn: int = 0

    def __add__(self, other: Confusion) -> Confusion:
        """Pool two sets of decisions."""
        return Confusion(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.tn + other.tn)

    def rates(self) -> dict[str, float]:
        """accuracy, precision, recall, f1, far_paper, frr_paper, fpr, fnr, and how many ``decisions`` they stand on."""
        tp, fp, fn, tn = self.tp, self.fp, self.fn, self.tn
        return {
            "accuracy": ratio(tp + tn, tp + fp + fn + tn),
            "precision": ratio(tp, tp + fp),
            "recall": ratio(tp, tp + fn),
            "f1": ratio(2 * tp, 2 * tp + fp + fn),
            "far_paper": ratio(fp, fp + tp),
            "frr_paper": ratio(fn, fn + tn),
            "fpr": ratio(fp, fp + tn),
            "fnr": ratio(fn, fn + tp),
            "decisions": float(tp + fp + fn + tn),
        }


def ratio(part: float, whole: float) -> float:
    """part / whole, NaN where the whole is empty."""
    return part / whole if whole else math.nan


def individual_quality(pairs: Iterable[tuple[PassMatrix, Labels]]) -> Confusion:
    """Every asked cell of a judged solution is one decision. Raises InputError for labels of another solution set."""
    return sum((_individual(matrix, labels) for matrix, labels in pairs), Confusion())


def combined_quality(pairs: Iterable[tuple[PassMatrix, Labels]]) -> Confusion:
    """Every judged solution of a problem with asked tests is one decision. Raises InputError as above."""
    return sum((_combined(matrix, labels) for matrix, labels in pairs), Confusion())


def missing_cells(matrices: Iterable[PassMatrix]) -> int:
    """Cells that were wanted and could not be run: rates over them are undefined."""
    return sum(int(np.count_nonzero(matrix.verdicts == Verdict.NOT_RUN)) for matrix in matrices)


def truth_of(matrix: PassMatrix, labels: Labels) -> tuple[BoolMatrix, BoolMatrix]:
    """(n,) judged and (n,) right. Raises InputError for labels of another solution set."""
    check_labels(matrix, labels)
    judged = np.array([right is not None for right in labels.correct], dtype=np.bool_)
    return judged, np.array([right is True for right in labels.correct], dtype=np.bool_)


def _individual(matrix: PassMatrix, labels: Labels) -> Confusion:
    judged, right = truth_of(matrix, labels)
    decided = matrix.asked & judged[:, None]
    return _count(matrix.passes[decided], np.broadcast_to(right[:, None], decided.shape)[decided])


def _combined(matrix: PassMatrix, labels: Labels) -> Confusion:
    judged, right = truth_of(matrix, labels)
    if not matrix.asked.any():
        return Confusion()
    votes = matrix.passes.sum(axis=1)
    return _count((votes == votes.max())[judged], right[judged])


def _count(accepted: BoolMatrix, right: npt.NDArray[np.bool_]) -> Confusion:
    return Confusion(
        tp=int(np.count_nonzero(accepted & right)),
        fp=int(np.count_nonzero(accepted & ~right)),
        fn=int(np.count_nonzero(~accepted & right)),
        tn=int(np.count_nonzero(~accepted & ~right)),
    )
