"""The floor and the ceiling: a random draw, and a choice that knows the answer.

Neither reads a cell. Random ranks nothing, so that every table uses the unbiased estimator without replacement for it; the oracle
puts the right solutions first, so that its pass@1 is the share of problems that have one.
"""

from __future__ import annotations

import numpy as np

from models.errors import InputError
from models.reward.selector import Groups, MatrixView
from models.types import BoolMatrix, FloatArray


def random_score(passes: BoolMatrix, rows: FloatArray, cols: FloatArray) -> FloatArray:
    """-inf: every class is dropped, nothing is ranked."""
    return np.full(np.broadcast_shapes(rows.shape, (*cols.shape[:-1], passes.shape[0])), -np.inf)


class OracleSelector:
    """Right solutions, then wrong ones; those that could not be judged are dropped."""

    name = "oracle"

    def rank(self, view: MatrixView) -> Groups:
        """Raises InputError when the view has no labels."""
        if view.correct is None:
            raise InputError(f"{view.task_id}: selector oracle needs labels: give the L file, or leave oracle out")
        groups = (tuple(i for i, right in enumerate(view.correct) if right is wanted) for wanted in (True, False))
        return tuple(group for group in groups if group)
