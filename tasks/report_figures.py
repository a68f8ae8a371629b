"""What plotly draws, as plain dictionaries: curves with bands, verdict bars, and the pass matrices packed for drawing on demand.

A matrix is three characters a cell (one verdict, two for the duration), so that 164 problems x 100 x 100 cells take 5 MB beside
plotly's own 4.8 MB. Durations are kept to 0.3 % on a logarithmic scale. Matrices beyond ``CELL_BUDGET`` stay out of the page, and
the page says how many.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from models.types import PassMatrix, RunRecord, Verdict
from tasks.report_choices import Choice
from tasks.report_text import label, plot_label

CELL_BUDGET = 3_000_000
"""Cells in one page: 9 MB of characters, so that a page stays under 15 MB."""

# Blue against pale orange differs in lightness too, so that passed and failed stay apart in every kind of colour blindness and in
# grey print; the rarer verdicts follow Okabe and Ito's set.
COLOURS: Mapping[Verdict, str] = {
    Verdict.PASSED: "#1f6fb4",
    Verdict.FAILED: "#f6c08a",
    Verdict.ERROR: "#d9722e",
    Verdict.TIMEOUT: "#f0dc3c",
    Verdict.OUT_OF_MEMORY: "#cc79a7",
    Verdict.CRASHED: "#7f2a5c",
    Verdict.TAMPERED: "#14181d",
    Verdict.INVALID_SOLUTION: "#56616e",
    Verdict.INVALID_TEST: "#aab4bf",
    Verdict.NOT_RUN: "#3fd0c9",
    Verdict.NOT_ASKED: "#e9edf1",
}
LINES = ("#2f7fc1", "#d97a1f", "#23946f", "#a65bb8", "#7d8894", "#b8a21e", "#c2476a")
ALPHABET = "".join(chr(c) for c in range(33, 127) if chr(c) not in "\"\\<>&'")
"""Characters that need no escape in JSON or HTML."""
_STEPS = len(ALPHABET) ** 2 - 1
_LOG_LO, _LOG_SPAN = -3.0, 10.0
"""Durations from 1 microsecond to 10^7 ms (three hours)."""


def pack_verdicts(verdicts: npt.NDArray[np.uint8]) -> str:
    """(n, m) codes as n·m characters, row by row: ``a`` is code 0."""
    return (np.ascontiguousarray(verdicts) + ord("a")).astype(np.uint8).tobytes().decode("ascii")


def pack_durations(duration_ms: npt.NDArray[np.float32]) -> str:
    """(n, m) milliseconds as 2·n·m characters, a logarithm in base-88 digits; two blanks where nothing ran."""
    flat = duration_ms.astype(np.float64).ravel()
    ran = np.isfinite(flat)
    logs = np.log10(np.clip(np.where(ran, flat, 1.0), 10**_LOG_LO, 10 ** (_LOG_LO + _LOG_SPAN)))
    steps = np.rint((logs - _LOG_LO) / _LOG_SPAN * _STEPS).astype(np.int64)
    letters = np.frombuffer(ALPHABET.encode("ascii"), dtype=np.uint8)
    digits = np.stack([letters[steps // len(ALPHABET)], letters[steps % len(ALPHABET)]], axis=1)
    digits[~ran] = ord(" ")
    return digits.tobytes().decode("ascii")


def packed_problem(matrix: PassMatrix, correct: Sequence[bool | None], choice: Choice) -> dict[str, Any]:
    """One problem as the page's script reads it: shape, verdicts, durations, labels (1, 0, ?), first group, outcome."""
    marks = {True: "1", False: "0", None: "?"}
    n, m = matrix.verdicts.shape
    return {
        "task": matrix.task_id,
        "id": label(matrix.task_id),
        "plot": plot_label(matrix.task_id),
        "n": n,
        "m": m,
        "v": pack_verdicts(matrix.verdicts),
        "d": pack_durations(matrix.duration_ms),
        "y": "".join(marks[c] for c in correct) or "?" * n,
        "first": list(choice.tied),
        "said": choice.said,
        "outcome": choice.outcome,
    }


def packed_problems(run: RunRecord, choices: Sequence[Choice]) -> list[dict[str, Any]]:
    """Every matrix in benchmark order, until the page's budget of cells is spent."""
    packed: list[dict[str, Any]] = []
    left = CELL_BUDGET
    for choice in choices:
        matrix = run.matrices.get(choice.task_id)
        if matrix is None or matrix.verdicts.size > left:
            continue
        left -= matrix.verdicts.size
        labels = run.labels.get(choice.task_id)
        packed.append(packed_problem(matrix, labels.correct if labels else (), choice))
    return packed


def verdict_palette() -> list[dict[str, Any]]:
    """Code, name and colour of every verdict, by code."""
    return [{"code": int(v), "label": v.label.replace("_", " "), "colour": COLOURS[v]} for v in Verdict]


def _value(point: Mapping[str, Any], key: str) -> float:
    value = point.get(key)
    return float(value) if isinstance(value, int | float) else math.nan


def clean_points(points: Iterable[Mapping[str, Any]], x: str) -> list[dict[str, float]]:
    """Points with a finite place and accuracy, by place; a bound that is undefined falls on the accuracy."""
    rows = []
    for point in points:
        at, accuracy = _value(point, x), _value(point, "accuracy")
        if math.isfinite(at) and math.isfinite(accuracy):
            lo, hi = _value(point, "lo"), _value(point, "hi")
            rows.append(
                {"x": at, "y": accuracy, "lo": lo if math.isfinite(lo) else accuracy, "hi": hi if math.isfinite(hi) else accuracy}
            )
    return sorted(rows, key=lambda row: row["x"])


def _curve(name: str, rows: Sequence[Mapping[str, float]], colour: str) -> list[dict[str, Any]]:
    xs, shown = [r["x"] for r in rows], plot_label(name)
    band = {
        "type": "scatter",
        "x": xs + xs[::-1],
        "y": [r["hi"] for r in rows] + [r["lo"] for r in reversed(rows)],
        "fill": "toself",
        "fillcolor": colour,
        "opacity": 0.14,
        "line": {"width": 0},
        "mode": "lines",
        "hoverinfo": "skip",
        "showlegend": False,
        "legendgroup": shown,
    }
    line = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": shown,
        "legendgroup": shown,
        "x": xs,
        "y": [r["y"] for r in rows],
        "customdata": [[100 * r["lo"], 100 * r["hi"]] for r in rows],
        "line": {"color": colour, "width": 2.5},
        "marker": {"size": 7, "color": colour},
        "hovertemplate": "%{x:.4~g} tests: %{y:.1%} [%{customdata[0]:.1f}, %{customdata[1]:.1f}]<extra>" + shown + "</extra>",
    }
    return [band, line]


def _axes(places: Iterable[float], x_title: str) -> dict[str, Any]:
    at = sorted(set(places))
    axis: dict[str, Any] = {"title": {"text": x_title}}
    if at and at[0] > 0 and at[-1] / at[0] >= 8:
        axis |= {"type": "log"}
    if len(at) <= 12:
        axis |= {"tickvals": at, "ticktext": [f"{v:g}" for v in at]}
    return {"xaxis": axis, "yaxis": {"title": {"text": "accuracy (pass@1)"}, "tickformat": ".0%"}, "hovermode": "closest"}


def curves_figure(series: Mapping[str, Sequence[Mapping[str, float]]], x_title: str) -> dict[str, Any] | None:
    """One line with a band a series; None when no series has a point."""
    drawn = {name: rows for name, rows in series.items() if rows}
    if not drawn:
        return None
    traces = [
        t
        for k, (name, rows) in enumerate(drawn.items())
        for t in _curve(name, rows, "#7d8894" if name == "random" else LINES[k % len(LINES)])
    ]
    return {"data": traces, "layout": _axes((r["x"] for rows in drawn.values() for r in rows), x_title)}


def scaling_series(run: RunRecord) -> dict[str, list[dict[str, float]]]:
    """``budget_curves["scaling"]``: selector → points over the number of tests a problem."""
    scaling = run.budget_curves.get("scaling") or {}
    return {str(name): clean_points(points, "tests") for name, points in scaling.items()}


def budget_series(run: RunRecord) -> dict[str, list[dict[str, float]]]:
    """The policy curves of ``coderm budget``: policy → points over the mean number of tests; ``all`` is one point."""
    series = {}
    for name, value in run.budget_curves.items():
        points = [value] if isinstance(value, Mapping) and "accuracy" in value else value
        if name != "scaling" and isinstance(points, list | tuple):
            series["all tests" if name == "all" else str(name)] = clean_points(points, "mean_tests")
    return series


def verdict_figure(run: RunRecord) -> dict[str, Any] | None:
    """Stacked bars, one a problem, by share of passed cells; None when there is no cell."""
    rows = [(m.task_id, m.counts(), m.verdicts.size) for m in run.matrices.values() if m.verdicts.size]
    if not rows:
        return None
    rows.sort(key=lambda row: -row[1].get("passed", 0) / row[2])
    names = [plot_label(task_id) for task_id, _, _ in rows]
    seen = {name for _, counts, _ in rows for name in counts}
    traces = [
        {
            "type": "bar",
            "name": v.label.replace("_", " "),
            "x": list(range(len(rows))),
            "y": [counts.get(v.label, 0) / size for _, counts, size in rows],
            "customdata": names,
            "marker": {"color": COLOURS[v], "line": {"width": 0}},
            "hovertemplate": "%{customdata}: %{y:.1%}<extra>" + v.label.replace("_", " ") + "</extra>",
        }
        for v in sorted(Verdict, reverse=True)
        if v.label in seen
    ]
    few = len(rows) <= 40
    x_axis = {
        "tickvals": list(range(len(rows))) if few else [],
        "ticktext": names if few else [],
        "tickangle": -45,
        "showgrid": False,
    }
    x_axis["title"] = {"text": "problems, by share of passed cells"}
    return {
        "data": traces,
        "layout": {
            "barmode": "stack",
            "bargap": 0.12,
            "xaxis": x_axis,
            "yaxis": {"tickformat": ".0%", "range": [0, 1]},
            "showlegend": False,
        },
    }
