"""One shard of problems and all that is known of them so far: the unit of work that travels between tasks.

A plain class on purpose. Prefect walks into every dataclass, pydantic model, list and dict that a task receives, looking for
futures; over 16,400 solutions and 74,000 tests that walk costs seconds a task. It leaves other objects alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self, TypeVar, cast

from prefect.utilities.annotations import quote

from models.matrix import PassMatrix
from models.operations import Operations
from models.run_record import SampleCounts
from models.types import Labels, Problem, SolutionSet, TestSet

T = TypeVar("T")


class Shard:
    """Frozen by convention: ``evolve`` gives a new one. Keys of the mappings are task ids, in benchmark order."""

    __slots__ = (
        "index",
        "labels",
        "matrices",
        "operations",
        "problems",
        "prompt_digests",
        "samples",
        "solutions",
        "tests",
        "times",
    )

    def __init__(
        self,
        index: int,
        problems: Mapping[str, Problem],
        *,
        solutions: Mapping[str, SolutionSet] | None = None,
        tests: Mapping[str, TestSet] | None = None,
        matrices: Mapping[str, PassMatrix] | None = None,
        labels: Mapping[str, Labels] | None = None,
        prompt_digests: Mapping[str, Mapping[str, str]] | None = None,
        samples: Mapping[str, Mapping[str, SampleCounts]] | None = None,
        times: Mapping[str, float] | None = None,
        operations: Operations | None = None,
    ) -> None:
        """``prompt_digests``, ``samples``: "solution" and "test" → task id → digest of the prompt, what became of the responses.

        ``times``: seconds in which a model was at work, under "solution" and "test", and those of ``tasks.overlap.Drawn``.
        ``operations``: what the stages that this shard went through measured of themselves.
        """
        self.index = index
        self.problems = dict(problems)
        self.solutions = dict(solutions or {})
        self.tests = dict(tests or {})
        self.matrices = dict(matrices or {})
        self.labels = dict(labels or {})
        self.prompt_digests = dict(prompt_digests or {})
        self.samples = dict(samples or {})
        self.times = dict(times or {})
        self.operations = operations or Operations()

    def evolve(self, **changes: Any) -> Self:
        """A copy with some fields replaced."""
        fields = {name: getattr(self, name) for name in self.__slots__ if name != "index"}
        return type(self)(self.index, **{**fields, **changes})

    def measured(self, done: Operations) -> Self:
        """A copy that also went through this."""
        return self.evolve(operations=self.operations + done)


def split(problems: Mapping[str, Problem], size: int) -> list[Shard]:
    """Cut a benchmark into shards of at most ``size`` problems, in order."""
    ids = list(problems)
    return [Shard(start // size, {t: problems[t] for t in ids[start : start + size]}) for start in range(0, len(ids), size)]


def joined(shards: Iterable[Shard]) -> Shard:
    """All shards as one, in benchmark order."""
    whole = Shard(0, {})
    for shard in shards:
        for name in ("problems", "solutions", "tests", "matrices", "labels"):
            getattr(whole, name).update(getattr(shard, name))
        for kind, digests in shard.prompt_digests.items():
            whole.prompt_digests[kind] = {**whole.prompt_digests.get(kind, {}), **digests}
        for kind, counts in shard.samples.items():
            whole.samples[kind] = {**whole.samples.get(kind, {}), **counts}
        for name, seconds in shard.times.items():
            whole.times[name] = whole.times.get(name, 0.0) + seconds
        whole.operations += shard.operations
    return whole


def unwalked(value: T) -> T:
    """Hand ``value`` to a task without Prefect's walk through it; the task receives ``value`` itself."""
    return cast(T, quote(value))
