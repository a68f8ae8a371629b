"""Mutants of a reference, and what the tests are worth on the reference and on them."""

from __future__ import annotations

import ast
import difflib
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.matrix import ExecutionContext, PassMatrix
from models.metrics_probe import Probe, probe_rates
from models.mutants import mutants_of
from models.types import Verdict

CONTEXT = ExecutionContext(sandbox="process", image=None, version="test", timeout_s=1.0, memory_mib=512)
P, F, E, SKIPPED, MISSING = Verdict.PASSED, Verdict.FAILED, Verdict.ERROR, Verdict.NOT_ASKED, Verdict.NOT_RUN
SOURCE = '''
import math
def area(kind: "str", a: int = 2, b: int = 3) -> "float":
    """Area of a shape."""
    total = -a
    if kind == "disc" and not b:
        total += math.pi * a ** 2
        print(total)
    return total if a < b else None
'''


def test_each_kind_of_change_once_and_nothing_else() -> None:
    original = ast.unparse(ast.parse(SOURCE)).splitlines()
    changed = []
    for mutant in mutants_of(SOURCE, 100):
        compile(mutant, "mutant", "exec")
        (line,) = [d[2:].strip() for d in difflib.ndiff(original, mutant.splitlines()) if d.startswith("+ ")]
        changed.append(line)
    assert sorted(changed) == sorted(
        [
            "def area(kind: 'str', a: int=3, b: int=3) -> 'float':",
            "def area(kind: 'str', a: int=2, b: int=4) -> 'float':",
            "total = a",
            "if not (kind == 'disc' and (not b)):",
            "if kind == 'disc' or not b:",
            "if kind != 'disc' and (not b):",
            "if kind == '' and (not b):",
            "if kind == 'disc' and b:",
            "total -= math.pi * a ** 2",
            "total += math.pi + a ** 2",
            "total += math.pi * (a * 2)",
            "total += math.pi * a ** 3",
            "pass",
            "return None",
            "return total if not a < b else None",
            "return total if a <= b else None",
        ]
    )


def test_the_same_source_gives_the_same_mutants_and_a_limit_draws_among_them() -> None:
    everything, few = mutants_of(SOURCE, 100), mutants_of(SOURCE, 5)
    assert few == mutants_of(SOURCE, 5)
    assert len(few) == 5
    assert [m for m in everything if m in few] == list(few), "in the order of the source"
    assert len({mutants_of(SOURCE, 5, seed) for seed in range(9)}) > 1
    assert mutants_of("def f(:", 5) == mutants_of("", 5) == mutants_of(SOURCE, 0) == ()


def probe(verdicts: list[list[int]], proven: tuple[bool | None, ...] = ()) -> Probe:
    codes = np.array(verdicts, dtype=np.uint8)
    digests = tuple(f"s{i}" for i in range(len(codes))), tuple(f"u{j}" for j in range(codes.shape[1]))
    return Probe(PassMatrix("t", codes, np.zeros(codes.shape, dtype=np.float32), CONTEXT, *digests), proven)


def test_three_way_status_on_the_reference() -> None:
    broken = [Verdict.TIMEOUT, Verdict.INVALID_TEST, Verdict.CRASHED, Verdict.OUT_OF_MEMORY, Verdict.TAMPERED, E]
    rates = probe_rates([probe([[P, F, SKIPPED, *broken]])], problems=3)
    assert rates["reference/tests"] == 8
    assert (rates["reference/pass_rate"], rates["reference/failure_rate"], rates["reference/error_rate"]) == (1 / 8, 1 / 8, 6 / 8)
    assert (rates["reference/problems"], rates["reference/without"]) == (1, 2)
    assert not [name for name in rates if name.startswith("mutation")], "nothing was mutated"


def test_a_reference_that_does_not_compile_says_nothing_and_missing_cells_make_rates_undefined() -> None:
    rates = probe_rates([probe([[Verdict.INVALID_SOLUTION]])], problems=1)
    assert math.isnan(rates["reference/error_rate"])
    assert (rates["reference/tests"], rates["reference/without"]) == (0, 1)
    rates = probe_rates([probe([[P, MISSING]])], problems=1)
    assert math.isnan(rates["reference/pass_rate"])
    assert rates["reference/tests"] == 2


@given(
    st.lists(
        st.integers(1, 4).flatmap(
            lambda m: st.lists(st.lists(st.sampled_from([P, F, E, SKIPPED]), min_size=m, max_size=m), min_size=2, max_size=5)
        ),
        min_size=1,
        max_size=3,
    ),
    st.data(),
)
@settings(max_examples=60)
def test_kill_rates_one_by_one(tables: list[list[list[int]]], data: st.DataObject) -> None:
    probes = [
        probe(t, tuple(data.draw(st.lists(st.sampled_from([True, False, None]), min_size=len(t) - 1, max_size=len(t) - 1))))
        for t in tables
    ]
    dead = mutants = dead_proven = proven = kills = pairs = 0
    for found in probes:
        reference, *others = found.matrix.verdicts.tolist()
        for row, wrong in zip(others, found.proven, strict=True):
            asked = [j for j, v in enumerate(reference) if v == P and row[j] != SKIPPED]
            killers = [j for j in asked if row[j] != P]
            dead, mutants = dead + bool(killers), mutants + 1
            dead_proven, proven = dead_proven + bool(killers and wrong), proven + bool(wrong)
            kills, pairs = kills + len(killers), pairs + len(asked)
    rates = probe_rates(probes, len(probes))
    assert rates["mutation/kill_rate"] == pytest.approx(dead / mutants)
    assert rates["mutation/kill_rate_proven"] == pytest.approx(dead_proven / proven if proven else math.nan, nan_ok=True)
    assert rates["mutation/test_kill_rate"] == pytest.approx(kills / pairs if pairs else math.nan, nan_ok=True)
    assert (rates["mutation/mutants"], rates["mutation/proven"]) == (mutants, proven)
