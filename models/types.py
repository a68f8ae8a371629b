"""The records that travel, and the glossary of their shapes. Frozen; behaviour lives elsewhere.

    problem        what is to be solved: a statement, an entry point, its ground truth          P line of README.md
    solution       one sampled program; its index in the file is its row                        S line
    test           one generated unit test; its index in the file is its column                 T line
    cell           one (solution, test) pair, and its verdict
    verdicts       (n_solutions, n_tests) uint8, codes of ``Verdict``
    passes         (n_solutions, n_tests) bool, verdicts == PASSED: the only votes
    asked          (n_solutions, n_tests) bool, False where the budget did not want the cell (``not_asked``)
    duration_ms    (n_solutions, n_tests) float32, wall milliseconds by the supervisor's clock; NaN where nothing ran
    outputs        (n_solutions, n_tests) digests of what the solutions returned, packed (models/outputs.py)
    correct        (n_solutions,) ground truth: True, False, or None where it could not be judged                L line

Pydantic models are both the record and the shape of its line; a rule about the shape of a line stands here and nowhere else.
Matrices of cells are in ``models.matrix``.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from models.fingerprint import digest_json, digest_text

BoolMatrix = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]


class Verdict(IntEnum):
    """What a cell can be. The number is stored in blobs: add at the end, never renumber (README.md, "Verdicts")."""

    NOT_ASKED = 0
    NOT_RUN = 1
    TIMEOUT = 2
    OUT_OF_MEMORY = 3
    TAMPERED = 4
    CRASHED = 5
    INVALID_SOLUTION = 6
    INVALID_TEST = 7
    FAILED = 8
    ERROR = 9
    PASSED = 10

    @property
    def label(self) -> str:
        """The name in files and tables: ``not_asked`` … ``passed``."""
        return self.name.lower()

    @classmethod
    def from_label(cls, label: str) -> Verdict:
        """Raises KeyError for a name that is no verdict."""
        return cls[label.upper()]


def _any_text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("expected a string")  # noqa: TRY004 - pydantic turns ValueError into a field error
    return value


SourceText = Annotated[str, PlainValidator(_any_text)]
"""Text that a model wrote: any string, lone surrogates and NUL included, since what it holds is a verdict and no input error."""


class Record(BaseModel):
    """A frozen record that refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Limits(Record):
    """What a cell may use."""

    timeout_s: Annotated[
        float,
        Field(
            gt=0,
            le=3600,
            allow_inf_nan=False,
            title="Time limit, seconds",
            description="CPU seconds of the cell's process tree; the wall limit is max(2 x, + 0.5 s)",
        ),
    ] = 1.0
    memory_mib: Annotated[int, Field(ge=16, le=1 << 20, title="Memory, MiB", description="of the cell's processes")] = 512

    @property
    def wall_s(self) -> float:
        """Wall seconds after which the supervisor kills the cell, whatever it burns."""
        return max(2 * self.timeout_s, self.timeout_s + 0.5)


class StdinCase(Record):
    """One run of a program: what it reads and what it must write."""

    stdin: str
    stdout: str


class CheckTruth(Record):
    """A ``check(candidate)`` function, as HumanEval has it."""

    kind: Literal["check"] = "check"
    source: str


class AssertsTruth(Record):
    """Bare assert statements, as MBPP has them."""

    kind: Literal["asserts"] = "asserts"
    asserts: tuple[str, ...] = Field(min_length=1)


class InputsTruth(Record):
    """Inputs on which a solution must agree with the reference (EvalPlus). ``atol``: absolute tolerance for floats."""

    kind: Literal["inputs"] = "inputs"
    inputs: tuple[tuple[Any, ...], ...] = Field(min_length=1)
    atol: float = Field(0.0, ge=0)
    check: str | None = None
    """The benchmark's own ``check(candidate)``, which must hold too."""


class StdinTruth(Record):
    """Pairs of input and output, compared as README.md says, or by ``checker`` source."""

    kind: Literal["stdin"] = "stdin"
    cases: tuple[StdinCase, ...] = Field(min_length=1)
    checker: str | None = None


GroundTruth = Annotated[CheckTruth | AssertsTruth | InputsTruth | StdinTruth, Field(discriminator="kind")]


class Problem(Record):
    """P line. ``preamble`` is what the statement gives before the entry point: imports and helpers."""

    task_id: str = Field(min_length=1)
    prompt: str
    entry_point: str | None
    style: Literal["function", "stdin"]
    preamble: str = ""
    reference: str | None = None
    ground_truth: GroundTruth
    limits: Limits | None = None

    @model_validator(mode="after")
    def _entry_point_fits(self) -> Problem:
        if self.style == "function" and not (self.entry_point or "").isidentifier():
            raise ValueError("a function problem needs an entry_point that is a Python name")
        if (self.style == "stdin") != (self.ground_truth.kind == "stdin"):
            raise ValueError("style 'stdin' goes with ground_truth kind 'stdin', and only with it")
        return self

    @property
    def digest(self) -> str:
        """Content digest of the whole line."""
        return digest_json(self.model_dump(mode="json"))


class SolutionSet(Record):
    """S line. The order is the index of the row."""

    task_id: str = Field(min_length=1)
    solutions: tuple[SourceText, ...]

    @property
    def digests(self) -> tuple[str, ...]:
        """One digest a row, of the source as it stands in the file (before a preamble is put before it)."""
        return tuple(digest_text(s) for s in self.solutions)


class UnitTest(Record):
    """One column: Python source, or a pair of input and output. In a line: a string, or an object."""

    source: SourceText | None = None
    stdin: SourceText | None = None
    stdout: SourceText | None = None
    origin: Literal["statement", "generated"] = "generated"

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {"source": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_kind(self) -> UnitTest:
        if (self.source is None) == (self.stdin is None and self.stdout is None):
            raise ValueError("a test is either Python source or both stdin and stdout")
        if self.source is None and (self.stdin is None or self.stdout is None):
            raise ValueError("a stdin test needs both stdin and stdout")
        return self

    @model_serializer
    def _to_line(self) -> Any:
        body: dict[str, Any] = {"source": self.source} if self.source is not None else {"stdin": self.stdin, "stdout": self.stdout}
        if self.origin != "generated":
            return {**body, "origin": self.origin}
        return self.source if self.source is not None else body

    @property
    def digest(self) -> str:
        """Digest of what runs; the origin is not part of it."""
        return digest_text(self.source) if self.source is not None else digest_json({"stdin": self.stdin, "stdout": self.stdout})


class TestSet(Record):
    """T line. The order is the index of the column; duplicates stay: they run once and count each time."""

    __test__ = False  # a record, not a pytest class

    task_id: str = Field(min_length=1)
    tests: tuple[UnitTest, ...]
    limits: Limits | None = None

    @property
    def digests(self) -> tuple[str, ...]:
        """One digest a column."""
        return tuple(t.digest for t in self.tests)


class Labels(Record):
    """L line: ground truth of one solution set. None: could not be judged."""

    task_id: str = Field(min_length=1)
    correct: tuple[bool | None, ...]
    solution_digests: tuple[str, ...]

    @model_validator(mode="after")
    def _same_length(self) -> Labels:
        if len(self.correct) != len(self.solution_digests):
            raise ValueError(f"{len(self.correct)} labels for {len(self.solution_digests)} solution_digests")
        return self


class Ranking(Record):
    """R line. ``order``: groups of tied solution indices, best group first; what the selector drops is absent.

    ``confidence``: calibrated probability that the selected solution is right (models.confidence); None: not known.
    ``abstained``: the confidence is below the threshold that was asked for, or unknown; None: no threshold.
    """

    task_id: str
    selector: str
    order: tuple[tuple[int, ...], ...]
    confidence: float | None = Field(None, ge=0, le=1)
    abstained: bool | None = None

    @model_serializer(mode="wrap")
    def _without_what_is_unknown(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        line: dict[str, Any] = plain(self)
        return {name: value for name, value in line.items() if value is not None}
