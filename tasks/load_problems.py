"""Problems, and recordings that go with them, from files to records. Plain functions; the flow's tasks call them.

Refuses an empty benchmark, and lines of tasks that the benchmark does not have: a wrong pair of files is an error, never a smaller run.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import TypeVar

from models.errors import InputError
from models.types import Labels, Problem, SolutionSet, TestSet
from tasks.jsonl import read_lines

TaskLine = TypeVar("TaskLine", SolutionSet, TestSet, Labels)


def load_problems(path: Path | str, limit: int | None = None) -> tuple[Problem, ...]:
    """The first ``limit`` problems of a P file, in its order (None: all). Raises InputError for a bad or empty file."""
    problems = tuple(islice(read_lines(path, Problem), limit))
    if not problems:
        raise InputError(f"{path}: holds no problem; expected one JSON object a line (see `coderm import`)")
    return problems


def load_for_tasks(path: Path | str, model: type[TaskLine], task_ids: Iterable[str]) -> dict[str, TaskLine]:
    """Lines of an S, T or L file by task, for the named tasks, in their order; a task without a line is absent.

    Raises InputError for a bad file, and when no line at all belongs to one of the tasks.
    """
    wanted = list(task_ids)
    found = {line.task_id: line for line in read_lines(path, model)}
    kept = {task_id: found[task_id] for task_id in wanted if task_id in found}
    if wanted and not kept:
        have = f"its first task is {next(iter(found))!r}" if found else "it is empty"
        raise InputError(f"{path}: no line for any of the {len(wanted)} tasks, first {wanted[0]!r}; {have}")
    return kept
