"""What a worker refuses before it works on a shard, and how a shard's failure reads where the run is."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from models import errors
from models.errors import InputError, UnavailableError
from models.matrix import SandboxIdentity

SLOTS = "sandbox.workers=1"


@pytest.fixture
def ordered() -> Any:
    """A begun run of three problems in shards of two, and its orders."""
    from tasks.load_benchmark import load_benchmark
    from tasks.resources import open_database, open_executor
    from tasks.run_header import RunHeader
    from tasks.settings import load_settings
    from tasks.shard_orders import orders_of
    from tests.integration.many_workers import demo

    config = demo("budget.policy=all", SLOTS)
    with open_executor(config.sandbox) as executor:
        sandbox = executor.context(config.sandbox.limits).identity
    header = RunHeader(load_settings(), "", "run-1", sandbox)
    with open_database() as store:
        store.start_run("run-1", header.created_at, "demo", config.model_dump(mode="json"))
    return list(orders_of(header, load_benchmark.fn(config), None))


def test_an_order_is_its_slice_of_the_runs_problems(ordered: Any) -> None:
    from tasks.shard_orders import take_order

    config, shard = take_order.fn(ordered[1])
    assert (ordered[1].first, ordered[1].count, shard.index) == (2, 1, 1)
    assert list(shard.problems) == ["demo/03-roman-numeral"]
    assert config.n_solutions == 6


@pytest.mark.parametrize(
    ("change", "kind", "match"),
    [
        ({"run": "run-2"}, UnavailableError, "knows no run run-2: set CODERM_DATABASE_URL"),
        ({"problems": "0" * 32}, InputError, "problems 0 to 1 are not the run's; expected the same file"),
        (
            {"sandbox": SandboxIdentity(sandbox="docker", image="sha256:1", version="0")},
            UnavailableError,
            "this worker's sandbox is process version .*, the run's is docker sha256:1 version 0",
        ),
    ],
)
def test_a_worker_that_would_fill_another_store_refuses(ordered: Any, change: dict[str, Any], kind: type, match: str) -> None:
    from tasks.shard_orders import take_order

    with pytest.raises(kind, match=match):
        take_order.fn(ordered[0].model_copy(update=change))


def test_a_clusters_worker_with_another_database_refuses_before_it_works(ordered: Any) -> None:
    from tasks.shard_orders import find_run, take_order

    config, shard = take_order.fn(ordered[0])
    find_run.fn(config, shard, "run-1")
    with pytest.raises(UnavailableError, match="knows no run run-2: set CODERM_DATABASE_URL"):
        find_run.fn(config, shard, "run-2")


def test_before_an_allocation_a_shard_runs_what_its_policy_starts_with(ordered: Any) -> None:
    from models.types import TestSet, UnitTest
    from tasks.shard_orders import take_order, tests_to_run
    from tests.integration.many_workers import demo

    order = ordered[0]
    _config, shard = take_order.fn(order)
    asserts = tuple(UnitTest(source=f"assert {x}") for x in (1, 2, 3))
    shard = shard.evolve(tests={t: TestSet(task_id=t, tests=asserts) for t in shard.problems})
    first, second = shard.problems
    greedy = demo('budget.bounds={"elsewhere" = {min_tests = 2}}')
    assert tests_to_run(demo("budget.policy=all"), order, shard) is None
    assert tests_to_run(greedy, order, shard) == {first: 1, second: 1}
    assert tests_to_run(demo("budget.policy=equal"), order, shard) == {first: 0, second: 0}
    assert tests_to_run(greedy, order.model_copy(update={"tests": {first: 2, second: 3}}), shard) == {first: 2, second: 3}


@pytest.mark.parametrize(
    ("message", "kind", "line"),
    [
        ("Flow run encountered an exception: ExhaustedError: s.jsonl: 3 of 8", errors.ExhaustedError, "r-0: s.jsonl: 3 of 8"),
        ("Flow run encountered an exception: MalformedLine: p.jsonl:3: no", InputError, "r-0: p.jsonl:3: no"),
        ("Flow run encountered an exception: SandboxUnavailable: none", errors.SandboxUnavailable, "r-0: none"),
        ("Flow run process exited with non-zero status code -9.", UnavailableError, "shard r-0 ended as Crashed: Flow run process"),
    ],
)
def test_a_shards_failure_has_its_own_kind_and_line(message: str, kind: type, line: str) -> None:
    from uuid import uuid4

    from prefect.client.schemas.objects import FlowRun
    from prefect.states import Crashed

    from tasks.shard_deployment import _error_of

    state = Crashed(message=message)
    found = _error_of(FlowRun(flow_id=uuid4(), name="r-0", state=state, state_name=state.name, state_type=state.type))
    assert type(found) is kind
    assert str(found).startswith(line)


def test_every_error_of_ours_travels_between_processes() -> None:
    made = [
        errors.MalformedLine("p.jsonl", 3, "prompt", "a string"),
        errors.GateFailed("matrices", [{"expectation": "e", "meaning": "m", "column": "c", "unexpected": 0.5}]),
        *(kind("one line") for kind in (errors.InputError, errors.ExhaustedError, errors.SandboxUnavailable)),
    ]
    for error in made:
        back = pickle.loads(pickle.dumps(error))
        assert (type(back), str(back), vars(back)) == (type(error), str(error), vars(error))


def test_settings_that_cannot_be_meant_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from tasks.run_header import RunHeader
    from tasks.settings import Settings
    from tasks.shard_placement import shard_runner
    from tests.integration.many_workers import demo

    def opened(config: Any = None, **settings: Any) -> None:
        with shard_runner(RunHeader(Settings(**settings), "", "run-1"), config or demo(), []):
            pass

    with pytest.raises(InputError, match="both set; expected one of them"):
        opened(task_runner="dask", shard_deployment="a/b")
    with pytest.raises(InputError, match="CODERM_SHARD_DEPLOYMENT: expected a Prefect server"):
        opened(shard_deployment="a/b")
    with pytest.raises(InputError, match="expected with CODERM_TASK_RUNNER=dask or ray, found threads"):
        opened(task_runner="threads", task_runner_address="tcp://host:8786")
    with pytest.raises(InputError, match="workers elsewhere need a Prefect server"):
        opened(task_runner="dask", task_runner_address="tcp://host:8786")
    monkeypatch.setitem(sys.modules, "prefect_ray", None)
    with pytest.raises(UnavailableError, match=r"CODERM_TASK_RUNNER=ray: prefect_ray is not installed; `pip install .*\[ray\]'`"):
        opened(task_runner="ray")
