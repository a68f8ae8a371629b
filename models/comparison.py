"""Two reward-model versions on the same problems, candidates and cells: what differs, how surely, and at what cost.

    d_i  = b_i - a_i     per problem: expected correctness of the selected solution, uniform over the tie set; where a rule ranks
                         nothing a random draw stands in (models.metrics_ranking)
    interval             95 % percentile bootstrap of the mean of d, problems being drawn: paired, since both sides keep the problem
    McNemar              exact, two-sided binomial on the discordant problems of the deterministic pick: the lowest index of the tie
                         set, candidate 0 where nothing is ranked. A problem whose pick is not judged, on either side, is left out
    quintile             problems in order of the share of right candidates, hardest first, cut into five of equal size
    not worse            the interval's lower end is at least minus the margin: a one-sided 97.5 % test of non-inferiority

A version may take a champion's place when it is not worse over all problems together and worse for sure (upper end below zero) on
no benchmark. Few problems cannot show "not worse" unless the two choose alike: that is meant, and what force is for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from models.metrics_bootstrap import interval, paired_difference
from models.metrics_ranking import best_of_n
from models.reward.selector import Groups

MARGIN = 0.01
"""One point of accuracy: what a person who reads pass@1 tables would call the same."""
QUINTILES = 5


@dataclass(frozen=True)
class Choice:
    """What one version chose for one problem, and what that took.

    ``tests``, ``tokens``: distinct tests that were asked, and their tokens by length; ``seconds``: sandbox seconds of its cells.
    """

    groups: tuple[int, ...]
    pick: int
    expected: float
    right: bool | None
    tests: int
    cells: int
    seconds: float
    tokens: float


@dataclass(frozen=True)
class Outcome:
    """One problem. ``base``: share of right solutions among the judged candidates."""

    task_id: str
    benchmark: str
    base: float
    a: Choice
    b: Choice

    @property
    def changed(self) -> bool:
        """The two sides' expected correctness differs."""
        return not math.isclose(self.a.expected, self.b.expected, abs_tol=1e-12)


@dataclass(frozen=True)
class Slice:
    """One row of the table: a, b and their difference over ``problems``; ``only_a``, ``only_b``: discordant picks."""

    name: str
    problems: int
    a: float
    a_interval: tuple[float, float]
    b: float
    b_interval: tuple[float, float]
    difference: float
    lo: float
    hi: float
    only_a: int
    only_b: int
    p_value: float

    def not_worse(self, margin: float) -> bool:
        """B is not worse than A by more than ``margin``; False where that is not shown."""
        return self.lo >= -margin

    @property
    def verdict(self) -> str:
        """``better``, ``worse`` or ``no difference shown``, by the interval."""
        return "better" if self.lo > 0 else "worse" if self.hi < 0 else "no difference shown"


def choice_of(groups: Groups, correct: Sequence[bool | None], tests: int, cells: int, seconds: float, tokens: float) -> Choice:
    """The choice of a ranking against the ground truth ``correct`` (n,), which must hold a judged solution."""
    first = groups[0] if groups else ()
    pick = min(first, default=0)
    return Choice(first, pick, best_of_n(groups, correct), correct[pick], tests, cells, seconds, tokens)


def mcnemar(only_a: int, only_b: int) -> float:
    """Exact two-sided p-value of the discordant counts; 1 where there are none (McNemar 1947; the binomial form)."""
    return float(binomtest(only_a, only_a + only_b, 0.5).pvalue) if only_a + only_b else 1.0


def slice_of(name: str, outcomes: Sequence[Outcome]) -> Slice:
    """One row. NaN where there is no problem."""
    a, b = [o.a.expected for o in outcomes], [o.b.expected for o in outcomes]
    mean, lo, hi = paired_difference(b, a) if outcomes else (math.nan,) * 3
    judged = [(o.a.right, o.b.right) for o in outcomes if o.a.right is not None and o.b.right is not None]
    only_a, only_b = judged.count((True, False)), judged.count((False, True))
    means = (float(np.mean(side)) if side else math.nan for side in (a, b))
    return Slice(
        name,
        len(outcomes),
        next(means),
        interval(a),
        next(means),
        interval(b),
        mean,
        lo,
        hi,
        only_a,
        only_b,
        mcnemar(only_a, only_b),
    )


def slices(outcomes: Sequence[Outcome]) -> list[Slice]:
    """All problems, every benchmark where there are several, every difficulty quintile that has a problem."""
    names = list(dict.fromkeys(o.benchmark for o in outcomes))
    rows = [slice_of("all", outcomes)]
    if len(names) > 1:
        rows += [slice_of(name, [o for o in outcomes if o.benchmark == name]) for name in names]
    return rows + [slice_of(name, part) for name, part in quintiles(outcomes) if part]


def quintiles(outcomes: Iterable[Outcome]) -> list[tuple[str, list[Outcome]]]:
    """("quintile 1 …", problems), hardest first; sizes differ by one at most, ties in the order given."""
    ordered = sorted(outcomes, key=lambda o: o.base)
    parts = np.array_split(np.arange(len(ordered)), QUINTILES)
    ends = ("hardest", "", "", "", "easiest")
    return [(f"quintile {i + 1} {ends[i]}".strip(), [ordered[j] for j in part]) for i, part in enumerate(parts)]


def cost(choices: Sequence[Choice]) -> dict[str, float]:
    """Totals of one side: tests, cells, seconds, tokens."""
    return {name: math.fsum(getattr(c, name) for c in choices) for name in ("tests", "cells", "seconds", "tokens")}


def refusals(outcomes: Sequence[Outcome], margin: float = MARGIN) -> list[str]:
    """Why B may not take A's place; empty when it may."""
    if not outcomes:
        return ["no problem that both were run on and that has a judged candidate"]
    whole = slice_of("all", outcomes)
    found = []
    if not whole.not_worse(margin):
        found.append(f"not shown to be within {100 * margin:g} points of it: {_points(whole)} over {whole.problems} problems")
    names = dict.fromkeys(o.benchmark for o in outcomes)
    rows = [slice_of(name, [o for o in outcomes if o.benchmark == name]) for name in names]
    return found + [f"worse on {row.name}: {_points(row)}" for row in rows if len(rows) > 1 and row.hi < 0]


def _points(row: Slice) -> str:
    return f"{100 * row.difference:+z.1f} [{100 * row.lo:+z.1f}, {100 * row.hi:+z.1f}] points"
