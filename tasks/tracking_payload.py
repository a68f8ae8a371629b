"""What MLflow is told of a run, as plain values: pure, so that names and columns can be tested without a store.

Names are the contract that lets runs be compared: the same metrics, the same tags, the same columns under the same file name.
    metrics    those of the run under their own names, at step 0; MLflow knows no plus sign, so that ``b4+examples`` is
               ``b4:examples`` there
    bon/…      accuracy, accuracy_lo, accuracy_hi against tests: the step is the mean number of tests, rounded. ``bon/accuracy`` is
               the equal budget (the reference curve), ``bon/<policy>/accuracy`` any other policy
    ops/timeline/cells_per_s, ops/timeline/queue    the step is the second since the first cell
    undefined  NaN and infinite values are left out (MLflow turns an infinity into 1.8e308), and counted in ``undefined_metrics``
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from models.fingerprint import digest_json
from models.matrix import PassMatrix
from models.operations import PREFIX, TIMELINE
from models.run_record import RunRecord
from models.types import Labels, Ranking
from tasks.plots import curve_points

Point = tuple[str, int, float]
"""(metric name, step, value)"""
RUN_TAG = "coderm.run_id"
REFERENCE_POLICY = "equal"


def experiment_name(run: RunRecord) -> str:
    """One experiment a benchmark and policy model: within it, runs differ by what this product decides."""
    return f"{run.benchmark} · {_model(run, 'solution')}"


def parameters(config: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested configuration → ``sandbox.limits.timeout_s`` = ``1.0``; lists and null as JSON."""
    flat: dict[str, str] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            flat.update(parameters(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value if isinstance(value, str) else json.dumps(value, default=str)
    return flat


def metric_points(run: RunRecord) -> tuple[list[Point], list[str]]:
    """(points, names of undefined values). Each (name, step) occurs once."""
    scalars = {(name.replace("+", ":"), 0): value for name, value in run.metrics.items()}
    wanted = {**scalars, **_curve_metrics(run.budget_curves), **_timeline_metrics(run.budget_curves.get(TIMELINE, ()))}
    points = [(name, step, float(value)) for (name, step), value in wanted.items() if math.isfinite(value)]
    return points, [f"{name}@{step}" if step else name for (name, step), value in wanted.items() if not math.isfinite(value)]


def _curve_metrics(curves: Mapping[str, Any]) -> dict[tuple[str, int], float]:
    found: dict[tuple[str, int], float] = {}
    for policy, points in curve_points(curves).items():
        stem = "bon" if policy == REFERENCE_POLICY else f"bon/{policy}"
        for point in points:
            step = round(float(point["mean_tests"]))
            for key, name in (("accuracy", "accuracy"), ("lo", "accuracy_lo"), ("hi", "accuracy_hi")):
                if key in point:
                    found[f"{stem}/{name}", step] = float(point[key])
    return found


def _timeline_metrics(rows: Iterable[Sequence[float]]) -> dict[tuple[str, int], float]:
    names = (f"{PREFIX}{TIMELINE}/cells_per_s", f"{PREFIX}{TIMELINE}/queue")
    return {(name, int(second)): value for second, *values in rows for name, value in zip(names, values, strict=True)}


def tags(run: RunRecord, undefined: Iterable[str]) -> dict[str, str]:
    """Who, where and under what: what a person filters runs by. Unknown values are spelled ``unknown``."""
    names = list(undefined)
    config = run.config
    test_generator = run.generators.get("test")
    contexts = [matrix.context for matrix in run.matrices.values()]
    git_sha = run.provenance.get("git_sha", "unknown")
    return {
        RUN_TAG: run.run_id,
        "benchmark": run.benchmark,
        "policy_model": _model(run, "solution"),
        "generator": _model(run, "test"),
        "generator_revision": (test_generator.revision if test_generator else None) or "unknown",
        "selector": joined(run.rankings),
        "budget_policy": run.allocation.policy if run.allocation else str(config.get("budget", {}).get("policy", "unknown")),
        "seed": str(config.get("seed", "unknown")),
        "sandbox": joined(c.sandbox for c in contexts),
        "image_digest": joined(c.image for c in contexts if c.image),
        "git_sha": git_sha,
        "mlflow.source.git.commit": git_sha,
        "mlflow.source.name": "coderm",
        "prefect.flow_run_id": run.provenance.get("prefect_flow_run_id", "unknown"),
        "gates_failed": joined(run.failed_gates),
        "undefined_metrics": str(len(names)),
        "undefined_metrics.names": ", ".join(names)[:4000],
    }


def _model(run: RunRecord, kind: str) -> str:
    return run.generators[kind].model if kind in run.generators else "unknown"


def joined(values: Iterable[str]) -> str:
    """Distinct values in order; ``none`` where there are none."""
    return ",".join(dict.fromkeys(values)) or "none"


def datasets(run: RunRecord) -> list[tuple[str, str, str]]:
    """(name, digest, where it came from) of problems, solutions and tests. A digest is of the content and nothing else."""
    config = run.config
    contents = {
        "problems": {t: p.digest for t, p in run.problems.items()},
        "solutions": {t: s.digests for t, s in run.solutions.items()},
        "tests": {t: s.digests for t, s in run.tests.items()},
    }
    origins = {"problems": ("benchmark", "problems"), "solutions": ("policy", "path"), "tests": ("tests", "path")}
    return [
        (f"{run.benchmark}-{name}", digest_json(content), str(config.get(origins[name][0], {}).get(origins[name][1], "unknown")))
        for name, content in contents.items()
    ]


def problem_table(run: RunRecord) -> dict[str, Any]:
    """``problems.json``: {"columns", "data"}, a row a problem in benchmark order; null where something is undefined.

    ``<selector>_accuracy``: share of right solutions in the selector's first group, i.e. its expected accuracy over ties.
    """
    columns = [
        *("task_id", "n_solutions", "n_tests", "asked_tests", "asked_cells", "passed_share", "missing_cells"),
        *("judged_solutions", "right_solutions", *(f"{name}_accuracy" for name in run.rankings)),
    ]
    return {"columns": columns, "data": [_problem_row(run, task) for task in run.problems]}


def _problem_row(run: RunRecord, task: str) -> list[Any]:
    labels = run.labels.get(task)
    judged = [right for right in labels.correct if right is not None] if labels else []
    sizes = (
        (len(run.solutions[task].solutions), len(run.tests[task].tests)) if task in run.solutions and task in run.tests else (0, 0)
    )
    chosen = [_first_group_accuracy(rankings.get(task), labels) for rankings in run.rankings.values()]
    return [task, *sizes, *_cell_figures(run.matrices.get(task)), len(judged), sum(judged), *chosen]


def _cell_figures(matrix: PassMatrix | None) -> tuple[int, int, float | None, int]:
    if matrix is None:
        return 0, 0, None, 0
    asked = int(matrix.asked.sum())
    share = float(matrix.passes.sum()) / asked if asked else None
    return int(matrix.asked.any(axis=0).sum()), asked, share, matrix.counts().get("not_run", 0)


def _first_group_accuracy(ranking: Ranking | None, labels: Labels | None) -> float | None:
    if ranking is None or labels is None or not ranking.order:
        return None
    judged = [right for right in (labels.correct[i] for i in ranking.order[0]) if right is not None]
    return sum(judged) / len(judged) if judged else None
