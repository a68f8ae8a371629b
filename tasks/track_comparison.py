"""A comparison in MLflow: a pair of runs a benchmark, which MLflow's own comparison page lines up.

Both runs of a pair carry the same metric and parameter names, dataset inputs, tags, description and table:
    accuracy, accuracy_lo, accuracy_hi, accuracy/quintile_1 … 5        of the side itself
    difference, difference_lo, difference_hi, mcnemar_p                 of B against A, the same in both
    cost/tests, cost/cells, cost/seconds, cost/tokens                   totals of the side
Parameters are what the side's version is made of, so that "show diff only" shows what was compared.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

from prefect import task

from models.comparison import Outcome, cost, quintiles, slice_of
from tasks.caching import ONCE
from tasks.changed_problems import changed_table
from tasks.comparison_sides import Side
from tasks.mlflow_store import connected, experiment_id
from tasks.publish_comparison import Measured
from tasks.settings import load_settings
from tasks.tracking_payload import datasets, parameters

CHANGED_FILE = "changed.json"


@task(name="track-comparison", **ONCE)
def track_comparison(measured: Measured) -> list[str]:
    """Log a pair of runs a benchmark; their ids, A's first. Raises UnavailableError."""
    settings, done = load_settings(), measured.comparison
    runs: list[str] = []
    with connected(settings.mlflow_uri) as client:
        for name in dict.fromkeys(o.benchmark for o in done.outcomes):
            part = [o for o in done.outcomes if o.benchmark == name]
            experiment = experiment_id(client, settings.mlflow_uri, f"comparisons · {name}", settings.root / "mlflow-artifacts")
            table = changed_table(part, None if settings.private else done.a.runs[name].solutions)
            for letter, side in (("a", done.a), ("b", done.b)):
                run_id = _open_side(client, experiment, measured, letter, side, name, part)
                _log_side(client, run_id, measured, letter, side, name, part)
                _log_table(client, run_id, table)
                client.set_terminated(run_id, "FINISHED")
                runs.append(run_id)
    return runs


def _open_side(client: Any, experiment: str, measured: Measured, letter: str, side: Side, name: str, part: list[Outcome]) -> str:
    tags = {**comparison_tags(measured, letter, side, name), "mlflow.source.name": "coderm compare"}
    tags["mlflow.note.content"] = description(measured, part)
    return str(client.create_run(experiment, tags=tags, run_name=f"{letter.upper()} {side.label}").info.run_id)


def _log_side(client: Any, run_id: str, measured: Measured, letter: str, side: Side, name: str, part: list[Outcome]) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param

    now = int(time.time() * 1000)
    metrics = [Metric(k, v, now, 0) for k, v in side_metrics(part, letter).items()]
    params = [Param(k, v) for k, v in parameters(side.version.model_dump(mode="json")).items()]
    client.log_batch(run_id, metrics=metrics, params=params)
    context = [InputTag("mlflow.data.context", "evaluation")]
    inputs = [
        DatasetInput(Dataset(name=n, digest=d, source_type="local", source=json.dumps({"uri": u})), context)
        for n, d, u in datasets(measured.comparison.a.runs[name])
        if not n.endswith("-tests")
    ]
    client.log_inputs(run_id, inputs)


def _log_table(client: Any, run_id: str, table: dict[str, Any]) -> None:
    """As ``log_table`` writes it, which warns with pandas 3."""
    client.log_text(run_id, json.dumps(table, ensure_ascii=True), CHANGED_FILE)
    client.set_tag(run_id, "mlflow.loggedArtifacts", json.dumps([{"path": CHANGED_FILE, "type": "table"}]))


def description(measured: Measured, part: Sequence[Outcome]) -> str:
    """Markdown for MLflow's page of a run: who stood against whom, and what came out."""
    whole, done = slice_of("all", part), measured.comparison
    points = f"{100 * whole.difference:+z.1f} [{100 * whole.lo:+z.1f}, {100 * whole.hi:+z.1f}] points"
    changed = sum(o.changed for o in part)
    return "\n".join(
        (
            f"* A, {done.a.label}: {done.a.version.name}",
            f"* B, {done.b.label}: {done.b.version.name}",
            f"* **B against A: {points}**, {whole.verdict}, over {whole.problems} problems; McNemar p {whole.p_value:.3g}",
            f"* {changed} problems whose outcome changed: `{CHANGED_FILE}` among the artifacts",
        )
    )


def comparison_tags(measured: Measured, letter: str, side: Side, benchmark: str) -> dict[str, str]:
    """The same names on both sides; values that differ are what was compared."""
    done = measured.comparison
    return {
        "coderm.comparison": measured.id,
        "side": letter,
        "benchmark": benchmark,
        "against": (done.b if letter == "a" else done.a).label,
        "version": str(side.number or "unregistered"),
        "version_digest": side.version.digest,
        "generator": side.version.generator.model,
        "generator_revision": side.version.generator.revision or "unknown",
        "selector": side.version.selector,
        "budget_policy": side.version.budget.policy,
        "coderm.evaluated_run": side.runs[benchmark].run_id,
        "candidates_run": done.a.runs[benchmark].run_id,
    }


def side_metrics(part: Sequence[Outcome], letter: str) -> dict[str, float]:
    """Metrics of one side, see the table above; undefined ones are left out."""
    whole = slice_of("all", part)
    bounds = whole.a_interval if letter == "a" else whole.b_interval
    values = {
        "accuracy": getattr(whole, letter),
        "accuracy_lo": bounds[0],
        "accuracy_hi": bounds[1],
        "problems": float(whole.problems),
        "difference": whole.difference,
        "difference_lo": whole.lo,
        "difference_hi": whole.hi,
        "mcnemar_p": whole.p_value,
        **{f"accuracy/{_stem(n)}": getattr(slice_of(n, rows), letter) for n, rows in quintiles(part) if rows},
        **{f"cost/{k}": v for k, v in cost([getattr(o, letter) for o in part]).items()},
    }
    return {name: float(value) for name, value in values.items() if value == value}  # noqa: PLR0124 - NaN


def _stem(quintile: str) -> str:
    return "_".join(quintile.split()[:2])
