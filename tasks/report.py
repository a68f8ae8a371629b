"""One run as one HTML page that needs nothing else: no network, no server, no second file.

Decides that nothing which a model wrote can act in the page: the template escapes every expression, the data stand in a JSON block
that cannot close its own tag, the page's script writes text nodes only, and a Content-Security-Policy runs exactly two scripts,
named by their hashes, and lets the page fetch nothing. Trades 4.8 MB of plotly in every page for a report that opens anywhere.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from models.errors import InputError
from models.replaced_file import replacing
from models.run_record import RunRecord
from tasks import report_calibration, report_choices, report_figures, report_pack, report_sampling, report_tables, report_text

MAX_WRONG, MAX_WINS = 6, 6


def write_report(run: RunRecord, out: Path, selector: str | None = None) -> Path:
    """Write the page for ``run`` to ``out`` and return its absolute path; a reader never sees half a page.

    ``selector``: whose choices are shown; default ``report_tables.default_selector``.
    Raises InputError when ``out`` cannot be written or ``selector`` ranked nothing in this run.
    """
    if selector is not None and selector not in run.rankings:
        known = ", ".join(run.rankings) or "none, the run holds no ranking"
        raise InputError(f"run {run.run_id}: selector {selector!r} ranked nothing; expected one of: {known}")
    page = render_report(run, selector or report_tables.default_selector(run))
    with replacing(out) as stream:
        stream.write(page.encode("utf-8"))
    return out.absolute()


def render_report(run: RunRecord, selector: str) -> str:
    """The page as text that encodes as UTF-8."""
    plotly, script = _asset("plotly", "package_data/plotly.min.js"), _asset("tasks", "templates/report.js")
    ours = {"plotly": Markup(plotly), "script": Markup(script), "style": Markup(_asset("tasks", "templates/report.css"))}
    template = _environment().get_template("report.html.j2")
    return template.render(**_context(run, selector), **ours, policy=_policy(plotly, script))


def _context(run: RunRecord, selector: str) -> dict[str, Any]:
    choices = [report_choices.choose(run, selector, task_id) for task_id in run.problems]
    packed, whole = report_pack.packed_problems(run, choices)
    scaling, budget = report_figures.scaling_series(run), report_figures.budget_series(run)
    drawn = {
        "scaling": report_figures.curves_figure(scaling, "unit tests a problem"),
        "budget": report_figures.curves_figure(budget, "mean unit tests a problem"),
        "verdicts": report_figures.verdict_figure(run),
        "quintiles": report_calibration.quintile_figure(run),
        "reliability": report_calibration.reliability_figure(run, selector),
        "coverage": report_calibration.coverage_figure(run, selector),
    }
    figures = {name: figure for name, figure in drawn.items() if figure is not None}
    return {
        "run": run,
        "selector": selector,
        "choices": choices,
        "outcomes": Counter(c.said for c in choices),
        "wrong": report_choices.wrong_choices(run, choices, MAX_WRONG),
        "wins": report_choices.best_wins(choices, MAX_WINS),
        "scaling": scaling,
        "budget": budget,
        "figures": figures,
        "drawable": {p["task"]: k for k, p in enumerate(packed)},
        "confidence": report_calibration.confidence_of(run, selector),
        "left_out": len(run.matrices) - len(packed),
        "every_source": whole,
        "data": report_text.script_json(
            {"figures": figures, "problems": packed, "verdicts": report_figures.verdict_names(), "seen": _verdicts_seen(run)}
        ),
        "packed": packed,
        "cells": sum(m.verdicts.size for m in run.matrices.values()),
        "tables": report_tables,
        "sampling_tables": report_sampling,
        "text": report_text,
    }


def _verdicts_seen(run: RunRecord) -> list[int]:
    return sorted({int(code) for matrix in run.matrices.values() for code in np.unique(matrix.verdicts)})


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("tasks", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=report_text.finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _asset(package: str, path: str) -> str:
    return files(package).joinpath(path).read_text("utf-8").replace("\r\n", "\n")


def _policy(*scripts: str) -> str:
    """Only these scripts run; nothing is fetched. Plotly sets style attributes and draws heat maps as ``data:`` images."""
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        "connect-src 'none'; font-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'"
    )
