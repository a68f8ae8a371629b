"""Each gate against good and bad hand-overs, through the real Great Expectations."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from db.expectations import generated_test_suite, matrix_suite, metric_suite, problem_suite, sample_suite
from db.frames import matrix_frame, metric_frame, problem_frame, sample_frame
from models.config import GateConfig
from models.errors import GateFailed, UnavailableError
from models.matrix import ExecutionContext, PassMatrix
from models.run_record import GateResult
from models.types import CheckTruth, Problem, SolutionSet, TestSet, UnitTest, Verdict
from tasks.validate_data import docs_index, failures_table, require, run_gate

pytestmark = pytest.mark.filterwarnings("ignore:module 'sre_.*' is deprecated:DeprecationWarning")

CONTEXT = ExecutionContext(sandbox="process", image=None, version="1", timeout_s=1.0, memory_mib=64)


def problem(task: str, prompt: str = "Add.") -> Problem:
    return Problem(
        task_id=task, prompt=prompt, entry_point="add", style="function", ground_truth=CheckTruth(source="def check(f): pass")
    )


def matrices_of(cells: dict[str, list[list[int]]]) -> pd.DataFrame:
    matrices, solutions, tests = {}, {}, {}
    for task, rows in cells.items():
        verdicts = np.array(rows, np.uint8)
        solutions[task] = SolutionSet(task_id=task, solutions=tuple(f"s{i}" for i in range(verdicts.shape[0])))
        tests[task] = TestSet(task_id=task, tests=tuple(UnitTest(source=f"assert {i}") for i in range(verdicts.shape[1])))
        matrices[task] = PassMatrix(
            task_id=task,
            verdicts=verdicts,
            duration_ms=np.zeros(verdicts.shape, np.float32),
            context=CONTEXT,
            solution_digests=solutions[task].digests,
            test_digests=tests[task].digests,
        )
    return matrix_frame(matrices, solutions, tests)


def critical(result: GateResult) -> set[str]:
    return {f["column"] for f in result.failures if f["severity"] == "critical"}


def samples_of(task: str, failures: GateResult) -> list[str]:
    return next(f["sample"] for f in failures.failures if f["column"] == task)


def test_good_problems_pass_and_are_documented(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    result = run_gate(
        "problems", problem_frame([problem("a"), problem("b", "Sub.")]), problem_suite(), tmp_path / "20261123-014746-3579"
    )
    assert require(result) is result
    assert (result.passed, result.failures) == (True, ())
    assert result.evaluated == 5
    assert "problems" in docs_index(tmp_path / "20261123-014746-3579").read_text(encoding="utf-8")
    assert "Calculating" not in capfd.readouterr().err


def test_bad_problems_name_the_task(tmp_path: Path) -> None:
    frame = problem_frame([problem("a"), problem("b", "One."), problem("b", "Two."), problem("c", " ")])
    result = run_gate("problems", frame, problem_suite(), tmp_path)
    assert critical(result) == {"task_id", "prompt_chars"}
    assert samples_of("task_id", result) == ["b"]
    assert samples_of("prompt_chars", result) == ["c"]
    with pytest.raises(GateFailed, match=r"gate problems: 2 expectations failed: .*\(task_id\) unexpected=2") as caught:
        require(result)
    assert caught.value.exit_code == 1


def test_a_warning_is_listed_and_does_not_stop(tmp_path: Path) -> None:
    result = run_gate("problems", problem_frame([problem("a"), problem("b")]), problem_suite(), tmp_path)
    assert result.passed
    (row,) = failures_table(require(result))
    assert (row["severity"], row["sample"], row["unexpected"]) == ("warning", "a, b", "2")
    assert row["expected"] == "no two problems share a prompt"


def test_an_empty_hand_over_fails(tmp_path: Path) -> None:
    result = run_gate("problems", problem_frame([]), problem_suite(), tmp_path)
    assert not result.passed
    assert "the problems hand-over is empty" in failures_table(result)[0]["expected"]


def test_samples_must_be_exactly_n(tmp_path: Path) -> None:
    sets = {t: SolutionSet(task_id=t, solutions=("x", "y", "z")[:n]) for t, n in {"a": 2, "b": 1, "c": 3}.items()}
    result = run_gate("samples", sample_frame(sets, sets, 2), sample_suite(2), tmp_path)
    assert critical(result) == {"drawn"}
    assert [f["sample"] for f in result.failures if f["column"] == "drawn"] == [["b"], ["c"]]


def test_mostly_empty_samples_stop(tmp_path: Path) -> None:
    sets = {"a": SolutionSet(task_id="a", solutions=("", " ", "x")), "b": SolutionSet(task_id="b", solutions=("y", "", ""))}
    assert critical(run_gate("samples", sample_frame(sets, sets, 3), sample_suite(3), tmp_path)) == {"kept_share"}


def test_fewer_tests_than_asked_only_warn(tmp_path: Path) -> None:
    sets = {"a": TestSet(task_id="a", tests=(UnitTest(source="assert 1"),))}
    result = run_gate("tests", sample_frame(sets, ["a"], 5), generated_test_suite(5), tmp_path)
    assert result.passed
    assert [f["column"] for f in result.failures] == ["drawn"]


def test_no_tests_where_none_were_asked_pass(tmp_path: Path) -> None:
    assert run_gate("tests", sample_frame({}, ["a"], 0), generated_test_suite(0), tmp_path).failures == ()


def test_good_matrices_pass(tmp_path: Path) -> None:
    frame = matrices_of({"a": [[10, 8], [9, 0]], "b": [[2, 10], [10, 10], [10, 10]]})
    assert run_gate("matrices", frame, matrix_suite(GateConfig()), tmp_path).failures == ()


@pytest.mark.parametrize(
    ("cells", "column"),
    [
        ([[Verdict.NOT_RUN, Verdict.PASSED]], "not_run"),
        ([[77, Verdict.PASSED]], "unknown_verdicts"),
        ([[Verdict.INVALID_TEST, Verdict.NOT_ASKED]], "void_set"),
        ([[Verdict.TIMEOUT, Verdict.PASSED]], "timeout_part"),
    ],
)
def test_bad_cells_stop_and_name_the_task(cells: list[list[int]], column: str, tmp_path: Path) -> None:
    frame = matrices_of({"good": [[Verdict.PASSED, Verdict.FAILED]], "bad": cells})
    bounds = GateConfig(max_timeout_share=0.2)
    result = run_gate("matrices", frame, matrix_suite(bounds), tmp_path)
    assert critical(result) == {column}
    assert samples_of(column, result)[0] == "bad"


def test_a_missing_matrix_stops(tmp_path: Path) -> None:
    frame = matrices_of({"good": [[10]]})
    absent = matrix_frame(
        {},
        {"gone": SolutionSet(task_id="gone", solutions=("x",))},
        {"gone": TestSet(task_id="gone", tests=(UnitTest(source="1"),))},
    )
    result = run_gate("matrices", pd.concat([frame, absent]), matrix_suite(GateConfig()), tmp_path)
    assert critical(result) == {"cells = expected"}
    assert samples_of("cells = expected", result) == ["gone"]


def test_a_share_at_its_bound_passes(tmp_path: Path) -> None:
    frame = matrices_of({t: [[Verdict.TIMEOUT, *[Verdict.PASSED] * 9]] for t in "abc"})
    assert run_gate("matrices", frame, matrix_suite(GateConfig(max_timeout_share=0.1)), tmp_path).passed


def test_undefined_metrics_are_listed_and_wrong_ones_stop(tmp_path: Path) -> None:
    metrics = {
        "selector/codet/pass_1": 1.2,
        "selector/random/pass_1": math.nan,
        "cells/total": 900.0,
        "cells/missing": -1.0,
        "cells/passed": 1.0,
    }
    result = run_gate("metrics", metric_frame(metrics), metric_suite(), tmp_path)
    assert critical(result) == {"share", "count"}
    assert samples_of("share", result) == ["selector/codet/pass_1"]
    assert samples_of("value", result) == ["selector/random/pass_1"]


def test_what_cannot_be_evaluated_fails(tmp_path: Path) -> None:
    result = run_gate("metrics", pd.DataFrame({"metric": ["a"], "value": [1.0]}), metric_suite(), tmp_path)
    assert not result.passed
    assert all("could not be evaluated" in f["meaning"] for f in result.failures)


def test_runs_side_by_side_keep_their_own_docs(tmp_path: Path) -> None:
    def gate(i: int) -> bool:
        frame = problem_frame([problem("a"), problem("a" if i % 2 else "b", "Sub.")])
        return run_gate("problems", frame, problem_suite(), tmp_path / f"run-{i}").passed

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(gate, range(6))) == [True, False] * 3
    assert all(docs_index(tmp_path / f"run-{i}").is_file() for i in range(6))


def test_gates_of_one_run_share_their_docs(tmp_path: Path) -> None:
    for name, suite in (("problems", problem_suite()), ("again", problem_suite())):
        run_gate(name, problem_frame([problem("a")]), suite, tmp_path)
    page = docs_index(tmp_path).read_text(encoding="utf-8")
    assert "frames-problems" in page
    assert "frames-again" in page


def test_docs_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UnavailableError, match="Data Docs cannot be written"):
        run_gate("problems", problem_frame([problem("a")]), problem_suite(), tmp_path / "file" / "docs")
