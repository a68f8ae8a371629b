"""What plotly draws of difficulty and confidence: selectors in five groups, the reliability diagram, accuracy against coverage."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from models.run_record import RunRecord
from tasks.report_figures import ACCURACY, GREY, LINES, band, colour_of
from tasks.report_text import plot_label

Points = Sequence[Mapping[str, float]]
SPACE: dict[str, Any] = {"hovermode": "closest", "height": 420}
SHARE = {"tickformat": ".0%", "range": [-0.03, 1.03]}


def quintile_figure(run: RunRecord) -> dict[str, Any] | None:
    """Accuracy of each selector in five groups of difficulty, the hardest first; None where the run has no such groups."""
    stored: Mapping[str, Points] = run.budget_curves.get("quintiles") or {}
    found = {name: points for name, points in stored.items() if name != "oracle"}  # by construction always right here
    if not found:
        return None
    shift = {name: 0.1 * (k - (len(found) - 1) / 2) for k, name in enumerate(found)}
    traces = [_dots(name, points, shift[name], colour_of(name, k)) for k, (name, points) in enumerate(found.items())]
    ticks = [_group_name(p, len(points)) for points in [next(iter(found.values()))] for p in points]
    axis = {
        "tickvals": list(range(1, len(ticks) + 1)),
        "ticktext": ticks,
        "tickangle": 0,
        "showgrid": False,
        "range": [0.5, len(ticks) + 0.5],
    }
    title = {"title": {"text": "share of correct candidates"}}
    return {"data": traces, "layout": {"xaxis": axis | title, "yaxis": ACCURACY | {"range": [-0.03, 1.03]}, **SPACE}}


def _group_name(point: Mapping[str, float], groups: int) -> str:
    place = {1: "hardest", groups: "easiest"}.get(int(point["group"]), "\u00a0")
    lo, hi = round(100 * point["rate_lo"]), round(100 * point["rate_hi"])
    return f"{place}<br>{lo} to<br>{hi}\u00a0%"


def _dots(name: str, points: Points, shift: float, colour: str) -> dict[str, Any]:
    shown = plot_label(name)
    return {
        "type": "scatter",
        "mode": "markers",
        "name": shown,
        "x": [p["group"] + shift for p in points],
        "y": [p["accuracy"] for p in points],
        "customdata": [[100 * p["lo"], 100 * p["hi"], p["problems"]] for p in points],
        "marker": {"size": 9, "color": colour},
        "error_y": _whiskers(points, colour),
        "hovertemplate": "%{y:.1%} [%{customdata[0]:.1f}, %{customdata[1]:.1f}], %{customdata[2]} problems<extra>"
        + shown
        + "</extra>",
    }


def _whiskers(points: Points, colour: str) -> dict[str, Any]:
    up, down = [p["hi"] - p["accuracy"] for p in points], [p["accuracy"] - p["lo"] for p in points]
    return {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "color": colour, "thickness": 1.3, "width": 3}


def confidence_of(run: RunRecord, selector: str) -> Mapping[str, Any]:
    """source, threshold, reliability and coverage of one selector; empty where the run says nothing of it."""
    found: Mapping[str, Any] = (run.budget_curves.get("confidence") or {}).get(selector) or {}
    return found


def reliability_figure(run: RunRecord, selector: str) -> dict[str, Any] | None:
    """Accuracy against mean confidence, one dot a bin; None where the run has no confidence for ``selector``."""
    points: Points = confidence_of(run, selector).get("reliability") or ()
    if not points:
        return None
    line = {"type": "scatter", "mode": "lines", "x": [0, 1], "y": [0, 1], "hoverinfo": "skip"}
    dots = {
        "type": "scatter",
        "mode": "markers",
        "x": [p["confidence"] for p in points],
        "y": [p["accuracy"] for p in points],
        "customdata": [[100 * p["lo"], 100 * p["hi"], p["problems"]] for p in points],
        "marker": {"size": [6 + 2 * math.sqrt(p["problems"]) for p in points], "color": LINES[0], "opacity": 0.85},
        "error_y": _whiskers(points, LINES[0]),
        "hovertemplate": "confidence %{x:.2f}: %{y:.1%} right [%{customdata[0]:.1f}, %{customdata[1]:.1f}], "
        "%{customdata[2]} problems<extra></extra>",
    }
    axes = {"xaxis": SHARE | {"title": {"text": "confidence"}}, "yaxis": SHARE | {"title": {"text": "share of right selections"}}}
    traces = [line | {"line": {"color": GREY, "dash": "dot", "width": 1.5}}, dots]
    return {"data": traces, "layout": axes | {"showlegend": False, "hovermode": "closest"}}


def coverage_figure(run: RunRecord, selector: str) -> dict[str, Any] | None:
    """Accuracy of the most confident selections against the share of problems kept; None as above."""
    points: Points = sorted(confidence_of(run, selector).get("coverage") or (), key=lambda p: float(p["coverage"]))
    if not points:
        return None
    rows = [{"x": p["coverage"], "y": p["accuracy"], "lo": p["lo"], "hi": p["hi"]} for p in points]
    line = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": [r["x"] for r in rows],
        "y": [r["y"] for r in rows],
        "customdata": [[p["threshold"], 100 * p["lo"], 100 * p["hi"]] for p in points],
        "line": {"color": LINES[0], "width": 2.5},
        "marker": {"size": 7, "color": LINES[0]},
        "hovertemplate": "%{x:.0%} of the problems answered, confidence at least %{customdata[0]:.2f}: %{y:.1%} right "
        "[%{customdata[1]:.1f}, %{customdata[2]:.1f}]<extra></extra>",
    }
    axes = {
        "xaxis": SHARE | {"title": {"text": "share of problems answered"}},
        "yaxis": SHARE | {"title": {"text": "share of right selections"}},
    }
    return {"data": [band("", rows, LINES[0]), line], "layout": axes | {"showlegend": False, "hovermode": "closest"}}
