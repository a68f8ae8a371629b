"""CodeT's recorded samples (arXiv 2207.10397, microsoft/CodeT, MIT): problems, sampled solutions and sampled asserts of one model.

A sample is matched to its problem by its prompt. Both sides are cut as CodeT cuts them: a completion ends at the first new class,
def, comment, if or print at the left margin; a test sample is split on "assert ", keeps the pieces that name the entry point,
cuts each likewise, keeps those that compile, and of these the first few (5 in the paper). Equal asserts stay separate columns:
they count twice. The published figures (CodeT pass@1 37.2 on CodeGen-16B) rest on these rules to the letter, so they are tested
by count.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from models.errors import InputError, MalformedLine
from models.types import SolutionSet, TestSet, UnitTest
from tasks.importers.humaneval import HumanEvalLine, completion_problem
from tasks.importers.result import ImportRequest, ImportResult
from tasks.jsonl import read_lines, read_objects, validate

STOP_TOKENS = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")
NO_SAMPLE = "empty solution here, execution will fail"
"""CodeT's stand-in where a model gave no solution: a row that does not compile."""


class SamplesLine(BaseModel):
    """All samples that one prompt got."""

    prompt: str
    samples: tuple[str, ...]


def import_codet(request: ImportRequest) -> ImportResult:
    """P, S and T from four files of CodeT. Raises InputError, MalformedLine."""
    if request.files:
        raise InputError(
            f"import codet: unexpected FILE {request.files[0]}; give --problems, --solutions, --test-problems, --tests"
        )
    if request.asserts_per_sample < 1:
        raise InputError(f"import codet: --asserts-per-sample is {request.asserts_per_sample}; expected at least 1")
    notes: Counter[str] = Counter()
    problems, test_problems = _by_prompt(request.needed("problems")), _by_prompt(request.needed("test_problems"))
    return ImportResult(
        problems=(completion_problem(line, notes) for line in problems.values()),
        solutions=_solutions(request.needed("solutions"), problems),
        tests=_tests(request.needed("tests"), test_problems, request.asserts_per_sample, request.unit, notes),
        notes=notes,
    )


def _by_prompt(path: Path) -> dict[str, HumanEvalLine]:
    lines: dict[str, HumanEvalLine] = {}
    for line in read_lines(path, HumanEvalLine):
        if line.prompt in lines:
            raise InputError(f"{path}: field 'prompt': {line.task_id!r} and {lines[line.prompt].task_id!r} have the same one")
        lines[line.prompt] = line
    return lines


def _samples(path: Path, problems: dict[str, HumanEvalLine]) -> Iterator[tuple[HumanEvalLine, tuple[str, ...]]]:
    seen: dict[str, int] = {}
    for number, value in read_objects(path):
        line = validate(path, number, SamplesLine, value)
        if line.prompt not in problems:
            raise MalformedLine(path, number, "prompt", f"is the prompt of no problem given; it starts {line.prompt[:40]!r}")
        problem = problems[line.prompt]
        if seen.setdefault(problem.task_id, number) != number:
            raise MalformedLine(
                path, number, "prompt", f"{problem.task_id!r} has its samples in line {seen[problem.task_id]} already"
            )
        yield problem, line.samples


def _solutions(path: Path, problems: dict[str, HumanEvalLine]) -> Iterator[SolutionSet]:
    for problem, samples in _samples(path, problems):
        completions = [truncate(sample) for sample in samples] or [NO_SAMPLE]
        yield SolutionSet(task_id=problem.task_id, solutions=tuple(problem.prompt + text for text in completions))


def _tests(
    path: Path, problems: dict[str, HumanEvalLine], limit: int, unit: Literal["assert", "sample"], notes: Counter[str]
) -> Iterator[TestSet]:
    for problem, samples in _samples(path, problems):
        kept = [asserts[:limit] for sample in samples if (asserts := extract_asserts(sample, problem.entry_point))]
        sources = [text for asserts in kept for text in asserts] if unit == "assert" else ["\n".join(asserts) for asserts in kept]
        notes["test samples without an assert, left out"] += len(samples) - len(kept)
        notes["problems without a test"] += not sources
        yield TestSet(task_id=problem.task_id, tests=tuple(UnitTest(source=source) for source in sources))


def truncate(text: str) -> str:
    """The text before the first stop token."""
    for token in STOP_TOKENS:
        text = text.split(token, 1)[0]
    return text


def extract_asserts(sample: str, entry_point: str) -> list[str]:
    """The asserts of one test sample, in order. The prompt ended in "assert ", so the sample's first words belong to one."""
    pieces = f"assert {sample}".split("assert ")
    texts = [truncate(f"assert {piece}".strip()).strip() for piece in pieces if entry_point in piece]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [text for text in texts if "assert" in text and _compiles_in_a_block(text)]


def _compiles_in_a_block(text: str) -> bool:
    """CodeT compiles an assert inside a ``try`` block, every line indented by four: it decides which are kept."""
    body = text.replace("\n", "\n    ")
    try:
        compile(f"try:\n    {body}\nexcept:\n    pass\n", "<assert>", "exec")
    except (SyntaxError, ValueError, MemoryError, RecursionError, OverflowError):
        return False
    return True
