"""Tonight's run against the champion's last good one: judged, tagged in MLflow, tabled, and announced by an event when it fell.

The baseline is the newest run that is registered with the champion on this benchmark; nights do not become one by themselves
(models.alarm says why). Both runs are scored by the champion's rule. How often the baseline was looked at is counted in MLflow,
where every judged run carries its tag; judging a run again is the same look and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from prefect import task
from prefect.artifacts import create_table_artifact
from prefect.events import emit_event

from models.alarm import Night, judge_night, paired
from models.errors import InputError, UnavailableError
from models.metrics import judged_tasks, per_problem
from models.reward.registry import rank_all, resolve
from models.reward_version import RewardVersion
from models.run_record import RunRecord, require_gates
from tasks import model_registry as registry
from tasks.artifact_key import artifact_key
from tasks.caching import ONCE
from tasks.comparison_sides import side_of_version
from tasks.mlflow_store import connected
from tasks.resources import open_database
from tasks.settings import load_settings

if TYPE_CHECKING:
    from mlflow import MlflowClient

FOUND_EVENT = "coderm.regression.found"
BASELINE_TAG, LOOK_TAG, ANSWER_TAG = "coderm.baseline", "coderm.look", "coderm.regression"


@task(name="find-baseline", **ONCE)
def find_baseline(version: str, benchmark: str) -> str:
    """Run id of the last good run of a version on a benchmark. Raises InputError before the night is spent."""
    settings = load_settings()
    with connected(settings.mlflow_uri) as client:
        known = registry.get_version(client, version)
    with open_database(settings) as store:
        side = side_of_version(known, store)
    if benchmark not in side.runs:
        raise InputError(
            f"{side.label} has no run on benchmark {benchmark!r} to judge against: register one (`coderm models register`)"
        )
    return side.runs[benchmark].run_id


@task(name="judge-regression", **ONCE)
def judge_regression(run_id: str, baseline_id: str, version: str, margin: float, alpha: float) -> dict[str, Any]:
    """Judge a stored run and tag it. Returns the night's figures, ``regression`` and ``changed`` problems, worst first.

    Raises InputError where a gate of one failed or they share no judged problem, UnavailableError when a store cannot be used.
    """
    settings = load_settings()
    with open_database(settings) as store:
        tonight, baseline = (require_gates(store.load_run(known)) for known in (run_id, baseline_id))
    with connected(settings.mlflow_uri) as client:
        rule = registry.get_version(client, version).version
        before, after = expected_by_problem(baseline, rule), expected_by_problem(tonight, rule)
        tasks, old, new = paired({t: v for t, v in before.items() if _same(baseline, tonight, t)}, after)
        night = judge_night(old, new, _look(client, tonight.run_id, baseline.run_id), margin, alpha)
        _tag(client, tonight.run_id, baseline.run_id, night)
    changed = sorted(((t, o, n) for t, o, n in zip(tasks, old, new, strict=True) if o != n), key=lambda row: row[2] - row[1])
    rows = [{"task_id": t, "baseline": round(o, 4), "tonight": round(n, 4)} for t, o, n in changed]
    names = {"run_id": tonight.run_id, "baseline_run": baseline.run_id, "benchmark": tonight.benchmark, "version": version}
    return {**names, **asdict(night), "regression": night.regression, "left_out": len(before) - len(tasks), "changed": rows}


def expected_by_problem(run: RunRecord, version: RewardVersion) -> dict[str, float]:
    """task id → expected correctness of what the version's rule selects; judged problems only."""
    tasks = judged_tasks(run.matrices, run.labels)
    sources = {t: s.solutions for t, s in run.solutions.items()}
    (rankings,) = rank_all({t: run.matrices[t] for t in tasks}, resolve([version.selector]), None, sources).values()
    return dict(zip(tasks, per_problem(rankings, run.labels, tasks, 1), strict=True))


def _same(baseline: RunRecord, tonight: RunRecord, task_id: str) -> bool:
    """The statement and its ground truth did not change meanwhile."""
    return task_id in tonight.problems and tonight.problems[task_id].digest == baseline.problems[task_id].digest


def _look(client: MlflowClient, run_id: str, baseline: str) -> int:
    """Which look at the baseline this is: one more than the other runs that were judged against it."""
    mine = _tracked(client, run_id).data.tags
    if mine.get(BASELINE_TAG) == baseline and LOOK_TAG in mine:
        return int(mine[LOOK_TAG])
    experiments = [e.experiment_id for e in client.search_experiments()]
    judged = client.search_runs(experiments, filter_string=f"tags.`{BASELINE_TAG}` = '{baseline}'", max_results=50_000)
    return len(judged) + 1


def _tracked(client: MlflowClient, run_id: str) -> Any:
    found = registry.mlflow_run_of(client, run_id)
    if found is None:
        raise UnavailableError(f"MLflow holds no run {run_id}: it was tracked in another store; see CODERM_MLFLOW_TRACKING_URI")
    return found


def _tag(client: MlflowClient, run_id: str, baseline: str, night: Night) -> None:
    from mlflow.entities import RunTag

    values: Mapping[str, Any] = {
        BASELINE_TAG: baseline,
        LOOK_TAG: night.look,
        ANSWER_TAG: "found" if night.regression else "none",
        "coderm.regression.drop": f"{night.drop:z.6f}",
        "coderm.regression.p_value": f"{night.p_value:.3g}",
        "coderm.regression.level": f"{night.level:.3g}",
        "coderm.regression.margin": f"{night.margin:g}",
    }
    client.log_batch(_tracked(client, run_id).info.run_id, tags=[RunTag(k, str(v)) for k, v in values.items()])


@task(name="announce-regression", **ONCE)
def announce(judged: dict[str, Any]) -> None:
    """A table of problems in Prefect's UI either way; the event ``coderm.regression.found`` when there is one."""
    slug = artifact_key(judged["benchmark"])
    create_table_artifact(judged["changed"], key=f"regression-{slug}", description=verdict_line(judged))
    if judged["regression"]:
        figures = {
            name: judged[name]
            for name in ("run_id", "baseline_run", "benchmark", "version", "drop", "lo", "hi", "p_value", "level")
        }
        resource = {"prefect.resource.id": f"coderm.benchmark.{slug}", "prefect.resource.name": judged["benchmark"]}
        emit_event(FOUND_EVENT, resource=resource, payload=figures)


def verdict_line(judged: Mapping[str, Any]) -> str:
    """One line for people: what fell, by how much, against what."""
    points = f"{-100 * judged['drop']:+z.2f} [{-100 * judged['hi']:+z.2f}, {-100 * judged['lo']:+z.2f}] points"
    test = (
        f"p {judged['p_value']:.2g}, level {judged['level']:.2g} at look {judged['look']}, margin {100 * judged['margin']:g} points"
    )
    answer = f"{'regression' if judged['regression'] else 'no regression'} on {judged['benchmark']}"
    return f"{answer}: {points} against run {judged['baseline_run']} over {judged['problems']} problems ({test})"
