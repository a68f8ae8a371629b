"""Budgets that are spent in rounds: ask for cells, see them, decide, ask again. The live form of what ``coderm budget`` replays.

A course is a generator: it yields the cells that it wants next, is sent the matrices that hold them, and returns an audit trail of
every decision. It knows no sandbox, so that a test can drive it with a stored matrix and compare it with the replay on the same
matrix, step by step. Tests are taken in the order in which they were drawn; duplicates of a test come with it and cost nothing.

    adaptive    models.budget_adaptive: the problem that has spent least goes next; all problems that no outcome of the others
                could push back go in the same round
    stops       models.stopping: one test of every running problem a round, each problem with the share of ``equal`` at most

What could not be run through our fault is no vote, as everywhere, and no reason to stop; the gates speak about it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping
from dataclasses import asdict, dataclass, field, replace
from heapq import heapify, heappop, heappush
from typing import Any

import numpy as np
import numpy.typing as npt

from models.budget_adaptive import DEFAULT, PRICE_SLACK, ScoutStep, kinds_of, luck_of, take_scouts
from models.matrix import PassMatrix
from models.reward.choice import replay_problem
from models.reward.selector import ScoreSelector
from models.stopping import StopRule, decision_of, evidence_of
from models.types import BoolMatrix, FloatArray, Labels, Verdict

Cells = dict[str, BoolMatrix]
"""task id → (n, m) cells that are wanted now"""
Known = Mapping[str, PassMatrix]
"""task id → everything seen so far of each problem that was asked about"""
Trail = dict[str, list[dict[str, Any]]]
"""task id → decisions in order, as plain values"""
Course = Generator[Cells, Known, Trail]


@dataclass(frozen=True)
class Shape:
    """What is known of a problem before anything ran: its number of solutions and the digests of its tests."""

    solutions: int
    digests: tuple[str, ...]

    @property
    def units(self) -> list[BoolMatrix]:
        """One (m,) mask of columns a distinct test, in order of first appearance."""
        digests = np.array(self.digests, dtype=object)
        return [np.asarray(digests == digest) for digest in dict.fromkeys(self.digests)] if self.solutions else []


def drive(course: Course, execute: Callable[[Cells], Known]) -> Trail:
    """Run a course to its end."""
    try:
        wanted = next(course)
        while True:
            wanted = course.send(execute(wanted))
    except StopIteration as end:
        trail: Trail = end.value
        return trail


def stopping_course(
    shapes: Mapping[str, Shape], shares: Mapping[str, int], selector: ScoreSelector, rules: tuple[StopRule, ...]
) -> Course:
    """Each problem until a rule stops it or its share is asked; the trail holds ``models.stopping.Decision``."""
    units = {task: shape.units for task, shape in shapes.items()}
    trail: Trail = {task: [] for task in shapes}
    running, tests = [task for task in shapes if shares[task] > 0], 0
    while running:
        known = yield {task: _cells(shapes[task], units[task][tests], None) for task in running}
        tests += 1
        running = [task for task in running if _goes_on(known[task], trail[task], selector, rules, tests, shares[task])]
    return trail


def _goes_on(
    matrix: PassMatrix, steps: list[dict[str, Any]], selector: ScoreSelector, rules: tuple[StopRule, ...], tests: int, share: int
) -> bool:
    problem = replay_problem(_seen(matrix), _unknown(matrix))
    evidence = evidence_of(problem, selector, np.ones(problem.units, dtype=np.bool_))
    fired = [rule.name for rule in rules if rule.stops(evidence)]
    decision = fired[0] if fired else "go on" if tests < share else "share spent"
    steps.append(asdict(decision_of(problem, evidence, decision)))
    return decision == "go on"


def _seen(matrix: PassMatrix) -> PassMatrix:
    """The asked columns, each whole; a cell that could not be run is no vote."""
    columns = np.flatnonzero(matrix.asked.any(axis=0))
    verdicts = matrix.verdicts[:, columns]
    verdicts = np.where(verdicts == Verdict.PASSED, verdicts, np.uint8(Verdict.FAILED))
    digests = tuple(matrix.test_digests[j] for j in columns)
    return replace(
        matrix, verdicts=verdicts, duration_ms=matrix.duration_ms[:, columns], test_digests=digests, flags={}, outputs={}
    )


def _unknown(matrix: PassMatrix) -> Labels:
    """No label: a live run has none when it decides."""
    digests = matrix.solution_digests
    return Labels(task_id=matrix.task_id, correct=(None,) * len(digests), solution_digests=digests)


def _cells(shape: Shape, columns: BoolMatrix, rows: npt.NDArray[np.intp] | None) -> BoolMatrix:
    cells = np.zeros((shape.solutions, len(shape.digests)), dtype=np.bool_)
    cells[np.ix_(np.arange(shape.solutions) if rows is None else rows, np.flatnonzero(columns))] = True
    return cells


@dataclass
class _Place:
    """Where one problem stands in the adaptive course. ``luck``, ``votes``, ``kind`` (n,), ``spent`` in tests."""

    index: int
    task: str
    shape: Shape
    units: list[BoolMatrix]
    luck: FloatArray
    votes: FloatArray
    kind: npt.NDArray[np.uint64]
    words: npt.NDArray[np.uint64]
    spent: float = 0.0
    tests: int = 0
    aside: list[int] = field(default_factory=list)
    trail: list[dict[str, Any]] = field(default_factory=list)

    @staticmethod
    def at(index: int, task: str, shape: Shape, seed: int) -> _Place:
        """Before its first test."""
        units, n = shape.units, shape.solutions
        luck, words = luck_of(1, n, seed)[0], kinds_of(len(units), seed)
        return _Place(index, task, shape, units, luck, np.zeros(n), np.zeros(n, dtype=np.uint64), words)

    @property
    def share(self) -> float:
        """What scouting costs, in tests."""
        return DEFAULT.of(self.shape.solutions) / max(1, self.shape.solutions)

    @property
    def scouts(self) -> npt.NDArray[np.intp]:
        """The solutions that the next test runs on first."""
        return take_scouts(self.votes + self.luck, self.kind, DEFAULT.of(self.shape.solutions))

    def cells(self, test: int, rows: npt.NDArray[np.intp]) -> BoolMatrix:
        return _cells(self.shape, self.units[test], rows)

    def rest(self, test: int, scouts: npt.NDArray[np.intp]) -> BoolMatrix:
        return self.cells(test, np.setdiff1d(np.arange(self.shape.solutions), scouts))

    def passes(self, matrix: PassMatrix) -> BoolMatrix:
        """(n,) who passed the test that is being decided."""
        return np.asarray(matrix.passes[:, np.flatnonzero(self.units[self.tests])[0]])

    def note(self, test: int, cost: float, decision: str) -> float:
        self.trail.append(asdict(ScoutStep(test, cost, decision)))
        self.spent += cost
        return cost


def adaptive_course(shapes: Mapping[str, Shape], total: int, seed: int = 0) -> Course:
    """Scouts first, whole tests where a scout passes, the rest of what was put aside at the end; see models.budget_adaptive."""
    places = [_Place.at(index, task, shape, seed) for index, (task, shape) in enumerate(shapes.items())]
    spent = 0.0
    while batch := _round(places, total - spent):
        scouts = [place.scouts for place in batch]
        known = yield {p.task: p.cells(p.tests, rows) for p, rows in zip(batch, scouts, strict=True)}
        kept = [bool(p.passes(known[p.task])[rows].any()) for p, rows in zip(batch, scouts, strict=True)]
        wanted = {p.task: p.rest(p.tests, rows) for p, rows, keep in zip(batch, scouts, kept, strict=True) if keep}
        if any(cells.any() for cells in wanted.values()):
            known = {**known, **(yield {task: cells for task, cells in wanted.items() if cells.any()})}
        for place, keep in zip(batch, kept, strict=True):
            spent += _settle(place, known[place.task], keep)
    if all(place.tests == len(place.units) for place in places):
        rest = _later(places, total - spent)
        if rest:
            yield rest
    return {place.task: place.trail for place in places}


def _settle(place: _Place, matrix: PassMatrix, keep: bool) -> float:
    """What one event cost; the problem stands before its next test then."""
    if keep:
        passed = place.passes(matrix)
        place.votes = place.votes + passed
        place.kind = place.kind ^ np.where(passed, place.words[place.tests], np.uint64(0))
        cost = place.note(place.tests, 1.0, "ran on all")
    else:
        place.aside.append(place.tests)
        cost = place.note(place.tests, place.share, "put aside")
    place.tests += 1
    return cost


def _round(places: list[_Place], left: float) -> list[_Place]:
    """Whose next test starts now: those that no outcome of the others could push back, while a whole test each can be paid."""
    waiting = sorted((p for p in places if p.tests < len(p.units)), key=lambda p: (p.spent, p.index))
    batch: list[_Place] = []
    horizon = math.inf
    for place in waiting[: math.floor(left + PRICE_SLACK)]:
        if place.spent >= horizon:
            break
        batch.append(place)
        horizon = min(horizon, place.spent + place.share)
    return batch


def _later(places: list[_Place], left: float) -> Cells:
    """The rest of what was put aside, as far as the budget reaches. Nothing depends on what comes back, so it is one round."""
    wanted: Cells = {}
    heap = [(place.spent, place.index) for place in places if place.aside]
    heapify(heap)
    done = dict.fromkeys((place.index for place in places), 0)
    while heap:
        place = places[heappop(heap)[1]]
        price = 1.0 - place.share
        if price > left + PRICE_SLACK:
            break
        test = place.aside[done[place.index]]
        cells = place.cells(test, np.arange(place.shape.solutions))
        wanted[place.task] = wanted.get(place.task, np.zeros_like(cells)) | cells
        left, done[place.index] = left - place.note(test, price, "ran on the rest"), done[place.index] + 1
        if done[place.index] < len(place.aside):
            heappush(heap, (place.spent, place.index))
    return wanted
