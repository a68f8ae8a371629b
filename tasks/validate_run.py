"""The gates of a run, in the order of the hand-overs. A failed one leaves a table in the Prefect UI and stops the run."""

from __future__ import annotations

import logging
from typing import Any

import pandas as pd
from prefect import task
from prefect.artifacts import create_table_artifact

from db.expectations import generated_test_suite, matrix_suite, metric_suite, problem_suite, sample_suite
from db.frames import matrix_frame, metric_frame, problem_frame, sample_frame
from db.integrity import expected_of
from models.config import RunConfig
from models.run_record import GateResult, RunRecord
from tasks.caching import ONCE
from tasks.openable import (
    Opens,
    cell_opener,
    line_opener,
    metric_opener,
    sample_opener,
    stored_opener,
    with_openers,
)
from tasks.publish_docs import link_docs
from tasks.resources import open_database
from tasks.run_header import RunHeader
from tasks.select_and_score import Scores
from tasks.shard import Shard
from tasks.structured_log import note
from tasks.validate_data import failures_table, require, run_gate
from tasks.validate_database import check_database


def _gate(header: RunHeader, name: str, frame: pd.DataFrame, suite: Any, opens: Opens) -> GateResult:
    """Validate, show what failed, stop on a critical failure. Raises GateFailed."""
    return _shown(header, run_gate(name, frame, suite, header.docs_dir), opens)


def _shown(header: RunHeader, result: GateResult, opens: Opens) -> GateResult:
    """A table of what failed, with what a person opens to see it, and the Data Docs beside it. Raises GateFailed."""
    result = with_openers(result, opens)
    name = result.gate
    bad = {"failures": len(result.failures), "evaluated": result.evaluated, "passed": result.passed}
    note("gate", level=logging.WARNING if result.failures else logging.INFO, run=header.run_id, gate=name, **bad)
    if result.failures:
        create_table_artifact(failures_table(result), key=f"gate-{name}", description=f"gate {name}, run {header.run_id}")
    if not result.passed:
        link_docs(header.docs_dir, f"gate {name} stopped run {header.run_id}")
    return require(result)


@task(name="gate-problems", **ONCE)
def gate_problems(header: RunHeader, config: RunConfig, whole: Shard) -> list[GateResult]:
    """Before anything is sampled."""
    frame = problem_frame(whole.problems.values())
    return [_gate(header, "problems", frame, problem_suite(), line_opener(config.benchmark.problems))]


@task(name="gate-samples", **ONCE)
def gate_samples(header: RunHeader, config: RunConfig, whole: Shard) -> list[GateResult]:
    """Before anything is executed: solutions, and tests where any were asked for."""
    n, m = config.n_solutions, config.n_tests
    drawn, tests = sample_frame(whole.solutions, whole.problems, n, whole.samples.get("solution")), whole.samples.get("test")
    opens = sample_opener(header.run_id, "solution", config.policy)
    gates = [_gate(header, "samples", drawn, sample_suite(n, config.gates), opens)]
    if m:
        frame, opens = sample_frame(whole.tests, whole.problems, m, tests), sample_opener(header.run_id, "test", config.tests)
        gates.append(_gate(header, "tests", frame, generated_test_suite(m, config.gates), opens))
    return gates


@task(name="gate-matrices", **ONCE)
def gate_matrices(header: RunHeader, config: RunConfig, whole: Shard) -> list[GateResult]:
    """Before anything is published."""
    frame, opens = matrix_frame(whole.matrices, whole.solutions, whole.tests), cell_opener(header.run_id, whole.matrices)
    return [_gate(header, "matrices", frame, matrix_suite(config.gates), opens)]


@task(name="gate-metrics", **ONCE)
def gate_metrics(header: RunHeader, scores: Scores) -> list[GateResult]:
    """Figures in their range; an undefined one is listed, never a zero."""
    return [_gate(header, "metrics", metric_frame(scores.metrics), metric_suite(), metric_opener(header.run_id))]


@task(name="gate-database", **ONCE)
def gate_database(header: RunHeader, run: RunRecord) -> list[GateResult]:
    """What SQL holds of the run is whole and what was handed over: before anything is made from it.

    A failure is remembered with the run, which is stored by now, so that people can look and nothing is judged by it.
    """
    found = check_database(header.settings, header.docs_dir, run.run_id, expected_of(run))
    failed = [with_openers(result, stored_opener) for result in found if not result.passed]
    with open_database(header.settings) as store:
        store.set_gates(run.run_id, [*run.gates, *failed])
        if failed:
            store.finish_run(run.run_id)  # another look would find the same
    return [_shown(header, result, stored_opener) for result in found]
