"""One problem as a page can hold it: packed, compressed, and unpacked by the page only when somebody looks at it.

A matrix is three characters a cell (one verdict, two for the duration, kept to 0.3 % on a logarithmic scale); sources stand once
each. The whole is JSON, compressed (zlib) and spelled in base64, which the browser inflates by itself. Where all problems together
pass ``PAGE_BYTES``, only the compared solutions and the tests that tell them apart keep their sources; problems that do not fit
even so are left out and counted. Every text that a model wrote goes through ``visible``.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from models.matrix import PassMatrix
from models.run_record import RunRecord
from models.types import UnitTest, Verdict
from tasks.report_choices import Choice
from tasks.report_text import clip, label, plot_label, visible

PAGE_BYTES = 10_000_000
"""Compressed problems in one page, so that with plotly's 4.8 MB it stays near 15 MB."""

ALPHABET = "".join(chr(c) for c in range(33, 127) if chr(c) not in "\"\\<>&'")
"""Characters that need no escape in JSON or HTML."""
_STEPS = len(ALPHABET) ** 2 - 1
_LOG_LO, _LOG_SPAN = -3.0, 10.0
"""Durations from 1 microsecond to 10^7 ms (three hours)."""


def packed_problems(run: RunRecord, choices: Sequence[Choice]) -> tuple[list[dict[str, Any]], bool]:
    """(every problem that has a matrix and fits, in benchmark order; whether all sources are in)."""
    known = [choice for choice in choices if choice.task_id in run.matrices]
    whole = [packed_problem(run, choice, every_source=True) for choice in known]
    if sum(len(p["z"]) for p in whole) <= PAGE_BYTES:
        return whole, True
    left, kept = PAGE_BYTES, []
    for choice in known:
        packed = packed_problem(run, choice, every_source=False)
        if len(packed["z"]) <= left:
            left -= len(packed["z"])
            kept.append(packed)
    return kept, False


def packed_problem(run: RunRecord, choice: Choice, *, every_source: bool) -> dict[str, Any]:
    """What the page lists of a problem, and under ``z`` what it inflates."""
    matrix = run.matrices[choice.task_id]
    n, m = matrix.verdicts.shape
    body = json.dumps(_detail(run, matrix, choice, every_source), separators=(",", ":"), allow_nan=False)
    return {
        "task": matrix.task_id,
        "id": label(matrix.task_id),
        "plot": plot_label(matrix.task_id),
        "n": n,
        "m": m,
        "said": choice.said,
        "outcome": choice.outcome,
        "z": base64.b64encode(zlib.compress(body.encode("ascii"), 9)).decode("ascii"),
    }


def _detail(run: RunRecord, matrix: PassMatrix, choice: Choice, every_source: bool) -> dict[str, Any]:
    """v, d: cells; y: labels (1, 0, ?); first: tied first group; pairs: (what, solution, solution); prompt; solutions; tests."""
    marks = {True: "1", False: "0", None: "?"}
    task = choice.task_id
    n, m = matrix.verdicts.shape
    correct = run.labels[task].correct if task in run.labels else ()
    rows, columns = (set(range(n)), set(range(m))) if every_source else _compared(matrix, choice)
    solutions = run.solutions[task].solutions if task in run.solutions else ()
    tests = run.tests[task].tests if task in run.tests else ()
    prompt, note = clip(run.problems[task].prompt) if task in run.problems else ("", "")
    return {
        "v": pack_verdicts(matrix.verdicts),
        "d": pack_durations(matrix.duration_ms),
        "y": "".join(marks[c] for c in correct) or "?" * n,
        "first": list(choice.tied),
        "confidence": choice.confidence,
        "pairs": [list(pair) for pair in choice.pairs],
        "prompt": [visible(prompt), note],
        "solutions": _once([_text(solutions[i]) if i in rows and i < len(solutions) else None for i in range(n)]),
        "tests": _once([_parts(tests[j]) if j in columns and j < len(tests) else None for j in range(m)]),
        "origins": "".join("s" if j < len(tests) and tests[j].origin == "statement" else "g" for j in range(m)),
    }


def _compared(matrix: PassMatrix, choice: Choice) -> tuple[set[int], set[int]]:
    """Rows that some pair holds, and columns on which one of a pair passes and the other does not."""
    passes = matrix.verdicts == Verdict.PASSED
    rows = {i for _, *both in choice.pairs for i in both} | set(choice.tied[:1])
    columns = {int(j) for _, a, b in choice.pairs for j in np.flatnonzero(passes[a] != passes[b])}
    return rows, columns


def _once(items: Sequence[Any]) -> dict[str, list[Any]]:
    """Equal items once: ``items``, and ``at``, the place of each; -1 for one that is not in the page."""
    places: dict[str, int] = {}
    kept: list[Any] = []
    at = []
    for item in items:
        key = json.dumps(item)
        if item is not None and key not in places:
            places[key] = len(kept)
            kept.append(item)
        at.append(-1 if item is None else places[key])
    return {"items": kept, "at": at}


def _text(source: str) -> list[str]:
    shown, note = clip(source)
    return [visible(shown), note]


def _parts(test: UnitTest) -> list[list[str]]:
    if test.source is not None:
        return [["", *_text(test.source)]]
    return [["stdin", *_text(test.stdin or "")], ["expected stdout", *_text(test.stdout or "")]]


def pack_verdicts(verdicts: npt.NDArray[np.uint8]) -> str:
    """(n, m) codes as n·m characters, row by row: ``a`` is code 0."""
    return (np.ascontiguousarray(verdicts) + ord("a")).astype(np.uint8).tobytes().decode("ascii")


def pack_durations(duration_ms: npt.NDArray[np.float32]) -> str:
    """(n, m) milliseconds as 2·n·m characters, a logarithm in base-88 digits; two blanks where nothing ran."""
    flat = duration_ms.astype(np.float64).ravel()
    ran = np.isfinite(flat)
    logs = np.log10(np.clip(np.where(ran, flat, 1.0), 10**_LOG_LO, 10 ** (_LOG_LO + _LOG_SPAN)))
    steps = np.rint((logs - _LOG_LO) / _LOG_SPAN * _STEPS).astype(np.int64)
    letters = np.frombuffer(ALPHABET.encode("ascii"), dtype=np.uint8)
    digits = np.stack([letters[steps // len(ALPHABET)], letters[steps % len(ALPHABET)]], axis=1)
    digits[~ran] = ord(" ")
    return digits.tobytes().decode("ascii")
