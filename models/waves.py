"""How many problems a model samples before the other one takes its place, where one GPU holds one model at a time.

    GPU      sample w1 | switch | tests of w1 | switch | sample w2 | switch | tests of w2 | ...
    sandbox                       cells of w1 ...                             cells of w2 ...

A cell can run once its problem has tests, so the sandbox idles while the first wave is sampled, and again whenever it has finished
a wave before the next one's tests come. More waves shorten both and cost two switches each. This is lot streaming in a two-machine
flow shop (Potts and Baker 1989; Trietsch and Baker 1993) whose first machine has two phases and a setup before each.

With p, g, c seconds a problem for samples, tests and cells, and s seconds a switch, what wave k leaves to the sandbox when its
tests are done, w_k (c - g), lasts until the next tests come when it is at least 2 s + p w_{k+1}. Held with equality,

    w_{k+1} = (w_k (c - g) - 2 s) / p,        wall = s + p w_1 + g + c n,

so waves grow where the sandbox is the slower (c > p + g: a small first wave gives it work early, and it never idles again), shrink
where the GPU is (a small last wave, a short tail), and where c <= g one wave is best, since the sandbox keeps up with every test.
For a number of waves this is one linear equation; which number is best is tried out, each rounded to problems and simulated.

Two bounds hold for every schedule, so no plan is asked for more: wall >= n (p + g) + s + c, all work of the GPU and the last
problem's cells, and wall >= p + s + g + n c, the first problem's way to the sandbox and all work of that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

MOST = 64
"""Waves that are tried; each costs two switches, so that no benchmark is near."""
WORTH = 0.01
"""A wave more must save this share of the time: what is not modelled (batches that run empty) counts against it."""
DOUBTS = (-1.0, -0.5, 0.0, 0.5, 1.0)
"""Powers of a doubt's factor, all alike in weight."""

Waves = tuple[int, ...]


@dataclass(frozen=True)
class Paces:
    """Seconds a problem: samples, tests, cells of the tests, ground truth; and of one switch from model to model."""

    sample: float
    test: float
    cells: float
    label: float = 0.0
    switch: float = 0.0


@dataclass(frozen=True)
class Standing:
    """Where a run is. ``left``: problems without tests; ``sampled``: of those, the ones that the open policy has sampled.

    ``queued``: seconds of work that wait for the sandbox; ``opening``: seconds until the policy can sample.
    """

    left: int
    sampled: int = 0
    queued: float = 0.0
    opening: float = 0.0


def wall(waves: Waves, paces: Paces, now: Standing) -> float:
    """Seconds until everything has run, for equal problems: the sandbox takes work as it comes, and idles without.

    It is done at the latest, over all moments, of a moment plus the work that comes from then on; both are linear within a phase,
    so that the first and the last problem of each phase are enough.
    """
    clock, labels, cells = now.opening, now.left - now.sampled, now.left
    moments = [now.queued + labels * paces.label + cells * paces.cells]
    for k, size in enumerate(waves):
        drawn = size if k else size - now.sampled
        moments += [
            clock + step * paces.sample + (labels - step + 1) * paces.label + cells * paces.cells
            for step in ((1, drawn) if drawn else ())
        ]
        clock, labels = clock + drawn * paces.sample + paces.switch, labels - drawn
        moments += [clock + step * paces.test + labels * paces.label + (cells - step + 1) * paces.cells for step in (1, size)]
        clock, cells = clock + size * paces.test + paces.switch, cells - size
    return max(clock - paces.switch, *moments)


def best_waves(paces: Paces, now: Standing, count: int | None = None) -> Waves:
    """The waves with the shortest ``wall``; one more only where it saves WORTH. ``count``: that many, alike where none is best."""
    if count is not None:
        return _rounded(_critical(paces, now, count) or [now.left / count] * count, now)
    best: Waves = (now.left,)
    shortest = wall(best, paces, now)
    for number in range(2, MOST + 1):
        sizes = _critical(paces, now, number)
        seconds = wall(waves := _rounded(sizes, now), paces, now) if sizes else math.inf
        if seconds < shortest * (1 - WORTH):
            best, shortest = waves, seconds
        elif seconds > shortest * (1 + WORTH):
            break
    return best


def next_wave(paces: Paces, now: Standing, doubt: float) -> int:
    """The next wave's size while ``paces.cells`` may be off by any factor from 1 / doubt to doubt: the one of least mean regret.

    Regret: wall over that of the best plan, when all is known from the wave after it on. ``doubt`` 1: the best plan's first wave.
    """
    truths = [replace(paces, cells=paces.cells * doubt**power) for power in DOUBTS]
    plans = [best_waves(truth, now) for truth in truths]
    shortest = [wall(plan, truth, now) for plan, truth in zip(plans, truths, strict=True)]

    def regret(size: int) -> float:
        known = [wall((size, *_rest(size, truth, now)), truth, now) for truth in truths]
        return sum(seconds / best if best else 1.0 for seconds, best in zip(known, shortest, strict=True))

    return min(sorted({now.left, *(plan[0] for plan in plans)}, reverse=True), key=regret)


def _rest(size: int, paces: Paces, now: Standing) -> Waves:
    if size >= now.left:
        return ()
    queued = max(0.0, size * (paces.cells - paces.test))
    return best_waves(paces, Standing(now.left - size, 0, queued, paces.switch))


def _critical(paces: Paces, now: Standing, count: int) -> list[float] | None:
    """Sizes of ``count`` waves, each so large that the sandbox would be done at the same moment if it idled only before that one.

    That moment M is wave k's first tests plus all cells from there on, so that each size is linear in M, and so is their sum,
    which is to be ``left``. None where that leaves a wave without problems, and where the sandbox keeps up with the tests.
    """
    cells = paces.cells + paces.label
    if paces.sample <= 0 or cells <= paces.test:
        return None

    def sizes(moment: float) -> list[float]:
        found: list[float] = []
        before = 0.0
        for k in range(count):
            gpu = now.opening + before * (paces.sample + paces.test) + (2 * k + 1) * paces.switch + paces.test
            found.append((moment - gpu - (now.left - before) * cells) / paces.sample + now.sampled)
            before += found[-1]
        return found

    at_zero, at_one = sum(sizes(0.0)), sum(sizes(1.0))
    found = sizes((now.left - at_zero) / (at_one - at_zero))
    return found if min(found) > 0 else None


def _rounded(sizes: Sequence[float], now: Standing) -> Waves:
    """Whole problems, each in one wave, the sampled ones in the first; waves that round to nothing are left out."""
    cuts = np.clip(np.rint(np.cumsum(sizes)), now.sampled, now.left).astype(int)
    cuts[-1] = now.left
    return tuple(int(size) for size in np.diff(cuts, prepend=0) if size)
