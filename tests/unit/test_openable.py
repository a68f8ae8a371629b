"""What a failed gate names can be opened: files by line, cells by row and column."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from models.backend_config import OpenAIConfig, ReplayConfig
from models.errors import GateFailed
from models.matrix import ExecutionContext, PassMatrix
from models.run_record import GateResult
from models.types import Verdict
from tasks.openable import blamed_cell, cell_opener, line_opener, sample_opener, stored_opener, with_openers

CONTEXT = ExecutionContext(sandbox="process", image=None, version="1", timeout_s=1.0, memory_mib=64)


def matrix(*rows: list[int]) -> PassMatrix:
    verdicts = np.array(rows, np.uint8)
    digests = [tuple(f"{axis}{i}" for i in range(size)) for axis, size in zip("st", verdicts.shape, strict=True)]
    return PassMatrix("t", verdicts, np.zeros(verdicts.shape, np.float32), CONTEXT, *digests)


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("timeout_part", (1, 0)),
        ("not_run", (1, 2)),
        ("void_set", (0, 1)),
        ("invalid_test_part", (0, 1)),
        ("unknown_verdicts", (0, 2)),
        ("misaligned", (0, 0)),
    ],
)
def test_the_cell_that_is_to_blame(column: str, cell: tuple[int, int]) -> None:
    cells = matrix([Verdict.PASSED, Verdict.INVALID_TEST, 77], [Verdict.TIMEOUT, Verdict.PASSED, Verdict.NOT_RUN])
    assert blamed_cell(cells, column) == cell
    opens = cell_opener("run-1", {"it's": cells})
    assert opens(column, "it's") == f"coderm cell run-1 'it'\"'\"'s' {cell[0]} {cell[1]}"
    assert opens(column, "gone") == "coderm cell run-1 gone 0 0"


def test_lines_of_files_and_stored_answers(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text("\n" + "".join(json.dumps({"task_id": t, "solutions": ["x"]}) + "\n" for t in "ab"))
    assert [line_opener(path)("column", t) for t in "abc"] == [f"{path}:2", f"{path}:3", str(path)]
    assert sample_opener("run", "solution", ReplayConfig(path=path))("drawn", "b") == f"{path}:3"
    live = OpenAIConfig(model="m", base_url="http://127.0.0.1:1/v1")
    assert sample_opener("run", "test", live)("drawn", "a b") == "coderm runs samples run 'a b' --kind test"


def test_rows_of_the_database() -> None:
    assert stored_opener("changed", "run-1 a task") == "coderm cell run-1 'a task' 0 0"
    assert stored_opener("cells_off", "run-1") == "coderm runs show run-1"
    assert stored_opener("dangling", "run_problem.run_pk") == ""


def test_the_error_names_the_first() -> None:
    failure = {"expectation": "e", "column": "c", "unexpected": 2, "sample": ["a", "b"], "severity": "critical", "meaning": "m"}
    result = with_openers(GateResult("samples", False, 1, (failure,)), lambda _column, row: f"file:{row}")
    assert result.failures[0]["open"] == ["file:a", "file:b"]
    message = "gate samples: 1 expectations failed: m (c) unexpected=2"
    assert str(GateFailed("samples", result.failures)) == f"{message}; open file:a"
    assert str(GateFailed("samples", [failure])) == message
