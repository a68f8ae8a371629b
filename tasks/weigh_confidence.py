"""How sure to be of each selection, in a run and for ``coderm select``.

A calibrator that was fitted elsewhere says it for its selector. Without one, a labelled set of problems says it for itself, each
problem by the others (cross-fitting). Without labels, with too few problems, or where only the cells that settle
a winner were executed, nothing is said.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.confidence import MIN_PROBLEMS, Calibrator, Sources, cross_fitted
from models.errors import InputError
from models.matrix import PassMatrix
from models.metrics import judged_tasks, per_problem
from models.metrics_confidence import confidence_metrics, reliability, risk_coverage
from models.reward.selector import view_of
from models.types import Labels, Ranking

Rankings = Mapping[str, Mapping[str, Ranking]]
NEVER = ("random", "oracle")
"""A random draw selects nothing, and the oracle knows."""


@dataclass(frozen=True)
class Weighed:
    """``rankings`` with their confidence; ``metrics`` under ``confidence/<selector>/``; ``curves``: what the report draws."""

    rankings: dict[str, dict[str, Ranking]]
    metrics: dict[str, float]
    curves: dict[str, dict[str, Any]]


def weigh(
    matrices: Mapping[str, PassMatrix],
    labels: Mapping[str, Labels],
    rankings: Rankings,
    sources: Sources | None,
    calibrator: Calibrator | None,
    abstain_below: float,
) -> Weighed:
    """Give every ranking its confidence and, where labels are known, measure it. ``abstain_below`` 0: nothing is withheld.

    Where a confidence could not be had (nothing ranked, too few problems to calibrate by) the selection is withheld. A calibrator
    does not withhold for other selectors than its own.
    """
    done: dict[str, dict[str, Ranking]] = {}
    metrics: dict[str, float] = {}
    curves: dict[str, dict[str, Any]] = {}
    judged = judged_tasks(matrices, labels)
    for name, orders in rankings.items():
        known = _confidences(name, matrices, labels, orders, sources, calibrator)
        covered = name not in NEVER and (calibrator is None or calibrator.selector == name or bool(known))
        done[name] = {
            task: _with(ranking, known.get(task, math.nan), abstain_below if covered else 0) for task, ranking in orders.items()
        }
        scored = [task for task in judged if not math.isnan(known.get(task, math.nan))]
        if not known or not judged:
            continue
        p, y = np.array([known[t] for t in scored]), np.array(per_problem(orders, labels, scored, 1))
        counts = {"problems": float(len(scored)), "undefined": float(len(judged) - len(scored))}
        metrics |= {f"confidence/{name}/{k}": v for k, v in (confidence_metrics(p, y, abstain_below) | counts).items()}
        ours = calibrator is not None and calibrator.selector == name
        source = (
            f"calibrator {calibrator.data_digest[:12]}" if calibrator is not None and ours else "cross-fitted on this run's labels"
        )
        curves[name] = {
            "source": source,
            "threshold": abstain_below,
            "reliability": reliability(p, y),
            "coverage": risk_coverage(p, y),
        }
    return Weighed(done, metrics, curves)


def _confidences(
    name: str,
    matrices: Mapping[str, PassMatrix],
    labels: Mapping[str, Labels],
    orders: Mapping[str, Ranking],
    sources: Sources | None,
    calibrator: Calibrator | None,
) -> dict[str, float]:
    if name in NEVER or any(m.only_winner for m in matrices.values()):
        return {}
    if calibrator is not None and calibrator.selector == name:
        return {t: calibrator.confidence(view_of(m), orders[t].order) for t, m in matrices.items() if t in orders}
    ranked = [t for t in judged_tasks(matrices, labels) if t in orders and orders[t].order]
    return cross_fitted(matrices, labels, name, sources=sources) if len(ranked) >= 2 * MIN_PROBLEMS else {}


def _with(ranking: Ranking, confidence: float, abstain_below: float) -> Ranking:
    undefined = math.isnan(confidence)
    withheld = (undefined or confidence < abstain_below) if abstain_below > 0 else None
    return ranking.model_copy(update={"confidence": None if undefined else confidence, "abstained": withheld})


def check_calibrator(calibrator: Calibrator, names: list[str], where: str) -> None:
    """Raises InputError when the calibrator speaks for none of the selectors."""
    if calibrator.selector not in names:
        raise InputError(f"{where}: it calibrates selector {calibrator.selector!r}; expected one of: {', '.join(names)}")
