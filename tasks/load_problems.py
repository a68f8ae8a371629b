"""Problems from a file to records. A plain function; the flow's task calls it. Refuses an empty benchmark."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from models.errors import InputError
from models.types import Problem
from tasks.jsonl import read_lines


def load_problems(path: Path | str, limit: int | None = None) -> dict[str, Problem]:
    """The first ``limit`` problems of a P file by task id, in its order (None: all). Raises InputError for a bad or empty file."""
    problems = {problem.task_id: problem for problem in islice(read_lines(path, Problem), limit)}
    if not problems:
        raise InputError(f"{path}: holds no problem; expected one JSON object a line (`coderm import` writes them)")
    return problems
