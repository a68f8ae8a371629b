"""The whole flow against a real Prefect server, SQL store, MLflow store and Great Expectations; the smallest real benchmark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest_plugins = ["tests.servers"]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("default"),  # three foreign servers in one process, each with deprecations of its own
]

CHECK = "def check(candidate):\n    assert candidate(3) == 9\n    assert candidate(-2) == 4\n"
GOOD, BAD, LOUD = "def sq(x):\n    return x * x\n", "def sq(x):\n    return x + x\n", "def sq(x):\n    raise ValueError(x)\n"


def test_class(body: str) -> str:
    return f"import unittest\n\n\nclass TestSq(unittest.TestCase):\n    def test_it(self):\n        {body}\n"


test_class.__test__ = False  # type: ignore[attr-defined]


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    problems = [
        {
            "task_id": f"sq/{i}",
            "prompt": f"Square a number, variant {i}.",
            "entry_point": "sq",
            "style": "function",
            "ground_truth": {"kind": "check", "source": CHECK},
        }
        for i in range(3)
    ]
    tests = [test_class(f"self.assertEqual(sq({x}), {y})") for x, y in ((3, 9), (2, 4), (-1, 1), (4, 16))]
    write(tmp_path / "problems.jsonl", problems)
    write(
        tmp_path / "solutions.jsonl",
        [{"task_id": p["task_id"], "solutions": [BAD, GOOD, LOUD, GOOD + "# same\n"]} for p in problems],
    )
    lines = [{"task_id": p["task_id"], "tests": tests} for p in problems]
    lines[0]["limits"] = {"timeout_s": 0.7, "memory_mib": 256}
    write(tmp_path / "tests.jsonl", lines)
    return tmp_path


def write(path: Path, lines: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def config(bench: Path, **changes: Any) -> Any:
    from models.config import RunConfig

    return RunConfig.model_validate(
        {
            "benchmark": {"name": "squares", "problems": bench / "problems.jsonl"},
            "policy": {"type": "replay", "path": bench / "solutions.jsonl"},
            "tests": {"type": "replay", "path": bench / "tests.jsonl"},
            "n_solutions": 4,
            "n_tests": 4,
            "k": [1, 2],
            "sandbox": {"runtime": "process"},
            "shard_problems": 2,
            **changes,
        }
    )


def test_a_run_is_remembered_tracked_shown_and_rebuilt(prefect_client: None, bench: Path) -> None:
    from mlflow import MlflowClient
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

    from flows.benchmark import benchmark
    from tasks.report import write_report
    from tasks.resources import open_database

    summary = benchmark(config(bench))
    assert summary["metrics"]["selector/majority/pass_1"] == 1.0
    assert summary["metrics"]["selector/random/pass_1"] == 0.5

    with open_database() as store:
        run = store.load_run(summary["run_id"])
        assert [r["run_id"] for r in store.list_runs()] == [summary["run_id"]]
    assert list(run.matrices) == ["sq/0", "sq/1", "sq/2"]
    assert run.matrices["sq/1"].counts() == {"failed": 3, "error": 4, "passed": 9}
    assert [g.gate for g in run.gates] == ["problems", "samples", "tests", "matrices", "metrics"]
    assert all(g.passed for g in run.gates)
    assert {t: run.matrices[t].context.timeout_s for t in run.matrices} == {"sq/0": 0.7, "sq/1": 1.0, "sq/2": 1.0}  # a T line's own
    assert run.prompt_digests["solution"]["sq/0"] != run.prompt_digests["solution"]["sq/1"]

    tracked = MlflowClient(summary["mlflow_uri"]).get_run(summary["mlflow_run_id"])
    assert tracked.info.status == "FINISHED"
    assert tracked.data.metrics["selector/majority/pass_1"] == 1.0
    assert tracked.data.tags["coderm.run_id"] == run.run_id

    rebuilt = write_report(run, bench / "again.html")
    assert rebuilt.read_text() == Path(summary["report"]).read_text()

    by_run = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run.provenance["prefect_flow_run_id"]]))
    with get_client(sync_client=True) as client:
        shown = {a.key: a for a in client.read_artifacts(artifact_filter=by_run)}
    assert {"squares-selectors", "squares-problems", "squares-run"} <= set(shown)
    progress = {key: a for key, a in shown.items() if a.type == "progress"}
    stages = {f"progress-{stage}-shard-{shard}" for stage in ("sample", "tests", "execute", "label") for shard in (0, 1)}
    assert set(progress) == stages
    assert {a.data for a in progress.values()} == {100.0}
    assert progress["progress-execute-shard-0"].description == "execute shard 0: 32 of 32"

    counted = [run.metrics[f"ops/{name}"] for name in ("cells", "cells_executed", "cells_reused", "retries", "slots_lost")]
    assert counted == [60, 40, 20, 0, 0]  # 48 and 12 of the truth; the second shard's programs and tests are those of the first
    assert run.metrics["ops/infra_error_share"] == run.metrics["ops/timeout_share"] == 0.0
    assert run.metrics["ops/queue_max"] == 32.0
    assert 0 < run.metrics["ops/slot_busy_share"] <= 1
    assert run.metrics["ops/execute_s"] + run.metrics["ops/label_s"] <= run.metrics["ops/total_s"]
    assert sum(rate for _, rate, _ in run.budget_curves["timeline"]) == 40.0
    history = MlflowClient(summary["mlflow_uri"]).get_metric_history(summary["mlflow_run_id"], "ops/timeline/cells_per_s")
    assert sum(point.value for point in history) == 40.0


def test_a_second_run_executes_nothing_new_and_counts_nothing_twice(prefect_client: None, bench: Path) -> None:
    from flows.benchmark import benchmark
    from models.operations import results_of
    from tasks.resources import open_database

    first, second = benchmark(config(bench)), benchmark(config(bench))
    assert first["run_id"] != second["run_id"]
    assert results_of(first["metrics"]) == results_of(second["metrics"])
    assert (second["metrics"]["ops/cells_executed"], second["metrics"]["ops/reuse_share"]) == (0.0, 1.0)
    assert "ops/infra_error_share" not in second["metrics"]
    with open_database() as store:
        a, b = store.load_run(first["run_id"]), store.load_run(second["run_id"])
    assert (a.matrices["sq/0"].duration_ms == b.matrices["sq/0"].duration_ms).all()


def test_a_run_ranks_with_and_without_the_statements_examples(prefect_client: None, bench: Path) -> None:
    from flows.benchmark import benchmark
    from tasks.resources import open_database

    lines = [json.loads(line) for line in (bench / "problems.jsonl").read_text().splitlines()]
    write(bench / "problems.jsonl", [{**line, "prompt": "Square a number.\nsq(5) == 25\n"} for line in lines])
    wrong = [test_class(f"self.assertEqual(sq({x}), {y})") for x, y in ((3, 6), (4, 8))]
    write(bench / "tests.jsonl", [{"task_id": line["task_id"], "tests": wrong} for line in lines])
    names = {"selectors": ["random", "majority"], "n_tests": 2, "statement_examples": True}
    summary = benchmark(config(bench, **names))
    assert summary["metrics"]["selector/majority/pass_1"] == 0.0
    assert summary["metrics"]["selector/majority+examples/pass_1"] == 1.0
    assert summary["metrics"]["tests/individual/decisions"] == 3 * 4 * 2, "an example is no generated test"
    with open_database() as store:
        run = store.load_run(summary["run_id"])
    assert [test.origin for test in run.tests["sq/0"].tests] == ["statement", "generated", "generated"]
    assert set(run.rankings) == {"random", "majority", "majority+examples"}


def test_a_greedy_budget_asks_only_what_it_allocates(prefect_client: None, bench: Path) -> None:
    from flows.benchmark import benchmark
    from tasks.resources import open_database

    summary = benchmark(config(bench, budget={"policy": "greedy", "mean_tests": 2}))
    with open_database() as store:
        run = store.load_run(summary["run_id"])
    assert run.allocation is not None
    assert sum(run.allocation.tests.values()) == 6
    assert "no labels" in run.allocation.source
    for task_id, matrix in run.matrices.items():
        assert int(matrix.asked.any(axis=0).sum()) == run.allocation.tests[task_id]


def test_a_failed_gate_stops_the_run_before_anything_is_remembered(
    prefect_client: None, bench: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from flows.__main__ import run
    from flows.benchmark import benchmark
    from models.errors import GateFailed
    from tasks.resources import open_database

    looping = "def sq(x):\n    while True:\n        pass\n"
    lines = [{"task_id": f"sq/{i}", "solutions": [looping, GOOD, looping + "#", looping + "##"]} for i in range(3)]
    write(bench / "solutions.jsonl", lines)
    with pytest.raises(GateFailed, match=r"gate matrices: .*; open coderm cell .* sq/0 0 0$") as stopped:
        benchmark(config(bench, sandbox={"runtime": "process", "limits": {"timeout_s": 0.1}}, label=False))
    with open_database() as store:
        assert store.list_runs() == []
        (begun,) = store.started_runs()
    way = str(stopped.value).rpartition("; open coderm ")[2].split()
    assert way[:2] == ["cell", begun["run_id"]]
    capsys.readouterr()
    assert run(way) == 0  # what the gate named can be opened, although no run was stored
    explained = capsys.readouterr().out
    assert explained.count("verdict: timeout") == 2  # known, and rerun
    assert looping in explained
    assert run(["cell", begun["run_id"], "sq/0", "1", "0", "--no-rerun"]) == 0
    assert "verdict: passed" in capsys.readouterr().out
    assert run(["runs", "samples", begun["run_id"][:15], "sq/0", "--kind", "test"]) == 0
    assert capsys.readouterr().out.count("kept as test") == 4
    assert run(["cell", begun["run_id"], "sq/9", "0", "0"]) == 2
    links = artifacts_of(begun["run_id"], "data-docs")
    assert links[0].startswith("[Data Docs](file:")
    assert "stopped run" in links[1]


def artifacts_of(run_id: str, key: str) -> tuple[str, str]:
    """(data, description) of the newest artifact of that key; it must speak of the run."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
    from prefect.client.schemas.sorting import ArtifactSort

    with get_client(sync_client=True) as client:
        found = client.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])), sort=ArtifactSort.CREATED_DESC, limit=1
        )
    assert run_id in (found[0].description or "")
    return str(found[0].data), str(found[0].description)


def test_a_bad_problem_is_named_by_file_and_line(prefect_client: None, bench: Path) -> None:
    from flows.benchmark import benchmark
    from models.errors import GateFailed

    lines = [json.loads(line) for line in (bench / "problems.jsonl").read_text().splitlines()]
    write(bench / "problems.jsonl", [lines[0], {**lines[1], "prompt": " "}, lines[2]])
    with pytest.raises(GateFailed, match=r"gate problems: .*\(prompt_chars\) unexpected=1; open .*problems\.jsonl:2$"):
        benchmark(config(bench))


def test_a_database_that_holds_something_else_stops_the_run_before_anything_is_made(
    prefect_client: None, bench: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import sqlite3

    from flows.__main__ import run
    from flows.benchmark import benchmark
    from models.calibrate_config import DifficultyCalibration
    from models.errors import GateFailed, InputError
    from tasks.compare_versions import compare_versions
    from tasks.fit_difficulty import load_training
    from tasks.judge_regression import judge_regression
    from tasks.resources import open_database
    from tasks.settings import load_settings

    settings = load_settings()
    with open_database(settings):
        client = sqlite3.connect(settings.database.removeprefix("sqlite:///"))
    spoil = "UPDATE metric SET value = 0.125 WHERE run_pk = NEW.run_pk AND name = NEW.name"
    client.execute(f"CREATE TRIGGER spoil AFTER INSERT ON metric WHEN NEW.name = 'selector/majority/pass_1' BEGIN {spoil}; END")
    client.close()
    with pytest.raises(GateFailed, match=r"gate stored-runs: 1 expectations failed: .*\(metrics_changed\) unexpected=1"):
        benchmark(config(bench))
    assert not (settings.root / "reports").exists()
    with open_database() as store:
        ((run_id, failed),) = [(str(row["run_id"]), row["failed_gates"]) for row in store.list_runs()]
    assert failed == "stored-runs"
    refused = f"run {run_id}: gate stored-runs failed"
    with pytest.raises(InputError, match=refused):
        compare_versions(run_id, run_id, [])
    with pytest.raises(InputError, match=refused):
        judge_regression.fn(run_id, run_id, "champion", 0.01, 0.05)
    with pytest.raises(InputError, match=refused):
        load_training.fn(DifficultyCalibration.model_validate({"type": "text", "data": {"run": run_id}}))
    assert run(["models", "register", run_id]) == 2
    assert refused in capsys.readouterr().err
    for looking in (["runs", "list"], ["runs", "show", run_id]):
        assert run(looking) == 0
        assert "stored-runs" in capsys.readouterr().out
    assert run(["report", run_id]) == 0
    assert "its figures may be wrong" in Path(capsys.readouterr().out.strip()).read_text()


def test_a_run_that_stopped_unchecked_is_judged_by_nothing_and_goes_on(
    prefect_client: None, bench: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database is gone just when it would be asked; one that goes before MLflow has it: test_servers.py."""
    from flows.__main__ import run
    from flows.benchmark import benchmark
    from models.errors import InputError, StoreUnavailable
    from tasks.compare_versions import compare_versions
    from tasks.resources import open_database

    def fail(*_given: Any, **_more: Any) -> None:
        raise StoreUnavailable("gone")

    with monkeypatch.context() as patch:
        patch.setattr("tasks.validate_run.check_database", fail)
        with pytest.raises(StoreUnavailable, match="gone"):
            benchmark(config(bench))
    with open_database() as store:
        (row,), (begun,) = store.list_runs(), store.started_runs()
    assert (row["run_id"], row["failed_gates"]) == (begun["run_id"], "unchecked")
    with pytest.raises(InputError, match="stopped between being stored and being checked"):
        compare_versions(begun["run_id"], begun["run_id"], [])
    assert run(["runs", "resume", begun["run_id"]]) == 0
    with open_database() as store:
        (again,) = store.list_runs()
        assert store.started_runs() == []
    assert not again["failed_gates"]
    assert again["metrics"] != row["metrics"], "what was not checked is written again"
    assert run(["runs", "resume", begun["run_id"]]) == 2


def test_a_recording_that_is_too_short_stops_the_run(prefect_client: None, bench: Path) -> None:
    from flows.benchmark import benchmark
    from models.errors import ExhaustedError

    with pytest.raises(ExhaustedError, match="sq/0"):
        benchmark(config(bench, n_solutions=5))


def test_the_commands_on_a_stored_run(prefect_client: None, bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import pandas as pd

    from flows.__main__ import run
    from flows.benchmark import benchmark
    from tasks.settings import load_settings

    summary = benchmark(config(bench))
    run_id = summary["run_id"]
    capsys.readouterr()

    def said(*argv: str) -> str:
        assert run(list(argv)) == 0
        return capsys.readouterr().out

    listed = next(line for line in said("runs", "list").splitlines() if run_id in line)
    assert f"{summary['metrics']['selector/b4-outputs/pass_1']:.4g}" in listed  # one line a run, with what it came to
    assert json.loads(said("runs", "show", run_id[:18], "--format", "json"))["metrics"]["selector/majority/pass_1"] == 1.0
    (one,) = [row for row in json.loads(said("runs", "list", "--format", "json"))["runs"] if row["run_id"] == run_id]
    assert one["metrics"]["selector/majority/pass_1"] == 1.0
    first, rest = said("runs", "show", run_id).split("all metrics")
    assert "pass@1" in first
    assert "selector/" not in first
    assert "selector/majority/pass_1" in rest
    explained = said("cell", run_id, "sq/1", "0", "1")
    assert explained.count("verdict: passed") == 2  # 2 + 2 is 4: recorded and rerun
    assert BAD in explained
    assert run(["cell", run_id, "sq/1", "9", "0"]) == 2
    assert said("runs", "samples", run_id, "sq/1").count("── solution") == 4
    page = Path(said("report", run_id, "--out", str(bench / "page.html")).strip())
    assert "squares" in page.read_text()
    said("db", "export", run_id, "--out", str(bench / "cells"))
    cells = pd.read_parquet(bench / "cells" / "cells.parquet")
    assert len(cells) == 3 * 4 * 4
    assert (cells.verdict == "passed").sum() == 27
    assert "newest" in said("db", "status")
    home = load_settings().root
    left_to_others = {home / "reports" / f"{run_id}0.html", home / "data-docs" / "database" / "page"}
    for path in left_to_others:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert "1 runs deleted, and " in said("runs", "prune", "--keep", "0")
    assert {p for name in ("reports", "data-docs") for p in (home / name).rglob("*") if p.is_file()} == left_to_others


def test_a_dry_run_says_what_it_would_take_and_runs_nothing(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from flows.__main__ import run

    toml = bench / "run.toml"
    toml.write_text(
        'n_solutions = 4\nn_tests = 4\n[benchmark]\nname = "squares"\nproblems = "problems.jsonl"\n'
        '[policy]\ntype = "replay"\npath = "solutions.jsonl"\n[tests]\ntype = "replay"\npath = "tests.jsonl"\n'
    )
    assert run(["run", str(toml), "--dry-run", "--set", "n_tests=2"]) == 0
    assert "24" in capsys.readouterr().out
    assert not (bench / "home" / "coderm.db").exists()
