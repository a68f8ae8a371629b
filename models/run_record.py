"""What travels between a model and the flow, and what one run is: samples with who drew them, allocations, gates, the whole record.

Keys of mappings are task ids, in benchmark order. Shapes and single records: ``models.types``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import Field

from models.errors import InputError
from models.fingerprint import digest_text
from models.matrix import PassMatrix
from models.types import Labels, Limits, Problem, Ranking, Record, SolutionSet, SourceText, TestSet, UnitTest


class GeneratorIdentity(Record):
    """Which model drew the samples and how: what makes two sample sets comparable."""

    backend: str
    model: str
    revision: str | None = None
    prompt_version: str
    sampling: Mapping[str, float | int | str | None] = Field(default_factory=dict)


class GenerationRequest(Record):
    """``n`` samples for one problem. ``seed`` spaced by at least n between requests: sample k is the one that seed + k draws.

    ``style`` and ``entry_point`` are the problem's: what an answer must look like.
    """

    task_id: str
    kind: Literal["solution", "test"]
    prompt: str
    n: int = Field(ge=1)
    seed: int = Field(ge=0)
    style: Literal["function", "stdin"] = "function"
    entry_point: str | None = None

    @property
    def prompt_digest(self) -> str:
        """Digest of the literal prompt."""
        return digest_text(self.prompt)


class Response(Record):
    """What a model wrote, as it wrote it.

    ``tokens_in``: the whole prompt on the first response of a request and 0 on the others, so that sums are what was processed.
    ``mean_logprob``: mean log-probability of its tokens; None where the model does not tell.
    """

    text: SourceText = ""
    finish_reason: str = "stop"
    tokens_in: int = 0
    tokens_out: int = 0
    mean_logprob: float | None = None


class Sample(Response):
    """A response after extraction. ``content`` is what was kept (a solution's source or a test); None: discarded, and why."""

    content: SourceText | UnitTest | None
    discard_reason: str | None = None
    reused: bool = False
    """Taken from the store: it cost nothing this time."""


class Generation(Record):
    """All samples of one request, in the order in which they were drawn. ``limits``: those that a recorded T line carries."""

    task_id: str
    kind: Literal["solution", "test"]
    prompt_digest: str
    samples: tuple[Sample, ...]
    limits: Limits | None = None


class SampleCounts(Record):
    """What became of one problem's responses. ``discarded``: reason → how many (models/extraction/reasons.py).

    ``tokens_in``, ``tokens_out``: of all of them; ``paid_in``, ``paid_out``: of those that were drawn in this run.
    ``mean_logprob``: mean over the samples that have one.
    """

    task_id: str
    drawn: int
    kept: int
    reused: int = 0
    discarded: Mapping[str, int] = Field(default_factory=dict)
    tokens_in: int = 0
    tokens_out: int = 0
    paid_in: int = 0
    paid_out: int = 0
    mean_logprob: float | None = None

    @classmethod
    def of(cls, generation: Generation) -> SampleCounts:
        """Count a generation."""
        samples = generation.samples
        paid = [s for s in samples if not s.reused]
        likely = [s.mean_logprob for s in samples if s.mean_logprob is not None]
        return cls(
            task_id=generation.task_id,
            drawn=len(samples),
            kept=sum(s.content is not None for s in samples),
            reused=len(samples) - len(paid),
            discarded=dict(sorted(Counter(s.discard_reason for s in samples if s.discard_reason is not None).items())),
            tokens_in=sum(s.tokens_in for s in samples),
            tokens_out=sum(s.tokens_out for s in samples),
            paid_in=sum(s.tokens_in for s in paid),
            paid_out=sum(s.tokens_out for s in paid),
            mean_logprob=sum(likely) / len(likely) if likely else None,
        )


@dataclass(frozen=True)
class Allocation:
    """How many tests each problem gets. ``rates``: the pass-rate estimates used; ``source`` names where they come from.

    ``trail``: task id → every decision of a policy that decides as it goes, in order (models.budget_rounds).
    """

    policy: str
    tests: Mapping[str, int]
    rates: Mapping[str, float]
    source: str
    trail: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)


@dataclass(frozen=True)
class GateResult:
    """One Great Expectations suite over one hand-over. ``failures`` have expectation, column, unexpected, sample, severity."""

    gate: str
    passed: bool
    evaluated: int
    failures: tuple[Mapping[str, Any], ...] = ()


UNCHECKED = GateResult("unchecked", passed=False, evaluated=0)
"""Stands in a stored run from its first moment until the database has been asked about it: a run killed in between is not good."""


@dataclass(frozen=True, eq=False)
class RunRecord:
    """Everything that one benchmark run is: what the report, MLflow and Prefect artifacts are rebuilt from.

    ``metrics`` names are stable and hold no ``@`` (MLflow refuses it): ``selector/<name>/pass_1``, ``cells/<verdict>``, …
    ``labels`` lacks a task whose ground truth was not run. Keys of the mappings are task ids, in benchmark order.
    """

    run_id: str
    benchmark: str
    config: Mapping[str, Any]
    created_at: str
    problems: Mapping[str, Problem]
    solutions: Mapping[str, SolutionSet]
    tests: Mapping[str, TestSet]
    matrices: Mapping[str, PassMatrix]
    labels: Mapping[str, Labels]
    rankings: Mapping[str, Mapping[str, Ranking]]
    """selector name → task id → ranking"""
    allocation: Allocation | None
    metrics: Mapping[str, float]
    generators: Mapping[str, GeneratorIdentity]
    """"solution" and "test" → who drew them"""
    prompt_digests: Mapping[str, Mapping[str, str]]
    """"solution" and "test" → task id → digest of the literal prompt"""
    samples: Mapping[str, Mapping[str, SampleCounts]] = field(default_factory=dict)
    """"solution" and "test" → task id → what became of the responses"""
    gates: tuple[GateResult, ...] = ()
    budget_curves: Mapping[str, Any] = field(default_factory=dict)
    """What ``coderm budget --format json`` prints"""
    provenance: Mapping[str, str] = field(default_factory=dict)
    """git_sha, mlflow_run_id, prefect_flow_run_id, package version, dataset digests"""

    @property
    def failed_gates(self) -> list[str]:
        """Those over the database alone, ``UNCHECKED`` until it was asked: any other that fails stops a run before it is stored."""
        return [gate.gate for gate in self.gates if not gate.passed]


def require_gates(run: RunRecord) -> RunRecord:
    """Hand the run back to whoever judges by it; people may look at any. Raises InputError where a gate failed."""
    if UNCHECKED in run.gates:
        raise InputError(
            f"run {run.run_id}: it was stopped between being stored and being checked, so that nothing is judged by it: "
            f"`coderm runs resume {run.run_id}` goes on"
        )
    if run.failed_gates:
        raise InputError(
            f"run {run.run_id}: gate {', '.join(run.failed_gates)} failed once it was stored, so that nothing is judged by it: "
            f"see `coderm runs show {run.run_id}` and run it again"
        )
    return run
