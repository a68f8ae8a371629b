"""What a run would take, before it starts: an upper bound from sizes and one stated speed, no promise."""

from __future__ import annotations

import os

from models.config import RunConfig
from models.types import Problem
from tasks.jsonl import read_lines

CELLS_PER_S_A_SLOT = 400
"""Cells a slot and second: about half of what bench_sandbox.py measured (774), since its cells are short; time-outs come on top."""
BYTES_A_CELL = 35.0
"""SQLite bytes: 51 MB of known verdicts and 5 MB of matrix for 1.64 M cells (bench_store.py), most of it digests of tests."""


def estimate_run(config: RunConfig) -> dict[str, str]:
    """Quantity → value, for ``--dry-run``. Raises InputError where the problems cannot be read."""
    problems = sum(1 for _ in read_lines(config.benchmark.problems, Problem))
    problems = min(problems, config.benchmark.limit or problems)
    per_problem = config.n_tests if config.budget.policy == "all" else min(config.n_tests, config.budget.mean_tests)
    cells = round(problems * config.n_solutions * per_problem)
    slots = config.sandbox.workers or os.cpu_count() or 1
    worst = cells * config.sandbox.limits.timeout_s / slots
    return {
        "problems": f"{problems:,}",
        "solutions": f"{problems * config.n_solutions:,}",
        "tests": f"{problems * config.n_tests:,}",
        "cells": f"{cells:,}",
        "tokens": "0 (replay)",
        "hours, when cells are short": f"{cells / CELLS_PER_S_A_SLOT / slots / 3600:.2f} ({slots} slots)",
        "hours, when every cell times out": f"{worst / 3600:.2f}",
        "disk": f"{cells * BYTES_A_CELL / 1e6:.1f} MB",
    }
