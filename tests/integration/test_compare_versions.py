"""Versions side by side and promoted, against a real MLflow server and a real Prefect server; cells really run where they must."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from models.matrix import ExecutionContext, PassMatrix
from models.run_record import RunRecord
from models.types import AssertsTruth, Labels, Limits, Problem, Ranking, SolutionSet, TestSet, UnitTest
from tests.prefect_clients import talking_to
from tests.recorded_run import recorded_run

pytest_plugins = ["tests.servers"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.filterwarnings("default")]

RIGHT, WRONG = "def sq(x):\n    return x * x\n", "def sq(x):\n    return x + x\n"
PROBLEMS = 6
TRUE_TESTS = ("assert sq(3) == 9", "assert sq(1) == 1")
WEAK_TESTS = ("assert sq(2) == 4", "assert sq(0) == 0", "assert sq(3) == 6")


def run_of(sandbox: str, tests: tuple[str, ...], verdicts: list[list[int]], benchmark: str = "squares") -> RunRecord:
    """Four right candidates and a wrong one, the same on every problem; the matrix as it was recorded."""
    tasks = [f"sq/{i}" for i in range(PROBLEMS)]
    truth = AssertsTruth(asserts=("assert sq(-3) == 9",))
    solutions = {
        t: SolutionSet(task_id=t, solutions=(WRONG + f"# {t}\n", *(RIGHT + f"# {t} {i}\n" for i in range(4)))) for t in tasks
    }
    columns = {t: TestSet(task_id=t, tests=tuple(UnitTest(source=s) for s in tests)) for t in tasks}
    limits = Limits(timeout_s=2.0, memory_mib=256)
    context = ExecutionContext(sandbox=sandbox, image=None, version="recorded", **limits.model_dump())
    matrices = {
        t: PassMatrix(
            task_id=t,
            verdicts=np.array(verdicts, np.uint8),
            duration_ms=np.full((5, len(tests)), 20, np.float32),
            context=context,
            solution_digests=solutions[t].digests,
            test_digests=columns[t].digests,
        )
        for t in tasks
    }
    labels = {t: Labels(task_id=t, correct=(False, True, True, True, True), solution_digests=solutions[t].digests) for t in tasks}
    return recorded_run(
        f"20261123-{uuid4().hex}",
        benchmark=benchmark,
        config={"n_tests": len(tests), "sandbox": {"runtime": sandbox, "limits": limits.model_dump()}},
        problems={
            t: Problem(task_id=t, prompt=f"square, {t}", entry_point="sq", style="function", ground_truth=truth) for t in tasks
        },
        solutions=solutions,
        tests=columns,
        matrices=matrices,
        labels=labels,
        rankings={
            name: {t: Ranking(task_id=t, selector=name, order=((0,),)) for t in tasks} for name in ("majority", "codet", "b4")
        },
    )


def matrix(*rows: str) -> list[list[int]]:
    return [[10 if c == "+" else 8 for c in row] for row in rows]


WEAK = matrix("+++", *["++-"] * 4)
"""The wrong candidate passes one test more: majority follows it, CodeT follows the four that agree."""


@pytest.fixture
def place(mlflow_server: str, prefect_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[RunRecord], str]]:
    """Saves runs; the registry is empty."""
    from mlflow import MlflowClient

    from tasks.resources import open_database

    monkeypatch.setenv("CODERM_MLFLOW_TRACKING_URI", mlflow_server)
    client = MlflowClient(mlflow_server)
    for model in client.search_registered_models():
        client.delete_registered_model(model.name)

    def save(run: RunRecord) -> str:
        with open_database() as store:
            store.save_run(run)
        return run.run_id

    with talking_to(prefect_server):
        yield save


def test_two_rules_on_one_run(place: Callable[[RunRecord], str], mlflow_server: str) -> None:
    from mlflow import MlflowClient
    from prefect.client.orchestration import get_client

    from flows.compare import compare

    run = place(run_of("process", WEAK_TESTS, WEAK))
    done = compare(f"{run}:codet", f"{run}:majority")
    assert done["cells"] == {"asked": 2 * 15 * PROBLEMS, "reused": 2 * 15 * PROBLEMS, "executed": 0}
    whole = done["slices"][0]
    assert (whole["A"], whole["B"], whole["only A right"], whole["only B right"]) == (1.0, 0.0, PROBLEMS, 0)
    assert whole["McNemar p"] == pytest.approx(2 / 2**PROBLEMS, abs=1e-4)
    assert (done["changed"][0]["a_choice"], done["changed"][0]["b_choice"]) == ("1, 2, 3, 4", "0")
    assert not done["not_worse"]

    client = MlflowClient(mlflow_server)
    a, b = (client.get_run(i) for i in done["mlflow_runs"])
    assert set(a.data.metrics) == set(b.data.metrics)
    assert (a.data.metrics["accuracy"], b.data.metrics["accuracy"]) == (1.0, 0.0)
    assert {"accuracy/quintile_1", "cost/tests", "cost/seconds", "cost/tokens", "mcnemar_p"} <= set(a.data.metrics)
    ours = [{k for k in r.data.tags if not k.startswith("mlflow.")} for r in (a, b)]
    assert ours[0] == ours[1]
    assert (a.data.tags["selector"], b.data.tags["selector"]) == ("codet", "majority")
    assert a.data.tags["coderm.comparison"] == b.data.tags["coderm.comparison"]
    inputs = [[(d.dataset.name, d.dataset.digest) for d in r.inputs.dataset_inputs] for r in (a, b)]
    assert inputs[0] == inputs[1]
    assert len(inputs[0]) == 2
    table = json.loads(_text(client, b.info.run_id, "changed.json"))
    assert len(table["data"]) == PROBLEMS

    with get_client(sync_client=True) as prefect:
        keys = {artifact.key for artifact in prefect.read_artifacts()}
    assert any(key.endswith("-changed") for key in keys if key)


def _text(client: Any, run_id: str, path: str) -> str:
    from pathlib import Path

    return Path(client.download_artifacts(run_id, path)).read_text()


def test_cells_of_another_sandbox_run_once_and_are_then_known(place: Callable[[RunRecord], str]) -> None:
    """B was recorded in a container, A in processes: B's cells are asked again beside A's, and are known the next time."""
    from tasks.compare_versions import compare_versions

    a = place(run_of("process", WEAK_TESTS, WEAK))
    b = place(run_of("docker", TRUE_TESTS, matrix("+-", *["-+"] * 4)))
    first = compare_versions(f"{a}:majority", f"{b}:majority")
    n, m = 5 * PROBLEMS, len(TRUE_TESTS)
    assert (first.cells.cells, first.cells.executed) == (n * 5, n * m)
    assert [o.b.expected for o in first.outcomes] == [1.0] * PROBLEMS  # what was recorded in the container was wrong
    again = compare_versions(f"{a}:majority", f"{b}:majority")
    assert (again.cells.executed, again.cells.reused) == (0, n * 5)
    assert [o.b for o in again.outcomes] == [
        replace(o.b, seconds=p.b.seconds) for o, p in zip(first.outcomes, again.outcomes, strict=True)
    ]


def test_shared_cells_have_one_verdict(place: Callable[[RunRecord], str]) -> None:
    """B asked A's first two tests on the same candidates and got other verdicts on a bad night: both sides read A's."""
    from tasks.compare_versions import compare_versions

    a = place(run_of("process", WEAK_TESTS, WEAK))
    b = place(run_of("process", WEAK_TESTS[:2], matrix("++", *["--"] * 4)))
    done = compare_versions(f"{a}:codet", f"{b}:codet")
    assert done.cells.executed == 0
    assert {o.b.groups for o in done.outcomes} == {(0, 1, 2, 3, 4)}


def test_references_that_are_nothing(place: Callable[[RunRecord], str]) -> None:
    from models.errors import InputError
    from tasks.compare_versions import compare_versions

    run = place(run_of("process", WEAK_TESTS, WEAK))
    other = place(run_of("process", WEAK_TESTS, WEAK, benchmark="cubes"))
    for a, b, names, match in (
        ("champion", run, (), "no version of `coderm models list`, and no run"),
        (f"{run}:srank", run, (), "'srank' was not computed"),
        (run, other, (), "no benchmark of both"),
        (run, run, ("cubes",), "no run on benchmark 'cubes'"),
    ):
        with pytest.raises(InputError, match=match):
            compare_versions(a, b, names)


def test_promotion_is_guarded(place: Callable[[RunRecord], str], capsys: pytest.CaptureFixture[str]) -> None:
    from flows.__main__ import run as coderm
    from tasks.model_registry import PROMOTION_TAG, all_versions, show_version
    from tasks.register_version import register_run

    run = place(run_of("process", WEAK_TESTS, WEAK))
    good, bad = (register_run(run, name)[0].number for name in ("codet", "majority"))
    assert coderm(["models", "promote", str(good)]) == 0  # the first champion has nobody to be compared with
    assert show_version("champion").number == good
    capsys.readouterr()
    assert coderm(["models", "promote", "challenger"]) == 1
    assert "stays challenger" in capsys.readouterr().err
    assert show_version("champion").number == good
    assert coderm(["models", "promote", "challenger", "--force"]) == 2
    assert coderm(["models", "promote", "challenger", "--force", "--reason", "the contract asks for it"]) == 0
    assert [v.aliases for v in all_versions()] == [("champion",), ()]
    record = json.loads(show_version("champion").tags[PROMOTION_TAG])
    assert (record["forced"], record["reason"], record["instead_of"]) == (True, "the contract asks for it", good)
    assert show_version("champion").number == bad
    assert coderm(["models", "promote", str(good)]) == 0  # back: better than what was forced
    assert json.loads(show_version("champion").tags[PROMOTION_TAG])["forced"] is False
    assert coderm(["models", "promote", str(good)]) == 2
    assert coderm(["compare", "champion", str(bad), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out.strip().splitlines()[-1])["slices"][0]["B is"] == "worse"
