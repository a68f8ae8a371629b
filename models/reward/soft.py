"""CodeT with soft classes: a near twin counts for almost as much as a twin.

Exact classes split solutions that differ on one flaky or wrong test. Theory favours fuzzy similarity for selection (arXiv
2602.06098, abstract); here a solution counts exp(-h/τ) for one whose row differs on the share h of the asked tests. τ → 0 is CodeT.

    soft size   ñ_c = Σ_k exp(-h_ck / τ)
    score       ñ_c V_c²   (the square of sqrt(ñ_c) V_c)
"""

from __future__ import annotations

import numpy as np

from models.reward.classes import distances_of, votes_of
from models.types import BoolMatrix, FloatArray

TAU = 0.05
"""Width as a share of the asked tests."""


def soft_score(passes: BoolMatrix, rows: FloatArray, cols: FloatArray) -> FloatArray:
    """ñ_c V_c²; -inf where V_c = 0."""
    votes, asked = votes_of(passes, cols), np.maximum(1.0, cols.sum(axis=-1))[..., None, None]
    size = (np.exp(-distances_of(passes, cols) / (TAU * asked)) @ rows[..., None])[..., 0]
    return np.where(votes > 0, size * votes**2, -np.inf)
