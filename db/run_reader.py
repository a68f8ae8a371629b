"""Rows to a run record: exactly what was saved, key order and NaN included; every blob is checked before it is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, func, select

from db.codec import decode_durations, decode_extras, decode_outputs, decode_verdicts, verify
from db.samples import Item, as_test, load_problems, load_sets, set_digests
from db.tables import Metric, PassMatrixRow, Run, RunProblem, SampleCount, Selection, SolutionResult
from models.errors import InputError, StoreUnavailable
from models.matrix import ExecutionContext, PassMatrix
from models.run_record import Allocation, GateResult, GeneratorIdentity, RunRecord, SampleCounts
from models.types import Labels, Limits, Problem, Ranking, SolutionSet, TestSet

Digests = tuple[str, ...]


def find_run_id(connection: Connection, prefix: str) -> str:
    """The one run whose id is, or starts with, ``prefix``. Raises InputError when there is none, or more than one."""
    starts = func.substr(Run.run_id, 1, len(prefix)) == prefix
    found = list(connection.scalars(select(Run.run_id).where(starts).order_by(Run.run_id).limit(4)))
    if prefix in found or (prefix and len(found) == 1):
        return prefix if prefix in found else found[0]
    if not found or not prefix:
        raise InputError(f"run {prefix!r}: no such run; expected an id, or its beginning, from `coderm runs list`")
    raise InputError(f"run {prefix!r}: more than one run starts so ({', '.join(found[:3])} …); give more of the id")


def read_run(connection: Connection, run_id: str) -> RunRecord:
    """The record as it was saved. Raises InputError for an unknown id, StoreUnavailable for damaged bytes and missing rows."""
    run = connection.execute(select(*Run.__table__.columns).where(Run.run_id == find_run_id(connection, run_id))).one()
    try:
        return _record(connection, run)
    except KeyError as missing:
        raise StoreUnavailable(
            f"run {run.run_id}: the database lacks a part of it ({missing}); restore a backup (`coderm db check {run.run_id}`)"
        ) from None


def _record(connection: Connection, run: Row[Any]) -> RunRecord:
    parts = _Parts(connection, run)
    layout = run.layout
    winner = (run.config.get("budget") or {}).get("only_winner")
    return RunRecord(
        run_id=run.run_id,
        benchmark=run.benchmark,
        config=run.config,
        created_at=run.created_at,
        problems={task: parts.problem(task) for task in layout["problems"]},
        solutions={task: parts.solution_set(task) for task in layout["solutions"]},
        tests={task: parts.test_set(task) for task in layout["tests"]},
        matrices={task: replace(parts.matrices[task], only_winner=winner) for task in layout["matrices"]},
        labels={task: parts.labels(task) for task in layout["labels"]},
        rankings={selector: {task: parts.rankings[selector, task] for task in tasks} for selector, tasks in layout["rankings"]},
        allocation=Allocation(**run.allocation) if run.allocation else None,
        metrics=read_metrics(connection, run.id),
        generators={kind: GeneratorIdentity(**identity) for kind, identity in run.generators.items()},
        prompt_digests=run.prompt_digests,
        samples={kind: {task: parts.samples[kind, task] for task in tasks} for kind, tasks in layout.get("samples", ())},
        gates=tuple(GateResult(**{**gate, "failures": tuple(gate["failures"])}) for gate in run.gates),
        budget_curves=run.budget_curves,
        provenance=run.provenance,
    )


def read_metrics(connection: Connection, run_pk: int) -> dict[str, float]:
    """name → value in the order in which they were saved; NaN where undefined."""
    rows = connection.execute(select(Metric.name, Metric.value).where(Metric.run_pk == run_pk).order_by(Metric.position))
    return {row.name: row.value for row in rows}


def iter_matrices(connection: Connection, run_pk: int, digests: Mapping[int, Digests] | None = None) -> Iterator[PassMatrix]:
    """Every matrix of a run in benchmark order, a few in memory at a time. ``digests``: of its sets, where they are known."""
    if digests is None:
        digests = set_digests(connection, run_pk)
    names = select(RunProblem.task_id, RunProblem.solution_set_id, RunProblem.test_set_id, *PassMatrixRow.__table__.columns)
    query = names.join(PassMatrixRow, PassMatrixRow.run_problem_id == RunProblem.id).where(RunProblem.run_pk == run_pk)
    for row in connection.execute(query.order_by(RunProblem.position).execution_options(yield_per=16)):
        yield _matrix(row, digests)


def _matrix(row: Row[Any], digests: Mapping[int, Digests]) -> PassMatrix:
    verify(row.sha256, f"matrix of {row.task_id}", row.verdicts, row.duration_ms, row.extras, row.outputs or b"")
    shape = (row.n_solutions, row.n_tests)
    flags, sparse = decode_extras(row.extras_codec, row.extras)
    return PassMatrix(
        task_id=row.task_id,
        verdicts=decode_verdicts(row.codec, row.verdicts, shape),
        duration_ms=decode_durations(row.duration_codec, row.duration_ms, shape),
        context=ExecutionContext(
            sandbox=row.sandbox,
            image=row.image_digest,
            version=row.sandbox_version,
            timeout_s=row.timeout_s,
            memory_mib=row.memory_mib,
        ),
        solution_digests=_own_or_set(row.solution_digests, digests, row.solution_set_id),
        test_digests=_own_or_set(row.test_digests, digests, row.test_set_id),
        flags=flags,
        outputs=decode_outputs(row.outputs_codec, row.outputs, shape) if row.outputs else sparse,
    )


def _own_or_set(own: list[str] | None, digests: Mapping[int, Digests], set_id: int | None) -> Digests:
    return tuple(own) if own is not None else digests[set_id or 0]


class _Parts:
    """What one run's rows hold, by task."""

    def __init__(self, connection: Connection, run: Row[Any]) -> None:
        self.rows = {row.task_id: row for row in connection.execute(_of_run(RunProblem, run.id))}
        self.problems = load_problems(connection, (row.problem_digest for row in self.rows.values() if row.problem_digest))
        self.items, self.limits = load_sets(connection, run.id)
        digests = {set_id: tuple(item.digest for item in items) for set_id, items in self.items.items()}
        self.matrices = {matrix.task_id: matrix for matrix in iter_matrices(connection, run.id, digests)}
        tasks = {row.id: task for task, row in self.rows.items()}
        self.correct: dict[str, list[bool | None]] = {task: [] for task in self.rows}
        for row_id, correct in connection.execute(_results(run.id)):
            self.correct[tasks[row_id]].append(correct)
        self.rankings = {
            (row.selector, tasks[row.run_problem_id]): Ranking(
                task_id=tasks[row.run_problem_id],
                selector=row.selector,
                order=row.ranking,
                confidence=row.confidence,
                abstained=row.abstained,
            )
            for row in connection.execute(_selections(run.id))
        }

        self.samples = {
            (row.kind, tasks[row.run_problem_id]): _counts(tasks[row.run_problem_id], row)
            for row in connection.execute(_sample_counts(run.id))
        }

    def problem(self, task: str) -> Problem:
        return self.problems[self.rows[task].problem_digest]

    def _items(self, set_id: int) -> tuple[list[Item], Limits | None]:
        return self.items[set_id], self.limits[set_id]

    def solution_set(self, task: str) -> SolutionSet:
        items, _ = self._items(self.rows[task].solution_set_id)
        return SolutionSet(task_id=task, solutions=tuple(item.text for item in items))

    def test_set(self, task: str) -> TestSet:
        items, limits = self._items(self.rows[task].test_set_id)
        return TestSet(task_id=task, tests=tuple(as_test(item) for item in items), limits=limits)

    def labels(self, task: str) -> Labels:
        row = self.rows[task]
        of_set = {row.solution_set_id: tuple(item.digest for item in self.items.get(row.solution_set_id, ()))}
        digests = _own_or_set(row.label_digests, of_set, row.solution_set_id)
        return Labels(task_id=task, correct=tuple(self.correct[task][: row.n_labels]), solution_digests=digests)


def _of_run(table: type[RunProblem], run_pk: int) -> Any:
    return select(*table.__table__.columns).where(table.run_pk == run_pk).order_by(table.position)


def _results(run_pk: int) -> Any:
    query = select(SolutionResult.run_problem_id, SolutionResult.correct).join(
        RunProblem, RunProblem.id == SolutionResult.run_problem_id
    )
    return query.where(RunProblem.run_pk == run_pk).order_by(SolutionResult.run_problem_id, SolutionResult.idx)


def _counts(task: str, row: Row[Any]) -> SampleCounts:
    told = {name: row._mapping[name] for name in SampleCounts.model_fields if name not in ("task_id", "discarded")}
    return SampleCounts(task_id=task, discarded=dict(sorted(row.discarded.items())), **told)


def _sample_counts(run_pk: int) -> Any:
    query = select(*SampleCount.__table__.columns)
    return query.join(RunProblem, RunProblem.id == SampleCount.run_problem_id).where(RunProblem.run_pk == run_pk)


def _selections(run_pk: int) -> Any:
    query = select(*Selection.__table__.columns)
    return query.join(RunProblem, RunProblem.id == Selection.run_problem_id).where(RunProblem.run_pk == run_pk)
