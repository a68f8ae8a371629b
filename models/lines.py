"""The line of a pass matrix (M). The other lines are the records themselves (models/types.py).

Decides how a matrix looks in a file: labels instead of codes, null where nothing ran, flags and outputs dense by row and column, so
that a script needs no key to read them. Durations are kept to a microsecond: the file says no more than the clock knows, and is a
third smaller. Refuses shapes that disagree and flags for columns that are not there.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from models.matrix import ExecutionContext, PassMatrix
from models.outputs import NONE, Outputs
from models.types import Record, Verdict

VerdictLabel = Literal[
    "not_asked", "not_run", "timeout", "out_of_memory", "tampered", "crashed",
    "invalid_solution", "invalid_test", "failed", "error", "passed",
]  # fmt: skip
"""The names of ``Verdict``; a test holds the two lists together."""

DURATION_DECIMALS = 3
"""0.001 ms: the supervisor's clock is not better than that."""

_LABELS = np.array([verdict.label for verdict in Verdict], dtype=object)
_CODES = {verdict.label: int(verdict) for verdict in Verdict}

Milliseconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class MatrixLine(Record):
    """M line. Rows are solutions, columns tests; ``duration_ms`` is null for cells that did not run."""

    task_id: str = Field(min_length=1)
    verdicts: tuple[tuple[VerdictLabel, ...], ...]
    duration_ms: tuple[tuple[Milliseconds | None, ...], ...]
    flags: tuple[tuple[tuple[str, ...], ...], ...]
    outputs: tuple[tuple[str | None, ...], ...] | None = None
    output_values: dict[str, str] | None = None
    """digest → the output in a few characters, for those that are short"""
    context: ExecutionContext
    solution_digests: tuple[str, ...]
    test_digests: tuple[str, ...]
    only_winner: str | None = Field(None, exclude_if=lambda v: v is None)

    @model_validator(mode="after")
    def _one_shape(self) -> MatrixLine:
        rows, columns = len(self.solution_digests), len(self.test_digests)
        for name in ("verdicts", "duration_ms", "flags", "outputs"):
            table = getattr(self, name)
            if table is not None and (len(table) != rows or any(len(row) != columns for row in table)):
                raise ValueError(f"{name} is not {rows} rows (solution_digests) of {columns} columns (test_digests)")
        return self

    @classmethod
    def from_matrix(cls, matrix: PassMatrix) -> MatrixLine:
        """The line of a matrix. ``outputs`` is absent when no cell has one."""
        rows, columns = matrix.verdicts.shape
        flags: list[list[tuple[str, ...]]] = [[()] * columns for _ in range(rows)]
        for (i, j), names in matrix.flags.items():
            flags[i][j] = tuple(names)
        table = matrix.output_table
        outputs = np.array([*table.digests, None], dtype=object)[table.codes].tolist()  # NONE is the last place
        rounded = np.round(matrix.duration_ms.astype(np.float64), DURATION_DECIMALS)
        durations = np.where(np.isnan(rounded), None, rounded.astype(object))  # type: ignore[call-overload]
        return cls(
            task_id=matrix.task_id,
            verdicts=_LABELS[matrix.verdicts].tolist(),
            duration_ms=durations.tolist(),
            flags=flags,
            outputs=outputs if table.digests else None,
            output_values=dict(table.texts) or None,
            context=matrix.context,
            solution_digests=matrix.solution_digests,
            test_digests=matrix.test_digests,
            only_winner=matrix.only_winner,
        )

    def to_matrix(self) -> PassMatrix:
        """The matrix of a line; durations of cells that did not run are NaN."""
        shape = (len(self.solution_digests), len(self.test_digests))
        codes = [_CODES[label] for row in self.verdicts for label in row]
        times = [np.nan if ms is None else ms for row in self.duration_ms for ms in row]
        return PassMatrix(
            task_id=self.task_id,
            verdicts=np.array(codes, dtype=np.uint8).reshape(shape),
            duration_ms=np.array(times, dtype=np.float32).reshape(shape),
            context=self.context,
            solution_digests=self.solution_digests,
            test_digests=self.test_digests,
            flags={(i, j): names for i, row in enumerate(self.flags) for j, names in enumerate(row) if names},
            outputs=self._outputs(shape),
            only_winner=self.only_winner,
        )

    def _outputs(self, shape: tuple[int, int]) -> Outputs:
        digests = [digest for row in self.outputs or () for digest in row]
        numbers = {digest: at for at, digest in enumerate(dict.fromkeys(d for d in digests if d is not None))}
        codes = np.array([NONE if d is None else numbers[d] for d in digests], dtype=np.int32)
        return Outputs(codes.reshape(shape) if digests else np.full(shape, NONE, np.int32), list(numbers), self.output_values)
