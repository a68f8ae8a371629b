"""What the tests say of a program that is known to be right, and of small wrong versions of it.

A probe is one problem's tests run on its reference (row 0) and on mutants of the reference (the other rows).

Three-way status of a generated test on the reference (CVeDRL, arXiv 2601.22803, whose Error Rate and failure rate these are):

    pass      the reference passes it
    failure   an assertion does not hold, or stdout differs: the test expects something wrong
    error     anything else: it does not compile, raises, crashes, runs out of time or memory, or its pass could not be proved

Tests that the budget did not ask for are left out, and so is a problem without a reference, or whose reference does not compile.
Rates over cells that could not be run are NaN.

A test that the reference passes kills a mutant that it does not pass; the others kill nothing, whatever they say.

    kill_rate         mutants that at least one test kills
    kill_rate_proven  the same over mutants that the benchmark's own tests kill too, so that none of them is equivalent
    test_kill_rate    of a test that the reference passes and a mutant: killed
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from models.matrix import PassMatrix
from models.metrics_tests import ratio
from models.types import Verdict


@dataclass(frozen=True, eq=False)
class Probe:
    """``matrix``: (1 + mutants, m), the reference first. ``proven``: a mutant's ground truth is wrong; None: not judged."""

    matrix: PassMatrix
    proven: tuple[bool | None, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether the reference compiles: one that does not says nothing about a test."""
        return not (self.matrix.verdicts[0] == Verdict.INVALID_SOLUTION).any()


def probe_rates(probes: Iterable[Probe], problems: int) -> dict[str, float]:
    """reference/… and, where a probe has mutants, mutation/… (see above). ``problems``: all of the run, with a reference or not."""
    known = [probe for probe in probes if probe.usable]
    rates = _status_rates([probe.matrix.verdicts[0] for probe in known]) | {"reference/without": float(problems - len(known))}
    if any(probe.proven for probe in known):
        rates |= _mutation_rates([probe for probe in known if probe.proven])
    missing = any((probe.matrix.verdicts == Verdict.NOT_RUN).any() for probe in known)
    return {name: math.nan if missing and "rate" in name else value for name, value in rates.items()}


def _status_rates(rows: list[np.ndarray[tuple[int], np.dtype[np.uint8]]]) -> dict[str, float]:
    verdicts = np.concatenate(rows) if rows else np.zeros(0, dtype=np.uint8)
    asked = verdicts[verdicts != Verdict.NOT_ASKED]
    passed, failed = int((asked == Verdict.PASSED).sum()), int((asked == Verdict.FAILED).sum())
    return {
        "reference/pass_rate": ratio(passed, asked.size),
        "reference/failure_rate": ratio(failed, asked.size),
        "reference/error_rate": ratio(asked.size - passed - failed, asked.size),
        "reference/tests": float(asked.size),
        "reference/problems": float(len(rows)),
    }


def _mutation_rates(probes: list[Probe]) -> dict[str, float]:
    killed, proven, by_test, pairs = [], [], 0, 0
    for probe in probes:
        passes, asked = probe.matrix.passes, probe.matrix.asked
        valid = passes[0]
        kills = ~passes[1:, valid] & asked[1:, valid]
        killed.append(kills.any(axis=1))
        proven.append(np.array([p is True for p in probe.proven]))
        by_test, pairs = by_test + int(kills.sum()), pairs + int(asked[1:, valid].sum())
    dead, wrong = np.concatenate(killed), np.concatenate(proven)
    return {
        "mutation/kill_rate": ratio(int(dead.sum()), dead.size),
        "mutation/kill_rate_proven": ratio(int((dead & wrong).sum()), int(wrong.sum())),
        "mutation/test_kill_rate": ratio(by_test, pairs),
        "mutation/mutants": float(dead.size),
        "mutation/proven": float(wrong.sum()),
        "mutation/problems": float(len(probes)),
    }
