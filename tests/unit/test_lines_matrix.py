"""The M line: what goes in comes out, and a line whose tables disagree is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from models.errors import MalformedLine
from models.lines import MatrixLine, VerdictLabel
from models.matrix import ExecutionContext, PassMatrix
from models.outputs import Outputs
from models.types import Verdict
from tasks.jsonl import encode_line, read_lines, write_lines

CONTEXT = ExecutionContext(sandbox="docker", image="sha256:0", version="1", timeout_s=1.0, memory_mib=512)


@st.composite
def matrices(draw: st.DrawFn) -> PassMatrix:
    shape = (draw(st.integers(0, 4)), draw(st.integers(0, 4)))
    verdicts = draw(arrays.arrays(np.uint8, shape, elements=st.sampled_from([int(v) for v in Verdict])))
    took = draw(arrays.arrays(np.float32, shape, elements=st.integers(0, 4_000_000).map(lambda us: float(np.float32(us / 1000)))))
    took[verdicts <= Verdict.NOT_RUN] = np.nan
    cells = st.sampled_from([(i, j) for i in range(shape[0]) for j in range(shape[1])] or [None])
    places = st.lists(cells, max_size=3, unique=True).map(lambda found: [c for c in found if c])
    table = Outputs.of({c: f"d{k}" for k, c in enumerate(draw(places))}, shape)
    return PassMatrix(
        task_id="t",
        verdicts=verdicts,
        duration_ms=took,
        context=CONTEXT,
        solution_digests=tuple(f"s{i}" for i in range(shape[0])),
        test_digests=tuple(f"t{j}" for j in range(shape[1])),
        flags=dict.fromkeys(draw(places), ("near_limit", "printed")),
        outputs=Outputs(table.codes, table.digests, {"d0": "[1]", "d2": "'\ud800'"}),
    )


@given(matrix=matrices())
def test_a_matrix_survives_its_line(matrix: PassMatrix) -> None:
    line = MatrixLine.model_validate(json.loads(encode_line(MatrixLine.from_matrix(matrix))))
    back = line.to_matrix()
    np.testing.assert_array_equal(back.verdicts, matrix.verdicts)
    assert back.verdicts.dtype == np.uint8
    np.testing.assert_allclose(back.duration_ms, matrix.duration_ms, atol=0.0006, rtol=1e-6)
    assert back.duration_ms.dtype == np.float32
    assert (back.flags, back.outputs, back.context) == (matrix.flags, matrix.outputs, matrix.context)
    assert back.output_table.texts == matrix.output_table.texts
    assert (back.solution_digests, back.test_digests) == (matrix.solution_digests, matrix.test_digests)
    assert MatrixLine.from_matrix(back) == line


def small() -> dict[str, object]:
    matrix = PassMatrix(
        task_id="t",
        verdicts=np.array([[Verdict.PASSED, Verdict.NOT_ASKED]], dtype=np.uint8),
        duration_ms=np.array([[1.23456, np.nan]], dtype=np.float32),
        context=CONTEXT,
        solution_digests=("s",),
        test_digests=("a", "b"),
        flags={(0, 0): ("printed",)},
    )
    value: dict[str, object] = json.loads(encode_line(MatrixLine.from_matrix(matrix)))
    return value


def test_the_line_is_the_published_format() -> None:
    assert small() == {
        "task_id": "t",
        "verdicts": [["passed", "not_asked"]],
        "duration_ms": [[1.235, None]],
        "flags": [[["printed"], []]],
        "context": {"sandbox": "docker", "image": "sha256:0", "version": "1", "timeout_s": 1.0, "memory_mib": 512},
        "solution_digests": ["s"],
        "test_digests": ["a", "b"],
    }


def test_a_task_without_tests_has_rows_and_no_columns() -> None:
    empty = np.zeros((3, 0))
    digests = ("a", "b", "c")
    line = MatrixLine.from_matrix(PassMatrix("t", empty.astype(np.uint8), empty.astype(np.float32), CONTEXT, digests, ()))
    assert line.verdicts == ((), (), ())
    assert line.to_matrix().verdicts.shape == (3, 0)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("verdicts", [["passed"]], "verdicts is not 1 rows"),
        ("verdicts", [["passed", "okay"]], 'found "okay"'),
        ("duration_ms", [[1.0, -1.0]], "found -1.0"),
        ("duration_ms", [[1.0, None], [1.0, None]], "duration_ms is not 1 rows"),
        ("flags", [[[]]], "flags is not 1 rows"),
        ("outputs", [[None]], "outputs is not 1 rows"),
        ("test_digests", ["a"], "of 1 columns"),
    ],
)
def test_tables_that_disagree_are_refused(tmp_path: Path, field: str, value: object, said: str) -> None:
    (tmp_path / "m.jsonl").write_text(json.dumps({**small(), field: value}))
    with pytest.raises(MalformedLine, match=r"m\.jsonl:1") as caught:
        list(read_lines(tmp_path / "m.jsonl", MatrixLine))
    assert said in str(caught.value)


def test_the_labels_are_the_verdicts() -> None:
    assert list(get_args(VerdictLabel)) == [v.label for v in Verdict]


def test_a_file_of_lines_reads_back(tmp_path: Path) -> None:
    line = MatrixLine.model_validate(small())
    write_lines(tmp_path / "m.jsonl.gz", [line])
    assert list(read_lines(tmp_path / "m.jsonl.gz", MatrixLine)) == [line]
