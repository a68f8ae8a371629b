"""What one run of the ``benchmark-shard`` deployment is asked to do, and the checks of the worker that takes it, or of a cluster's.

An order names the run and a slice of its problems; the configuration is in the run's database, so nothing large travels. The worker
puts only content-addressed things into that database: responses, verdicts, cells of labels. Hence whoever asks next finds them
known, and an order may be carried out twice, or in part. Refuses, each in one line: a database that does not know the run, a file
of problems that is not the run's, and a sandbox that is not the run's, since its cells would be known to nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from prefect import task

from models.config import RunConfig
from models.errors import InputError, UnavailableError
from models.fingerprint import digest_json
from models.matrix import SandboxIdentity
from models.types import Record
from tasks.allocate_budget import probe_counts
from tasks.caching import ONCE
from tasks.load_problems import load_problems
from tasks.resources import open_database, open_executor
from tasks.run_header import RunHeader
from tasks.settings import Settings, load_settings
from tasks.shard import Shard
from tasks.structured_log import note, start_own_log


class ShardOrder(Record):
    """``first``, ``count``: which problems; ``problems``: their digest; ``tests``: task id → how many, None: not allocated yet."""

    run: str
    shard: int
    first: int
    count: int
    problems: str
    sandbox: SandboxIdentity
    tests: dict[str, int] | None = None


def orders_of(header: RunHeader, shards: Sequence[Shard], tests: Mapping[str, int] | None) -> Iterator[ShardOrder]:
    """One order a shard."""
    first = 0
    assert header.sandbox is not None
    for shard in shards:
        yield ShardOrder(
            run=header.run_id,
            shard=shard.index,
            first=first,
            count=len(shard.problems),
            problems=_digest(shard),
            sandbox=header.sandbox,
            tests=None if tests is None else {t: tests[t] for t in shard.problems},
        )
        first += len(shard.problems)


def _digest(shard: Shard) -> str:
    return digest_json([problem.digest for problem in shard.problems.values()])


@task(name="take-order", **ONCE)
def take_order(order: ShardOrder) -> tuple[RunConfig, Shard]:
    """The run's configuration and the shard, still without samples. Raises InputError, UnavailableError."""
    settings = load_settings()
    start_own_log()
    config = _begun(order.run, settings)
    with open_executor(config.sandbox, settings) as executor:
        found = executor.context(config.sandbox.limits).identity
    if found != order.sandbox:
        raise UnavailableError(
            f"this worker's sandbox is {found}, the run's is {order.sandbox}: "
            "expected the same code and image on all machines (`coderm sandbox build`)"
        )
    note("shard begun", run=order.run, shard=order.shard, problems=order.count)
    return config, _sliced(config, order)


@task(name="find-run", task_run_name="find-run-{shard.index}", **ONCE)
def find_run(config: RunConfig, shard: Shard, run: str) -> None:  # noqa: ARG001 - a stage
    """On a cluster's worker, a shard each, before any work. Raises UnavailableError where its database is not the run's."""
    _begun(run, load_settings())


def _begun(run: str, settings: Settings) -> RunConfig:
    with open_database(settings) as store:
        try:
            return RunConfig.model_validate(store.started_run(run)[1])
        except InputError:
            raise UnavailableError(
                f"the database {settings.shown_database} of this worker knows no run {run}: "
                "set CODERM_DATABASE_URL to the one of the run that asks"
            ) from None


def _sliced(config: RunConfig, order: ShardOrder) -> Shard:
    path = config.benchmark.problems
    problems = list(load_problems(path, config.benchmark.limit).items())[order.first : order.first + order.count]
    shard = Shard(order.shard, dict(problems))
    if _digest(shard) != order.problems:
        last = order.first + order.count - 1
        raise InputError(f"{path}: problems {order.first} to {last} are not the run's; expected the same file on all machines")
    return shard


def tests_to_run(config: RunConfig, order: ShardOrder, shard: Shard) -> dict[str, int] | None:
    """task id → tests to run now; None: all. Before there is an allocation: what every policy of that name starts with."""
    if order.tests is not None or config.budget.policy == "all":
        return order.tests
    bounds = {t: b for t, b in config.budget.bounds.items() if t in shard.problems}
    here = config.model_copy(update={"budget": config.budget.model_copy(update={"bounds": bounds})})
    return probe_counts(here, shard) or dict.fromkeys(shard.problems, 0)
