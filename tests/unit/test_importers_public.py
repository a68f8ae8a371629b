"""The importers on the public files: the published counts, exactly."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from models.types import Problem
from tasks.importers.registry import import_format
from tasks.importers.result import ImportRequest, ImportResult

DATA = Path(__file__).parents[3] / "shared" / "data"
RECORDED = "HumanEval_codegen16B_temp0.8_topp0.95_num100_max300"

pytestmark = [
    pytest.mark.public_data,
    pytest.mark.skipif(not DATA.is_dir(), reason="the public recordings are not beside the checkout (../shared/data)"),
]


def codet(unit: str) -> ImportResult:
    folder = DATA / "codet"
    request = ImportRequest(
        format="codet",
        problems=folder / "HumanEval_for_code_generation.jsonl",
        solutions=folder / f"{RECORDED}_code_solution.jsonl",
        test_problems=folder / "HumanEval_for_test_case_generation.jsonl",
        tests=folder / f"{RECORDED}_test_case.jsonl",
        unit=unit,  # type: ignore[arg-type]
    )
    return import_format(request)


@cache
def humaneval() -> tuple[Problem, ...]:
    request = ImportRequest(format="humaneval", files=(DATA / "human-eval" / "HumanEval.jsonl.gz",))
    return tuple(import_format(request).problems or ())


@pytest.mark.parametrize(("unit", "cells", "distinct"), [("assert", 912_400, 639_583), ("sample", 209_100, 159_049)])
def test_codet_gives_the_published_cells(unit: str, cells: int, distinct: int) -> None:
    result = codet(unit)
    problems = {p.task_id for p in result.problems or ()}
    solutions = {s.task_id: s.digests for s in result.solutions or ()}
    tests = {t.task_id: t.digests for t in result.tests or ()}
    assert problems == set(solutions) == set(tests)
    assert len(problems) == 164
    assert sum(len(solutions[t]) * len(tests[t]) for t in problems) == cells
    assert sum(len(set(solutions[t])) * len(set(tests[t])) for t in problems) == distinct
    assert result.notes["problems without a test"] == 9


def test_humaneval_has_its_problems_with_helpers_and_references() -> None:
    problems = {p.task_id: p for p in humaneval()}
    assert len(problems) == 164
    assert problems["HumanEval/0"].preamble == "from typing import List\n"
    assert problems["HumanEval/38"].preamble.startswith("def encode_cyclic(s: str):")
    assert "decode_cyclic" not in problems["HumanEval/38"].preamble
    assert all(p.reference for p in problems.values())


def test_codets_mbpp_is_read_and_its_crooked_references_are_counted() -> None:
    result = import_format(ImportRequest(format="mbpp", files=(DATA / "codet" / "mbpp_sanitized_for_code_generation.jsonl",)))
    problems = {p.task_id: p for p in result.problems or ()}
    assert len(problems) == 427
    assert sum(p.reference is None for p in problems.values()) == 10
    assert sum(result.notes.values()) == 10
    assert problems["MbppEval/6"].entry_point == "is_Power_Of_Two"


def test_evalplus_inputs_join_their_problems(tmp_path: Path) -> None:
    from tasks.jsonl import write_lines

    write_lines(tmp_path / "p.jsonl", humaneval())
    files = (DATA / "evalplus" / "HumanEvalPlusInputs.jsonl",)
    result = import_format(ImportRequest(format="evalplus-inputs", files=files, problems=tmp_path / "p.jsonl"))
    kinds = {p.task_id: p.ground_truth.kind for p in result.problems or ()}
    assert len(kinds) == 164
    assert sorted(t for t, kind in kinds.items() if kind == "check") == [f"HumanEval/{i}" for i in (32, 39, 55, 95)]
    assert result.notes["inputs"] == 160 * 100
