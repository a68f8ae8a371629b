"""coderm calibrate from files to weights, MLflow and a greedy allocation that uses them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.errors import InputError
from models.types import Labels, SolutionSet

pytest_plugins = ["tests.servers"]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("default"),  # Prefect and MLflow in one process, each with deprecations of its own
]


def write(path: Path, lines: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def files(folder: Path, problems: int = 24) -> None:
    """Every second problem is hard: long statement, branched candidates, few of them right."""
    lines: dict[str, list[dict[str, Any]]] = {name: [] for name in ("problems", "solutions", "labels", "tests", "nll")}
    for i in range(problems):
        task, hard = f"p/{i}", i % 2 == 1
        truth = {"kind": "check", "source": "def check(f):\n    assert f(1) == 1\n"}
        prompt = "Return x, unless it is not even and no list holds it. " * (5 if hard else 1)
        branches = "".join(f"    if x == {k}: return {k}\n" for k in range(6 if hard else 0))
        sources = [f"def f(x):\n{branches}    return {k}\n" for k in range(4)]
        lines["problems"].append(
            {"task_id": task, "prompt": prompt, "entry_point": "f", "style": "function", "ground_truth": truth}
        )
        lines["solutions"].append({"task_id": task, "solutions": sources})
        digests = SolutionSet(task_id=task, solutions=tuple(sources)).digests
        right = [not hard, not hard, i % 4 == 0, False]
        lines["labels"].append({"task_id": task, "correct": right, "solution_digests": digests})
        lines["tests"].append({"task_id": task, "tests": [f"assert f({k}) == {k}" for k in range(6)]})
        lines["nll"].append({"task_id": task, "nll": [1.5 if hard else 0.2]})
    for name, rows in lines.items():
        write(folder / f"{name}.jsonl", rows)


def sources(folder: Path) -> list[str]:
    return [part for name in ("problems", "solutions", "labels") for part in (f"--{name}", str(folder / f"{name}.jsonl"))]


def test_weights_are_measured_kept_tracked_and_spent_by(
    prefect_client: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from mlflow import MlflowClient

    from flows.__main__ import run
    from models.config import RunConfig
    from models.types import Problem, TestSet
    from tasks.allocate_budget import allocate_budget, probe_counts
    from tasks.jsonl import read_lines
    from tasks.settings import load_settings
    from tasks.shard import Shard

    files(tmp_path)
    assert run(["calibrate", "difficulty", "--type", "text", *sources(tmp_path), "--format", "json"]) == 0
    done = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert done["held_out"]["spearman"] > 0.7
    assert done["held_out"]["brier"] < done["base"]["brier"]
    weights = Path(done["weights"])
    assert weights.name == f"text-{done['trained_on'][:12]}.safetensors"
    tracked = MlflowClient(load_settings().mlflow_uri)
    logged = tracked.get_run(done["mlflow_run_id"])
    assert logged.info.status == "FINISHED"
    assert logged.data.metrics["held_out/brier"] == pytest.approx(done["held_out"]["brier"])
    assert logged.data.params["trained_on"] == done["trained_on"]
    assert [file.path for file in tracked.list_artifacts(done["mlflow_run_id"], "weights")] == [f"weights/{weights.name}"]

    paths = {name: tmp_path / f"{name}.jsonl" for name in ("problems", "solutions", "tests")}
    budget = {"policy": "greedy", "mean_tests": 2, "difficulty": {"type": "text", "path": weights}}
    settings = {"benchmark": {"name": "p", "problems": paths["problems"]}, "policy": {"type": "replay", "path": paths["solutions"]}}
    config = RunConfig.model_validate({**settings, "tests": {"type": "replay", "path": paths["tests"]}, "budget": budget})
    problems = {p.task_id: p for p in read_lines(paths["problems"], Problem)}
    solutions = {s.task_id: s for s in read_lines(paths["solutions"], SolutionSet)}
    whole = Shard(0, problems, solutions=solutions, tests={t.task_id: t for t in read_lines(paths["tests"], TestSet)})
    assert probe_counts(config, whole) is None
    allocation = allocate_budget.fn(config, whole)
    assert sum(allocation.tests.values()) == 48
    assert "text predictor" in allocation.source
    assert np.mean([allocation.rates[f"p/{i}"] for i in range(0, 24, 2)]) > np.mean(
        [allocation.rates[f"p/{i}"] for i in range(1, 24, 2)]
    )


def test_what_calibrate_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from flows.__main__ import run
    from models.config import RunConfig

    files(tmp_path, 4)
    for argv, why in (
        (["--type", "text"], "expected a run, or problems, solutions and labels together"),
        (["--type", "text", *sources(tmp_path)[:4]], "expected a run, or problems, solutions and labels together"),
        (["--type", "text", *sources(tmp_path), "--run", "x"], "expected a run, or problems, solutions and labels together"),
        (["--type", "probe", *sources(tmp_path)], "states goes with type probe"),
        (["--type", "psychic", *sources(tmp_path)], "field 'type'"),
    ):
        assert run(["calibrate", "difficulty", *argv]) == 2
        assert why in capsys.readouterr().err
    with pytest.raises(ValueError, match="difficulty goes with policy greedy, not with equal"):
        RunConfig.model_validate(
            {
                "benchmark": {"name": "p", "problems": "p"},
                "policy": {"type": "replay", "path": "s"},
                "tests": {"type": "replay", "path": "t"},
                "budget": {"policy": "equal", "difficulty": {"type": "nll", "path": "w", "nll": "n"}},
            }
        )


def test_training_data_have_a_name_that_changes_with_them(tmp_path: Path) -> None:
    from models.calibrate_config import DifficultyCalibration
    from tasks.fit_difficulty import load_training

    files(tmp_path, 6)
    data = {name: tmp_path / f"{name}.jsonl" for name in ("problems", "solutions", "labels")}
    config = DifficultyCalibration.model_validate({"type": "nll", "data": data, "nll": tmp_path / "nll.jsonl"})
    first, again = load_training.fn(config), load_training.fn(config)
    assert first.digest == again.digest
    assert first.rates.tolist() == [0.75, 0.0, 0.5, 0.0, 0.75, 0.0]
    write(tmp_path / "nll.jsonl", [{"task_id": f"p/{i}", "nll": [0.5]} for i in range(6)])
    assert load_training.fn(config).digest != first.digest
    lines = [json.loads(line) for line in (tmp_path / "labels.jsonl").read_text().splitlines()]
    lines[2]["solution_digests"][0] = "0" * 32
    write(tmp_path / "labels.jsonl", lines)
    with pytest.raises(InputError, match="'p/2': expected the labels of"):
        load_training.fn(config)


def test_a_stored_run_is_training_data_too() -> None:
    from models.calibrate_config import DifficultyCalibration
    from tasks.fit_difficulty import load_training
    from tasks.resources import open_database
    from tests.recorded_run import recorded_run

    first = recorded_run()
    labels = {t: Labels(task_id=t, correct=(True, None), solution_digests=first.solutions[t].digests) for t in ("a", "b")}
    both = recorded_run("20261123-000001-beef", labels=labels)
    with open_database() as store:
        store.save_run(first)
        store.save_run(both)
    config = DifficultyCalibration.model_validate({"type": "text", "data": {"run": both.run_id}})
    training = load_training.fn(config)
    assert [fact.task_id for fact in training.facts] == ["a", "b"]
    assert training.facts[0].solutions == first.solutions["a"].solutions
    assert training.rates.tolist() == [1.0, 1.0]
    config = DifficultyCalibration.model_validate({"type": "text", "data": {"run": first.run_id}})
    with pytest.raises(InputError, match="1 problems with statement, solutions and labels"):
        load_training.fn(config)
