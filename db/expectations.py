"""What a hand-over must look like, as Great Expectations suites over the frames of ``db.frames``.

Shapes of single lines are pydantic's business; here stand distributions and hand-overs. ``critical`` stops the run, ``warning`` is
only listed.

    suite      critical                                                   warning
    problems   unique ids, a prompt, an entry point, a ground truth       two problems with one prompt
    samples    n drawn a problem, a share of them kept                    much discarded, many duplicates, a problem with none
    tests      no more than m drawn a problem, a share of them kept       fewer than m, much discarded, duplicates, none
    matrices   every asked cell is there under a known verdict, rows and  half of the tests invalid on average
               columns are those of the sets, bounds, no all-void set
    metrics    shares in 0..1, correlations in -1..1, counts not negative  undefined ones, listed
    stored-    every part of the run is in the database, unharmed, its
    problems,  counts sum up, its rankings name its solutions, its figures
    -runs      are those that were handed over

The last two are asked of the database itself (``db.integrity``), the others of frames.
Great Expectations takes 6 s and 260 MB to import, so every suite imports it when it is built.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from models.config import GateConfig

if TYPE_CHECKING:
    from great_expectations import ExpectationSuite

BOUNDS = GateConfig()
"""Below half of the responses kept, the extraction and the model's format do not fit: no figure of such a run means anything."""
MAX_DUPLICATES_RATIO = 0.5
"""CodeT's recorded samples have many short duplicates; above one half the sampling temperature is worth a look."""
ROUNDING = 1e-9
"""A share that equals its bound must pass, although it was summed from floats."""


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


def sample_suite(asked: int, gates: GateConfig = BOUNDS) -> ExpectationSuite:
    """Over ``sample_frame`` of candidate solutions, before execution."""
    return _suite(
        "samples",
        _at_least(asked, "drawn", f"{asked} solutions a problem were asked for, and no fewer are there"),
        _at_most(asked, "drawn", f"{asked} solutions a problem were asked for, and no more are there"),
        *_sample_shares("solutions", gates),
    )


def generated_test_suite(asked: int, gates: GateConfig = BOUNDS) -> ExpectationSuite:
    """Over ``sample_frame`` of unit tests. Fewer than were asked for are no fault; with ``asked`` 0 none may be."""
    return _suite(
        "tests",
        _at_most(asked, "drawn", f"{asked} tests a problem were asked for, and no more are there"),
        _at_least(asked, "drawn", f"{asked} tests a problem were asked for, and no fewer are there", severity="warning"),
        *(_sample_shares("tests", gates) if asked else ()),
    )


def _sample_shares(what: str, gates: GateConfig) -> tuple[Any, ...]:
    import great_expectations.expectations as gxe

    return (
        gxe.ExpectColumnMeanToBeBetween(
            column="kept_share",
            min_value=gates.min_kept_share - ROUNDING,
            description=f"at least {gates.min_kept_share:.0%} of the responses hold {what}, and those are not empty",
        ),
        gxe.ExpectColumnMeanToBeBetween(
            column="discarded_share",
            max_value=gates.max_discarded_share + ROUNDING,
            severity="warning",
            description=f"at most {gates.max_discarded_share:.0%} of the responses hold no {what} that can be extracted",
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
        _at_most(0, "unknown_verdicts", "every verdict is one of README.md"),
        _at_most(0, "uncounted", "the counts of verdicts sum to the cells"),
        _at_most(0, "void_set", "no problem has only invalid tests"),
        _run_share("timeout_part", gates.max_timeout_share, "cells that timed out"),
        _run_share("invalid_test_part", gates.max_invalid_test_share, "cells with an invalid test"),
        gxe.ExpectColumnMeanToBeBetween(
            column="void_tests_share", max_value=0.5, severity="warning", description="at most half of the tests are invalid"
        ),
    )


def metric_suite() -> ExpectationSuite:
    """Over ``metric_frame``. A NaN is undefined and counted, never out of bounds."""
    import great_expectations.expectations as gxe

    return _suite(
        "metrics",
        gxe.ExpectColumnValuesToBeBetween(column="share", min_value=0, max_value=1, description="a share lies in 0..1"),
        gxe.ExpectColumnValuesToBeBetween(column="signed", min_value=-1, max_value=1, description="a correlation lies in -1..1"),
        _at_least(0, "count", "a count is not negative"),
        gxe.ExpectColumnValuesToNotBeNull(column="value", severity="warning", description="the metric is defined"),
    )


STORED_PROBLEMS = {
    "matrix_missing": "every matrix of the run is in the database",
    "matrix_damaged": "the stored bytes of every matrix match their checksum",
    "uncounted": "the counts of a matrix sum to its cells",
    "rows_missing": "every solution and every test of a matrix has its row",
    "counts_off": "the counts of solutions and tests sum to those of their matrix",
    "samples_missing": "every solution and every test of a set has its source",
    "labels_missing": "labels are there where the run had them",
    "rankings_missing": "every ranking of the run is in the database",
    "ranked_beyond": "rankings name solutions of the set",
    "changed": "cells, passes and labels are those that were handed over",
}
STORED_RUNS = {
    "problems_missing": "every problem of the run is in the database",
    "problems_damaged": "the stored bytes of every problem match their checksum",
    "cells_off": "the run has as many cells as its matrices, and as its metrics say",
    "metrics_missing": "every metric of the run is in the database",
    "metrics_changed": "metrics are those that were handed over",
}
STORED_REFERENCES = {"dangling": "no row refers to one that is not there", "unreferenced": "every row is of some run"}
WASTE = frozenset({"unreferenced"})
"""Takes room and harms nobody: what a killed `coderm db prune` leaves, and the next one takes."""


def stored_suite(name: str, faults: Mapping[str, str]) -> ExpectationSuite:
    """Over a query of ``db.integrity``, after a run was saved and before anything is made from it. ``faults``: column → meaning."""
    import great_expectations.expectations as gxe

    rows = gxe.ExpectTableRowCountToBeBetween(min_value=1, description="there is something to check")
    kinds = {column: "warning" if column in WASTE else "critical" for column in faults}
    return _suite(name, rows, *(_at_most(0, column, meaning, severity=kinds[column]) for column, meaning in faults.items()))


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
