"""What plotly draws of tests and cells, as plain dictionaries: curves with bands, and verdict bars."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from models.run_record import RunRecord
from models.types import Verdict
from tasks.plots import NO_POLICY
from tasks.report_text import MAX_LABEL, plot_label

GREY = "#7d8894"
LINES = ("#2f7fc1", "#d97a1f", "#23946f", "#a65bb8", "#b8a21e", "#c2476a")
NAMED_BARS = 40
ACCURACY: dict[str, Any] = {"title": {"text": "accuracy (pass@1)"}, "tickformat": ".0%"}


def verdict_names() -> list[dict[str, str]]:
    """Every verdict by code: its name in files, by which the style sheet knows its colour, and in words."""
    return [{"name": v.label, "label": v.label.replace("_", " ")} for v in Verdict]


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


def band(shown: str, rows: Sequence[Mapping[str, float]], colour: str) -> dict[str, Any]:
    """The area between ``lo`` and ``hi`` of rows with a place ``x``."""
    xs = [r["x"] for r in rows]
    return {
        "type": "scatter",
        "x": xs + xs[::-1],
        "y": [r["hi"] for r in rows] + [r["lo"] for r in reversed(rows)],
        "fill": "toself",
        "fillcolor": colour,
        "opacity": 0.13,
        "line": {"width": 0},
        "mode": "lines",
        "hoverinfo": "skip",
        "showlegend": False,
        "legendgroup": shown,
    }


def _curve(name: str, rows: Sequence[Mapping[str, float]], colour: str) -> list[dict[str, Any]]:
    shown = plot_label(name)
    line = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": shown,
        "legendgroup": shown,
        "x": [r["x"] for r in rows],
        "y": [r["y"] for r in rows],
        "customdata": [[100 * r["lo"], 100 * r["hi"]] for r in rows],
        "line": {"color": colour, "width": 2.5},
        "marker": {"size": 7, "color": colour},
        "hovertemplate": "%{x:.4~g} tests: %{y:.1%} [%{customdata[0]:.1f}, %{customdata[1]:.1f}]<extra>" + shown + "</extra>",
    }
    if len(rows) > 1:
        return [band(shown, rows, colour), line]
    up, down = [r["hi"] - r["y"] for r in rows], [r["y"] - r["lo"] for r in rows]
    whisker = {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "color": colour, "thickness": 1.4, "width": 5}
    return [line | {"mode": "markers", "marker": {"size": 10, "symbol": "diamond", "color": colour}, "error_y": whisker}]


def _axes(places: Iterable[float], x_title: str) -> dict[str, Any]:
    at = sorted(set(places))
    axis: dict[str, Any] = {"title": {"text": x_title}}
    if at and at[0] > 0 and at[-1] / at[0] >= 8:
        axis |= {"type": "log"}
    if len(at) <= 12:
        axis |= {"tickvals": at, "ticktext": [f"{v:g}" for v in at]}
    return {"xaxis": axis, "yaxis": ACCURACY, "hovermode": "closest"}


def curves_figure(series: Mapping[str, Sequence[Mapping[str, float]]], x_title: str) -> dict[str, Any] | None:
    """One line with a band a series; None when no series has a point."""
    drawn = {name: rows for name, rows in series.items() if rows}
    if not drawn:
        return None
    traces = [t for k, (name, rows) in enumerate(drawn.items()) for t in _curve(name, rows, colour_of(name, k))]
    return {"data": traces, "layout": _axes((r["x"] for rows in drawn.values() for r in rows), x_title)}


def colour_of(name: str, place: int) -> str:
    """Grey for the random draw, else by place."""
    return GREY if name == "random" else LINES[place % len(LINES)]


def scaling_series(run: RunRecord) -> dict[str, list[dict[str, float]]]:
    """``budget_curves["scaling"]``: selector → points over the number of tests a problem."""
    scaling = run.budget_curves.get("scaling") or {}
    return {str(name): clean_points(points, "tests") for name, points in scaling.items()}


def budget_series(run: RunRecord) -> dict[str, list[dict[str, float]]]:
    """The policy curves of ``coderm budget``: policy → points over the mean number of tests; ``all`` is one point."""
    series = {}
    for name, value in run.budget_curves.items():
        points = [value] if isinstance(value, Mapping) and "accuracy" in value else value
        if name not in NO_POLICY and isinstance(points, list | tuple):
            series["all tests" if name == "all" else str(name)] = clean_points(points, "mean_tests")
    return series


def verdict_figure(run: RunRecord) -> dict[str, Any] | None:
    """Stacked bars, one a problem, by share of passed cells: lying and named when they are few. None when there is no cell."""
    rows = [(m.task_id, m.counts(), m.verdicts.size) for m in run.matrices.values() if m.verdicts.size]
    if not rows:
        return None
    rows.sort(key=lambda row: -row[1].get("passed", 0) / row[2])
    few = len(rows) <= NAMED_BARS
    names = [plot_label(task_id, 26 if few else MAX_LABEL) for task_id, _, _ in rows]
    seen = {name for _, counts, _ in rows for name in counts}
    traces = [
        _bars(v, [counts.get(v.label, 0) / size for _, counts, size in rows], names, lying=few)
        for v in sorted(Verdict, reverse=True)
        if v.label in seen
    ]
    share = {"tickformat": ".0%", "range": [0, 1]}
    layout: dict[str, Any] = {"barmode": "stack", "bargap": 0.16, "showlegend": False}
    if few:
        side = {"tickvals": list(range(len(rows))), "ticktext": names, "showgrid": False, "range": [len(rows) - 0.5, -0.5]}
        return {"data": traces, "layout": layout | {"xaxis": share, "yaxis": side, "height": 70 + 20 * len(rows)}}
    bottom = {"tickvals": [], "showgrid": False, "title": {"text": "problems, by share of passed cells"}}
    return {"data": traces, "layout": layout | {"xaxis": bottom, "yaxis": share}}


def _bars(verdict: Verdict, shares: list[float], names: list[str], *, lying: bool) -> dict[str, Any]:
    places, shown = list(range(len(shares))), verdict.label.replace("_", " ")
    return {
        "type": "bar",
        "name": shown,
        "orientation": "h" if lying else "v",
        "x": shares if lying else places,
        "y": places if lying else shares,
        "customdata": names,
        "meta": verdict.label,
        "marker": {"line": {"width": 0}},
        "hovertemplate": f"%{{customdata}}: %{{{'x' if lying else 'y'}:.1%}}<extra>{shown}</extra>",
    }
