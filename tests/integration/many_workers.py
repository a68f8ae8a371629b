"""One small benchmark of several shards as a user's command, what its database holds then, and which processes ran its cells."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import NullPool, create_engine

from models.operations import TIMELINE, results_of
from tests.contracts.store_records import plain
from tests.processes import ROOT

DEMO = ROOT / "infra" / "demo" / "demo.toml"
SHARDS = (
    "benchmark.limit=3",
    "shard_problems=2",
    "n_solutions=6",
    "k=[1,2]",
    "n_tests=4",
    "budget.policy=greedy",
    "budget.mean_tests=2",
)
"""Two shards; greedy executes in two steps, and what the second one asks hangs on what the first one found in all shards."""
SMALL = (*SHARDS, "sandbox.runtime=process", "sandbox.limits.timeout_s=20", "label_timeout_s=20")
"""Limits that no cell comes near: those are not stored, and the machine may be busy. For the same reason no ground truth by inputs,
whose cells are grouped by how long the reference took (models/input_truth.py); the first three problems have none."""

PATIENCE_S = 600
"""For one command; far more than a busy machine needs."""

SECONDS = {f"sampling/{kind}/{name}" for kind in ("solution", "test") for name in ("seconds", "tokens_per_s")}
SECONDS |= {"sampling/busy_share", "sampling/wall_ratio", "sampling/switch_seconds"}
"""What a live model's time makes of a run."""


def demo(*changes: str) -> Any:
    """The configuration."""
    from tasks.read_config import read_config

    return read_config(DEMO, [*SMALL, *changes])


def run_demo(
    home: Path, server: str, *changes: str, resume: str | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """``coderm run``, or ``coderm runs resume``, with its state in ``home`` against a Prefect server."""
    settings = [word for change in (*SMALL, *changes) for word in ("--set", change)]
    words = ["runs", "resume", resume] if resume else ["run", str(DEMO), *settings]
    base = {"CODERM_HOME": str(home), "PREFECT_API_URL": server, "PREFECT_HOME": str(home / "prefect"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-X", "faulthandler", "-m", "flows", *words]
    started = subprocess.Popen(
        command, env={**os.environ, **base, **variables}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        out, err = started.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        started.send_signal(signal.SIGABRT)  # every thread's stack goes to stderr
        workers = "\n".join(f"{log.parent.name}: {log.read_text()[-3000:]}" for log in home.parent.glob("*/dask.log"))
        raise AssertionError(f"at work for {PATIENCE_S} s:\n{started.communicate()[1]}\n{workers}") from None
    return subprocess.CompletedProcess(command, started.returncode, out, err)


def store_of(home: Path) -> str:
    """URL of the database that is there unless another was asked for."""
    return f"sqlite:///{home / 'coderm.db'}"


def run_of(database: str) -> Any:
    """The newest run of the database at this URL, comparable: without times and ids. Nothing else was begun and not ended."""
    from db.store import open_store

    with open_store(database) as store:
        row = store.list_runs()[0]
        run = store.load_run(row["run_id"])
        assert not store.started_runs()
    timeless = {t: replace(m, duration_ms=m.duration_ms * 0) for t, m in run.matrices.items()}
    digests = {name: value for name, value in run.provenance.items() if name.endswith("_digest")}
    curves = {name: rows for name, rows in run.budget_curves.items() if name != TIMELINE}
    gates = tuple(str(gate).replace(run.run_id, "") for gate in run.gates)
    metrics = {name: value for name, value in results_of(run.metrics).items() if name not in SECONDS}
    measured = replace(run, metrics=metrics, gates=gates, budget_curves=curves, provenance=digests)
    return plain(replace(measured, run_id="", created_at="", matrices=timeless))


def known_cells(database: str) -> dict[tuple[str, ...], tuple[Any, ...]]:
    """Every known cell at this URL: context, solution and test → verdict, flags, output."""
    from db.codec import decode_cells

    with create_engine(database, poolclass=NullPool).connect() as raw:
        rows = raw.exec_driver_sql("SELECT context_key, solution_digest, codec, data FROM verdict_row").fetchall()
    return {
        (context, solution, test): (cell.verdict, cell.flags, cell.output)
        for context, solution, codec, data in rows
        for test, cell in decode_cells(codec, data).items()
    }


def executed(home: Path) -> list[dict[str, Any]]:
    """The events of shards whose cells were run, or found, by processes with this state."""
    lines = (home / "log" / "events.jsonl").read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == "shard executed"]
