"""The run as one record, into SQL in one transaction. SQL is the truth: report, MLflow and artifacts come after and from it."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import replace

from prefect import task
from prefect.events import emit_event

from models.backend_config import ReplayConfig
from models.config import RunConfig
from models.costs import sampling_metrics
from models.fingerprint import digest_json
from models.operations import ALARMS, TIMELINE, alarms_of, operations_metrics
from models.reward.registry import DEFAULT
from models.run_record import UNCHECKED, Allocation, GateResult, GeneratorIdentity, RunRecord, require_gates
from tasks.artifact_key import artifact_key
from tasks.caching import ONCE
from tasks.resources import open_database, open_generator
from tasks.run_header import RunHeader
from tasks.select_and_score import Scores
from tasks.shard import Shard
from tasks.structured_log import note

ALARM_EVENT = "coderm.alarm"


def assemble_run(
    header: RunHeader, config: RunConfig, whole: Shard, allocation: Allocation, scores: Scores, gates: Sequence[GateResult]
) -> RunRecord:
    """Everything that the run is. ``whole``: all shards joined."""
    return RunRecord(
        run_id=header.run_id,
        benchmark=config.benchmark.name,
        config=config.model_dump(mode="json"),
        created_at=header.created_at,
        problems=whole.problems,
        solutions=whole.solutions,
        tests=whole.tests,
        matrices=whole.matrices,
        labels=whole.labels,
        rankings=scores.rankings,
        allocation=allocation,
        metrics={**scores.metrics, **_costs(config, whole, scores), **operations_metrics(whole.operations, header.seconds)},
        generators=_generators(config),
        prompt_digests=whole.prompt_digests,
        samples=whole.samples,
        gates=tuple(gates),
        budget_curves={**scores.curves, TIMELINE: whole.operations.timeline.rows()},
        provenance={**header.provenance(), **_dataset_digests(whole)},
    )


def _costs(config: RunConfig, whole: Shard, scores: Scores) -> dict[str, float]:
    backends = {"solution": config.policy, "test": config.tests}
    prices = {kind: backend.price for kind, backend in backends.items() if not isinstance(backend, ReplayConfig)}
    name = f"selector/{DEFAULT if DEFAULT in config.selectors else config.selectors[0]}"
    solved = scores.metrics.get(f"{name}/pass_1", math.nan) * scores.metrics.get(f"{name}/problems", math.nan)
    return sampling_metrics(whole.samples, whole.times, prices, solved)


def _generators(config: RunConfig) -> dict[str, GeneratorIdentity]:
    return {"solution": open_generator(config.policy).identity, "test": open_generator(config.tests).identity}


def _dataset_digests(whole: Shard) -> dict[str, str]:
    return {
        "problems_digest": digest_json([p.digest for p in whole.problems.values()]),
        "solutions_digest": digest_json([s.digests for s in whole.solutions.values()]),
        "tests_digest": digest_json([t.digests for t in whole.tests.values()]),
    }


@task(name="persist-run", **ONCE)
def persist_run(run: RunRecord) -> RunRecord:
    """Write everything or nothing; it counts as unchecked until the gate over the database has seen it.

    Returns the run that stands there. Of one that is resumed that is what was stored before, if it was checked; else it is written
    again, since only what was handed over can tell whether it stands there whole. Raises StoreUnavailable, and InputError where the
    stored one failed its gate.
    """
    marked = replace(run, gates=(*run.gates, UNCHECKED))
    with open_database() as store:
        if not store.save_run(marked):
            stored = store.load_run(run.run_id)
            if UNCHECKED in stored.gates:
                store.delete_run(run.run_id)
                store.save_run(marked)
            else:
                run = require_gates(stored)
    note("run stored", run=run.run_id, problems=len(run.problems), metrics=len(run.metrics))
    raise_alarms(run)
    return run


@task(name="finish-run", **ONCE)
def finish_run(run_id: str) -> None:
    """Everything that is made from the run is there: from now on it cannot be resumed. Raises StoreUnavailable."""
    with open_database() as store:
        store.finish_run(run_id)


def raise_alarms(run: RunRecord) -> None:
    """A warning in the log and the event ``coderm.alarm``, for automations that wake somebody, for every metric above its bound."""
    for metric, value in alarms_of(run.metrics).items():
        figures: dict[str, str | float] = {"run": run.run_id, "metric": metric, "value": value, "bound": ALARMS[metric]}
        note("alarm", level=logging.WARNING, **figures)
        resource = {
            "prefect.resource.id": f"coderm.benchmark.{artifact_key(run.benchmark)}",
            "prefect.resource.name": run.benchmark,
        }
        emit_event(ALARM_EVENT, resource=resource, payload=figures)
