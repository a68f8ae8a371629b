"""MBPP (google-research/mbpp, CC BY 4.0): the original lines, the sanitized ones, and CodeT's, told apart by their fields.

    original   text, code, test_list, test_setup_code, challenge_test_list
    sanitized  prompt, code, test_imports, test_list        (published as one JSON array: that is read too)
    CodeT      prompt, entry_point, canonical_solution, test

The entry point is the function that the first assert calls and the code defines. Set-up and imports stand before each assert, so
that a test is whole. ``challenge_test_list`` is no part of the published metric; it is left out, and counted.
"""

from __future__ import annotations

import ast
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from models.errors import MalformedLine
from models.types import AssertsTruth, Problem
from tasks.importers.humaneval import HumanEvalLine, completion_problem
from tasks.importers.result import ImportRequest, ImportResult
from tasks.jsonl import read_objects, validate


class OriginalLine(BaseModel):
    """A line of mbpp.jsonl."""

    task_id: int
    text: str
    code: str
    test_list: tuple[str, ...] = Field(min_length=1)
    test_setup_code: str = ""
    challenge_test_list: tuple[str, ...] = ()


class SanitizedLine(BaseModel):
    """An entry of sanitized-mbpp.json."""

    task_id: int
    prompt: str
    code: str
    test_list: tuple[str, ...] = Field(min_length=1)
    test_imports: tuple[str, ...] = ()


def import_mbpp(request: ImportRequest) -> ImportResult:
    """P from one MBPP file of any of the three kinds. Raises InputError, MalformedLine."""
    notes: Counter[str] = Counter()
    return ImportResult(problems=_problems(request.one_file(), notes), notes=notes)


def _problems(path: Path, notes: Counter[str]) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for number, value in read_objects(path, arrays=True):
        problem = _problem(path, number, value, notes)
        if seen.setdefault(problem.task_id, number) != number:
            raise MalformedLine(path, number, "task_id", f"{problem.task_id!r} stands already in line {seen[problem.task_id]}")
        yield problem


def _problem(path: Path, number: int, value: dict[str, Any], notes: Counter[str]) -> Problem:
    if "canonical_solution" in value:
        return completion_problem(validate(path, number, HumanEvalLine, value), notes)
    model: type[OriginalLine | SanitizedLine] = OriginalLine if "text" in value else SanitizedLine
    line: OriginalLine | SanitizedLine = validate(path, number, model, value)
    if isinstance(line, OriginalLine):
        text, setup = line.text, line.test_setup_code
        notes["challenge asserts left out"] += len(line.challenge_test_list)
    else:
        text, setup = line.prompt, "\n".join(line.test_imports)
    entry_point = entry_point_of(line.code, line.test_list)
    if entry_point is None:
        raise MalformedLine(path, number, "test_list", "expected an assert that calls a function which 'code' defines")
    return Problem(
        task_id=f"Mbpp/{line.task_id}",
        prompt=f'"""\n{text}\n{line.test_list[0]}\n"""\n',
        entry_point=entry_point,
        style="function",
        reference=line.code,
        ground_truth=AssertsTruth(asserts=tuple(f"{setup}\n{test}" if setup.strip() else test for test in line.test_list)),
    )


def entry_point_of(code: str, asserts: tuple[str, ...]) -> str | None:
    """The name that the asserts call and the code defines at its top; None when there is none, or either does not parse."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            defined = {node.name for node in ast.parse(code).body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
            called = [node for text in asserts for node in ast.walk(ast.parse(text.strip())) if isinstance(node, ast.Call)]
    except (SyntaxError, ValueError):
        return None
    names = (call.func.id for call in called if isinstance(call.func, ast.Name))
    return next((name for name in names if name in defined), None)
