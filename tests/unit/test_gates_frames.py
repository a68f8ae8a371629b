"""Frames for the gates: what is counted, and that no source text gets in."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from db.frames import matrix_frame, metric_frame, problem_frame, sample_frame
from models.matrix import ExecutionContext, PassMatrix
from models.run_record import Generation, Sample
from models.types import AssertsTruth, CheckTruth, InputsTruth, Problem, SolutionSet, TestSet, UnitTest, Verdict

CONTEXT = ExecutionContext(sandbox="process", image=None, version="1", timeout_s=1.0, memory_mib=64)
SECRET = "print('do not leak this source')"


def solution_set(task: str, n: int) -> SolutionSet:
    return SolutionSet(task_id=task, solutions=tuple(f"{SECRET}#{i}" for i in range(n)))


def unit_tests(task: str, m: int) -> TestSet:
    return TestSet(task_id=task, tests=tuple(UnitTest(source=f"assert {i} # {SECRET}") for i in range(m)))


def matrix_of(verdicts: np.ndarray, task: str = "t") -> PassMatrix:
    n, m = verdicts.shape
    return PassMatrix(
        task_id=task,
        verdicts=verdicts.astype(np.uint8),
        duration_ms=np.zeros((n, m), np.float32),
        context=CONTEXT,
        solution_digests=solution_set(task, n).digests,
        test_digests=unit_tests(task, m).digests,
    )


def row_of(verdicts: np.ndarray) -> dict[str, float]:
    n, m = verdicts.shape
    frame = matrix_frame({"t": matrix_of(verdicts)}, {"t": solution_set("t", n)}, {"t": unit_tests("t", m)})
    return frame.iloc[0].to_dict()


def problem(**changes: object) -> Problem:
    fields = {
        "task_id": "p/0",
        "prompt": "Add two numbers.",
        "entry_point": "add",
        "style": "function",
        "ground_truth": CheckTruth(source="def check(f): assert f(1, 2) == 3"),
    }
    return Problem.model_validate({**fields, **changes})


def test_problem_figures() -> None:
    frame = problem_frame(
        [
            problem(),
            problem(task_id="p/1", prompt=" \n ", entry_point="class"),
            problem(task_id="p/2", ground_truth=CheckTruth(source=" ")),
            problem(task_id="p/3", ground_truth=AssertsTruth(asserts=("assert add(1, 1) == 2", ""))),
            problem(task_id="p/4", ground_truth=InputsTruth(inputs=((1, 2),))),
            problem(task_id="p/5", ground_truth=InputsTruth(inputs=((1, 2), (3, 4))), reference="def add(a, b): return a + b"),
            problem(
                task_id="p/6",
                style="stdin",
                entry_point=None,
                ground_truth={"kind": "stdin", "cases": [{"stdin": "1", "stdout": "1"}]},
            ),
        ]
    )
    assert frame["task_id"].tolist() == [f"p/{i}" for i in range(7)]
    assert frame["prompt_chars"].tolist() == [16, 0, 16, 16, 16, 16, 16]
    assert frame["entry_point_missing"].tolist() == [0, 1, 0, 0, 0, 0, 0]
    assert frame["ground_truth_checks"].tolist() == [1, 1, 0, 1, 0, 2, 1]


def test_samples_of_a_generation_know_what_was_discarded() -> None:
    contents = ["a", "a", " ", None]
    generation = Generation(task_id="p", kind="solution", prompt_digest="0", samples=tuple(Sample(content=c) for c in contents))
    row = sample_frame({"p": generation}, ["p"], asked=4).iloc[0]
    assert (row["drawn"], row["kept"], row["kept_share"], row["discarded_share"], row["duplicates_ratio"]) == (4, 2, 0.5, 0.25, 0.5)


def test_samples_of_a_problem_without_any_are_a_row() -> None:
    frame = sample_frame({"p": solution_set("p", 3)}, ["p", "q"], asked=3)
    assert frame["drawn"].tolist() == [3, 0]
    assert math.isnan(frame["kept_share"][1])
    assert math.isnan(frame["duplicates_ratio"][1])


def test_tests_are_told_apart_by_what_runs() -> None:
    tests = TestSet(
        task_id="p",
        tests=(
            UnitTest(source="assert 1"),
            UnitTest(source="assert 1", origin="statement"),
            UnitTest(stdin="1", stdout="2"),
            UnitTest(stdin="1", stdout="3"),
        ),
    )
    assert sample_frame({"p": tests}, ["p"], asked=4)["duplicates_ratio"][0] == 0.25


codes = st.sampled_from([int(v) for v in Verdict])


@given(arrays(np.uint8, st.tuples(st.integers(1, 5), st.integers(1, 5)), elements=codes))
def test_verdict_columns_sum_to_the_cells(verdicts: np.ndarray) -> None:
    row = row_of(verdicts)
    assert sum(row[v.label] for v in Verdict) == row["cells"] == row["expected"] == verdicts.size
    assert row["asked"] + row["not_asked"] == row["cells"]
    assert (row["unknown_verdicts"], row["uncounted"], row["misaligned"]) == (0, 0, 0)


@given(arrays(np.uint8, (4, 4), elements=codes), st.permutations(range(4)), st.permutations(range(4)))
def test_void_tests_do_not_hang_on_order(verdicts: np.ndarray, rows: list[int], columns: list[int]) -> None:
    here, there = row_of(verdicts), row_of(verdicts[rows][:, columns])
    assert here["void_set"] == there["void_set"]
    assert here["void_tests_share"] == pytest.approx(there["void_tests_share"], nan_ok=True)


@pytest.mark.parametrize(
    ("verdicts", "void"),
    [
        ([[Verdict.INVALID_TEST, Verdict.INVALID_TEST]], 1),
        ([[Verdict.INVALID_TEST, Verdict.NOT_ASKED]], 1),
        ([[Verdict.INVALID_TEST, Verdict.FAILED]], 0),
        ([[Verdict.INVALID_SOLUTION, Verdict.INVALID_SOLUTION]], 0),
        ([[Verdict.NOT_ASKED, Verdict.NOT_ASKED]], 0),
        ([[Verdict.NOT_RUN, Verdict.NOT_RUN]], 0),
        ([[Verdict.INVALID_SOLUTION], [Verdict.INVALID_TEST]], 1),
    ],
)
def test_void_set(verdicts: list[list[int]], void: int) -> None:
    assert row_of(np.array(verdicts))["void_set"] == void


def test_a_problem_without_a_matrix_lacks_its_cells() -> None:
    frame = matrix_frame({}, {"t": solution_set("t", 2)}, {"t": unit_tests("t", 3)})
    assert (frame["expected"][0], frame["cells"][0]) == (6, 0)


def test_a_matrix_of_other_sources_is_misaligned() -> None:
    frame = matrix_frame({"t": matrix_of(np.full((2, 1), 10), "t")}, {"t": SolutionSet(task_id="t", solutions=("x", "y"))}, {})
    assert frame["misaligned"][0] == 1


def test_an_unknown_code_is_counted() -> None:
    row = row_of(np.array([[10, 77]]))
    assert (row["unknown_verdicts"], row["passed"], row["uncounted"]) == (1, 1, 0)


def test_parts_are_shares_of_the_run_and_not_of_a_problem() -> None:
    timeouts, passes = np.full((1, 1), Verdict.TIMEOUT), np.full((3, 1), Verdict.PASSED)
    frame = matrix_frame(
        {"a": matrix_of(timeouts, "a"), "b": matrix_of(passes, "b")},
        {"a": solution_set("a", 1), "b": solution_set("b", 3)},
        {"a": unit_tests("a", 1), "b": unit_tests("b", 1)},
    )
    assert frame["timeout_part"].tolist() == [0.25, 0.0]


def test_metrics_are_shares_or_counts() -> None:
    frame = metric_frame(
        {"selector/codet/pass_1": 0.5, "selector/codet/problems": 164.0, "cells/passed": math.nan, "cells/total": 3.0}
    )
    assert frame["share"].isna().tolist() == [False, True, True, True]
    assert frame["count"].isna().tolist() == [True, False, True, False]


def test_no_frame_holds_source_text() -> None:
    frames = [
        problem_frame([problem(prompt=SECRET, reference=SECRET, ground_truth=CheckTruth(source=SECRET))]),
        sample_frame({"t": solution_set("t", 2)}, ["t"], 2),
        matrix_frame({"t": matrix_of(np.full((2, 2), 10))}, {"t": solution_set("t", 2)}, {"t": unit_tests("t", 2)}),
    ]
    assert not [c for frame in frames for c in frame.astype(str).to_numpy().ravel() if "leak" in c]
