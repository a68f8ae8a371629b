"""What ``A`` and ``B`` mean: a version or alias of the registry, or a run, as a version and the stored runs that evaluated it.

champion, challenger, 3, v3      the registry's version, with its newest run on each benchmark
20261123-0045                    the version that the run evaluated, with that run
20261123-0045:codet              the same, choosing by another of the run's rules
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from db.store import SqlStore
from models.errors import InputError
from models.reward_version import RewardVersion, version_of_run
from models.run_record import RunRecord, require_gates
from tasks.mlflow_store import connected
from tasks.model_registry import Registered, find_version
from tasks.settings import Settings


@dataclass(frozen=True, eq=False)
class Side:
    """One of the two: ``runs`` by benchmark; ``number`` where it is registered."""

    label: str
    version: RewardVersion
    runs: Mapping[str, RunRecord]
    number: int | None = None


def resolve_side(reference: str, store: SqlStore, settings: Settings) -> Side:
    """Raises InputError for a name that is neither a version nor a run, or a version whose runs are gone from the store."""
    with connected(settings.mlflow_uri) as client:
        found = find_version(client, reference)
    if found is not None:
        return side_of_version(found, store)
    run_id, _, selector = reference.partition(":")
    try:
        run = store.load_run(run_id)
    except InputError as error:
        raise InputError(f"{reference!r} is no version of `coderm models list`, and no run: {error}") from None
    version = version_of_run(require_gates(run), selector or None)
    label = f"{run.run_id}:{version.selector}"
    return Side(label, version, {run.benchmark: run})


def side_of_version(found: Registered, store: SqlStore) -> Side:
    """A registered version with its newest stored run on each benchmark. Raises InputError where none is stored any more."""
    runs: dict[str, RunRecord] = {}
    for run_id in found.runs:
        try:
            run = require_gates(store.load_run(run_id))
        except InputError:  # pruned, or nothing may be judged by it
            continue
        runs[run.benchmark] = run
    if not runs:
        raise InputError(
            f"version {found.number}: none of its {len(found.runs)} runs is in the database and sound: run it again and register it"
        )
    return Side(f"version {found.number}", found.version, runs, found.number)
