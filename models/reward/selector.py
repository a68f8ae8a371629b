"""Which rule picks the winner: the port that every selector implements, and what it may look at.

A selector sees the columns that were asked and nothing else; a cell that was not asked inside such a column is no vote. It answers
with groups of tied solutions, best first, and leaves out what it drops. An empty answer says "I rank nothing": the caller then
draws at random and counts it. Labels are in the view for the oracle alone, and only when the caller puts them there.

    passes            (n, m) bool   verdict ``passed`` of the asked columns, in the order of the file
    columns           (m,) int      which columns of the stored matrix these are
    solution_digests  n             equal digests: the same source twice; it stays two rows, and counts twice
    test_digests      m             equal digests: the same test twice; it ran once, stays two columns, and counts twice
    score             (..., K)      of ``models.reward.classes``; -inf: dropped
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from models.errors import InputError
from models.matrix import PassMatrix
from models.outputs import NONE, Outputs
from models.reward.classes import classes_of
from models.types import BoolMatrix, FloatArray, Labels, UnitTest, Verdict

Groups = tuple[tuple[int, ...], ...]
Score = Callable[[BoolMatrix, FloatArray, FloatArray], FloatArray]
"""(passes (K, M), rows (..., K), cols (..., M)) → (..., K): higher is better, -inf drops the class."""

VotesAndSize = Callable[[FloatArray, FloatArray, float], FloatArray]
"""(votes V_c, class sizes n_c, solutions n) → the score. Exact, and it never falls when votes or size grow; -inf: dropped."""

TIE_TOLERANCE = 1e-9
"""Relative, for scores that are no integers: they add at most 10^4 float64 terms, so rounding stays under 10^-11 of them."""


@dataclass(frozen=True, eq=False)
class MatrixView:
    """What a selector may look at; see the table above. ``missing``: cells that were wanted and could not be run.

    ``tests``: the columns' sources and origins, where the caller has the T file or is a run; None: not known. ``verdicts`` (n, m).
    """

    task_id: str
    passes: BoolMatrix
    columns: npt.NDArray[np.intp]
    solution_digests: tuple[str, ...]
    test_digests: tuple[str, ...]
    missing: int = 0
    outputs: Mapping[tuple[int, int], str] = field(default_factory=dict)
    """(row, column of this view) → digest of what the solution returned there"""
    sources: tuple[str, ...] | None = None
    correct: tuple[bool | None, ...] | None = None
    tests: tuple[UnitTest, ...] | None = None
    verdicts: npt.NDArray[np.uint8] | None = None

    @property
    def from_statement(self) -> BoolMatrix:
        """(m,) columns that the problem's author wrote; none where the tests are not known."""
        origins = ("generated",) * len(self.columns) if self.tests is None else tuple(test.origin for test in self.tests)
        return np.array([origin == "statement" for origin in origins], dtype=np.bool_)

    def only(self, kept: BoolMatrix) -> MatrixView:
        """The view of the columns ``kept`` (m,), which may be all."""
        if kept.all():
            return self
        places = np.flatnonzero(kept)
        return replace(
            self,
            passes=self.passes[:, places],
            columns=self.columns[places],
            test_digests=tuple(self.test_digests[int(j)] for j in places),
            outputs=Outputs.of(self.outputs, self.passes.shape).columns(places),
            tests=None if self.tests is None else tuple(self.tests[int(j)] for j in places),
            verdicts=None if self.verdicts is None else self.verdicts[:, places],
        )


class Selector(Protocol):
    """Ranks the solutions of one problem."""

    @property
    def name(self) -> str:
        """The name in commands, files and tables (README.md)."""
        ...

    def rank(self, view: MatrixView) -> Groups:
        """Groups of tied solution indices, best first; empty: ranks nothing."""
        ...


@dataclass(frozen=True)
class ScoreSelector:
    """A rule that is one score on the classes of the matrix; equal scores tie. Replays call ``score`` on stacks of sub-samples.

    ``tolerance`` is relative: 0 for scores that are exact integers, ``TIE_TOLERANCE`` for the others. ``bound``: declared where the
    score is a function of votes and class size alone; a solution whose best case falls short then needs no further cell
    (models.reward.winner).
    """

    name: str
    score: Score
    tolerance: float = 0.0
    bound: VotesAndSize | None = None

    @property
    def reads_outputs(self) -> bool:
        """Whether replays should tell classes apart by outputs too."""
        return False

    def sub_scores(
        self,
        passes: BoolMatrix,
        codes: npt.NDArray[np.int64] | None,  # noqa: ARG002 - for those that read outputs
        rows: FloatArray,
        cols: FloatArray,
    ) -> tuple[FloatArray, BoolMatrix | None]:
        """(..., K) scores on sub-samples, and which classes stand behind all others. ``codes`` (K, M): as in ReplayProblem."""
        return self.score(passes, rows, cols), None

    def rank(self, view: MatrixView) -> Groups:
        """Rank by score; a problem without solutions or without asked tests is not ranked."""
        if 0 in view.passes.shape:
            return ()
        classes = classes_of(view.passes)
        scores = self.score(classes.passes, classes.rows, classes.cols)
        return group_by_score(scores[classes.class_of], self.tolerance)


def group_by_score(scores: FloatArray, tolerance: float = 0.0) -> Groups:
    """Indices grouped by equal score (n,), best first; -inf is dropped. Scores within the tolerance of a neighbour are equal."""
    order = np.argsort(-scores, kind="stable")
    order = order[np.isfinite(scores[order])]
    if order.size == 0:
        return ()
    ranked = scores[order]
    cuts = np.flatnonzero(ranked[:-1] - ranked[1:] > tolerance * np.maximum(1.0, np.abs(ranked[:-1]))) + 1
    return tuple(tuple(sorted(int(i) for i in part)) for part in np.split(order, cuts))


def view_codes(view: MatrixView) -> npt.NDArray[np.int64] | None:
    """(n, m) equal numbers for equal outputs, -1 for none; None where the view has none.

    A test that was not asked of every solution says nothing here: its outputs would tell those that ran it from those that did not.
    """
    if not view.outputs or 0 in view.passes.shape:
        return None
    codes = Outputs.of(view.outputs, view.passes.shape).codes.astype(np.int64)
    if view.verdicts is not None:
        codes[:, (view.verdicts == Verdict.NOT_ASKED).any(axis=0)] = NONE
    return codes


def view_of(
    matrix: PassMatrix,
    labels: Labels | None = None,
    sources: tuple[str, ...] | None = None,
    tests: tuple[UnitTest, ...] | None = None,
) -> MatrixView:
    """The asked part of a stored matrix. Labels are for the oracle. ``tests``: one a column of the stored matrix.

    Raises InputError for labels, sources or tests of another matrix.
    """
    if labels is not None:
        check_labels(matrix, labels)
    if sources is not None and len(sources) != len(matrix.solution_digests):
        raise InputError(f"{matrix.task_id}: {len(sources)} sources for {len(matrix.solution_digests)} rows of the matrix")
    if tests is not None and len(tests) != len(matrix.test_digests):
        raise InputError(f"{matrix.task_id}: {len(tests)} tests for {len(matrix.test_digests)} columns of the matrix")
    columns = np.flatnonzero(matrix.asked.any(axis=0))
    return MatrixView(
        task_id=matrix.task_id,
        passes=matrix.passes[:, columns],
        columns=columns,
        solution_digests=matrix.solution_digests,
        test_digests=tuple(matrix.test_digests[int(j)] for j in columns),
        missing=int(np.count_nonzero(matrix.verdicts == Verdict.NOT_RUN)),
        outputs=matrix.output_table.columns(columns),
        sources=sources,
        correct=None if labels is None else labels.correct,
        tests=None if tests is None else tuple(tests[int(j)] for j in columns),
        verdicts=matrix.verdicts[:, columns],
    )


def check_labels(matrix: PassMatrix, labels: Labels) -> None:
    """Raises InputError when the labels were made for other solutions than the rows of the matrix."""
    if labels.solution_digests == matrix.solution_digests:
        return
    ours, theirs = len(matrix.solution_digests), len(labels.solution_digests)
    where = next(
        (i for i, (a, b) in enumerate(zip(matrix.solution_digests, labels.solution_digests, strict=False)) if a != b),
        min(ours, theirs),
    )
    raise InputError(
        f"{matrix.task_id}: labels belong to another solution set ({theirs} labels, {ours} rows, "
        f"first difference at index {where}): label the solutions of this matrix"
    )
