"""From evidence to verdict: the order of README.md ("the first that applies"), as one pure function.

Evidence is what the supervisor saw (how the process ended, its status, its CPU time) and at most one message that the cell sent
and that may be a lie. A message counts only when the process then left with status 0; a pass that does not fit its ending is
``tampered``. Nothing here looks at a clock or a process.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from models.types import Verdict
from sandbox.guest import outcomes, report

NEAR_LIMIT = 0.8
"""Share of the CPU limit from which a verdict might have been a timeout on a slower machine."""
_DIGEST = re.compile(r"[0-9a-f]{16,64}")
_BY_LETTER = {
    report.MEMORY: Verdict.OUT_OF_MEMORY,
    report.BAD_SOLUTION: Verdict.INVALID_SOLUTION,
    report.BAD_TEST: Verdict.INVALID_TEST,
    report.FAILED: Verdict.FAILED,
    report.ERROR: Verdict.ERROR,
    report.PASSED: Verdict.PASSED,
}


@dataclass(frozen=True)
class Evidence:
    """One ended cell. ``ending``: exit, cpu, wall, oom or infra; ``status``: exit status or minus the signal; times in ms."""

    ending: str
    letter: str
    status: int
    cpu_ms: float
    wall_ms: float
    note: str = ""
    output: str | None = None
    text: str | None = None
    marks: tuple[str, ...] = ()
    verdict: Verdict | None = None
    """Set when another cell, a checker's, has decided."""

    @classmethod
    def from_wire(cls, fields: list[Any]) -> Evidence:
        """Raises ValueError when the fields are not what a supervisor sends."""
        ending, letter, status, cpu_ms, wall_ms, note, output, text, marks = fields
        texts = (ending, letter, note, *(x for x in (output, text) if x is not None), *marks)
        if not all(isinstance(x, str) for x in texts) or not isinstance(status, int):
            raise ValueError("evidence has fields of the wrong type")
        if output is not None and not _DIGEST.fullmatch(output):
            raise ValueError("an output that is no digest")
        return cls(ending, letter, status, float(cpu_ms), float(wall_ms), note, output, text, tuple(marks))


def classify(seen: Evidence, expected_output: str | None = None) -> Verdict:
    """The verdict of one cell. ``expected_output``: digest that the output of a stdin program must have; None for other cells."""
    by_ending = {"infra": Verdict.NOT_RUN, "cpu": Verdict.TIMEOUT, "wall": Verdict.TIMEOUT, "oom": Verdict.OUT_OF_MEMORY}
    if seen.ending in by_ending:
        return by_ending[seen.ending]
    return _program(seen, expected_output) if expected_output is not None else _function(seen)


def _function(seen: Evidence) -> Verdict:
    if seen.letter == report.MEMORY:
        return Verdict.OUT_OF_MEMORY
    if seen.letter == report.GARBLED or (seen.letter == report.PASSED and seen.status != 0):
        return Verdict.TAMPERED
    if seen.letter == report.NOTHING or seen.status != 0:
        return Verdict.CRASHED
    return _BY_LETTER.get(seen.letter, Verdict.TAMPERED)


def _program(seen: Evidence, expected_output: str) -> Verdict:
    """A stdin program's evidence is its output and its status; it sends a message only about an exception."""
    if seen.letter == report.MEMORY:
        return Verdict.OUT_OF_MEMORY
    if seen.letter in (report.GARBLED, report.PASSED):
        return Verdict.TAMPERED
    if seen.status < 0:
        return Verdict.CRASHED
    if seen.letter == report.BAD_SOLUTION:
        return Verdict.INVALID_SOLUTION
    if seen.letter == report.ERROR or seen.status != 0:
        return Verdict.ERROR
    return Verdict.PASSED if seen.output == expected_output else Verdict.FAILED


def outcome(seen: Evidence) -> tuple[str, str | None] | None:
    """(digest, short text or None) of what the solution returned or wrote; None where it did not come to its own end.

    Calls of a function: guest/outcomes.py decides what they have. A program: its stdout, when it ended with status 0.
    """
    ended = (
        seen.ending == "exit" and seen.status == 0 and seen.letter in (report.NOTHING, report.PASSED, report.FAILED, report.ERROR)
    )
    if not ended or seen.output is None:
        return None
    text = None if seen.text is None or len(seen.text) > outcomes.SHORT else seen.text.rstrip()
    return seen.output[: 2 * outcomes.DIGEST_BYTES], text


def flags(seen: Evidence, verdict: Verdict, timeout_s: float) -> tuple[str, ...]:
    """Doubts that travel with the verdict: the supervisor's marks, and ``near_limit``."""
    near = verdict not in (Verdict.TIMEOUT, Verdict.NOT_RUN) and seen.cpu_ms > NEAR_LIMIT * timeout_s * 1000
    return (*seen.marks, *(("near_limit",) if near else ()))
