"""How well the tests order the candidates: fidelity to the ground truth, and the two ends of the order.

    score   (n,) share of the asked tests that a candidate passes
    truth   (n,) 1 for a right candidate, 0 for a wrong one; candidates without a label are left out

Fidelity is the rank correlation of score and truth a problem, averaged (UTRL, arXiv 2508.21107: Spearman; Scoring Verifiers, arXiv
2502.13820: Spearman and Kendall's τ-b). Both papers count a correlation that is undefined (all candidates right, all wrong, or all
with one score) as 0; so do ``spearman`` and ``kendall``, ``undefined`` counts them, and ``spearman_defined`` is the mean without.
The papers' truth is a share of ground-truth tests; ours is right or wrong, so ties in it are the rule.

Top-1 asks whether the candidates with the highest score are the best ones, Bottom-1 whether those with the lowest are the worst.
Scoring Verifiers gives 1/ties where one of the tied candidates is the best one; with several best ones that is the share of the
tie that is among them, which is what stands here. Problems whose candidates are all right, or all wrong, decide nothing and are
left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.stats import kendalltau, spearmanr

from models.matrix import PassMatrix
from models.metrics_bootstrap import interval
from models.reward.selector import check_labels
from models.types import FloatArray, Labels


@dataclass(frozen=True)
class Agreement:
    """One problem. Correlations are NaN where they are undefined, the ends are NaN where all candidates are equally good."""

    spearman: float
    kendall: float
    top_1: float
    bottom_1: float


def agreement(score: FloatArray, truth: FloatArray) -> Agreement:
    """Agreement of two scores (n,) of the same candidates."""
    flat = score.size == 0 or np.ptp(truth) == 0
    top, bottom = (math.nan, math.nan) if flat else (_end(score, truth), _end(-score, -truth))
    if flat or np.ptp(score) == 0:
        return Agreement(math.nan, math.nan, top, bottom)
    return Agreement(float(spearmanr(score, truth).statistic), float(kendalltau(score, truth).statistic), top, bottom)


def verifier_rates(pairs: Iterable[tuple[PassMatrix, Labels]]) -> dict[str, float]:
    """fidelity/spearman, _lo, _hi, spearman_defined, kendall, problems, undefined; ends/top_1, bottom_1, problems.

    A problem without an asked test gives every candidate the score 0. Raises InputError for labels of another solution set.
    """
    found = [agreement(*_scores(matrix, labels)) for matrix, labels in pairs]
    spearman = np.array([a.spearman for a in found])
    defined = spearman[~np.isnan(spearman)]
    lo, hi = interval(np.nan_to_num(spearman))
    decided = [a for a in found if not math.isnan(a.top_1)]
    return {
        "fidelity/spearman": _mean(np.nan_to_num(spearman)),
        "fidelity/spearman_lo": lo,
        "fidelity/spearman_hi": hi,
        "fidelity/spearman_defined": _mean(defined),
        "fidelity/kendall": _mean(np.nan_to_num(np.array([a.kendall for a in found]))),
        "fidelity/problems": float(len(found)),
        "fidelity/undefined": float(len(found) - defined.size),
        "ends/top_1": _mean(np.array([a.top_1 for a in decided])),
        "ends/bottom_1": _mean(np.array([a.bottom_1 for a in decided])),
        "ends/problems": float(len(decided)),
    }


def _scores(matrix: PassMatrix, labels: Labels) -> tuple[FloatArray, FloatArray]:
    """Score and truth of the judged candidates; a cell that was not asked counts in neither part of the share."""
    check_labels(matrix, labels)
    judged = np.array([right is not None for right in labels.correct], dtype=np.bool_)
    asked = matrix.asked.sum(axis=1)
    score = matrix.passes.sum(axis=1) / np.maximum(1, asked)
    return score[judged], np.array([right for right in labels.correct if right is not None], dtype=np.float64)


def _end(score: FloatArray, truth: FloatArray) -> float:
    """Share of the candidates with the highest score whose truth is the highest."""
    return float((truth[score == score.max()] == truth.max()).mean())


def _mean(values: FloatArray) -> float:
    return float(values.mean()) if values.size else math.nan
