"""CodeT's recorded cells as jobs, for the benchmarks of the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

from models.matrix import MatrixJob
from models.types import Limits, UnitTest
from tasks.importers.registry import import_format
from tasks.importers.result import ImportRequest

SAMPLES = "HumanEval_codegen16B_temp0.8_topp0.95_num100_max300"


def recorded(data: Path) -> Iterator[tuple[str, str | None, tuple[str, ...], tuple[UnitTest, ...]]]:
    """(task, entry point, solutions, asserts) of each problem, in order; 9 of the 164 have no assert."""
    request = ImportRequest(
        format="codet",
        problems=data / "HumanEval_for_code_generation.jsonl",
        solutions=data / f"{SAMPLES}_code_solution.jsonl",
        test_problems=data / "HumanEval_for_test_case_generation.jsonl",
        tests=data / f"{SAMPLES}_test_case.jsonl",
    )
    result = import_format(request)
    tests = {t.task_id: t.tests for t in result.tests or ()}
    entry = {p.task_id: p.entry_point for p in result.problems or ()}
    for line in result.solutions or ():
        yield line.task_id, entry[line.task_id], line.solutions, tests.get(line.task_id, ())


def sample(data: Path, problems: int, solutions: int, tests: int, limits: Limits) -> list[MatrixJob]:
    """Distinct solutions and asserts of evenly spread problems."""
    sets = [row for row in recorded(data) if row[3]]
    jobs = []
    for task, entry, sources, asserts in sets[:: max(1, len(sets) // problems)][:problems]:
        rows = tuple(dict.fromkeys(sources))[:solutions]
        columns = tuple({t.digest: t for t in asserts}.values())[:tests]
        jobs.append(MatrixJob(task, "function", entry, rows, rows, columns, limits))
    return jobs


def filled(data: Path, problems: int, solutions: int, tests: int, limits: Limits) -> Iterator[MatrixJob]:
    """The first problems at full width: recorded solutions as they were sampled, asserts repeated to fill the columns."""
    for task, entry, sources, asserts in islice(recorded(data), problems):
        columns = tuple(islice(cycle(asserts or (UnitTest(source=f"assert callable({entry})"),)), tests))
        rows = tuple(islice(cycle(sources), solutions))
        yield MatrixJob(task, "function", entry, rows, rows, columns, limits)
