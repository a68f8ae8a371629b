"""When the policy on the only GPU has sampled enough for now: models/waves.py, fed with what this run measures of itself.

Nothing is known at first, and the first wave is open-ended. The first answers tell the policy's pace, its start tells what a switch
costs; the paces of tests and cells are guesses until the wave's own are there. The end of a wave is planned anew whenever a good
deal more is known, since an end that has not come yet can be moved. Stored draws cost nothing and are no measure of anything.
Benchmarks are often sorted (by difficulty, source, date), so the problems of a wave come from all over: it measures for the rest.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Literal

from models.fingerprint import digest_text
from models.operations import united
from models.run_record import Generation
from models.types import Problem
from models.waves import Paces, Standing, best_waves, next_wave
from tasks.shared_sandbox import SharedSandbox

SLEEP_SHARE = 0.25
"""Of a start, what it takes to put one model to sleep and wake another, until that is measured."""
GUESS_DOUBT, DOUBT = 2.0, 4.0
"""Factors by which the cells' pace may be off: the guess; and, to the power of 1 / sqrt(1 + m), a mean of m problems."""
LEAST, GROWTH = 10, 3
"""Problems of the shortest wave, and of the longest for each one whose cells are measured: a few may be far from the mean.

Longest only where a look again is CHEAP. Chosen, as the doubts, on the recorded latencies of bench_overlap.py in other orders.
"""
CHEAP = 0.05
"""Share of the models' time that is left, below which the two switches of a wave are worth looking again."""
REPLAN = 1.5
"""A plan stands until so many times the problems are measured."""
Wanted = Literal["auto"] | int


@dataclass
class Switches:
    """When a model was brought onto the GPU, first starts included. ``asleep``: it comes back without a restart."""

    asleep: bool = False
    spans: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))

    def record(self, kind: str, began: float, ended: float) -> None:
        """One model was opened: "solution" or "test". Seconds of one clock."""
        self.spans[kind].append((began, ended))

    @property
    def total_s(self) -> float:
        """Time in which one was: two models that wait for one engine wait for one start."""
        return sum(ended - began for began, ended in united(chain.from_iterable(self.spans.values())))

    @property
    def expected_s(self) -> float:
        """The next one: as the ones so far; first starts count where models do not sleep, or have not yet."""
        seconds = [[ended - began for began, ended in spans] for spans in self.spans.values()]
        again, first = [s for of_model in seconds for s in of_model[1:]], [of_model[0] for of_model in seconds]
        if self.asleep:
            return _mean(again) if again else SLEEP_SHARE * _mean(first)
        return _mean(again + first)


@dataclass(frozen=True)
class WavePlan:
    """How many waves, and the guesses that stand until there is a measure.

    ``cells_s``: seconds of the sandbox a problem, 0 for as long as the models take; ``test_share``: a model's time for a problem's
    tests over that for its samples.
    """

    wanted: Wanted = 1
    cells_s: float = 0.0
    test_share: float = 1.0
    switches: Switches = field(default_factory=Switches)


@dataclass
class _Pace:
    """Problems that a model drew for, and its seconds on them: in phases that are over, and in the one at work."""

    problems: int = 0
    before_s: float = 0.0
    busy_s: float = 0.0

    def a_problem(self, under_way: int = 0) -> float:
        """Seconds; a problem that is under way is half done."""
        return (self.before_s + self.busy_s) / (self.problems + under_way / 2) if self.problems else 0.0


class Waves:
    """Problems, a wave at a time. One thread asks and notes; the iterator of a wave may be drawn from in another."""

    def __init__(self, problems: Iterable[Problem], plan: WavePlan, sandbox: SharedSandbox) -> None:
        """``sandbox``: where the cells run, which knows its own pace."""
        mixed = problems if plan.wanted == 1 else sorted(problems, key=lambda problem: digest_text(problem.task_id))
        self._rest, self._plan, self._sandbox = deque(mixed), plan, sandbox
        self._paces = {"solution": _Pace(), "test": _Pace()}
        self._asked = self._sampled = 0
        self._size, self._replan_at = 0, 1
        self.begun = 0

    @property
    def more(self) -> bool:
        """Whether a problem is left for another wave."""
        return bool(self._rest)

    def next_wave(self) -> Iterable[Problem]:
        """Its problems: all of them at once where there is one wave, else one by one, until there are enough."""
        for pace in self._paces.values():
            pace.before_s, pace.busy_s = pace.before_s + pace.busy_s, 0.0
        self._asked = self._sampled = 0
        self._size = self._planned(self._plan.switches.expected_s) if self._known else len(self._rest)
        self._replan_at = self._paces["solution"].problems + 1
        self.begun += 1
        return list(self._taken()) if self._plan.wanted == 1 else self._taken()

    def note(self, kind: str, generation: Generation, busy_s: float) -> None:
        """A problem's draws are there; ``busy_s``: of this model since it was opened. Plans nothing where no wave has begun."""
        pace = self._paces[kind]
        pace.problems += any(not sample.reused for sample in generation.samples)
        pace.busy_s = busy_s
        if kind == "solution":
            self._sampled += 1
            if self.begun and self._plan.wanted == "auto" and pace.problems >= self._replan_at:
                self._replan_at = math.ceil(pace.problems * REPLAN)
                self._size = self._planned(opening=0.0)

    @property
    def _known(self) -> bool:
        return self.begun > 0 or self._plan.wanted != "auto"

    def _taken(self) -> Iterator[Problem]:
        while self._rest and self._asked < self._size:
            self._asked += 1
            yield self._rest.popleft()

    def _planned(self, opening: float) -> int:
        left = len(self._rest) + self._asked
        now = Standing(left, self._sampled, sum(t.queued_s for t in self._sandbox.tallies.values()), opening)
        if self._plan.wanted != "auto":
            count = max(1, self._plan.wanted - self.begun)
            return best_waves(self._measured(), now, count)[0] if self.begun else math.ceil(left / count)
        known = self._sandbox.tallies["tests"].done
        doubt = DOUBT ** (1 / math.sqrt(1 + known)) if known else GUESS_DOUBT
        size = max(LEAST, next_wave(paces := self._measured(), now, doubt))
        if known and 2 * paces.switch < CHEAP * left * (paces.sample + paces.test):
            size = min(size, max(LEAST, GROWTH * known))
        return min(left, size)

    def _measured(self) -> Paces:
        """Paces as measured, else as guessed."""
        tallies = self._sandbox.tallies
        sample = self._paces["solution"].a_problem(self._asked - self._sampled)
        test = self._paces["test"].a_problem() or sample * self._plan.test_share
        cells = tallies["tests"].mean_s or self._plan.cells_s or sample + test
        return Paces(sample, test, cells, tallies["truth"].mean_s, self._plan.switches.expected_s)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0
