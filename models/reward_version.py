"""What a reward-model version is: everything that decides, from a problem and its candidates, which candidate is chosen.

    version = test generator (backend, model, revision, adapter, prompt version, sampling, tests a problem)
            + selector + budget policy + difficulty-probe weights + limits of a cell

Two versions with the same digest choose alike on the same candidates, so a version is registered once however often it is run.
The policy model is no part of it: it writes the candidates that a version is judged on. Nor are the sandbox's kind and image,
which are where a cell runs and are kept with every matrix; its limits decide verdicts, and are in.

Refuses unknown fields, a selector that reads the ground truth, and a weights file whose digest is not the recorded one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_validator

from models.config import BudgetConfig
from models.errors import InputError
from models.fingerprint import digest_json
from models.first_fault import first_fault
from models.reward.registry import DEFAULT, resolve
from models.run_record import GeneratorIdentity, RunRecord
from models.types import Limits, Record

BASELINES = ("random", "oracle")
"""Floor and ceiling of a table: no rule that could be put to work."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class TestGeneratorSpec(Record):
    """Who writes the tests and how. ``tests``: how many are drawn a problem, before the budget decides how many run."""

    __test__ = False  # a record, not a pytest class

    backend: str = Field(min_length=1)
    model: str = Field(min_length=1)
    revision: str | None = None
    adapter: str | None = None
    prompt_version: str
    sampling: Mapping[str, float | int | str | None] = Field(default_factory=dict)
    tests: int = Field(ge=0)


class ProbeSpec(Record):
    """Weights of the difficulty probe, by their bytes. ``file``: their name beside the version."""

    file: str = Field(pattern=r"^[\w.-]+$")
    sha256: Sha256


class RewardVersion(Record):
    """One version. ``schema_version`` grows when a field or a default changes its meaning."""

    schema_version: Literal[1] = 1
    generator: TestGeneratorSpec
    selector: str
    budget: BudgetConfig = BudgetConfig()
    probe: ProbeSpec | None = None
    limits: Limits = Limits()

    @field_validator("selector")
    @classmethod
    def _can_be_served(cls, name: str) -> str:
        try:
            (selector,) = resolve([name])
        except InputError as error:
            raise ValueError(str(error)) from None
        if selector.name in BASELINES:
            raise ValueError(f"{selector.name!r} is a floor or a ceiling, no rule that can be served")
        return selector.name

    @property
    def digest(self) -> str:
        """Content digest. Values that are their field's default are left out, so that a later field changes no old digest."""
        return digest_json({**self.model_dump(mode="json", exclude_defaults=True), "schema_version": self.schema_version})

    @property
    def name(self) -> str:
        """Short, for tables: generator, selector, budget."""
        adapter = f"+{self.generator.adapter}" if self.generator.adapter else ""
        return f"{self.generator.model}{adapter} x{self.generator.tests} · {self.selector} · {self.budget.policy}"


def version_of_run(run: RunRecord, selector: str | None = None, probe: ProbeSpec | None = None) -> RewardVersion:
    """The version that a stored run evaluated. ``selector``: one of the run's rules; without it ``auto``'s, else its first.

    Raises InputError where the run has no test generator, no such rule, or a configuration of an older kind.
    """
    rules = [name for name in run.rankings if name not in BASELINES]
    chosen = selector or (DEFAULT if DEFAULT in rules else next(iter(rules), DEFAULT))
    if resolve([chosen])[0].name not in rules:
        raise InputError(f"run {run.run_id}: selector {chosen!r} was not computed; expected one of {', '.join(rules) or 'none'}")
    if "test" not in run.generators:
        raise InputError(f"run {run.run_id}: no test generator is recorded; expected a run of `coderm run`")
    config = run.config
    try:
        return RewardVersion(
            generator=_generator(run.generators["test"], int(config.get("n_tests", 0)) or _most_tests(run)),
            selector=chosen,
            budget=BudgetConfig.model_validate(config.get("budget", {})),
            probe=probe,
            limits=Limits.model_validate(config.get("sandbox", {}).get("limits", {})),
        )
    except ValidationError as error:
        fault = first_fault(error)
        where = ".".join(map(str, fault.place))
        raise InputError(f"run {run.run_id}: field {where!r}: {fault.expected}: this run cannot become a version") from None


def _generator(identity: GeneratorIdentity, tests: int) -> TestGeneratorSpec:
    sampling = dict(identity.sampling)
    adapter = sampling.pop("adapter", None)
    known = identity.model_dump(include={"backend", "model", "revision", "prompt_version"})
    return TestGeneratorSpec(**known, adapter=None if adapter is None else str(adapter), sampling=sampling, tests=tests)


def _most_tests(run: RunRecord) -> int:
    return max((len(tests.tests) for tests in run.tests.values()), default=0)


def probe_spec(path: Path) -> ProbeSpec:
    """The spec of a weights file. Raises InputError when it cannot be read."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"probe weights {path}: {error.strerror}; expected a file") from None
    return ProbeSpec(file=path.name, sha256=hashlib.sha256(content).hexdigest())


def read_version(text: str, where: str) -> RewardVersion:
    """A version from its JSON. Raises InputError that names ``where`` and the field."""
    try:
        return RewardVersion.model_validate_json(text)
    except ValidationError as error:
        fault = first_fault(error)
        raise InputError(f"{where}: field {'.'.join(map(str, fault.place))!r}: {fault.expected}") from None
