"""The main job, as a reader would tell it: load, sample, generate tests, spend the budget, execute, judge, select, remember, show.

Each step is a task a shard of problems; a cell is never a task (1.64 M task runs would take the server 12 hours). Where the shards
run is a setting (tasks/shard_placement.py). Works with no server (Prefect starts an ephemeral one) and against a running one. A
failed gate stops the run before anything is published.
"""

from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from models.config import RunConfig
from tasks.draw_samples import draw_samples
from tasks.generate_tests import add_examples
from tasks.label_solutions import label_solutions
from tasks.load_benchmark import load_benchmark
from tasks.persist_run import assemble_run, finish_run, persist_run
from tasks.probe_tests import all_probes, probe_tests
from tasks.progress import without_known_tracebacks
from tasks.publish_docs import publish_docs
from tasks.publish_run import publish_artifacts, render_report, summary_of, track_metrics
from tasks.run_header import preflight
from tasks.select_and_score import select_and_score
from tasks.shard import joined, unwalked
from tasks.shard_placement import shard_runner
from tasks.spend_budget import spend_budget
from tasks.validate_run import gate_database, gate_matrices, gate_metrics, gate_problems, gate_samples


@flow(name="benchmark", validate_parameters=True)
def benchmark(config: RunConfig, resume: str | None = None) -> dict[str, Any]:
    """Run one benchmark end to end. Returns run_id, report, database, mlflow_uri, mlflow_run_id, metrics.

    Args:
        config: What is run, by whom, where, and on what budget.
        resume: Id of a run that was begun with this configuration; its finished samples and cells are in the store.

    Raises GateFailed when the data is bad, UnavailableError when a part is missing, InputError for a wrong file.
    """
    without_known_tracebacks()
    header = preflight(config, flow_run.get_id() or "", resume)
    shards = load_benchmark(config)
    gates = [*gate_problems(header, config, joined(shards))]

    with shard_runner(header, config, shards) as on_shards:
        shards = draw_samples(config, shards, on_shards)
        gates += gate_samples(header, config, joined(shards))
        shards = [add_examples(config, shard) for shard in shards]

        shards, allocation = spend_budget(config, shards, on_shards)
        gates += gate_matrices(header, config, joined(shards))

        if config.label:
            shards = on_shards.each(label_solutions, config, shards)
        probes = all_probes(on_shards.each(probe_tests, config, shards)) if config.quality.reference else {}
    scores = select_and_score(config, joined(shards), unwalked(probes))
    gates += gate_metrics(header, scores)

    run = persist_run(unwalked(assemble_run(header, config, joined(shards), allocation, scores, gates)))
    gates += gate_database(header, unwalked(run))
    report = render_report(header, unwalked(run))
    mlflow_run_id = track_metrics(header, unwalked(run), report)
    publish_artifacts(header, unwalked(run), report, mlflow_run_id)
    publish_docs(header, gates, mlflow_run_id)
    finish_run(header.run_id)
    return summary_of(header, run, report, mlflow_run_id)
