"""A comparison where people look: tables in Prefect's UI, a summary for the command line. In MLflow: tasks.track_comparison."""

from __future__ import annotations

import re
from collections.abc import Sequence
from secrets import token_hex
from typing import Any

from prefect import task
from prefect.artifacts import create_table_artifact

from models.comparison import Slice, cost, refusals, slices
from tasks.caching import ONCE
from tasks.changed_problems import changed_rows
from tasks.compare_versions import Comparison, compare_versions
from tasks.comparison_sides import Side


class Measured:
    """Plain class, as ``Shard`` is and for the same reason: Prefect walks into dataclasses."""

    __slots__ = ("comparison", "id")

    def __init__(self, comparison: Comparison) -> None:
        """``id`` names the pair of MLflow runs."""
        self.comparison, self.id = comparison, token_hex(4)


@task(name="compare-versions", **ONCE)
def measure_comparison(a: str, b: str, benchmarks: list[str]) -> Measured:
    """See ``compare_versions``."""
    return Measured(compare_versions(a, b, benchmarks))


@task(name="publish-comparison", **ONCE)
def publish_comparison(measured: Measured) -> None:
    """A table of slices and one of changed problems in Prefect's UI."""
    done = measured.comparison
    key = re.sub(r"[^a-z0-9]+", "-", f"compare-{done.a.label}-{done.b.label}".lower()).strip("-")
    title = f"{done.a.label} (A) against {done.b.label} (B)"
    create_table_artifact([slice_row(s) for s in slices(done.outcomes)], key=key, description=f"Expected accuracy: {title}")
    create_table_artifact(changed_rows(done.outcomes), key=f"{key}-changed", description=f"Problems whose outcome changed: {title}")


def slice_row(row: Slice) -> dict[str, Any]:
    """One row as a person reads it, in shares of problems; zero has no sign."""
    return {
        "problems of": row.name,
        "n": row.problems,
        "A": round(row.a, 4),
        "B": round(row.b, 4),
        "B - A": round(row.difference, 4) + 0.0,
        "95 % from": round(row.lo, 4) + 0.0,
        "to": round(row.hi, 4) + 0.0,
        "only A right": row.only_a,
        "only B right": row.only_b,
        "McNemar p": float(f"{row.p_value:.3g}"),
        "B is": row.verdict,
    }


def summary_of_comparison(measured: Measured, margin: float, mlflow_runs: Sequence[str]) -> dict[str, Any]:
    """What the flow returns and ``coderm compare --format json`` prints."""
    done = measured.comparison
    why_not = refusals(done.outcomes, margin)
    return {
        "a": _named(done.a),
        "b": _named(done.b),
        "slices": [slice_row(s) for s in slices(done.outcomes)],
        "cost": {"a": cost([o.a for o in done.outcomes]), "b": cost([o.b for o in done.outcomes])},
        "cells": {"asked": done.cells.cells, "reused": done.cells.reused, "executed": done.cells.executed},
        "changed": changed_rows(done.outcomes),
        "left_out": done.left_out,
        "margin": margin,
        "not_worse": not why_not,
        "why_not": why_not,
        "comparison": measured.id,
        "mlflow_runs": list(mlflow_runs),
    }


def _named(side: Side) -> dict[str, Any]:
    runs = {name: run.run_id for name, run in side.runs.items()}
    return {"label": side.label, "version": side.number, "digest": side.version.digest, "what": side.version.name, "runs": runs}
