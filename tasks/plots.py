"""Still pictures for MLflow: small PNG files with the same names in every run, so that its chart view lays them side by side.

The report has the interactive ones. Figures are built without pyplot, whose global state is not safe in task threads.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from models.operations import TIMELINE
from models.run_record import RunRecord
from models.types import Verdict

NO_POLICY = ("scaling", "confidence", "quintiles", TIMELINE)
"""Curves of a run that are not over a budget."""
DPI = 110
"""A figure of 7 x 4 inches is then 25 to 40 kB."""


def write_plots(run: RunRecord, folder: Path) -> list[Path]:
    """Draw what the run has data for: ``scaling_curve.png`` with budget curves, ``verdict_shares.png`` with cells."""
    folder.mkdir(parents=True, exist_ok=True)
    curves = curve_points(run.budget_curves)
    counts = verdict_counts(run)
    drawn = []
    if curves:
        drawn.append(_plot_curves(curves, folder / "scaling_curve.png"))
    if counts:
        drawn.append(_plot_verdicts(counts, folder / "verdict_shares.png"))
    return drawn


def curve_points(curves: Mapping[str, Any]) -> dict[str, list[Mapping[str, float]]]:
    """Policy → points with a place, by mean number of tests; without curves that are no policy's, and policies without a point."""
    policies = {name: found for name, found in curves.items() if name not in NO_POLICY}
    listed = {policy: [found] if isinstance(found, Mapping) else list(found) for policy, found in policies.items()}
    placed = {
        policy: sorted((p for p in points if math.isfinite(float(p["mean_tests"]))), key=lambda p: float(p["mean_tests"]))
        for policy, points in listed.items()
    }
    return {policy: points for policy, points in placed.items() if points}


def verdict_counts(run: RunRecord) -> dict[str, int]:
    """Verdict → cells of the whole run, in the order of ``Verdict``; verdicts that do not occur are absent."""
    each = [matrix.counts() for matrix in run.matrices.values()]
    totals = {v.label: sum(counts.get(v.label, 0) for counts in each) for v in Verdict}
    return {label: count for label, count in totals.items() if count}


def _plot_curves(curves: Mapping[str, Sequence[Mapping[str, float]]], path: Path) -> Path:
    figure, axes = _figure()
    for policy, points in curves.items():
        tests = [float(p["mean_tests"]) for p in points]
        accuracy = [float(p["accuracy"]) for p in points]
        axes.plot(tests, accuracy, marker="o", label=policy)
        if all("lo" in p and "hi" in p for p in points):
            axes.fill_between(tests, [float(p["lo"]) for p in points], [float(p["hi"]) for p in points], alpha=0.15)
    axes.set(xlabel="mean number of tests a problem", ylabel="accuracy of the chosen solution", title="Best of N against tests")
    axes.legend()
    return _save(figure, path)


def _plot_verdicts(counts: Mapping[str, int], path: Path) -> Path:
    figure, axes = _figure()
    total = sum(counts.values())
    bars = axes.barh(list(counts), [count / total for count in counts.values()])
    axes.bar_label(bars, labels=[f"{count / total:.1%}" for count in counts.values()], padding=3)
    axes.set(xlabel="share of cells", xlim=(0, 1.1), title=f"Verdicts of {total:,} cells")
    return _save(figure, path)


def _figure() -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    return figure, figure.subplots()


def _save(figure: Any, path: Path) -> Path:
    figure.savefig(path, dpi=DPI)
    return path
