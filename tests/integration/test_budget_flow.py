"""Adaptive budgets in the live flow: the decisions, the cells and the audit trail of a replay of the whole matrix."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest_plugins = ["tests.servers"]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("default"),  # three foreign servers in one process, each with deprecations of its own
]

CHECK = "def check(candidate):\n    assert candidate(3) == 9\n    assert candidate(-2) == 4\n"
BODIES = ("x * x", "x + x", "x ** 2", "abs(x) * abs(x)", "x", "9", "x * x + 0", "-x * x", "x * abs(x)", "x * x * 1", "4", "2 * x")
ASSERTS = ("sq(3) == 9", "sq(2) == 5", "sq(2) == 4", "sq(-2) == 4", "sq(0) == 7", "sq(1) == 1", "sq(3) == 9")


def config(folder: Path, **budget: Any) -> Any:
    from models.config import RunConfig

    lines: dict[str, list[dict[str, Any]]] = {"problems": [], "solutions": [], "tests": []}
    for task in (f"sq/{i}" for i in range(3)):
        truth = {"kind": "check", "source": CHECK}
        lines["problems"].append({"task_id": task, "prompt": task, "entry_point": "sq", "style": "function", "ground_truth": truth})
        turn = int(task[-1])
        bodies = BODIES[turn:] + BODIES[:turn]
        lines["solutions"].append({"task_id": task, "solutions": [f"def sq(x):\n    return {body}\n" for body in bodies]})
        lines["tests"].append({"task_id": task, "tests": [f"assert {text}" for text in ASSERTS[turn:] + ASSERTS[:turn]]})
    for name, rows in lines.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return RunConfig.model_validate(
        {
            "benchmark": {"name": "squares", "problems": folder / "problems.jsonl"},
            "policy": {"type": "replay", "path": folder / "solutions.jsonl"},
            "tests": {"type": "replay", "path": folder / "tests.jsonl"},
            "n_solutions": 12,
            "n_tests": 7,
            "k": [1],
            "sandbox": {"runtime": "process"},
            "shard_problems": 2,
            "budget": budget,
        }
    )


def loaded(settings: Any) -> Any:
    """All problems as one shard, as the flow has them before it spends its budget."""
    from models.types import Problem, SolutionSet, TestSet
    from tasks.jsonl import read_lines
    from tasks.shard import Shard

    problems = {p.task_id: p for p in read_lines(settings.benchmark.problems, Problem)}
    solutions = {s.task_id: s for s in read_lines(settings.policy.path, SolutionSet)}
    return Shard(0, problems, solutions=solutions, tests={t.task_id: t for t in read_lines(settings.tests.path, TestSet)})


def test_the_live_flow_decides_as_the_replay_of_the_whole_matrix(prefect_client: None, tmp_path: Path, capsys: Any) -> None:
    from flows.__main__ import run as command
    from flows.benchmark import benchmark
    from models.budget_adaptive import audit_schedule, schedule_of, spend
    from models.reward.choice import replay_problem
    from models.types import Verdict
    from tasks.execute_matrix import execute_matrix
    from tasks.resources import open_database

    settings = config(tmp_path, policy="adaptive", mean_tests=4)
    summary = benchmark(settings)
    with open_database() as store:
        live = store.load_run(summary["run_id"])
    whole = execute_matrix.fn(settings, loaded(settings))
    problems = [replay_problem(matrix, live.labels[task]) for task, matrix in whole.matrices.items()]
    schedules = [schedule_of(problem, np.arange(problem.units)[None, :]) for problem in problems]
    events, _ = spend(schedules, [12])
    assert live.allocation.policy == "adaptive"
    for index, (task, matrix) in enumerate(live.matrices.items()):
        replayed = audit_schedule(schedules[index], 0)[: events[0, 0, index]]
        assert [(s["test"], s["decision"]) for s in live.allocation.trail[task]] == [(s.test, s.decision) for s in replayed]
        assert {step.decision for step in replayed} >= {"ran on all", "put aside"}
        asked = matrix.asked
        assert 0 < asked.sum() < asked.size
        assert (matrix.verdicts[asked] == whole.matrices[task].verdicts[asked]).all()
        assert (matrix.verdicts[~asked] == Verdict.NOT_ASKED).all()
    assert command(["runs", "show", live.run_id, "--trail", "sq/1", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["trail"] == live.allocation.trail["sq/1"]
    assert command(["runs", "show", live.run_id, "--trail", "sq/1"]) == 0
    assert "put aside" in capsys.readouterr().out
    assert command(["runs", "show", live.run_id, "--trail", "sq/9"]) == 2
    assert "no task 'sq/9'" in capsys.readouterr().err


def test_a_stop_rule_in_the_live_flow_leaves_its_trail(tmp_path: Path) -> None:
    from tasks.spend_budget import execute_rounds

    settings = config(tmp_path, policy="lead", mean_tests=6)
    done, allocation = execute_rounds.fn(settings, loaded(settings))
    assert list(done.matrices) == [f"sq/{i}" for i in range(3)]
    for task, steps in allocation.trail.items():
        assert [step["tests"] for step in steps] == list(range(1, len(steps) + 1))
        assert all(step["decision"] == "go on" for step in steps[:-1])
        assert steps[-1]["decision"] in {"lead", "futility", "share spent"}
        assert allocation.tests[task] == len(steps)


def test_limits_that_a_policy_would_ignore_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="min_tests goes with policy equal or greedy, not with adaptive"):
        config(tmp_path, policy="adaptive", min_tests=1)
