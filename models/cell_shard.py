"""Work that travels: some rows of one problem with all that a worker needs, as plain JSON, and the verdicts that come back.

A shard holds no handle and names no machine: whoever has an executor runs it (``run_shards``), in any order, twice if need be, and
``joined`` puts the rows together again. Copies of a solution stay in one shard, so that they still run once. Refuses to join rows
that are missing, rows of another problem, and rows that ran under another context: an image that differs is another experiment.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from models.errors import InputError
from models.lines import MatrixLine
from models.matrix import MatrixJob, PassMatrix
from models.outputs import NONE, Outputs
from models.types import Limits, Record, SourceText, UnitTest, Verdict


class ShardJob(Record):
    """A ``MatrixJob`` as a line. ``asked``: one string of 0 and 1 a row; absent: every cell."""

    task_id: str = Field(min_length=1)
    style: Literal["function", "stdin"]
    entry_point: str | None
    solutions: tuple[SourceText, ...]
    solution_digests: tuple[str, ...]
    tests: tuple[UnitTest, ...]
    limits: Limits
    asked: tuple[str, ...] | None = None
    checker: SourceText | None = None

    @model_validator(mode="after")
    def _one_shape(self) -> Self:
        if len(self.solutions) != len(self.solution_digests):
            raise ValueError(f"{len(self.solution_digests)} solution_digests for {len(self.solutions)} solutions")
        rows = self.asked if self.asked is not None else ("0" * len(self.tests),) * len(self.solutions)
        if len(rows) != len(self.solutions) or any(len(row) != len(self.tests) or set(row) - {"0", "1"} for row in rows):
            raise ValueError(f"asked is not {len(self.solutions)} rows of {len(self.tests)} times 0 or 1")
        return self

    def job(self) -> MatrixJob:
        """What an executor takes."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        shape = (len(self.solutions), len(self.tests))
        asked = None if self.asked is None else np.array([[c == "1" for c in row] for row in self.asked], dtype=bool).reshape(shape)
        return MatrixJob(**{**fields, "asked": asked})


class CellShard(Record):
    """``rows``: where these solutions stand in their problem's matrix."""

    format: Literal[1] = 1
    rows: tuple[int, ...]
    work: ShardJob


class ShardResult(Record):
    """The verdicts of a shard. ``rows``: as in the shard."""

    format: Literal[1] = 1
    rows: tuple[int, ...]
    found: MatrixLine


def to_json(record: CellShard | ShardResult) -> str:
    """One line, ASCII: lone surrogates of a source survive."""
    return json.dumps(record.model_dump(), separators=(",", ":"))


def cut(job: MatrixJob, cells: int) -> Iterator[CellShard]:
    """Shards of about ``cells`` asked cells and at least one solution; every row is in exactly one."""
    copies: dict[str, list[int]] = defaultdict(list)
    for row, source in enumerate(job.solutions):
        copies[source].append(row)
    rows: list[int] = []
    size = 0
    for same in copies.values():
        more = len(job.tests) if job.asked is None else int(job.asked[same].any(axis=0).sum())
        if rows and size + more > cells:
            yield _shard(job, rows)
            rows, size = [], 0
        rows, size = [*rows, *same], size + more
    if rows:
        yield _shard(job, rows)


def _shard(job: MatrixJob, rows: list[int]) -> CellShard:
    fields: dict[str, Any] = {
        name: getattr(job, name) for name in ("task_id", "style", "entry_point", "tests", "limits", "checker")
    }
    work = ShardJob(
        **fields,
        solutions=tuple(job.solutions[i] for i in rows),
        solution_digests=tuple(job.solution_digests[i] for i in rows),
        asked=None if job.asked is None else tuple("".join("01"[int(x)] for x in job.asked[i]) for i in rows),
    )
    return CellShard(rows=tuple(rows), work=work)


def joined(job: MatrixJob, results: Iterable[ShardResult]) -> PassMatrix:
    """The job's matrix. Raises InputError for rows that are missing, foreign, or ran under another context than the others."""
    shape = (len(job.solutions), len(job.tests))
    verdicts, durations = np.zeros(shape, np.uint8), np.full(shape, np.nan, np.float32)
    outputs = Outputs(np.full(shape, NONE, np.int32), [])
    flags: dict[tuple[int, int], tuple[str, ...]] = {}
    missing = set(range(shape[0]))
    context = None
    for result in results:
        part, rows = result.found.to_matrix(), list(result.rows)
        _check(job, part, rows)
        context = context or part.context
        if part.context != context:
            raise InputError(
                f"{job.task_id}: shards ran under {context} and {part.context}: expected one sandbox, image and version"
            )
        verdicts[rows], durations[rows] = part.verdicts, part.duration_ms
        flags.update({(rows[i], j): names for (i, j), names in part.flags.items()})
        outputs = _spread(part.output_table, rows, shape).where(
            np.isin(np.arange(shape[0]), rows)[:, None] & np.ones(shape, bool), outputs
        )
        missing -= set(rows)
    if missing or context is None:
        raise InputError(
            f"{job.task_id}: no shard answered for {len(missing)} of {shape[0]} rows (first: {min(missing, default=0)})"
        )
    digests = tuple(test.digest for test in job.tests)
    return PassMatrix(job.task_id, verdicts, durations, context, job.solution_digests, digests, flags, outputs)


def _spread(table: Outputs, rows: list[int], shape: tuple[int, int]) -> Outputs:
    codes = np.full(shape, NONE, np.int32)
    codes[rows] = table.codes
    return Outputs(codes, table.digests, table.texts)


def _check(job: MatrixJob, part: PassMatrix, rows: list[int]) -> None:
    inside = all(0 <= row < len(job.solutions) for row in rows)
    ours = inside and part.task_id == job.task_id and part.solution_digests == tuple(job.solution_digests[i] for i in rows)
    if not ours or part.test_digests != tuple(test.digest for test in job.tests):
        raise InputError(f"{job.task_id}: a shard of {part.task_id} answers for other solutions or tests than those that were sent")
    asked = np.ones(part.verdicts.shape, bool) if job.asked is None else job.asked[rows]
    if not np.array_equal(part.verdicts != Verdict.NOT_ASKED, asked):
        raise InputError(f"{job.task_id}: a shard answers for other cells than those that were asked")
