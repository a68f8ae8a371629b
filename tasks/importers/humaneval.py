"""HumanEval (openai/human-eval, MIT) and files of its shape, CodeT's among them: a prompt to complete and a ``check(candidate)``.

The reference is prompt + canonical solution. Where that does not compile, because the two are indented differently (243 of CodeT's
427 MBPP lines), the body is indented anew; where that fails too the problem has no reference, and is counted.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent, indent

from pydantic import BaseModel, Field, field_validator

from models.types import AssertsTruth, CheckTruth, Problem
from tasks.importers.result import ImportRequest, ImportResult
from tasks.jsonl import read_lines


class HumanEvalLine(BaseModel):
    """One line of the public file; further fields are left aside."""

    task_id: str = Field(min_length=1)
    prompt: str
    entry_point: str
    canonical_solution: str
    test: str

    @field_validator("entry_point")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        """Blanks around it are CodeT's (2 of its MBPP lines)."""
        if not value.strip().isidentifier():
            raise ValueError(f"expected a Python name, found {value!r}")
        return value.strip()


def import_humaneval(request: ImportRequest) -> ImportResult:
    """P from one HumanEval file. Raises InputError, MalformedLine."""
    notes: Counter[str] = Counter()
    return ImportResult(problems=read_completion_problems(request.one_file(), notes), notes=notes)


def read_completion_problems(path: Path, notes: Counter[str]) -> Iterator[Problem]:
    """Stream the problems of a file of HumanEval's shape."""
    for line in read_lines(path, HumanEvalLine):
        yield completion_problem(line, notes)


def completion_problem(line: HumanEvalLine, notes: Counter[str]) -> Problem:
    """The problem of one line; counts in ``notes`` a reference that does not compile."""
    reference = _reference(line)
    notes["problems whose reference does not compile, left without one"] += reference is None
    return Problem(
        task_id=line.task_id,
        prompt=line.prompt,
        entry_point=line.entry_point,
        style="function",
        preamble=preamble_of(line.prompt, line.entry_point),
        reference=reference,
        ground_truth=_truth(line),
    )


def preamble_of(prompt: str, entry_point: str) -> str:
    """What the prompt gives before the entry point: imports and helpers. Empty when it has no such def, or that is no module."""
    header = re.search(rf"^(?:async )?def {re.escape(entry_point)}\b", prompt, re.MULTILINE)
    before = prompt[: header.start()].strip("\n") if header else ""
    return f"{before}\n" if before and compiles(before) else ""


def compiles(source: str) -> bool:
    """Whether this is a Python module."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(source, "<import>", "exec")
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            return False
    return True


def _reference(line: HumanEvalLine) -> str | None:
    anew = indent(dedent(line.canonical_solution), "    ")
    candidates = (line.prompt + line.canonical_solution, line.prompt + anew)
    return next((source for source in candidates if compiles(source)), None)


def _truth(line: HumanEvalLine) -> CheckTruth | AssertsTruth:
    """The line's ``check``. For an entry point of that very name (MBPP 56), its asserts, since one would hide the other."""
    if line.entry_point != "check":
        return CheckTruth(source=line.test)
    asserts = [ast.unparse(node) for node in ast.walk(ast.parse(line.test)) if isinstance(node, ast.Assert)]
    return AssertsTruth(asserts=tuple(asserts))
