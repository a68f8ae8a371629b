"""The small run that the MLflow tests log: two problems, two solutions, two tests, one undefined metric."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from models.matrix import ExecutionContext, PassMatrix
from models.run_record import GeneratorIdentity, RunRecord
from models.types import CheckTruth, Labels, Problem, Ranking, SolutionSet, TestSet, UnitTest


def recorded_run(run_id: str = "20261123-000000-abcd", **changes: Any) -> RunRecord:
    """Two problems, two solutions, two tests, one undefined metric."""
    solutions = {t: SolutionSet(task_id=t, solutions=(f"{t} = 1", f"{t} = 2")) for t in ("a", "b")}
    tests = {t: TestSet(task_id=t, tests=(UnitTest(source="assert 1"), UnitTest(source="assert 2"))) for t in ("a", "b")}
    cells = {"a": [[10, 8], [2, 0]], "b": [[8, 8], [10, 10]]}
    matrices = {
        t: PassMatrix(
            task_id=t,
            verdicts=np.array(cells[t], np.uint8),
            duration_ms=np.zeros((2, 2), np.float32),
            context=ExecutionContext(sandbox="docker", image="sha256:feed", version="1", timeout_s=1.0, memory_mib=64),
            solution_digests=solutions[t].digests,
            test_digests=tests[t].digests,
        )
        for t in solutions
    }
    run = RunRecord(
        run_id=run_id,
        benchmark="demo",
        config={
            "benchmark": {"problems": "p.jsonl"},
            "n_solutions": 2,
            "k": [1, 2],
            "sandbox": {"limits": {"timeout_s": 1.0}},
            "seed": 7,
        },
        created_at="2026-11-23T00:00:00.000+00:00",
        problems={
            t: Problem(
                task_id=t, prompt="?", entry_point="f", style="function", ground_truth=CheckTruth(source="def check(f): pass")
            )
            for t in solutions
        },
        solutions=solutions,
        tests=tests,
        matrices=matrices,
        labels={"a": Labels(task_id="a", correct=(True, None), solution_digests=solutions["a"].digests)},
        rankings={"majority": {"a": Ranking(task_id="a", selector="majority", order=((0, 1),))}},
        allocation=None,
        metrics={"selector/majority/pass_1": 0.75, "cells/total": 8.0, "selector/majority/pass_1_lo": math.nan},
        generators={
            "solution": GeneratorIdentity(backend="replay", model="policy-7b", prompt_version="1"),
            "test": GeneratorIdentity(backend="replay", model="coderm", revision="r1", prompt_version="1"),
        },
        prompt_digests={},
        budget_curves={
            "all": {"selector": "majority", "mean_tests": 2.0, "accuracy": 0.75, "lo": 0.5, "hi": 1.0, "problems": 2},
            "equal": [{"mean_tests": m, "accuracy": m / 4, "lo": m / 8, "hi": math.nan} for m in (1.0, 2.0)],
        },
        provenance={"git_sha": "c0ffee", "prefect_flow_run_id": "flow-1"},
    )
    return replace(run, **changes)
