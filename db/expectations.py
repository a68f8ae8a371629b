"""What a hand-over must look like, as Great Expectations suites over small frames; shapes of single lines are pydantic's business.

A frame has one row a problem (or a metric); its first column names the row, so that a person can open what failed. Frames hold
counts, shares and digests and never source text: results and Data Docs then cannot carry what a model wrote. ``critical`` stops
the run, ``warning`` is only listed. A bound on a whole run is the sum of a ``*_part`` column, each row being its share of the whole.

    suite      critical                                                   warning
    problems   unique ids, a prompt, an entry point, a ground truth       two problems with one prompt
    samples    exactly n a problem, half of all samples not empty         much discarded, many duplicates, a problem with none
    tests      no more than m a problem, half not empty                   fewer than m, much discarded, duplicates, none
    matrices   every asked cell is there under a known verdict, rows and  void tests in over half the problems
               columns are those of the sets, bounds, no all-void set
    metrics    shares in 0..1, counts not negative                        undefined ones, listed

Great Expectations takes 6 s and 260 MB to import, so every suite imports it when it is built.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from models.config import GateConfig
from models.fingerprint import digest_text
from models.types import Generation, PassMatrix, Problem, SolutionSet, TestSet, UnitTest, Verdict

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations import ExpectationSuite

Samples = Generation | SolutionSet | TestSet

COUNT_METRICS = frozenset({"total", "missing", "problems", "fallbacks", "null", "problems_without", "decisions"})
"""Last segments of metric names that count; every other metric is a share (models.metrics)."""
MIN_KEPT_SHARE = 0.5
"""Below this the extraction and the model's format do not fit: no figure of such a run means anything."""
MAX_DISCARDED_SHARE = 0.2
MAX_DUPLICATES_RATIO = 0.5
"""CodeT's recorded samples have many short duplicates; above one half the sampling temperature is worth a look."""
ROUNDING = 1e-9
"""A share that equals its bound must pass, although it was summed from floats."""


def problem_frame(problems: Iterable[Problem]) -> pd.DataFrame:
    """task_id, prompt_chars (without blanks around it), prompt_digest, entry_point_missing (0/1), ground_truth_checks."""
    columns = ("task_id", "prompt_chars", "prompt_digest", "entry_point_missing", "ground_truth_checks")
    return _frame(
        columns,
        (
            (p.task_id, len(p.prompt.strip()), digest_text(p.prompt), int(_lacks_entry_point(p)), _ground_truth_checks(p))
            for p in problems
        ),
    )


def _lacks_entry_point(problem: Problem) -> bool:
    name = problem.entry_point or ""
    return problem.style == "function" and (not name.isidentifier() or keyword.iskeyword(name))


def _ground_truth_checks(problem: Problem) -> int:
    """How many checks can judge a solution; inputs judge nothing without a reference to agree with."""
    truth = problem.ground_truth
    if truth.kind == "check":
        return int(bool(truth.source.strip()))
    if truth.kind == "asserts":
        return sum(bool(a.strip()) for a in truth.asserts)
    if truth.kind == "inputs":
        return len(truth.inputs) if problem.reference else 0
    return len(truth.cases)


def sample_frame(samples: Mapping[str, Samples], problems: Iterable[str], asked: int) -> pd.DataFrame:
    """A row a problem, one without samples included: asked, drawn, kept (not empty), and the shares that follow from them.

    A ``Generation`` also knows what was discarded at extraction; in a set such samples are already gone.
    Shares of nothing are NaN.
    """
    columns = ("task_id", "asked", "drawn", "kept", "kept_share", "discarded_share", "duplicates_ratio")
    return _frame(columns, ((task, asked, *_sample_figures(samples.get(task))) for task in problems))


def _sample_figures(samples: Samples | None) -> tuple[float, ...]:
    contents = _contents(samples)
    kept = [c for c in contents if c is not None and (not isinstance(c, str) or c.strip())]
    names = {digest_text(c) if isinstance(c, str) else c.digest for c in kept}
    drawn = len(contents)
    share = len(kept) / drawn if drawn else np.nan
    discarded = contents.count(None) / drawn if drawn else np.nan
    return drawn, len(kept), share, discarded, 1 - len(names) / len(kept) if kept else np.nan


def _contents(samples: Samples | None) -> list[str | UnitTest | None]:
    if samples is None:
        return []
    if isinstance(samples, Generation):
        return [_text_or_pair(s.content) for s in samples.samples]
    return [_text_or_pair(s) for s in (samples.solutions if isinstance(samples, SolutionSet) else samples.tests)]


def _text_or_pair(content: str | UnitTest | None) -> str | UnitTest | None:
    return content.source if isinstance(content, UnitTest) and content.source is not None else content


def matrix_frame(
    matrices: Mapping[str, PassMatrix], solutions: Mapping[str, SolutionSet], tests: Mapping[str, TestSet]
) -> pd.DataFrame:
    """A row a problem of ``solutions``, one without a matrix included.

    expected: cells by the two sets; cells: cells in the matrix; misaligned (0/1): its rows or columns are other sources;
    asked: wanted by the budget; one column a verdict; unknown_verdicts: codes outside the set; void_set (0/1): tests were judged
    and every one is invalid; void_tests_share: of the judged tests; timeout_part, invalid_test_part: of all asked cells of the run.
    """
    frame = _frame(
        (*_MATRIX_COLUMNS, *(v.label for v in Verdict)),
        (_matrix_figures(s, tests.get(task), matrices.get(task)) for task, s in solutions.items()),
    )
    asked = max(int(frame["asked"].sum()), 1)
    return frame.assign(timeout_part=frame["timeout"] / asked, invalid_test_part=frame["invalid_test"] / asked)


_MATRIX_COLUMNS = (
    *("task_id", "expected", "cells", "misaligned", "asked", "unknown_verdicts", "uncounted"),
    *("void_set", "void_tests_share"),
)


def _matrix_figures(solutions: SolutionSet, tests: TestSet | None, matrix: PassMatrix | None) -> tuple[Any, ...]:
    columns = tests.digests if tests else ()
    expected = len(solutions.solutions) * len(columns)
    if matrix is None:
        return (solutions.task_id, expected, 0, 0, 0, 0, 0, 0, np.nan, *(0 for _ in Verdict))
    counts = [int(np.count_nonzero(matrix.verdicts == v)) for v in Verdict]
    unknown = int(np.count_nonzero(~np.isin(matrix.verdicts, [int(v) for v in Verdict])))
    void, judged = _void_tests(matrix)
    misaligned = matrix.solution_digests != solutions.digests or matrix.test_digests != columns
    return (
        *(solutions.task_id, expected, matrix.verdicts.size, int(misaligned), int(matrix.asked.sum()), unknown),
        matrix.verdicts.size - unknown - sum(counts),
        *(int(0 < judged == void), void / judged if judged else np.nan),
        *counts,
    )


def _void_tests(matrix: PassMatrix) -> tuple[int, int]:
    """(void, judged) columns. A solution that does not compile and a cell that could not be run say nothing about a test."""
    silent = [int(v) for v in (Verdict.NOT_ASKED, Verdict.NOT_RUN, Verdict.INVALID_SOLUTION)]
    judged = ~np.isin(matrix.verdicts, silent)
    ran = judged & (matrix.verdicts != Verdict.INVALID_TEST)
    return int((judged.any(axis=0) & ~ran.any(axis=0)).sum()), int(judged.any(axis=0).sum())


def metric_frame(metrics: Mapping[str, float]) -> pd.DataFrame:
    """metric, value, and the value once more under ``share`` or ``count``, whichever the metric is; NaN in the other."""
    counts = {name: name.rsplit("/", 1)[-1] in COUNT_METRICS for name in metrics}
    return _frame(
        ("metric", "value", "share", "count"),
        ((n, v, np.nan if counts[n] else v, v if counts[n] else np.nan) for n, v in metrics.items()),
    )


def problem_suite() -> ExpectationSuite:
    """Over ``problem_frame``, before anything is sampled."""
    import great_expectations.expectations as gxe

    return _suite(
        "problems",
        gxe.ExpectColumnValuesToBeUnique(column="task_id", description="every task_id occurs once"),
        _at_least(1, "prompt_chars", "every problem has a prompt"),
        _at_most(0, "entry_point_missing", "a function problem names a function"),
        _at_least(1, "ground_truth_checks", "every problem has a ground truth that can judge a solution"),
        gxe.ExpectColumnValuesToBeUnique(column="prompt_digest", severity="warning", description="no two problems share a prompt"),
    )


def sample_suite(asked: int) -> ExpectationSuite:
    """Over ``sample_frame`` of candidate solutions, before execution."""
    return _suite(
        "samples",
        _at_least(asked, "drawn", f"{asked} solutions a problem were asked for, and no fewer are there"),
        _at_most(asked, "drawn", f"{asked} solutions a problem were asked for, and no more are there"),
        *_sample_shares("solutions"),
    )


def generated_test_suite(asked: int) -> ExpectationSuite:
    """Over ``sample_frame`` of unit tests. Fewer than were asked for cost accuracy and are no fault; with ``asked`` 0 none may be."""
    return _suite(
        "tests",
        _at_most(asked, "drawn", f"{asked} tests a problem were asked for, and no more are there"),
        _at_least(asked, "drawn", f"{asked} tests a problem were asked for, and no fewer are there", severity="warning"),
        *(_sample_shares("tests") if asked else ()),
    )


def _sample_shares(what: str) -> tuple[Any, ...]:
    import great_expectations.expectations as gxe

    return (
        gxe.ExpectColumnMeanToBeBetween(
            column="kept_share", min_value=MIN_KEPT_SHARE, description=f"at least {MIN_KEPT_SHARE:.0%} of the {what} are not empty"
        ),
        gxe.ExpectColumnMeanToBeBetween(
            column="discarded_share",
            max_value=MAX_DISCARDED_SHARE,
            severity="warning",
            description=f"at most {MAX_DISCARDED_SHARE:.0%} of the responses hold no {what} that can be extracted",
        ),
        _at_most(
            MAX_DUPLICATES_RATIO, "duplicates_ratio", f"at most half of a problem's {what} are duplicates", severity="warning"
        ),
        _at_least(1, "kept", f"every problem has {what} that are not empty", severity="warning"),
    )


def matrix_suite(gates: GateConfig, *, max_not_run: int = 0) -> ExpectationSuite:
    """Over ``matrix_frame``, before anything is published. ``max_not_run``: cells a problem that our own fault may cost."""
    import great_expectations.expectations as gxe

    return _suite(
        "matrices",
        gxe.ExpectColumnPairValuesToBeEqual(
            column_A="cells", column_B="expected", description="a matrix has a cell for every solution and test of its problem"
        ),
        _at_most(0, "misaligned", "rows and columns are the solutions and tests of the sets, in their order"),
        _at_most(max_not_run, "not_run", "every cell that was asked for was run"),
        _at_most(0, "unknown_verdicts", "every verdict is one of INTERFACE.md"),
        _at_most(0, "uncounted", "the counts of verdicts sum to the cells"),
        _at_most(0, "void_set", "no problem has only invalid tests"),
        _run_share("timeout_part", gates.max_timeout_share, "cells that timed out"),
        _run_share("invalid_test_part", gates.max_invalid_test_share, "cells with an invalid test"),
        _at_most(0.5, "void_tests_share", "at most half of a problem's tests are invalid", severity="warning", mostly=0.5),
    )


def metric_suite() -> ExpectationSuite:
    """Over ``metric_frame``. A NaN is undefined and counted, never out of bounds."""
    import great_expectations.expectations as gxe

    return _suite(
        "metrics",
        gxe.ExpectColumnValuesToBeBetween(column="share", min_value=0, max_value=1, description="a share lies in 0..1"),
        _at_least(0, "count", "a count is not negative"),
        gxe.ExpectColumnValuesToNotBeNull(column="value", severity="warning", description="the metric is defined"),
    )


def _suite(name: str, *expectations: Any) -> ExpectationSuite:
    import great_expectations as gx

    return gx.ExpectationSuite(name=name, expectations=list(expectations))


def _at_least(bound: float, column: str, description: str, **options: Any) -> Any:
    import great_expectations.expectations as gxe

    return gxe.ExpectColumnValuesToBeBetween(column=column, min_value=bound, description=description, **options)


def _at_most(bound: float, column: str, description: str, **options: Any) -> Any:
    import great_expectations.expectations as gxe

    return gxe.ExpectColumnValuesToBeBetween(column=column, max_value=bound, description=description, **options)


def _run_share(column: str, bound: float, what: str) -> Any:
    import great_expectations.expectations as gxe

    return gxe.ExpectColumnSumToBeBetween(
        column=column, max_value=bound + ROUNDING, description=f"at most {bound:.0%} of the asked cells are {what}"
    )


def _frame(columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(list(rows), columns=list(columns))
