"""What a run is asked to do: the flow's parameters, the TOML of ``coderm run``, and the form in the Prefect UI. One truth.

Every model forbids unknown keys. A backend's class holds only what that backend reads.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from models.backend_config import BackendConfig
from models.config_form import Config
from models.types import Limits

SelectorName = Literal[
    "random", "oracle", "majority", "codet", "b4", "b4-outputs", "aces-c", "aces-o", "srank", "mbr-hard", "mbr-soft", "mpsc", "soft"
]  # fmt: skip
WrappedName = Annotated[str, Field(title="rule + filters", pattern=r"^[a-z0-9-]+(\+(informative|backed|examples))+$")]
"""A selector behind filters, or with the statement's examples: ``b4+informative`` (models/reward/wrapped.py)."""
SELECTORS: tuple[SelectorName, ...] = ("random", "oracle", "majority", "codet", "b4", "b4-outputs")
"""What a run computes unless it names others: floor, ceiling, CodeRM, CodeT, and what ``auto`` stands for."""

CELL_FREE: tuple[SelectorName, ...] = ("random", "oracle")
"""Selectors whose figures do not hang on any cell."""

WinnerSelector = Literal["majority", "codet", "mbr-hard"]
WINNER_SELECTORS: tuple[WinnerSelector, ...] = ("majority", "codet", "mbr-hard")
"""Those that declare an upper bound (models.reward.winner); a test holds this list and the registry together."""


class BenchmarkConfig(Config):
    """Which problems are solved."""

    name: str = Field(min_length=1, description="name in tables, MLflow and the database")
    problems: Path = Field(title="File of problems", description="P file (JSON Lines, .gz accepted)")
    limit: int | None = Field(None, ge=1, description="only the first so many problems")


RuntimeName = Literal["auto", "docker", "process"]


class SandboxConfig(Config):
    """Where every test runs against every solution, and what it may use."""

    runtime: RuntimeName = Field(
        "docker", description="hardened containers, or processes of this machine; auto is for a person at a terminal"
    )
    workers: int | None = Field(None, ge=1, le=256, description="slots; default: one a core")
    limits: Limits = Field(Limits(), title="Limits of a cell", description="a cell is one test against one solution")
    reuse: bool = Field(True, description="take known cells from the store")
    container_runtime: str | None = Field(
        None, min_length=1, description="with docker: a runtime that the engine knows beside its own, as runsc (gVisor)"
    )


class TaskBounds(Config):
    """Least and most tests of one problem; zero is allowed."""

    min_tests: int = Field(0, ge=0, description="least tests of this problem")
    max_tests: int | None = Field(None, ge=0, description="most tests of this problem")


class TextDifficultyConfig(Config):
    """Pass rates predicted from statements and first candidates."""

    model_config = ConfigDict(title="Text")
    type: Literal["text"] = "text"
    path: Path = Field(description="weights of `coderm calibrate difficulty`")


class NllDifficultyConfig(Config):
    """Pass rates predicted from the likelihood of the first samples."""

    model_config = ConfigDict(title="Likelihood")
    type: Literal["nll"] = "nll"
    path: Path = Field(description="weights of `coderm calibrate difficulty`")
    nll: Path = Field(title="Likelihoods", description="likelihoods of this benchmark's samples")


class ProbeDifficultyConfig(Config):
    """Pass rates predicted from hidden states of the policy model."""

    model_config = ConfigDict(title="Probe")
    type: Literal["probe"] = "probe"
    path: Path = Field(description="weights of `coderm calibrate difficulty`")
    states: Path = Field(description="hidden states of this benchmark's prompts")


DifficultyConfig = Annotated[TextDifficultyConfig | NllDifficultyConfig | ProbeDifficultyConfig, Field(discriminator="type")]


class BudgetConfig(Config):
    """How many tests a problem gets."""

    policy: Literal["all", "equal", "greedy", "adaptive", "beta", "lead", "racing", "futility"] = Field(
        "all", description="all: every test that was generated; equal, greedy: decided before; the others: in rounds, by verdicts"
    )
    mean_tests: float = Field(8, gt=0, description="average tests a problem, for every policy but all")
    mean_tokens: float | None = Field(None, gt=0, description="average tokens of tests a problem instead, for equal and greedy")
    min_tests: int = Field(0, ge=0, description="least tests a problem, for equal and greedy")
    max_tests: int | None = Field(None, ge=1, description="most tests a problem, for equal and greedy")
    difficulty: DifficultyConfig | None = Field(None, description="who predicts pass rates for greedy; default: its first test")
    only_winner: WinnerSelector | None = Field(
        None, description="best of n: run no cell that can no longer change this selector's first group; the rest is not_asked"
    )
    bounds: dict[str, TaskBounds] = Field(default_factory=dict, description="least and most tests of single problems, by task id")

    @model_validator(mode="after")
    def _nothing_ignored(self) -> BudgetConfig:
        given = [name for name in ("mean_tokens", "min_tests", "max_tests", "bounds") if getattr(self, name)]
        if self.difficulty and self.policy != "greedy":
            raise ValueError(f"difficulty goes with policy greedy, not with {self.policy}")
        if given and self.policy not in ("equal", "greedy"):
            raise ValueError(f"{given[0]} goes with policy equal or greedy, not with {self.policy}")
        return self


class GateConfig(Config):
    """Bounds beyond which the data is bad and the run stops."""

    max_timeout_share: float = Field(0.25, ge=0, le=1, description="share of asked cells that may run into the time limit")
    max_invalid_test_share: float = Field(0.5, ge=0, le=1, description="share of asked cells whose test is invalid")
    min_kept_share: float = Field(
        0.5, ge=0, le=1, description="least share of responses that hold what was asked for; duplicates do"
    )
    max_discarded_share: float = Field(0.2, ge=0, le=1, description="above it a warning; duplicates are not counted")


class QualityConfig(Config):
    """What a run spends to learn how good its tests are, beyond its own cells."""

    reference: bool = Field(True, description="run the tests on each problem's reference: one row of cells a problem")
    mutants: int = Field(0, ge=0, le=1000, description="small wrong versions of each reference; each is a row more, and its labels")


class ConfidenceConfig(Config):
    """How sure to be of a selection. Without a calibrator a run with labels calibrates each problem by the others."""

    calibrator: Path | None = Field(None, description="what `coderm confidence --out` wrote, for the selector it names")
    abstain_below: float = Field(0, ge=0, le=1, description="withhold selections whose confidence is lower; 0: none")


class RunConfig(Config):
    """What is run, by whom, where, and on what budget."""

    benchmark: BenchmarkConfig
    policy: BackendConfig = Field(title="Policy model", description="who writes the candidate solutions")
    tests: BackendConfig = Field(title="Test generator", description="who writes the unit tests")
    n_solutions: int = Field(100, ge=1, le=10_000, title="Solutions a problem", description="candidates of the policy model")
    n_tests: int = Field(100, ge=0, le=10_000, title="Tests a problem", description="unit tests of the test generator")
    selectors: tuple[Annotated[SelectorName, Field(title="rule")] | WrappedName, ...] = Field(
        SELECTORS, min_length=1, description="rules that choose among the candidates: one row each in every table"
    )
    statement_examples: bool = Field(
        False, description="read examples from the statements, run them first, and rank with and without them (NAME+examples)"
    )
    k: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (1, 2, 10), min_length=1, title="k of pass@k", description="how many picks may be tried"
    )
    sandbox: SandboxConfig = SandboxConfig()
    budget: BudgetConfig = BudgetConfig()
    gates: GateConfig = Field(GateConfig(), title="Gates")
    quality: QualityConfig = Field(QualityConfig(), title="Quality of the tests")
    confidence: ConfidenceConfig = ConfidenceConfig()
    label: bool = Field(
        True, title="Ground truth", description="run the benchmark's own tests too, to know which solutions are right"
    )
    label_timeout_s: float = Field(
        3.0,
        gt=0,
        le=3600,
        title="Limit of a ground-truth test, seconds",
        description="CPU seconds; HumanEval's own is 3 s",
    )
    seed: int = Field(0, ge=0, description="of sampling and of every random choice: the same seed, the same run")
    waves: Literal["auto"] | Annotated[int, Field(ge=1)] = Field(
        "auto",
        title="Turns on one GPU",
        description="two models that take turns on one GPU: how many turns each has; auto: planned from what the run measures",
    )
    problems_ahead: int = Field(256, ge=1, description="sampled problems that may wait for the sandbox; then the models wait")
    shard_problems: int = Field(
        50, ge=1, title="Problems a task", description="a shard: as many problems go through the run together"
    )

    @model_validator(mode="after")
    def _turns_are_possible(self) -> RunConfig:
        loaded = self.policy.type == self.tests.type and self.policy.type in ("vllm", "transformers")
        if self.waves not in ("auto", 1) and not (loaded and self.budget.policy == "all" and self.budget.only_winner is None):
            raise ValueError(
                f"waves = {self.waves} goes with two models of type vllm, or two of type transformers, that take turns on one GPU, "
                'and with a budget whose cells run beside them (policy = "all", no only_winner)'
            )
        return self

    @model_validator(mode="after")
    def _abstention_has_a_source(self) -> RunConfig:
        if self.confidence.abstain_below and not self.confidence.calibrator and not self.label:
            raise ValueError("confidence.abstain_below needs confidence.calibrator, or label = true to calibrate by")
        return self

    @model_validator(mode="after")
    def _only_what_is_decided(self) -> RunConfig:
        """An early decision settles one selector's first group; every other figure over cells would stand on a biased sample."""
        winner = self.budget.only_winner
        if winner is None:
            return self
        if self.budget.policy not in ("all", "equal"):
            raise ValueError(
                f"budget.only_winner: expected policy 'all' or 'equal'; {self.budget.policy!r} chooses cells by itself"
            )
        if self.confidence.calibrator or self.confidence.abstain_below:
            raise ValueError(
                "budget.only_winner: expected no [confidence]: the margins of a matrix that was asked in part mean nothing"
            )
        others = [name for name in self.selectors if name not in (winner, *CELL_FREE)]
        if others or self.k != (1,):
            raise ValueError(
                f"budget.only_winner = {winner!r} decides the first group of {winner} and nothing else: expected selectors among "
                f"{winner}, {', '.join(CELL_FREE)} and k = [1], found selectors {', '.join(self.selectors)} and k = {list(self.k)}"
            )
        return self

    @model_validator(mode="after")
    def _selectors_exist(self) -> RunConfig:
        from models.reward.registry import resolve

        resolve(self.selectors)
        if not self.statement_examples and (asking := [s for s in self.selectors if "examples" in s.split("+")]):
            raise ValueError(f"selector {asking[0]} needs statement_examples = true")
        if self.statement_examples and self.budget.only_winner:
            raise ValueError("statement_examples ranks twice, and budget.only_winner decides one ranking: expected one of them")
        return self

    @property
    def ranked_by(self) -> tuple[str, ...]:
        """The selectors of the tables: with ``statement_examples`` each one that reads tests comes with its ``+examples`` twin."""
        if not self.statement_examples:
            return tuple(self.selectors)
        twins = ((s, s if s in CELL_FREE or "examples" in s.split("+") else f"{s}+examples") for s in self.selectors)
        return tuple(dict.fromkeys(name for pair in twins for name in pair))
