"""Files in, one file out: ``coderm execute``. The output appears whole or not at all; finished problems are in the store anyway."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from models.config import SandboxConfig
from models.lines import MatrixLine
from models.matrix import MatrixJob
from models.operations import CellCounts
from models.reward.registry import bound_of
from models.types import Problem, SolutionSet, TestSet
from tasks.execute_matrix import execute_jobs, execute_winners, matrix_job
from tasks.jsonl import read_lines, write_lines
from tasks.progress import progress_bar
from tasks.resources import open_database, open_executor


@dataclass
class FilesDone(CellCounts):
    """``verdicts``: label → cells. ``untested``: tasks without a test."""

    untested: int = 0
    sandbox: str = ""
    verdicts: Counter[str] = field(default_factory=Counter)


def execute_files(
    solutions: Path, tests: Path, out: Path, config: SandboxConfig, problems: Path | None = None, only_winner: str | None = None
) -> FilesDone:
    """Fill a pass matrix from S and T (and P). ``only_winner``: a selector that declares an upper bound; what cannot change its
    first group is not asked. Raises InputError, SandboxUnavailable, StoreUnavailable.
    """
    if only_winner is not None:
        bound_of(only_winner)  # refused before anything is opened
    jobs = read_jobs(solutions, tests, config, problems)
    done = FilesDone(untested=sum(not job.tests for job in jobs))
    with (
        open_database() if config.reuse else nullcontext() as cache,
        open_executor(config) as executor,
        progress_bar("execute", sum(len(j.solutions) * len(j.tests) for j in jobs)) as advance,
    ):

        def lines() -> Iterator[MatrixLine]:
            if only_winner is None:
                matrices = execute_jobs(executor, jobs, cache, advance, done)
            else:
                matrices = execute_winners(executor, jobs, only_winner, cache, advance, done)
            for matrix in matrices:
                done.verdicts.update(matrix.counts())
                done.sandbox = matrix.context.sandbox
                yield MatrixLine.from_matrix(matrix)

        write_lines(out, lines())
    return done


def read_jobs(solutions: Path, tests: Path, config: SandboxConfig, problems: Path | None) -> list[MatrixJob]:
    """One job a task of S; a task without tests has rows and no columns. Raises InputError for tests of an unknown task."""
    known = {p.task_id: p for p in read_lines(problems, Problem)} if problems else None
    sets = list(read_lines(solutions, SolutionSet, known, problems))
    by_task = {s.task_id: TestSet(task_id=s.task_id, tests=()) for s in sets}
    for test_set in read_lines(tests, TestSet, by_task, solutions):
        by_task[test_set.task_id] = test_set
    return [matrix_job(s, by_task[s.task_id], config.limits, known[s.task_id] if known is not None else None) for s in sets]
