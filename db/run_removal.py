"""Runs that go, and afterwards what no run uses any more: one run a transaction, the rest in batches.

Nobody waits for long: 50 runs of 164 problems in one transaction would hold SQLite's only writer's lock for longer than a writer
waits. A kill in between leaves whole runs and, at worst, samples that no run uses; the next removal takes those too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, select
from sqlalchemy.orm import InstrumentedAttribute

from db.session import RUNS, reading, writing
from db.tables import Base, Generator, PassMatrixRow, ProblemRow, Run, RunProblem, SampleItem, SampleSet, Source
from models.errors import InputError

Forget = Callable[[str], None]
"""Takes what else there is of a run, by its id, before its rows go; what it raises keeps them."""
BATCH = 20_000
"""Rows a transaction of what no run uses: about a second on a million."""
SHARED: tuple[tuple[type[Base], InstrumentedAttribute[Any], tuple[InstrumentedAttribute[Any], ...]], ...] = (
    (SampleSet, SampleSet.id, (RunProblem.solution_set_id, RunProblem.test_set_id)),
    (Generator, Generator.digest, (SampleSet.generator_digest,)),
    (Source, Source.digest, (SampleItem.source_digest,)),
    (ProblemRow, ProblemRow.digest, (RunProblem.problem_digest,)),
)
"""What runs share: (table, its key, the columns that use it), from the outside in."""


def nothing_else(_run_id: str) -> None:
    """A run is its rows."""


def old_runs(connection: Connection, keep: int) -> list[str]:
    """Ids of all but the ``keep`` newest, newest first."""
    return list(connection.scalars(select(Run.run_id).order_by(Run.created.desc(), Run.id.desc()).offset(keep)))


def count_old_runs(connection: Connection, keep: int) -> tuple[int, int]:
    """(how many ``delete_old_runs`` would remove, bytes of their matrices). Samples may be shared, so that they are not counted."""
    old = old_runs(connection, keep)
    blobs = (PassMatrixRow.verdicts, PassMatrixRow.duration_ms, PassMatrixRow.extras, PassMatrixRow.outputs)
    size = sum((func.coalesce(func.length(blob), 0) for blob in blobs[1:]), func.length(blobs[0]))
    of_run = select(Run.run_id, func.sum(size)).join(RunProblem, RunProblem.run_pk == Run.id)
    of_run = of_run.join(PassMatrixRow, PassMatrixRow.run_problem_id == RunProblem.id).group_by(Run.run_id)
    sizes = {run_id: int(total) for run_id, total in connection.execute(of_run)}
    return len(old), sum(sizes.get(run_id, 0) for run_id in old)


def delete_old_runs(engine: Engine, keep: int, forget: Forget = nothing_else) -> int:
    """Remove all but the ``keep`` newest and what only they used; returns how many went."""
    with reading(engine) as connection:
        old = old_runs(connection, keep)
    gone = sum(_delete(engine, run_id, forget) for run_id in reversed(old))
    delete_unreferenced(engine)
    return gone


def delete_run(engine: Engine, run_id: str) -> None:
    """Remove a run, by its full id, and what only it used. Raises InputError for an unknown id."""
    if not _delete(engine, run_id):
        raise InputError(f"run {run_id!r}: no such run; expected a full id from `coderm runs list`")
    delete_unreferenced(engine)


def _delete(engine: Engine, run_id: str, forget: Forget = nothing_else) -> int:
    with writing(engine, RUNS) as connection:
        forget(run_id)
        return connection.execute(delete(Run).where(Run.run_id == run_id)).rowcount


def delete_unreferenced(engine: Engine) -> None:
    """Whatever no run refers to any more, from the outside in."""
    for table, key, users in SHARED:
        unused = [~select(user).where(user == key).exists() for user in users]
        gone = BATCH
        while gone == BATCH:
            with writing(engine, RUNS) as connection:
                some = select(key).where(*unused).limit(BATCH)
                gone = connection.execute(delete(table).where(key.in_(some))).rowcount
