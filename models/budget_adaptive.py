"""``adaptive``: spend cells where they can still change the choice. It looks at cells it paid for, and never at a label.

Two ideas, both measured on CodeT's recorded samples, where nobody passes 43 % of a problem's distinct tests.

Scouts. A test first runs on the solutions with most votes so far (ties at random). If none of them passes, the test is put aside:
it would most likely tell nobody apart. What was put aside runs on everybody else when there is budget left after the last test of
all problems, so that the whole budget gives the whole matrix. Costs are cells: a test on a fifth of the solutions costs a fifth.

Doubt. The next cells go to the problem with the largest (1 - agreement) / (1 + spent), where agreement = max_c n_c V_c / (n t) is
the strongest class so far: close to 1 when nearly all solutions pass nearly all tests and nothing is left to decide.

    events    E = D + D            one a test in its order, then one a test that was put aside
    reveal    (orders, D) int      event after which a test has run on everybody
    spent     (orders, E + 1)      cost in tests after so many events; infinite where there is no such event
    doubt     (orders, E) float    priority of the next event; negative for what was put aside
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.budget import IntArray
from models.reward.choice import ReplayProblem, columns_of
from models.reward.classes import sizes_of, votes_of
from models.types import BoolMatrix, FloatArray

SCOUT_SHARE = 0.2
"""On the recorded samples a tenth and a fifth save the same below 12 tests a problem; above, a tenth puts too much aside."""

LEAST_SCOUTS = 3

LAST = 2.0
"""Added to the agreement behind a test that was put aside: its doubt is negative, so all problems' first looks come before it."""


@dataclass(frozen=True, eq=False)
class Schedule:
    """The events of one problem, see the table above. ``kept`` (orders, D): a scout passed, by test; ``order`` (orders, D)."""

    reveal: IntArray
    spent: FloatArray
    doubt: FloatArray
    kept: BoolMatrix
    order: npt.NDArray[np.intp]


@dataclass(frozen=True)
class ScoutStep:
    """One line of an audit trail: which distinct test, what it cost, what the priority was, and what became of it."""

    test: int
    cost: float
    doubt: float
    decision: str


def scouts_of(problem: ReplayProblem) -> int:
    """Solutions that a test runs on first."""
    return min(problem.solutions, max(LEAST_SCOUTS, round(SCOUT_SHARE * problem.solutions)))


def schedule_of(problem: ReplayProblem, place: npt.NDArray[np.int64], seed: int = 0) -> Schedule:
    """What ``adaptive`` would do with one problem in each order ``place`` (orders, D), if it had the budget."""
    orders, units = place.shape
    order, passed = np.argsort(place, axis=1), _passed(problem)
    luck = np.random.default_rng(seed).random((orders, problem.solutions)) / 2
    votes, kept = np.zeros((orders, problem.solutions)), np.zeros((orders, units), dtype=np.bool_)
    agreement = np.zeros((orders, units + 1))
    for step in range(units):
        test = order[:, step]
        scouts = np.argsort(-(votes + luck), axis=1)[:, : scouts_of(problem)]
        kept[np.arange(orders), test] = np.take_along_axis(passed[test], scouts, axis=1).any(axis=1)
        votes += passed[test] & kept[np.arange(orders), test][:, None]
        agreement[:, step + 1] = _agreement(problem, columns_of(problem, np.where(kept, place, units), np.full(orders, step + 1)))
    return _events(problem, order, kept, agreement)


def _passed(problem: ReplayProblem) -> BoolMatrix:
    """(D, n) which solutions pass each distinct test."""
    return np.asarray(((problem.spread > 0) @ problem.classes.passes.T)[:, problem.classes.class_of])


def _agreement(problem: ReplayProblem, cols: FloatArray) -> FloatArray:
    """(orders,) max_c n_c V_c / (n t); 0 before the first test."""
    passes, rows = problem.classes.passes, problem.classes.rows
    strength = (sizes_of(passes, rows, cols) * votes_of(passes, cols)).max(axis=-1, initial=0.0)
    return np.asarray(strength / np.maximum(1.0, rows.sum() * cols.sum(axis=-1)))


def _events(problem: ReplayProblem, order: npt.NDArray[np.intp], kept: BoolMatrix, agreement: FloatArray) -> Schedule:
    orders, units = order.shape
    in_order = np.take_along_axis(kept, order, axis=1)
    scouting = scouts_of(problem) / max(1, problem.solutions)
    later = np.cumsum(~in_order, axis=1) - 1
    reveal = np.empty((orders, units), dtype=np.int64)
    np.put_along_axis(reveal, order, np.where(in_order, np.arange(units), units + later), axis=1)
    aside = np.where(np.arange(units) < (~in_order).sum(axis=1, keepdims=True), 1.0 - scouting, np.inf)
    price = np.hstack([np.where(in_order, 1.0, scouting), aside])
    spent = np.hstack([np.zeros((orders, 1)), np.cumsum(price, axis=1)])
    last = np.repeat(agreement[:, units:], units, axis=1) + LAST
    known = np.hstack([agreement[:, :units], last])
    doubt = (1.0 - known) / (1.0 + np.where(np.isfinite(spent[:, :-1]), spent[:, :-1], 0.0))
    return Schedule(reveal, spent, doubt, kept, order)


def spend(schedules: list[Schedule], totals: list[int]) -> tuple[IntArray, FloatArray]:
    """((orders, totals, P) events, (orders, totals, P) cost) when all problems share each total.

    Always taking the largest doubt runs a problem's events in order, so each event waits for the smallest doubt before it: one sort
    of the running minima is the whole path. Ties go to the lowest problem.
    """
    orders, problems = schedules[0].spent.shape[0], len(schedules)
    events = np.zeros((orders, len(totals), problems), dtype=np.int64)
    cost = np.zeros((orders, len(totals), problems))
    owner = np.concatenate([np.full(s.doubt.shape[1], p) for p, s in enumerate(schedules)])
    for o in range(orders):
        waits = np.concatenate([np.minimum.accumulate(s.doubt[o]) for s in schedules])
        after = np.concatenate([s.spent[o, 1:] for s in schedules])
        real = np.flatnonzero(np.isfinite(after))
        price = np.concatenate([_prices(s.spent[o]) for s in schedules])
        path = real[np.argsort(-waits[real], kind="stable")]
        reach = np.cumsum(price[path])
        for b, total in enumerate(totals):
            taken = owner[path[: np.searchsorted(reach, total + 1e-9, side="right")]]
            events[o, b] = np.bincount(taken, minlength=problems)
            cost[o, b] = [s.spent[o, k] for s, k in zip(schedules, events[o, b], strict=True)]
    return events, cost


def _prices(spent: FloatArray) -> FloatArray:
    """(E,) cost of each event; infinite where there is none."""
    known = np.where(np.isfinite(spent), spent, 0.0)
    return np.where(np.isfinite(spent[1:]), known[1:] - known[:-1], np.inf)


def audit_schedule(schedule: Schedule, order: int) -> tuple[ScoutStep, ...]:
    """Every event of one order, as far as a budget might reach. ``test`` counts distinct tests in the order of the file."""
    aside = [int(test) for test in schedule.order[order] if not schedule.kept[order, test]]
    first = [(int(test), "ran on all" if schedule.kept[order, test] else "put aside") for test in schedule.order[order]]
    price = _prices(schedule.spent[order])
    steps = zip([*first, *((test, "ran on the rest") for test in aside)], price, schedule.doubt[order], strict=False)
    return tuple(ScoutStep(test, float(cost), float(doubt), decision) for (test, decision), cost, doubt in steps)
