"""What a person opens to see a row that a gate named: a file and its line, or a command that works on a run that a gate stopped.

gate             a row is           it opens with
problems         a task             FILE:LINE of the problems
samples, tests   a task             FILE:LINE of the recording; a live model: coderm runs samples RUN TASK --kind …
matrices         a task             coderm cell RUN TASK I J, at the first cell of the kind that is too many
metrics          a metric           coderm runs show RUN; a run that this gate stopped: coderm runs resume RUN, asked again
stored-…         RUN TASK, or RUN   coderm cell RUN TASK 0 0, or coderm runs show RUN
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from shlex import quote
from typing import Literal

import numpy as np

from models.backend_config import BackendConfig, ReplayConfig
from models.matrix import PassMatrix
from models.run_record import GateResult
from models.types import Verdict
from tasks.jsonl import read_objects

Opens = Callable[[str, str], str]
"""(column, row) → what opens it; empty where nothing does."""

BLAMED = {
    "not_run": (Verdict.NOT_RUN,),
    "timeout_part": (Verdict.TIMEOUT,),
    **dict.fromkeys(("invalid_test_part", "void_set", "void_tests_share"), (Verdict.INVALID_TEST,)),
}
"""Column of the matrices' frame → verdicts of the cells that make it what it is."""


def with_openers(result: GateResult, opens: Opens) -> GateResult:
    """The result, whose failures say under ``open`` how each row of their sample is opened."""
    failures = ({**f, "open": [o for row in f["sample"] if (o := opens(str(f["column"]), str(row)))]} for f in result.failures)
    return replace(result, failures=tuple(failures))


def line_opener(path: Path) -> Opens:
    """FILE:LINE of the task. The file is read when the first row asks."""

    @cache
    def lines() -> Mapping[str, int]:
        return {str(value.get("task_id")): number for number, value in read_objects(path)}

    return lambda _column, task: f"{path}:{lines()[task]}" if task in lines() else str(path)


def sample_opener(run_id: str, kind: Literal["solution", "test"], backend: BackendConfig) -> Opens:
    """Where a task's samples stand."""
    if isinstance(backend, ReplayConfig):
        return line_opener(backend.path)
    return lambda _column, task: f"coderm runs samples {run_id} {quote(task)} --kind {kind}"


def cell_opener(run_id: str, matrices: Mapping[str, PassMatrix]) -> Opens:
    """The first cell that makes the row fail."""

    def opens(column: str, task: str) -> str:
        row, place = blamed_cell(matrices[task], column) if task in matrices else (0, 0)
        return f"coderm cell {run_id} {quote(task)} {row} {place}"

    return opens


def blamed_cell(matrix: PassMatrix, column: str) -> tuple[int, int]:
    """(row, column) of the first cell of the kind that ``column`` counts; (0, 0) where it counts none."""
    if column == "unknown_verdicts":
        cells = np.argwhere(~np.isin(matrix.verdicts, [int(v) for v in Verdict]))
    else:
        cells = np.argwhere(np.isin(matrix.verdicts, [int(v) for v in BLAMED.get(column, ())]))
    return (int(cells[0][0]), int(cells[0][1])) if len(cells) else (0, 0)


def metric_opener(run_id: str) -> Opens:
    """An undefined metric is stored and shown; a wrong one stops the run, which can be asked again."""
    return lambda column, _metric: f"coderm runs {'show' if column == 'value' else 'resume'} {run_id}"


def stored_opener(column: str, place: str) -> str:
    """Rows of the gates over the database."""
    run_id, _, task = place.partition(" ")
    if column in ("dangling", "unreferenced"):
        return ""
    return f"coderm cell {run_id} {quote(task)} 0 0" if task else f"coderm runs show {run_id}"
