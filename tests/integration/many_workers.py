"""One small benchmark of several shards as a user's command, what its database holds then, and which processes ran its cells."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from models.operations import TIMELINE, results_of
from tests.contracts.store_records import plain
from tests.processes import ROOT

DEMO = ROOT / "infra" / "demo" / "demo.toml"
SHARDS = ("benchmark.limit=3", "shard_problems=2", "n_solutions=6", "n_tests=4", "budget.policy=greedy", "budget.mean_tests=2")
"""Two shards; greedy executes in two steps, and what the second one asks hangs on what the first one found in all shards."""
SMALL = (*SHARDS, "sandbox.runtime=process", "sandbox.limits.timeout_s=20", "label_timeout_s=20")
"""Limits that no cell comes near: those are not stored, and the machine may be busy. For the same reason no ground truth by inputs,
whose cells are grouped by how long the reference took (models/input_truth.py); the first three problems have none."""


def demo(*changes: str) -> Any:
    """The configuration."""
    from tasks.read_config import read_config

    return read_config(DEMO, [*SMALL, *changes])


def run_demo(home: Path, server: str, *changes: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """``coderm run`` with its state in ``home`` against a Prefect server."""
    settings = [word for change in (*SMALL, *changes) for word in ("--set", change)]
    base = {"CODERM_HOME": str(home), "PREFECT_API_URL": server, "PREFECT_HOME": str(home / "prefect"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "flows", "run", str(DEMO), *settings]
    return subprocess.run(
        command, env={**os.environ, **base, **variables}, capture_output=True, text=True, check=False, timeout=600
    )


def run_of(database: Path | str) -> Any:
    """The newest run that the database (a file, or a URL) holds, comparable: without times and ids."""
    from db.store import open_store

    with open_store(database if isinstance(database, str) else f"sqlite:///{database}") as store:
        row = store.list_runs()[0]
        run = store.load_run(row["run_id"])
        assert not store.started_runs()
    timeless = {t: replace(m, duration_ms=m.duration_ms * 0) for t, m in run.matrices.items()}
    digests = {name: value for name, value in run.provenance.items() if name.endswith("_digest")}
    curves = {name: rows for name, rows in run.budget_curves.items() if name != TIMELINE}
    measured = replace(run, metrics=results_of(run.metrics), budget_curves=curves, provenance=digests)
    return plain(replace(measured, run_id="", created_at="", matrices=timeless))


def known_cells(database: Path) -> dict[tuple[str, ...], tuple[Any, ...]]:
    """Every known cell: context, solution and test → verdict, flags, output."""
    from db.codec import decode_cells

    with closing(sqlite3.connect(database)) as raw:
        rows = raw.execute("SELECT context_key, solution_digest, codec, data FROM verdict_row").fetchall()
    return {
        (context, solution, test): (cell.verdict, cell.flags, cell.output)
        for context, solution, codec, data in rows
        for test, cell in decode_cells(codec, data).items()
    }


def executed(home: Path) -> list[dict[str, Any]]:
    """The events of shards whose cells were run, or found, by processes with this state."""
    lines = (home / "log" / "events.jsonl").read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == "shard executed"]
