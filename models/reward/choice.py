"""What a rule is expected to get right on sub-samples of a problem, without ranking them one by one.

One problem is reduced once; a sub-sample of its tests is then a vector of column counts, one of its solutions a vector of row
counts. The answer is the same as ranking each sub-sample and scoring its first group: solutions without a label are left out, and
where nothing is ranked a random draw stands in.

    units     D             distinct tests (by digest): what a budget counts
    position  (O, D) int    place of each distinct test in each order
    spread    (D, M) float  columns that come with a distinct test, by pattern: its duplicates ride along
    judged    (..., K)      judged solutions of each class in the sub-sample;  right (..., K): of those, right ones
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.errors import InputError
from models.matrix import PassMatrix
from models.reward.classes import Classes, classes_of
from models.reward.selector import MatrixView, ScoreSelector, view_codes, view_of
from models.types import FloatArray, Labels


@dataclass(frozen=True, eq=False)
class ReplayProblem:
    """One stored problem, reduced for replay; see the table above.

    ``tally`` (n, 3 K): what each solution adds to the rows, the judged and the right ones of its class. ``codes`` (K, D), where
    outputs are read: equal numbers for equal outputs, -1 for none; classes then differ in passes or outputs, and a pattern of tests
    is one distinct test.
    """

    task_id: str
    classes: Classes
    spread: FloatArray
    tally: FloatArray
    judged: int
    right: int
    codes: npt.NDArray[np.int64] | None = None

    @property
    def units(self) -> int:
        """Distinct tests."""
        return int(self.spread.shape[0])

    @property
    def solutions(self) -> int:
        """Candidates, judged or not."""
        return int(self.tally.shape[0])

    @property
    def base_rate(self) -> float:
        """Share of right solutions among the judged ones: what a random draw is worth."""
        return self.right / self.judged


def replay_problems(matrices: Mapping[str, PassMatrix], labels: Mapping[str, Labels], outputs: bool = False) -> list[ReplayProblem]:
    """Problems with at least one judged solution, reduced, in the order of the matrices; with ``outputs`` kept apart by those.

    Raises InputError for labels of another solution set, for cells that could not be run, and when no problem is left.
    """
    problems = [replay_problem(matrix, labels[task], outputs) for task, matrix in matrices.items() if task in labels]
    judged = [problem for problem in problems if problem.judged]
    if not judged:
        raise InputError(f"no judged solution in {len(matrices)} problems: a replay needs labels of the matrix's solutions")
    return judged


def replay_problem(matrix: PassMatrix, labels: Labels, outputs: bool = False) -> ReplayProblem:
    """One problem, reduced, judged or not. Raises InputError as ``replay_problems`` does."""
    view = view_of(matrix, labels)
    if view.missing:
        raise InputError(f"{matrix.task_id}: {view.missing} cells are not_run, so its accuracy is undefined: execute them first")
    codes = view_codes(view) if outputs else None
    classes, codes = _behaviours(view, codes) if codes is not None else (classes_of(view.passes), None)
    rank = {digest: place for place, digest in enumerate(dict.fromkeys(view.test_digests))}
    spread = np.zeros((len(rank), classes.passes.shape[1]))
    np.add.at(spread, (np.array([rank[d] for d in view.test_digests], dtype=np.intp), classes.pattern_of), 1.0)
    membership = np.zeros((view.passes.shape[0], classes.passes.shape[0]))
    membership[np.arange(len(membership)), classes.class_of] = 1.0
    judged = np.array([right is not None for right in labels.correct], dtype=np.float64)
    right = np.array([right is True for right in labels.correct], dtype=np.float64)
    tally = np.hstack([membership, membership * judged[:, None], membership * right[:, None]])
    return ReplayProblem(matrix.task_id, classes, spread, tally, int(judged.sum()), int(right.sum()), codes)


def _behaviours(view: MatrixView, codes: npt.NDArray[np.int64]) -> tuple[Classes, npt.NDArray[np.int64]]:
    """Classes of equal passes and outputs over the distinct tests, and the codes of each."""
    _, place, pattern_of = np.unique(np.array(view.test_digests), return_index=True, return_inverse=True)
    passes, codes = view.passes[:, place], codes[:, place]
    _, first, class_of = np.unique(np.hstack([codes, passes]), axis=0, return_index=True, return_inverse=True)
    return Classes(passes[first], class_of.reshape(-1), pattern_of.reshape(-1)), codes[first]


def expected_correct(
    problem: ReplayProblem, selector: ScoreSelector, cols: FloatArray, subset: npt.NDArray[np.bool_] | FloatArray | None = None
) -> FloatArray:
    """(...) expected correctness of the selected solution for columns ``cols`` (..., M) and solutions ``subset`` (..., n).

    ``subset`` may be counts: a solution that is drawn twice counts twice. NaN where the sub-sample holds no judged solution.
    """
    taken = np.ones(problem.solutions) if subset is None else subset.astype(np.float64)
    rows, judged, right = np.split(taken @ problem.tally, 3, axis=-1)
    scores, behind = selector.sub_scores(problem.classes.passes, problem.codes, rows, cols)
    scores = np.where(judged > 0, scores, -np.inf)
    if behind is not None:
        others = ((judged > 0) & ~behind).any(axis=-1, keepdims=True)
        scores = np.where(behind & others, -np.inf, scores)
    least = scores.max(axis=-1, keepdims=True, initial=-np.inf)
    if selector.tolerance:
        least = least - selector.tolerance * np.maximum(1.0, np.abs(least))
    first = (scores >= least).astype(np.float64)  # where nothing is ranked, -inf >= -inf takes everything: a random draw
    with np.errstate(invalid="ignore"):
        return np.asarray(np.vecdot(first, right) / np.vecdot(first, judged))


def columns_of(problem: ReplayProblem, position: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> FloatArray:
    """(..., M) column counts when the first ``counts`` (...) tests of each order ``position`` (..., D) are asked."""
    return np.asarray((position < counts[..., None]).astype(np.float64) @ problem.spread)


def orders_of(units: int, orders: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """(orders, units) random places 0 … units-1, one permutation a row."""
    return np.argsort(rng.random((orders, units)), axis=1).astype(np.int64)
