"""What of a job has to run at all, in which pieces, and how its answers become a matrix.

Identical solutions and identical tests run once; a distinct cell runs when any of its copies was asked for, and its answer is
copied back to those that were. The rest is ``not_asked``. A piece is one distinct solution with the columns it still needs, so
that slots share a problem and a fault costs at most a row. Shapes: n x m the job, u x v its distinct solutions and tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from models.matrix import ExecutionContext, MatrixJob, PassMatrix
from models.outputs import NONE, Outputs
from models.types import BoolMatrix, UnitTest, Verdict
from sandbox.classify import Evidence, classify, flags, outcome
from sandbox.guest.wire import output_digest
from sandbox.slot import Slot


def _distinct(keys: Sequence[object]) -> tuple[list[int], npt.NDArray[np.intp]]:
    """(index of the first copy of each distinct key, for every key the number of its distinct one)."""
    numbers: dict[object, int] = {}
    firsts: list[int] = []
    inverse = np.zeros(len(keys), dtype=np.intp)
    for position, key in enumerate(keys):
        if key not in numbers:
            numbers[key] = len(firsts)
            firsts.append(position)
        inverse[position] = numbers[key]
    return firsts, inverse


@dataclass
class Piece:
    """Columns of one distinct solution of one planned job. ``attempt`` 1: run again after a fault."""

    work: PlannedJob
    solution: int
    columns: list[int]
    attempt: int = 0


@dataclass(eq=False)
class PlannedJob:
    """One job in work: the distinct axes, the answers so far, and how many distinct cells are still open."""

    job: MatrixJob
    context: ExecutionContext
    solutions: list[int] = field(init=False)
    tests: list[int] = field(init=False)
    open_cells: int = field(init=False)

    def __post_init__(self) -> None:
        """Deduplicate and find out what was asked."""
        job = self.job
        self.solutions, self._rows = _distinct(job.solutions)
        self.tests, self._columns = _distinct([_test_key(test) for test in job.tests])
        self._asked = np.ones((len(job.solutions), len(job.tests)), bool) if job.asked is None else np.asarray(job.asked, bool)
        shape = (len(self.solutions), len(self.tests))
        wanted = np.zeros(shape, np.int64)
        rows, columns = np.nonzero(self._asked)
        np.add.at(wanted, (self._rows[rows], self._columns[columns]), 1)
        self._copies = wanted
        self._verdicts = np.zeros(shape, np.uint8)
        self._durations = np.full(shape, np.nan, np.float32)
        self._flags: dict[tuple[int, int], tuple[str, ...]] = {}
        self._outputs = np.full(shape, NONE, np.int32)
        self._digests: dict[str, int] = {}
        self._texts: dict[str, str] = {}
        self.changed: set[int] = set()
        self.open_cells = int((wanted > 0).sum())
        self._expected = [None if t.stdout is None else output_digest(_bytes(t.stdout)) for t in self._distinct_tests()]

    def _distinct_tests(self) -> list[UnitTest]:
        return [self.job.tests[index] for index in self.tests]

    def problem(self) -> dict[str, Any]:
        """What a slot loads: everything but the expected outputs, which no cell may find."""
        tests = [test.stdin if test.source is None else test.source for test in self._distinct_tests()]
        style = "stdin" if self.job.style == "stdin" else "function"
        return {"style": style, "entry_point": self.job.entry_point, "tests": tests, "keep_output": self.job.checker is not None}

    def pieces(self) -> list[Piece]:
        """One a distinct solution that has anything to run."""
        wanted = self._copies > 0
        return [Piece(self, row, np.flatnonzero(wanted[row]).tolist()) for row in np.flatnonzero(wanted.any(axis=1)).tolist()]

    def source(self, solution: int) -> str:
        """A distinct solution's text."""
        return self.job.solutions[self.solutions[solution]]

    def test(self, column: int) -> UnitTest:
        """A distinct test."""
        return self.job.tests[self.tests[column]]

    def record(self, solution: int, column: int, seen: Evidence) -> int:
        """Keep one answer; how many cells of the job it settles."""
        found = classify(seen, self._expected[column]) if seen.verdict is None else seen.verdict
        doubts = flags(seen, found, self.context.timeout_s)
        self._verdicts[solution, column] = found
        self._durations[solution, column] = seen.wall_ms if found is not Verdict.NOT_RUN else np.nan
        if doubts:
            self._flags[solution, column] = doubts
        self._keep_output(solution, column, seen)
        self.changed.add(solution)
        self.open_cells -= 1
        return int(self._copies[solution, column])

    def _keep_output(self, solution: int, column: int, seen: Evidence) -> None:
        found = outcome(seen)
        if found is None:
            return
        digest, text = found
        self._outputs[solution, column] = self._digests.setdefault(digest, len(self._digests))
        if text is not None:
            self._texts.setdefault(digest, text)

    def judged(self, seen: Evidence, column: int, slot: Slot) -> Evidence:
        """What a checker says of an output; other endings pass through. Raises InfraFault."""
        test = self.test(column)
        if self.job.checker is None or seen.text is None or test.stdin is None or test.stdout is None:
            return seen
        if classify(seen, seen.output or "") is not Verdict.PASSED:
            return seen
        answer = classify(slot.check(self.job.checker, test.stdin, test.stdout, seen.text))
        return replace(seen, verdict=answer)

    def matrix(self) -> PassMatrix:
        """Copy the answers back to every duplicate."""
        return self._matrix(range(len(self._rows)), self._asked)

    def news(self) -> tuple[list[int], PassMatrix]:
        """Rows, one copy of each, with an answer since the last call, and their matrix so far."""
        solutions, self.changed = sorted(self.changed), set()
        rows = [self.solutions[solution] for solution in solutions]
        return rows, self._matrix(rows, self._copies[solutions][:, self._columns] > 0)

    def _matrix(self, rows: Sequence[int], asked: BoolMatrix) -> PassMatrix:
        numbers = self._rows[list(rows)]
        grid = np.ix_(numbers, self._columns)
        verdicts = np.where(asked, self._verdicts[grid], np.uint8(Verdict.NOT_ASKED)).astype(np.uint8)
        durations = np.where(asked, self._durations[grid], np.float32(np.nan)).astype(np.float32)
        return PassMatrix(
            task_id=self.job.task_id,
            verdicts=verdicts,
            duration_ms=durations,
            context=self.context,
            solution_digests=tuple(self.job.solution_digests[row] for row in rows),
            test_digests=tuple(test.digest for test in self.job.tests),
            flags=self._spread(numbers, asked),
            outputs=Outputs(np.where(asked, self._outputs[grid], NONE).astype(np.int32), list(self._digests), self._texts),
        )

    def _spread(self, numbers: npt.NDArray[np.intp], asked: BoolMatrix) -> dict[tuple[int, int], tuple[str, ...]]:
        spread = {}
        for (solution, column), names in self._flags.items():
            for row in np.flatnonzero(numbers == solution).tolist():
                for copy in np.flatnonzero(self._columns == column).tolist():
                    if asked[row, copy]:
                        spread[row, copy] = names
        return spread


def _test_key(test: UnitTest) -> tuple[str | None, str | None, str | None]:
    return test.source, test.stdin, test.stdout


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
