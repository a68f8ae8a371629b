"""The same cells in another order, among other neighbours: what a verdict must not depend on (SANDBOX promises G5 and G14)."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from models.matrix import MatrixJob, PassMatrix
from models.types import Limits, UnitTest, Verdict
from sandbox.executor import PooledExecutor
from sandbox.self_check import Cell

BLOCK = 12
Seen = dict[tuple[str, str], tuple[str, bool]]
"""(solution digest, test digest) → verdict, and whether it came near its limit"""


def corpus_jobs(cells: Sequence[Cell], limits: Limits) -> list[MatrixJob]:
    """Cells of the corpus in blocks: each solution is asked its own test, and the others of its block stand beside it."""
    by_entry: dict[str, list[Cell]] = {}
    for cell in cells:
        if cell["style"] != "function" or cell["kind"] == "resources" or {"needs", "before"} & cell.keys():
            continue  # ended by a limit, or not asked of every runtime, or not alone
        by_entry.setdefault(cell["entry_point"], []).append(cell)
    jobs = []
    for entry, group in by_entry.items():
        for start in range(0, len(group), BLOCK):
            block = group[start : start + BLOCK]
            tests = tuple(UnitTest.model_validate(cell["test"]) for cell in block)
            solutions, names = tuple(cell["solution"] for cell in block), tuple(cell["name"] for cell in block)
            jobs.append(
                MatrixJob(f"{entry}/{start}", "function", entry, solutions, names, tests, limits, np.eye(len(block), dtype=bool))
            )
    return jobs


def shuffled(jobs: Iterable[MatrixJob], seed: int) -> Iterator[MatrixJob]:
    """Other order of jobs, rows and columns."""
    rng = random.Random(seed)
    order = list(jobs)
    rng.shuffle(order)
    for job in order:
        rows, columns = rng.sample(range(len(job.solutions)), len(job.solutions)), rng.sample(range(len(job.tests)), len(job.tests))
        asked = None if job.asked is None else job.asked[np.ix_(rows, columns)]
        solutions, digests = tuple(job.solutions[i] for i in rows), tuple(job.solution_digests[i] for i in rows)
        tests = tuple(job.tests[j] for j in columns)
        yield MatrixJob(job.task_id, job.style, job.entry_point, solutions, digests, tests, job.limits, asked)


def verdicts(executor: PooledExecutor, jobs: Iterable[MatrixJob]) -> Seen:
    """Every asked cell of the jobs."""
    seen: Seen = {}
    for matrix in executor.execute(jobs):
        seen.update(_cells(matrix))
    return seen


def _cells(matrix: PassMatrix) -> Iterator[tuple[tuple[str, str], tuple[str, bool]]]:
    for i, j in np.argwhere(matrix.asked).tolist():
        near = "near_limit" in matrix.flags.get((i, j), ())
        key = (f"{matrix.task_id} {matrix.solution_digests[i]}", matrix.test_digests[j])
        yield key, (Verdict(int(matrix.verdicts[i, j])).label, near)


def flips(first: Seen, second: Seen) -> list[tuple[tuple[str, str], str, str]]:
    """Cells with another verdict, but for those that say on either side that they were near their limit."""
    assert set(first) == set(second)
    pairs = ((key, first[key], second[key]) for key in first)
    return [(key, a[0], b[0]) for key, a, b in pairs if a[0] != b[0] and not (a[1] or b[1])]
