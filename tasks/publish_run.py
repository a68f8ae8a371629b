"""What people look at: the page, the MLflow run, artifacts in the Prefect UI. All of it can be made again from SQL."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect import task
from prefect.artifacts import create_markdown_artifact, create_table_artifact

from models.run_record import RunRecord
from tasks.artifact_key import artifact_key
from tasks.caching import ONCE
from tasks.report import write_report
from tasks.run_header import RunHeader
from tasks.run_summary import default_rule, run_summary
from tasks.track_mlflow import track_run


@task(name="render-report", **ONCE)
def render_report(header: RunHeader, run: RunRecord) -> Path:
    """Write the run's page. Raises OSError where the disk refuses."""
    header.report_path.parent.mkdir(parents=True, exist_ok=True)
    return write_report(run, header.report_path)


@task(name="track-metrics", **ONCE)
def track_metrics(header: RunHeader, run: RunRecord, report: Path) -> str:
    """Log the run to MLflow and return its id there. Raises UnavailableError; the run itself is in SQL by then.

    With ``CODERM_PRIVATE`` the report, which shows prompts and sources, stays on this machine.
    """
    artifacts = header.settings.root / "mlflow-artifacts"
    shared = None if header.settings.private else report
    return track_run(run, shared, tracking_uri=header.settings.mlflow_uri, artifact_root=artifacts)


@task(name="publish-artifacts", **ONCE)
def publish_artifacts(header: RunHeader, run: RunRecord, report: Path, mlflow_run_id: str) -> None:
    """A page that says where everything is, a table of selectors and one of problems, in the Prefect UI."""
    key = artifact_key(run.benchmark)
    title = f"{run.benchmark}, run {run.run_id}"
    create_markdown_artifact(
        run_summary(run, report, header.docs_dir, header.settings.mlflow_uri, mlflow_run_id),
        key=f"{key}-run",
        description=f"Results, and where the rest is: {title}",
    )
    create_table_artifact(selector_rows(run), key=f"{key}-selectors", description=f"pass@k a selector: {title}")
    create_table_artifact(problem_rows(run), key=f"{key}-problems", description=f"What was chosen: {title}")


def selector_rows(run: RunRecord) -> list[dict[str, Any]]:
    """One row a selector: pass@1 with its interval, pass@k, then on how many problems, and how often it fell back to random."""
    found: dict[str, dict[str, float]] = {}
    for metric, value in run.metrics.items():
        if metric.startswith("selector/"):
            _, name, figure = metric.split("/")
            found.setdefault(name, {})[figure] = value
    return [{"selector": name, **_shown(figures)} for name, figures in found.items()]


LEADING = {"pass_1": "pass@1", "pass_1_lo": "95 % from", "pass_1_hi": "to"}


def _shown(figures: Mapping[str, float]) -> dict[str, float | None]:
    names = [*(n for n in LEADING if n in figures), *(n for n in figures if n not in LEADING)]
    return {LEADING.get(n, n.replace("pass_", "pass@")): None if math.isnan(figures[n]) else round(figures[n], 4) for n in names}


def problem_rows(run: RunRecord) -> list[dict[str, Any]]:
    """One row a problem: the default rule's choice, its expected correctness over ties, how many tie, and the sizes."""
    name = default_rule(run)
    rows = []
    for task_id, matrix in run.matrices.items():
        ranking = run.rankings.get(name or "", {}).get(task_id)
        chosen = ranking.order[0] if ranking and ranking.order else ()
        labels = run.labels.get(task_id)
        right = [c for c in (labels.correct[i] for i in chosen) if c is not None] if labels else []
        rows.append(
            {
                "problem": task_id,
                "chosen": chosen[0] if chosen else None,
                "right": round(sum(right) / len(right), 3) if right else None,
                "tied": len(chosen),
                "confidence": round(ranking.confidence, 3) if ranking and ranking.confidence is not None else None,
                "solutions": matrix.verdicts.shape[0],
                "tests": int(matrix.asked.any(axis=0).sum()),
                "cells passed": int(matrix.passes.sum()),
            }
        )
    return rows


def summary_of(header: RunHeader, run: RunRecord, report: Path, mlflow_run_id: str) -> dict[str, Any]:
    """What the flow returns and ``coderm demo`` prints; paths absolute, no secret in it."""
    return {
        "run_id": run.run_id,
        "report": str(report),
        "database": header.settings.shown_database,
        "mlflow_uri": header.settings.mlflow_uri,
        "mlflow_run_id": mlflow_run_id,
        "prefect_flow_run_id": header.prefect_flow_run_id,
        "metrics": dict(run.metrics),
    }
