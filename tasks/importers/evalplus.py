"""Extra inputs of EvalPlus (Apache-2.0): added to problems that are there already, whose own tests stay and must hold too.

Decides: ids are written ``HumanEval_0`` there and ``HumanEval/0`` here; floats are compared within 1e-6, as EvalPlus does where
the data names no tolerance. Refuses inputs for a problem without a reference, since nobody could say what is right. A problem
with several right answers keeps its own tests alone: agreement with one reference would call the other answers wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent
from typing import Any

from pydantic import BaseModel

from models.errors import InputError, MalformedLine
from models.types import AssertsTruth, CheckTruth, InputsTruth, Problem
from tasks.importers.result import ImportRequest, ImportResult
from tasks.jsonl import read_lines, read_objects, validate

EVALPLUS_ATOL = 1e-6
SEVERAL_ANSWERS = frozenset({"HumanEval/32"})
"""``find_zero``: any root of the polynomial is right; EvalPlus has an oracle of its own for it."""


class InputsLine(BaseModel):
    """One problem's inputs; further fields are left aside."""

    task_id: str
    inputs: tuple[tuple[Any, ...], ...]


def import_evalplus_inputs(request: ImportRequest) -> ImportResult:
    """P again, with the inputs that FILE has for its problems. Raises InputError, MalformedLine."""
    notes: Counter[str] = Counter()
    problems = {problem.task_id: problem for problem in read_lines(request.needed("problems"), Problem)}
    inputs = _inputs(request.one_file(), problems, notes)
    return ImportResult(problems=_extended(problems, inputs, notes), notes=notes)


def _inputs(path: Path, problems: dict[str, Problem], notes: Counter[str]) -> dict[str, tuple[tuple[Any, ...], ...]]:
    inputs: dict[str, tuple[tuple[Any, ...], ...]] = {}
    first = ""
    for number, value in read_objects(path):
        line = validate(path, number, InputsLine, value)
        task_id = line.task_id if line.task_id in problems else "/".join(line.task_id.rsplit("_", 1))
        first = first or line.task_id
        if task_id in inputs:
            raise MalformedLine(
                path, number, "task_id", f"{line.task_id!r} stands already in an earlier line; expected one line each"
            )
        if task_id not in problems:
            notes["input lines of problems that are not in P, left out"] += 1
            continue
        if problems[task_id].reference is None or problems[task_id].style == "stdin":
            raise MalformedLine(path, number, "task_id", f"{task_id!r} in P has no reference function to ask for the right outputs")
        inputs[task_id] = line.inputs
    if not inputs:
        raise InputError(f"{path}: field 'task_id': no line belongs to a problem of P; the first is {first!r}")
    return inputs


def _extended(problems: dict[str, Problem], inputs: dict[str, tuple[Any, ...]], notes: Counter[str]) -> Iterator[Problem]:
    for task_id, problem in problems.items():
        if not inputs.get(task_id):
            notes["problems without extra inputs, left as they were"] += 1
            yield problem
        elif task_id in SEVERAL_ANSWERS:
            notes["problems with several right answers, left as they were"] += 1
            yield problem
        else:
            notes["inputs"] += len(inputs[task_id])
            truth = InputsTruth(inputs=inputs[task_id], atol=EVALPLUS_ATOL, check=_own_check(problem))
            yield problem.model_copy(update={"ground_truth": truth})


def _own_check(problem: Problem) -> str | None:
    match problem.ground_truth:
        case CheckTruth(source=source):
            return source
        case InputsTruth(check=check):
            return check
        case AssertsTruth(asserts=asserts):
            return "def check(candidate):\n" + indent("\n".join(asserts), "    ") + "\n"
        case _:
            return None
