"""Counting on a pass matrix, for many sub-samples of solutions and tests at once.

Every rule of this package sees the matrix through its distinct rows and columns, with counts: a solution written twice is a row
that counts 2, a test drawn twice a column that counts 2, a test that was not asked a column that counts 0. One call then answers
for a whole stack of sub-samples (replays of a budget, scaling curves) as for one matrix, and the two cannot disagree.

    passes    (K, M) bool       distinct rows (classes of solutions) by distinct columns (patterns of tests)
    rows      (..., K) float    how many solutions of each class take part; 0: none
    cols      (..., M) float    how many tests of each pattern were asked; 0: none
    votes     (..., K)          V_c = Σ_j cols_j passes_cj
    same      (..., K, K) bool  the two rows agree on every asked pattern
    sizes     (..., K)          n_c = solutions whose row agrees with c's on every asked pattern

Leading axes broadcast: ``cols`` (orders, budgets, 1, M) with ``rows`` (orders, 1, n, K) is every pair of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.types import BoolMatrix, FloatArray

SIGNATURE_BITS = 52
"""A float64 holds every sum of distinct powers of two below 2^53, so a signature of 52 columns is exact in any order of adding."""


@dataclass(frozen=True, eq=False)
class Classes:
    """A matrix (n, m) without its repetitions: ``passes`` (K, M), and where each row (n,) and column (m,) went."""

    passes: BoolMatrix
    class_of: npt.NDArray[np.intp]
    pattern_of: npt.NDArray[np.intp]

    @property
    def rows(self) -> FloatArray:
        """(K,) solutions of each class."""
        return np.bincount(self.class_of, minlength=self.passes.shape[0]).astype(np.float64)

    @property
    def cols(self) -> FloatArray:
        """(M,) tests of each pattern."""
        return np.bincount(self.pattern_of, minlength=self.passes.shape[1]).astype(np.float64)


def classes_of(passes: BoolMatrix) -> Classes:
    """Distinct rows and columns of ``passes`` (n, m); both may be empty."""
    first, class_of = _distinct(passes)
    rows = passes[first]
    first, pattern_of = _distinct(rows.T)
    return Classes(np.ascontiguousarray(rows[:, first]), class_of, pattern_of)


def _distinct(matrix: BoolMatrix) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """(index of the first row of each kind, kind of each row), kinds in order of their packed bits."""
    if matrix.shape[0] == 0 or matrix.shape[1] == 0:
        return np.zeros(min(1, matrix.shape[0]), dtype=np.intp), np.zeros(matrix.shape[0], dtype=np.intp)
    packed = np.ascontiguousarray(np.packbits(matrix, axis=1))
    keys = packed.view(np.dtype((np.void, packed.shape[1]))).ravel()
    _, first, kind = np.unique(keys, return_index=True, return_inverse=True)
    return first, kind.reshape(-1)


def votes_of(passes: BoolMatrix, cols: FloatArray) -> FloatArray:
    """(..., K) tests passed, duplicates of a test counted each time."""
    return np.asarray(cols @ passes.T.astype(np.float64))


def same_rows(passes: BoolMatrix, cols: FloatArray) -> BoolMatrix:
    """(..., K, K) bool: no asked test tells the two classes apart. Exact, see ``SIGNATURE_BITS``."""
    asked = (cols > 0).astype(np.float64)
    same = np.ones((*cols.shape[:-1], passes.shape[0], passes.shape[0]), dtype=np.bool_)
    for start in range(0, passes.shape[1], SIGNATURE_BITS):
        block = slice(start, start + SIGNATURE_BITS)
        bits = passes[:, block] * 2.0 ** np.arange(passes[:, block].shape[1])
        signature = asked[..., block] @ bits.T
        same &= signature[..., :, None] == signature[..., None, :]
    return same


def sizes_of(passes: BoolMatrix, rows: FloatArray, cols: FloatArray) -> FloatArray:
    """(..., K) solutions that no asked test tells apart from the class, itself included.

    Classes differ somewhere, so with every pattern asked no two agree and no (K, K) table is needed: ranking a stored matrix stays
    linear in its classes. ``same`` is symmetric, so n sub-samples of solutions over one of tests are one product, (n, K) by (K, K):
    the shape of a scaling study, 20 times fewer products than one a pair.
    """
    if (cols > 0).all():
        return np.broadcast_to(rows, np.broadcast_shapes(rows.shape, (*cols.shape[:-1], 1)))
    same = same_rows(passes, cols).astype(np.float64)
    if same.ndim > 3 and same.shape[-3] == 1 and rows.ndim > 1:
        return np.asarray(rows @ same[..., 0, :, :])
    return np.asarray((same @ rows[..., None])[..., 0])


def passers_of(passes: BoolMatrix, rows: FloatArray) -> FloatArray:
    """(..., M) solutions that pass one test of each pattern."""
    return np.asarray(rows @ passes.astype(np.float64))


def agreement_with(passes: BoolMatrix, weights: FloatArray, cols: FloatArray) -> FloatArray:
    """(..., K) Σ_k weights_k x (asked tests on which c and k agree), without a (K, K) table."""
    passed = passers_of(passes, weights)
    total = weights.sum(axis=-1, keepdims=True)
    return votes_of(passes, cols * passed) + votes_of(~passes, cols * (total - passed))


def distances_of(passes: BoolMatrix, cols: FloatArray) -> FloatArray:
    """(..., K, K) asked tests on which the two rows differ."""
    votes = votes_of(passes, cols)
    both = (passes * cols[..., None, :]) @ passes.T.astype(np.float64)
    return np.asarray(votes[..., :, None] + votes[..., None, :] - 2 * both)
