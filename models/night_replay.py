"""Fake nights out of one recorded matrix: how often noise alone raises an alarm, and how many problems show a drop of one point.

A night draws, for every problem, as many candidates and as many tests as were recorded, with replacement: fresh samples of a model
whose distribution is the recorded one. Nothing changes between nights, so every alarm is false. A drop is put in by letting a
random candidate stand in for the selected one on a share q of the problems, q x (selected - random accuracy) being its size.
Larger benchmarks are the recorded problems drawn with replacement.

    pool      (draws, P)           expected correctness of each problem on each of its own fake nights
    nights    (sequences, K, P)    nights against one baseline a sequence, all drawn from the pool
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.stats import norm

from models.alarm import ALPHA, HORIZON, MARGIN, RADEMACHER, level, p_values
from models.budget_replay import scoring_selector
from models.matrix import PassMatrix
from models.reward.choice import ReplayProblem, expected_correct, replay_problems
from models.reward.selector import ScoreSelector
from models.types import BoolMatrix, FloatArray, Labels

DRAWS = 200
"""Fake nights kept a problem; nights mix them freely, since problems are independent."""
CHUNK = 25
"""Nights scored at once: (25, 100, 100) floats are 2 MB."""


@dataclass(frozen=True, eq=False)
class Pool:
    """``values``: see the table above; ``base`` (P,): what a random candidate is worth."""

    values: FloatArray
    base: FloatArray

    def night(self, rng: np.random.Generator, problems: np.ndarray, nights: int) -> FloatArray:
        """(nights, problems) fresh nights of the problems with these indices."""
        return np.asarray(self.values[rng.integers(0, len(self.values), (nights, problems.size)), problems])

    def worse(self, rng: np.random.Generator, problems: np.ndarray, nights: int, drop: float) -> FloatArray:
        """(nights, problems) nights that are worse by ``drop`` in the mean."""
        gap = float((self.values.mean(axis=0) - self.base).mean())
        spoilt = rng.random((nights, problems.size)) < drop / gap
        luck = rng.random((nights, problems.size)) < self.base[problems]
        return np.where(spoilt, luck, self.night(rng, problems, nights))


def pool_of(
    matrices: Mapping[str, PassMatrix], labels: Mapping[str, Labels], selector: str = "auto", draws: int = DRAWS, seed: int = 0
) -> Pool:
    """Resample every judged problem. Raises InputError as ``replay_problems`` does, and for a selector that cannot be replayed."""
    rule, rng = scoring_selector(selector), np.random.default_rng(seed)
    problems = replay_problems(matrices, labels, rule.reads_outputs)
    columns = [_resampled(p, rule, draws, rng) for p in problems]
    return Pool(np.stack(columns, axis=1), np.array([p.base_rate for p in problems]))


def _resampled(problem: ReplayProblem, rule: ScoreSelector, draws: int, rng: np.random.Generator) -> FloatArray:
    """(draws,) expected correctness; a draw without a judged candidate counts as the recorded base rate."""
    parts = []
    cols = problem.classes.cols
    for start, end in pairwise([*range(0, draws, CHUNK), draws]):
        size, n = end - start, problem.solutions
        taken = rng.multinomial(n, np.full(n, 1 / n), size=size).astype(np.float64)
        tests = (
            rng.multinomial(int(cols.sum()), cols / cols.sum(), size=size).astype(np.float64) if cols.size else np.zeros((size, 0))
        )
        parts.append(expected_correct(problem, rule, tests, taken))
    found = np.concatenate(parts)
    return np.where(np.isnan(found), problem.base_rate, found)


def false_alarms(
    pool: Pool, nights: int = HORIZON, sequences: int = 1000, seed: int = 0, margin: float = MARGIN, alpha: float = ALPHA
) -> dict[str, float]:
    """Share of sequences with any alarm in so many nights although nothing changed, by way of judging."""
    rng, everyone = np.random.default_rng(seed), np.arange(pool.values.shape[1])
    levels = np.array([level(k, alpha) for k in range(1, nights + 1)])
    counts = dict.fromkeys(
        ("each night at alpha", "product of e-values", "spent, no margin", "spent and margin", "lucky baseline"), 0
    )
    for _ in range(sequences):
        baseline, rival = pool.night(rng, everyone, 2)
        d = pool.night(rng, everyone, nights) - baseline
        better = baseline if baseline.mean() >= rival.mean() else rival
        lucky = pool.night(rng, everyone, nights) - better
        p, big = p_values(d), -d.mean(axis=-1) >= margin
        counts["each night at alpha"] += bool((p / RADEMACHER <= alpha).any())
        counts["product of e-values"] += bool((_product(d) >= math.log(1 / alpha)).any())
        counts["spent, no margin"] += bool((p <= levels).any())
        counts["spent and margin"] += bool(((p <= levels) & big).any())
        counts["lucky baseline"] += bool(((p_values(lucky) <= levels) & (-lucky.mean(axis=-1) >= margin)).any())
    return {name: count / sequences for name, count in counts.items()}


def _product(d: FloatArray) -> FloatArray:
    """(nights,) log of the running product of e_k = exp(λ S - λ² Σd²/2), S = -Σ d, λ that is best for a drop of two points."""
    size = (d**2).sum(axis=-1)
    rate = 0.02 * d.shape[-1] / np.where(size > 0, size, 1.0)
    return np.asarray(np.cumsum(rate * -d.sum(axis=-1) - rate**2 * size / 2))


def power(
    pool: Pool,
    problems: int,
    drop: float,
    nights: Sequence[int] = (1, 7, 30),
    repeats: int = 300,
    seed: int = 0,
    margin: float = MARGIN,
) -> dict[int, float]:
    """night → probability that a drop that lasts was found by then, on a benchmark of so many problems."""
    rng, last = np.random.default_rng(seed), max(nights)
    levels = np.array([level(k) for k in range(1, last + 1)])
    found = np.array([_alarms(pool, rng, problems, drop, levels, margin) for _ in range(repeats)])
    return {night: float(found[:, :night].any(axis=1).mean()) for night in nights}


def _alarms(pool: Pool, rng: np.random.Generator, problems: int, drop: float, levels: FloatArray, margin: float) -> BoolMatrix:
    """(nights,) which nights of one sequence raise an alarm."""
    who = rng.integers(0, pool.values.shape[1], problems) if problems != pool.values.shape[1] else np.arange(problems)
    baseline = pool.night(rng, who, 1)
    alarms = np.zeros(levels.size, dtype=np.bool_)
    for k, spent in enumerate(levels):
        d = pool.worse(rng, who, 1, drop) - baseline
        alarms[k] = (p_values(d)[0] <= spent) and (-d.mean() >= margin)
    return alarms


def problems_needed(pool: Pool, drop: float, share: float = 0.8, look: int = 1, seed: int = 0) -> int:
    """Problems at which a drop is found on one night with probability ``share``: n = (z_level + z_share)² σ² / drop².

    The margin must be well under the drop: half of it costs nothing at that size.
    """
    rng, everyone = np.random.default_rng(seed), np.arange(pool.values.shape[1])
    d = pool.worse(rng, everyone, 500, drop) - pool.night(rng, everyone, 500)
    z = float(norm.isf(level(look) / RADEMACHER) + norm.ppf(share))
    return math.ceil(float((d**2).mean()) * (z / drop) ** 2)
