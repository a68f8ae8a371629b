"""A confidence fitted on stored matrices and written down, with its measures on problems that it has not seen."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from models.confidence import Calibrator, Method, cross_fitted
from models.metrics import judged_tasks, per_problem
from models.metrics_confidence import confidence_metrics, reliability, risk_coverage
from models.reward.registry import rank_all, resolve
from models.types import FloatArray, SolutionSet
from tasks.jsonl import read_lines
from tasks.select_and_score import read_labels, read_matrices


def calibrate_files(
    matrix: Path, labels: Path, selector: str, out: Path | None, method: Method, solutions: Path | None = None
) -> dict[str, Any]:
    """Fit on all labelled problems, write the calibrator, and measure it on problems that it has not seen (cross-fitted).

    The JSON of ``coderm confidence``. Raises InputError.
    """
    matrices = read_matrices(matrix)
    known = read_labels(labels, matrices)
    sources = {s.task_id: s.solutions for s in read_lines(solutions, SolutionSet)} if solutions else None
    calibrator = Calibrator.fit(matrices, known, selector, method=method, sources=sources)
    (rankings,) = rank_all(matrices, resolve([selector]), sources=sources).values()
    held_out = cross_fitted(matrices, known, selector, method=method, sources=sources)
    scored = [task for task in judged_tasks(matrices, known) if not math.isnan(held_out[task])]
    p, y = np.array([held_out[t] for t in scored]), np.array(per_problem(rankings, known, scored, 1))
    if out:
        calibrator.save(out)
    facts = calibrator.model_dump(include={"selector", "method", "temperature", "problems", "data_digest"})
    return {
        **facts,
        "pass_1": float(y.mean()),
        **_measured(p, y),
        "reliability": reliability(p, y),
        "coverage": risk_coverage(p, y),
    }


def _measured(p: FloatArray, y: FloatArray) -> dict[str, float]:
    figures = confidence_metrics(p, y, 0.5)
    return {name: figures[name] for name in figures if name.startswith(("brier", "ece", "auroc"))}
