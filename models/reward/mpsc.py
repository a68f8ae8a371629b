"""MPSC's walk between solutions and tests (arXiv 2309.17272), on two parts: the matrix alone, without specifications.

Solutions and tests that pass each other lend each other weight: f <- α T f + (1-α) s0, T the symmetrically normalised adjacency,
s0 uniform. The authors iterate until the change is under 10^-6; the fixed point is a linear system in the classes, solved here.

    T_ij = B_ij / sqrt(d_i d_j)      d_i tests that i passes, d_j solutions that pass j
    α = 0.95 when the mean edge is at least 0.16, else 0.01 (the authors' rule)

Solutions that pass nothing have no edge and are dropped.
"""

from __future__ import annotations

import numpy as np

from models.reward.classes import passers_of, votes_of
from models.types import BoolMatrix, FloatArray

DENSE_EDGE = 0.16
ALPHA_DENSE, ALPHA_SPARSE = 0.95, 0.01


def mpsc_score(passes: BoolMatrix, rows: FloatArray, cols: FloatArray) -> FloatArray:
    """Weight of a solution of each class at the fixed point, s0 = 1 a vertex; -inf where V_c = 0."""
    votes, passers = votes_of(passes, cols), passers_of(passes, rows)
    edge = passes / np.sqrt(np.maximum(1.0, votes)[..., :, None] * np.maximum(1.0, passers)[..., None, :])
    alpha = _damping(rows, cols, passers)[..., None]
    to_tests, to_solutions = edge * cols[..., None, :], np.swapaxes(edge, -1, -2) * rows[..., None, :]
    system = np.eye(passes.shape[0]) - alpha**2 * (to_tests @ to_solutions)
    constant = (1 - alpha) * (1 + alpha * to_tests.sum(axis=-1, keepdims=True))
    weight = np.linalg.solve(system, constant)[..., 0]
    return np.where(votes > 0, weight, -np.inf)


def _damping(rows: FloatArray, cols: FloatArray, passers: FloatArray) -> FloatArray:
    """(..., 1) α by the mean of B over all pairs of a solution and an asked test."""
    pairs = rows.sum(axis=-1) * cols.sum(axis=-1)
    edges = (cols * passers).sum(axis=-1)
    return np.where(edges >= DENSE_EDGE * pairs, ALPHA_DENSE, ALPHA_SPARSE)[..., None]
