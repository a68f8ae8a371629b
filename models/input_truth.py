"""Ground truth by inputs (EvalPlus, NeurIPS 2023): a solution is right where it agrees with the reference on every input.

Decides what "agrees" means, and writes it down as test source that any sandbox can run: the test holds the reference as text,
runs it in a namespace of its own, gives both a deep copy of each input and compares. So expected outputs never leave the sandbox,
and need no codec. The trade: the reference runs again in every cell, which is why slow inputs stand in a column alone. EvalPlus'
rule: equal, or for floats ``|out - expected| <= atol + 1e-7 |expected|`` (its ``assert_allclose``), element by element.
Differences, on purpose: an object that only says it is equal is not (a plain value must be met by a plain value), floats are
compared inside nested containers too, and a list is never a tuple.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from models.matrix import PassMatrix
from models.types import InputsTruth, Problem, UnitTest, Verdict

REFERENCE_LIMIT_S = 1.0
"""CPU seconds that the reference may take on one input (README.md, ``label``)."""
GROUP = 20
"""Inputs a column: 100 inputs make 5 cells a solution instead of 100, and a wrong solution still fails at its first bad input."""
SLOW_MS = 50.0
"""A pre-check cell above this has a column of its own, so a column's reference takes about GROUP x SLOW_MS = 1 s at most."""


def agree(out: Any, expected: Any, atol: float) -> bool:  # noqa: PLR0911 - one case a type
    """Whether ``out`` is what the reference gave. Uses the methods of the built-in types, never those of ``out``'s class.

    Its source is copied into every test, so it may use nothing but built-ins.
    """
    if expected is None:
        return out is None
    if isinstance(expected, (bool, int, float)):
        if not isinstance(out, (bool, int, float)):
            return False
        got = float.__pos__(out) if isinstance(out, float) else int.__pos__(out)
        if got == expected or (got != got and expected != expected):  # noqa: PLR0124 - NaN agrees with NaN
            return True
        floats = isinstance(got, float) or isinstance(expected, float)
        return floats and abs(got - expected) <= atol + 1e-7 * abs(expected) < float("inf")
    if isinstance(expected, str):
        return isinstance(out, str) and str.__eq__(out, expected) is True
    if isinstance(expected, (list, tuple)):
        base: Any = list if isinstance(expected, list) else tuple
        if not isinstance(out, base) or base.__len__(out) != len(expected):
            return False
        return all(agree(a, b, atol) for a, b in zip(base.__iter__(out), expected, strict=True))
    if isinstance(expected, dict):
        same = isinstance(out, dict) and dict.__len__(out) == len(expected)
        return same and all(dict.__contains__(out, k) and agree(dict.__getitem__(out, k), v, atol) for k, v in expected.items())
    return type(out) is type(expected) and bool(expected == out)


def input_test(problem: Problem, reference: str, indices: Sequence[int]) -> UnitTest:
    """One ``check(candidate)`` that holds the reference and the inputs at ``indices``. ``reference``: its complete source."""
    truth = _truth(problem)
    inputs = "\n".join(f"        {list(truth.inputs[i])!r}," for i in indices)
    return UnitTest(
        source=f"""\
from __future__ import annotations

import copy

inf, nan = float("inf"), float("nan")
REFERENCE = {reference!r}


{inspect.getsource(agree)}

def check(candidate):
    names = {{"__name__": "reference"}}
    exec(compile(REFERENCE, "<reference>", "exec"), names)
    for args in [
{inputs}
    ]:
        expected = names[{problem.entry_point!r}](*copy.deepcopy(args))
        assert agree(candidate(*copy.deepcopy(args)), expected, {truth.atol!r}), "differs from the reference"
"""
    )


def _truth(problem: Problem) -> InputsTruth:
    if not isinstance(problem.ground_truth, InputsTruth):
        raise TypeError(f"{problem.task_id}: ground truth is {problem.ground_truth.kind}, not inputs")
    return problem.ground_truth


@dataclass(frozen=True)
class InputPlan:
    """Which inputs count, by column. ``dropped``: the reference raises on them, takes over 1 s, or differs from itself.

    ``unknown``: their pre-check did not run, through our fault; then nothing can be labelled.
    """

    groups: tuple[tuple[int, ...], ...]
    dropped: int
    unknown: int


def input_plan(precheck: PassMatrix) -> InputPlan:
    """Read the matrix of a pre-check: one row, the reference; one column an input."""
    verdicts, took_ms = precheck.verdicts[0], precheck.duration_ms[0]
    usable = [int(i) for i in (verdicts == Verdict.PASSED).nonzero()[0]]
    unknown = int(((verdicts == Verdict.NOT_RUN) | (verdicts == Verdict.NOT_ASKED)).sum())
    fast = [i for i in usable if not took_ms[i] > SLOW_MS]
    slow = [(i,) for i in usable if took_ms[i] > SLOW_MS]
    groups = [tuple(fast[start : start + GROUP]) for start in range(0, len(fast), GROUP)]
    return InputPlan(groups=(*groups, *slow), dropped=len(verdicts) - len(usable) - unknown, unknown=unknown)
