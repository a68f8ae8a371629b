"""A run record to rows. Everything is inserted on one connection, so that the caller's transaction makes it all or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, insert, select

from db.codec import (
    DURATIONS,
    JSON_ZLIB,
    OUTPUTS,
    VERDICTS,
    encode_durations,
    encode_extras,
    encode_outputs,
    encode_verdicts,
    sha256,
)
from db.samples import SetKey, insert_rows, save_generators, save_problems, save_sets, solution_items, test_items
from db.tables import Metric, PassMatrixRow, Run, RunProblem, SampleCount, Selection, SolutionResult, TestResult
from models.errors import InputError
from models.matrix import PassMatrix
from models.run_record import RunRecord
from models.types import Labels, Ranking, Verdict

COUNTED = {
    "n_passed": Verdict.PASSED,
    "n_failed": Verdict.FAILED,
    "n_error": Verdict.ERROR,
    "n_timeout": Verdict.TIMEOUT,
    "n_not_asked": Verdict.NOT_ASKED,
}
COUNT_NAMES = (*COUNTED, "n_other")
BY_TASK = ("problems", "solutions", "tests", "matrices", "labels")
"""The fields of a record that map task ids to a thing that names its task."""


def count_verdicts(verdicts: npt.NDArray[np.uint8], axis: int) -> list[dict[str, int]]:
    """Counts along ``axis`` of (n, m) codes: axis 1 one dict a solution, axis 0 one a test."""
    columns = [np.count_nonzero(verdicts == code, axis=axis) for code in COUNTED.values()]
    table = np.stack([*columns, verdicts.shape[axis] - np.sum(columns, axis=0)], axis=1)
    return [dict(zip(COUNT_NAMES, row, strict=True)) for row in table.tolist()]


def task_ids(run: RunRecord) -> list[str]:
    """Every task that any part of the record names, in benchmark order."""
    parts = [getattr(run, name) for name in BY_TASK]
    return list(dict.fromkeys(task for part in (*parts, *run.rankings.values(), *run.samples.values()) for task in part))


def check_record(run: RunRecord) -> datetime:
    """The moment of the run. Raises InputError for what could not be found again: mixed-up tasks, NUL in a name, no date."""
    for name in BY_TASK:
        for task, thing in getattr(run, name).items():
            _require(thing.task_id == task, run, f"{name}[{task!r}]", f"its own task_id, not {thing.task_id!r}")
    for kind, by_task in run.samples.items():
        for task, counts in by_task.items():
            _require(counts.task_id == task, run, f"samples[{kind!r}][{task!r}]", f"its own task_id, not {counts.task_id!r}")
    for selector, rankings in run.rankings.items():
        for task, ranking in rankings.items():
            _require(
                (ranking.selector, ranking.task_id) == (selector, task), run, f"rankings[{selector!r}][{task!r}]", "its own names"
            )
    for text in (run.run_id, run.benchmark, *task_ids(run), *run.metrics, *run.rankings, *_generator_texts(run)):
        _require(bool(text) and text.isprintable(), run, f"name {text!r}", "printable text, not empty")
    try:
        created = datetime.fromisoformat(run.created_at)
    except ValueError:
        raise InputError(f"run {run.run_id}: created_at {run.created_at!r}: expected an ISO 8601 time") from None
    return created if created.tzinfo else created.replace(tzinfo=UTC)


def _require(holds: bool, run: RunRecord, where: str, expected: str) -> None:
    if not holds:
        raise InputError(f"run {run.run_id!r}: {where}: expected {expected}")


def _generator_texts(run: RunRecord) -> Iterable[str]:
    return (text for identity in run.generators.values() for text in (identity.backend, identity.model))


def insert_run(connection: Connection, run: RunRecord) -> None:
    """Write every row of a run that is not there yet. Raises InputError."""
    created = check_record(run)
    run_pk = connection.execute(insert(Run).returning(Run.id), _run_row(run, created)).scalar_one()
    tasks = task_ids(run)
    insert_rows(connection, RunProblem, _problem_rows(connection, run, run_pk, tasks))
    found = connection.execute(select(RunProblem.task_id, RunProblem.id).where(RunProblem.run_pk == run_pk))
    ids = {row.task_id: row.id for row in found}
    for task in tasks:
        _insert_matrix(connection, ids[task], run, task)
    insert_rows(connection, SampleCount, _sample_rows(run, ids))
    rankings = [ranking for ranked in run.rankings.values() for ranking in ranked.values()]
    insert_rows(connection, Selection, [_selection_row(ids[ranking.task_id], ranking) for ranking in rankings])
    metrics = [{"run_pk": run_pk, "position": at, "name": n, "value": v} for at, (n, v) in enumerate(run.metrics.items())]
    insert_rows(connection, Metric, metrics)


def _run_row(run: RunRecord, created: datetime) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "benchmark": run.benchmark,
        "created": created,
        "created_at": run.created_at,
        "n_problems": len(run.problems),
        "n_cells": sum(matrix.verdicts.size for matrix in run.matrices.values()),
        "config": run.config,
        "allocation": run.allocation and asdict(run.allocation),
        "generators": {kind: identity.model_dump() for kind, identity in run.generators.items()},
        "prompt_digests": run.prompt_digests,
        "gates": [asdict(gate) for gate in run.gates],
        "budget_curves": run.budget_curves,
        "provenance": run.provenance,
        "layout": {name: list(getattr(run, name)) for name in BY_TASK}
        | {"rankings": [[selector, list(ranked)] for selector, ranked in run.rankings.items()]}
        | {"samples": [[kind, list(counts)] for kind, counts in run.samples.items()]},
    }


def _problem_rows(connection: Connection, run: RunRecord, run_pk: int, tasks: Sequence[str]) -> list[dict[str, Any]]:
    save_problems(connection, run.problems.values())
    generators = save_generators(connection, run)
    solution_keys = {task: _set_key(run, "solution", task, generators) for task in run.solutions}
    test_keys = {task: _set_key(run, "test", task, generators) for task in run.tests}
    sets = {key: solution_items(run.solutions[task]) for task, key in solution_keys.items()}
    ids = save_sets(connection, sets | {key: test_items(run.tests[task]) for task, key in test_keys.items()})
    return [
        {
            "run_pk": run_pk,
            "position": at,
            "task_id": task,
            "problem_digest": run.problems[task].digest if task in run.problems else None,
            "solution_set_id": ids[solution_keys[task]] if task in solution_keys else None,
            "test_set_id": ids[test_keys[task]] if task in test_keys else None,
            **_label_columns(run, task),
        }
        for at, task in enumerate(tasks)
    ]


def _sample_rows(run: RunRecord, ids: Mapping[str, int]) -> list[dict[str, Any]]:
    return [
        {"run_problem_id": ids[task], "kind": kind, **counts.model_dump(exclude={"task_id"})}
        for kind, by_task in run.samples.items()
        for task, counts in by_task.items()
    ]


def _set_key(run: RunRecord, kind: Any, task: str, generators: Mapping[str, str]) -> SetKey:
    limits = run.tests[task].limits if kind == "test" else None
    return SetKey(kind, task, generators.get(kind), run.prompt_digests.get(kind, {}).get(task), limits)


def _label_columns(run: RunRecord, task: str) -> dict[str, Any]:
    labels = run.labels.get(task)
    digests = labels and unless_equal(labels.solution_digests, run.solutions[task].digests if task in run.solutions else None)
    return {"n_labels": None if labels is None else len(labels.correct), "label_digests": digests}


def unless_equal(digests: tuple[str, ...], of_set: tuple[str, ...] | None) -> list[str] | None:
    """What must be stored beside a set: nothing where the set says it already."""
    return None if digests == of_set else list(digests)


def _insert_matrix(connection: Connection, row_id: int, run: RunRecord, task: str) -> None:
    matrix, labels = run.matrices.get(task), run.labels.get(task)
    if matrix is not None:
        insert_rows(connection, PassMatrixRow, [{"run_problem_id": row_id, **_matrix_row(run, task, matrix)}])
        per_test = count_verdicts(matrix.verdicts, 0)
        insert_rows(connection, TestResult, [{"run_problem_id": row_id, "idx": at, **c} for at, c in enumerate(per_test)])
    per_solution = [] if matrix is None else count_verdicts(matrix.verdicts, 1)
    insert_rows(connection, SolutionResult, _solution_rows(row_id, per_solution, labels))


def _solution_rows(row_id: int, counts: Sequence[Mapping[str, int]], labels: Labels | None) -> list[dict[str, Any]]:
    """One row for each solution that has verdicts or a label."""
    correct = labels.correct if labels else ()
    none_ran = dict.fromkeys(COUNT_NAMES, 0)
    return [
        {
            "run_problem_id": row_id,
            "idx": at,
            "correct": correct[at] if at < len(correct) else None,
            **(counts[at] if at < len(counts) else none_ran),
        }
        for at in range(max(len(counts), len(correct)))
    ]


def _matrix_row(run: RunRecord, task: str, matrix: PassMatrix) -> dict[str, Any]:
    blobs = encode_verdicts(matrix.verdicts), encode_durations(matrix.duration_ms), encode_extras(matrix)
    outputs = encode_outputs(matrix.output_table) if matrix.outputs else None
    solutions = run.solutions[task].digests if task in run.solutions else None
    tests = run.tests[task].digests if task in run.tests else None
    return {
        "n_solutions": matrix.verdicts.shape[0],
        "n_tests": matrix.verdicts.shape[1],
        **dict(zip(("codec", "duration_codec", "extras_codec"), (VERDICTS, DURATIONS, JSON_ZLIB), strict=True)),
        **dict(zip(("verdicts", "duration_ms", "extras"), blobs, strict=True)),
        "outputs_codec": OUTPUTS if outputs else None,
        "outputs": outputs,
        "sha256": sha256(*blobs, outputs or b""),
        "solution_digests": unless_equal(matrix.solution_digests, solutions),
        "test_digests": unless_equal(matrix.test_digests, tests),
        "sandbox": matrix.context.sandbox,
        "image_digest": matrix.context.image,
        "sandbox_version": matrix.context.version,
        "timeout_s": matrix.context.timeout_s,
        "memory_mib": matrix.context.memory_mib,
        **count_verdicts(matrix.verdicts.reshape(1, -1), 1)[0],
    }


def _selection_row(row_id: int, ranking: Ranking) -> dict[str, Any]:
    chosen = min(ranking.order[0]) if ranking.order and ranking.order[0] else None
    return {
        "run_problem_id": row_id,
        "selector": ranking.selector,
        "ranking": [list(group) for group in ranking.order],
        "chosen": chosen,
        "confidence": ranking.confidence,
        "abstained": ranking.abstained,
    }
