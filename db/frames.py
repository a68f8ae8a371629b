"""Hand-overs as small frames for the gates: one row a problem (or a metric), whose first column names the row.

Frames hold counts, shares and digests and never source text, so that results and Data Docs cannot carry what a model wrote.
A share of nothing is NaN. A ``*_part`` column holds each row's share of the whole run; its sum is the share that a bound speaks of.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from models.fingerprint import digest_text
from models.matrix import PassMatrix
from models.metrics import COUNTS
from models.run_record import Generation, SampleCounts
from models.types import Problem, SolutionSet, TestSet, UnitTest, Verdict

if TYPE_CHECKING:
    import pandas as pd

Samples = Generation | SolutionSet | TestSet

COUNT_METRICS = frozenset({"total", "missing", "fallbacks", "null", "problems_without", *COUNTS})
"""Last segments of metric names that count; every other metric is a share (models.metrics), or signed."""
SIGNED_METRICS = frozenset(
    {"spearman", "spearman_lo", "spearman_hi", "spearman_defined", "kendall", "difference", "difference_lo", "difference_hi"}
)
"""Last segments of metric names that are correlations and differences: from -1 to 1."""


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


def sample_frame(
    samples: Mapping[str, Samples], problems: Iterable[str], asked: int, counts: Mapping[str, SampleCounts] | None = None
) -> pd.DataFrame:
    """A row a problem, one without samples included: asked, drawn, kept (not empty), and the shares that follow from them.

    A ``Generation`` also knows what was discarded at extraction; in a set such samples are already gone, and ``counts`` tells.
    A duplicate that was dropped held what was asked for: it counts as kept and not as discarded. Shares of nothing are NaN.
    """
    columns = ("task_id", "asked", "drawn", "kept", "kept_share", "discarded_share", "duplicates_ratio")
    known = counts or {}
    return _frame(columns, ((task, asked, *_counted(_sample_figures(samples.get(task)), known.get(task))) for task in problems))


def _counted(figures: tuple[float, ...], counts: SampleCounts | None) -> tuple[float, ...]:
    """The figures of a set, with what was discarded before it became one."""
    if counts is None or not counts.drawn:
        return figures
    _, kept, _, _, duplicates = figures
    dropped = counts.discarded.get("duplicate", 0)
    discarded = sum(counts.discarded.values()) - dropped
    return counts.drawn, kept, (kept + dropped) / counts.drawn, discarded / counts.drawn, duplicates


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
    """metric, value, and the value once more under ``share``, ``count`` or ``signed``, whichever it is; NaN in the others."""
    kinds = ("share", "count", "signed")
    return _frame(
        ("metric", "value", *kinds),
        ((name, value, *(value if kind == _metric_kind(name) else np.nan for kind in kinds)) for name, value in metrics.items()),
    )


def _metric_kind(name: str) -> str:
    last = name.rsplit("/", 1)[-1]
    return "count" if last in COUNT_METRICS else "signed" if last in SIGNED_METRICS else "share"


def _frame(columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(list(rows), columns=list(columns))
