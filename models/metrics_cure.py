"""Good tests and bad ones, by what they say of right and of wrong code (CURE, arXiv 2506.03136; its repository's evaluation).

A test is good when every right candidate of its problem passes it, bad when one does not; a problem without a right candidate says
nothing about its tests, and they are left out. Counts are pooled over all problems.

    accuracy  good tests among those that can be told
    p01       of a good test and a wrong candidate: the test rejects it
    p00       of a bad test and a wrong candidate: the test accepts it
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from models.matrix import PassMatrix
from models.metrics_tests import ratio, truth_of
from models.types import Labels


def cure_rates(pairs: Iterable[tuple[PassMatrix, Labels]]) -> dict[str, float]:
    """accuracy, p01, p00, and ``tests``: those that they stand on. Raises InputError for labels of another solution set."""
    total = np.sum([_counts(matrix, labels) for matrix, labels in pairs] or [np.zeros(6)], axis=0)
    good, tests, rejected, on_good, accepted, on_bad = (float(v) for v in total)
    return {"accuracy": ratio(good, tests), "p01": ratio(rejected, on_good), "p00": ratio(accepted, on_bad), "tests": tests}


def _counts(matrix: PassMatrix, labels: Labels) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """(6,) good tests, tests, wrong candidates that good tests reject, of so many; that bad tests accept, of so many."""
    judged, right = truth_of(matrix, labels)
    passes, asked = matrix.passes, matrix.asked
    told = asked[right].any(axis=0)
    good = told & (passes[right] | ~asked[right]).all(axis=0)
    wrong_asked, wrong_passes = asked[judged & ~right], passes[judged & ~right]
    on_good, on_bad = wrong_asked[:, good], wrong_asked[:, told & ~good]
    rejected = on_good & ~wrong_passes[:, good]
    accepted = wrong_passes[:, told & ~good]
    return np.array([part.sum() for part in (good, told, rejected, on_good, accepted, on_bad)], dtype=np.float64)
