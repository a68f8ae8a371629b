"""Every number that a run reports, under a name that never changes.

    selector/<name>/pass_<k>            mean pass@k over problems with a judged solution; pass_1 is best-of-n over ties
    selector/<name>/pass_1_lo | _hi     95 % bootstrap interval over problems
    selector/<name>/problems            problems that the means stand on
    selector/<name>/fallbacks           of those, problems where nothing was ranked and a random draw stands in
    paired/<against>/<name>/difference  pass@1 of <name> minus that of <against>, the default selector; difference_lo, _hi
    labels/null                         solutions left out because they could not be judged
    labels/problems_without             problems left out because no solution of them is judged
    tests/individual/<rate>             quality of single tests, pooled (models.metrics_tests)
    tests/combined/<rate>               quality of all tests of a problem together
    tests/fidelity|ends/<figure>        how well the tests order the candidates (models.metrics_verifier)
    tests/cure/<figure>                 good and bad tests, p01, p00 (models.metrics_cure)
    tests/reference|mutation/<figure>   what the tests say of the reference and its mutants, where they ran (models.metrics_probe)
    cells/<verdict>                     share of all cells; cells/total and cells/missing are counts
    ops/<figure>                        what the run measured of its own work (models.operations)

A metric over cells that were wanted and could not be run is NaN, and ``cells/missing`` says how many there are; random and oracle
read no cell and stay defined. A mean over no problem is NaN. Where execution stopped at the winner, the asked cells are no fair
sample of the tests, and the quality of tests is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from models.config import CELL_FREE
from models.matrix import PassMatrix
from models.metrics_bootstrap import interval, paired_difference
from models.metrics_cure import cure_rates
from models.metrics_probe import Probe, probe_rates
from models.metrics_ranking import pass_at_k, wrong_shares
from models.metrics_tests import combined_quality, individual_quality, missing_cells, ratio
from models.metrics_verifier import verifier_rates
from models.reward.registry import DEFAULT
from models.reward.selector import check_labels
from models.types import Labels, Ranking, Verdict

COUNTS = ("decisions", "problems", "undefined", "tests", "without", "mutants", "proven")
"""Last parts of names under ``tests/`` that count; they stay defined when cells are missing."""


def score_rankings(
    matrices: Mapping[str, PassMatrix],
    labels: Mapping[str, Labels],
    rankings: Mapping[str, Mapping[str, Ranking]],
    k: Sequence[int],
    probes: Mapping[str, Probe] | None = None,
    generated: Mapping[str, PassMatrix] | None = None,
) -> dict[str, float]:
    """All metrics of the table above. ``rankings``: selector name → task id → ranking; ``probes``: None where none ran.

    ``generated``: the matrices without columns from the statement, which are no generated tests; None: they have none.
    Raises InputError for labels of another solution set.
    """
    judged = judged_tasks(matrices, labels)
    missing = missing_cells(matrices.values())
    scored = {
        name: value
        for selector, orders in rankings.items()
        for name, value in _selector(selector, orders, labels, judged, k).items()
    }
    undefined = {
        name for name in scored if missing and name.split("/")[1] not in CELL_FREE and name.split("/")[2].startswith("pass_")
    }
    return {
        **{name: math.nan if name in undefined else value for name, value in scored.items()},
        "labels/null": float(sum(labels[task].correct.count(None) for task in matrices if task in labels)),
        "labels/problems_without": float(len(matrices) - len(judged)),
        **_paired(rankings, labels, judged, missing),
        **quality_of_tests(generated or matrices, labels, probes),
        **cell_shares(matrices.values()),
    }


def judged_tasks(matrices: Mapping[str, PassMatrix], labels: Mapping[str, Labels]) -> list[str]:
    """Tasks with at least one judged solution, in the order of the matrices.

    Raises InputError for labels of another solution set.
    """
    for task, matrix in matrices.items():
        if task in labels:
            check_labels(matrix, labels[task])
    return [task for task in matrices if task in labels and any(right is not None for right in labels[task].correct)]


def per_problem(orders: Mapping[str, Ranking], labels: Mapping[str, Labels], tasks: Iterable[str], k: int) -> list[float]:
    """pass@k of each task, in order: what paired comparisons need. A task without a ranking falls back to random."""
    return [pass_at_k(orders[task].order if task in orders else (), labels[task].correct, k) for task in tasks]


def cell_shares(matrices: Iterable[PassMatrix]) -> dict[str, float]:
    """Share of each verdict among all cells (NaN when there is none), how many cells there are, how many are missing."""
    counts = np.zeros(len(Verdict), dtype=np.int64)
    for matrix in matrices:
        counts += np.bincount(matrix.verdicts.ravel(), minlength=len(Verdict))
    total = int(counts.sum())
    shares = {f"cells/{verdict.label}": ratio(int(counts[verdict]), total) for verdict in Verdict}
    return {**shares, "cells/total": float(total), "cells/missing": float(counts[Verdict.NOT_RUN])}


def _selector(
    name: str, orders: Mapping[str, Ranking], labels: Mapping[str, Labels], tasks: list[str], k: Sequence[int]
) -> dict[str, float]:
    first = per_problem(orders, labels, tasks, 1)
    lo, hi = interval(first)
    nothing = [task for task in tasks if task not in orders or not wrong_shares(orders[task].order, labels[task].correct)]
    values = {f"pass_{c}": _mean(per_problem(orders, labels, tasks, c)) for c in dict.fromkeys((1, *k))}
    bounds = {"pass_1_lo": lo, "pass_1_hi": hi, "problems": float(len(tasks)), "fallbacks": float(len(nothing))}
    return {f"selector/{name}/{key}": value for key, value in (values | bounds).items()}


def _paired(
    rankings: Mapping[str, Mapping[str, Ranking]], labels: Mapping[str, Labels], tasks: list[str], missing: int
) -> dict[str, float]:
    """Every selector against the default one, where that ranked and there is a judged problem; NaN when cells are missing."""
    if DEFAULT not in rankings or not tasks:
        return {}
    theirs = per_problem(rankings[DEFAULT], labels, tasks, 1)
    found: dict[str, float] = {}
    for name, orders in rankings.items():
        if name != DEFAULT:
            mean, lo, hi = paired_difference(per_problem(orders, labels, tasks, 1), theirs)
            at = f"paired/{DEFAULT}/{name}/difference"
            found |= {at: mean, f"{at}_lo": lo, f"{at}_hi": hi}
    return {name: math.nan if missing else value for name, value in found.items()}


def quality_of_tests(
    matrices: Mapping[str, PassMatrix], labels: Mapping[str, Labels], probes: Mapping[str, Probe] | None = None
) -> dict[str, float]:
    """Every metric under ``tests/``. Without ``probes`` there is nothing under ``tests/reference`` and ``tests/mutation``.

    Raises InputError for labels of another solution set.
    """
    pairs = [(matrices[task], labels[task]) for task in judged_tasks(matrices, labels)]
    rates = {
        **{f"individual/{name}": value for name, value in individual_quality(pairs).rates().items()},
        **{f"combined/{name}": value for name, value in combined_quality(pairs).rates().items()},
        **verifier_rates(pairs),
        **{f"cure/{name}": value for name, value in cure_rates(pairs).items()},
    }
    missing = missing_cells(matrices.values()) or any(matrix.only_winner for matrix in matrices.values())
    defined = {name: math.nan if missing and name.split("/")[1] not in COUNTS else value for name, value in rates.items()}
    probed = {} if probes is None else probe_rates(probes.values(), len(matrices))
    return {f"tests/{name}": value for name, value in {**defined, **probed}.items()}


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan
