"""Cells: who runs them, what is asked of an executor for one problem, and the verdicts that come back as one matrix.

The shapes and the words are those of the glossary in ``models.types``. A matrix whose parts disagree in shape is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from models.outputs import Outputs
from models.types import BoolMatrix, Limits, Record, UnitTest, Verdict


class SandboxIdentity(Record):
    """What runs cells, whatever their limits. Two of them are two experiments. ``image``: digest, None for the process runtime."""

    sandbox: Literal["docker", "process"]
    image: str | None
    version: str

    def __str__(self) -> str:
        """For a person."""
        return " ".join(part for part in (self.sandbox, self.image, f"version {self.version}") if part)


class ExecutionContext(SandboxIdentity):
    """Where and under what the cells of one matrix ran."""

    timeout_s: float
    memory_mib: int

    @property
    def identity(self) -> SandboxIdentity:
        """Without the limits."""
        return SandboxIdentity(sandbox=self.sandbox, image=self.image, version=self.version)


@dataclass(frozen=True, eq=False)
class PassMatrix:
    """One problem's verdicts. ``flags`` is sparse, by (row, column); ``outputs`` becomes an ``Outputs``, whatever mapping comes in.

    Shapes: verdicts (n, m) uint8; duration_ms (n, m) float32; solution_digests n; test_digests m.
    """

    task_id: str
    verdicts: npt.NDArray[np.uint8]
    duration_ms: npt.NDArray[np.float32]
    context: ExecutionContext
    solution_digests: tuple[str, ...]
    test_digests: tuple[str, ...]
    flags: Mapping[tuple[int, int], tuple[str, ...]] = field(default_factory=dict)
    outputs: Mapping[tuple[int, int], str] = field(default_factory=dict)
    only_winner: str | None = None
    """The selector whose first group was decided early; no other reading of the cells is fair."""

    def __post_init__(self) -> None:
        """Raises ValueError when the shapes disagree."""
        shape = (len(self.solution_digests), len(self.test_digests))
        if self.verdicts.shape != shape or self.duration_ms.shape != shape:
            raise ValueError(f"{self.task_id}: verdicts {self.verdicts.shape}, durations {self.duration_ms.shape}, digests {shape}")
        object.__setattr__(self, "outputs", Outputs.of(self.outputs, shape))

    @property
    def passes(self) -> BoolMatrix:
        """(n, m) bool: the only votes."""
        return np.asarray(self.verdicts == Verdict.PASSED)

    @property
    def asked(self) -> BoolMatrix:
        """(n, m) bool: what the budget wanted."""
        return np.asarray(self.verdicts != Verdict.NOT_ASKED)

    @property
    def output_table(self) -> Outputs:
        """``outputs`` as the table that it is."""
        return Outputs.of(self.outputs, self.verdicts.shape)

    def completed_by(self, later: PassMatrix) -> PassMatrix:
        """Two executions of one problem as one: the cells that were asked here stay, the others come from ``later``."""
        mine = self.asked
        return replace(
            later,
            verdicts=np.where(mine, self.verdicts, later.verdicts),
            duration_ms=np.where(mine, self.duration_ms, later.duration_ms),
            flags={**later.flags, **self.flags},
            outputs=self.output_table.where(mine, later.output_table),
        )

    def counts(self) -> dict[str, int]:
        """How many cells carry each verdict, by label; verdicts that do not occur are absent."""
        codes, counts = np.unique(self.verdicts, return_counts=True)
        return {Verdict(int(c)).label: int(k) for c, k in zip(codes, counts, strict=True)}


@dataclass(frozen=True, eq=False)
class MatrixJob:
    """One problem's work for an executor. ``asked`` None: every cell. Sources are complete (preamble already before them)."""

    task_id: str
    style: Literal["function", "stdin"]
    entry_point: str | None
    solutions: tuple[str, ...]
    solution_digests: tuple[str, ...]
    tests: tuple[UnitTest, ...]
    limits: Limits
    asked: BoolMatrix | None = None
    checker: str | None = None
