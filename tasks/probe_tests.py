"""How good the tests are: run on each problem's reference and its mutants, in a run, and on files for ``coderm quality``.

The reference and its mutants are rows like any solution's, through the same sandbox and store; mutants are judged by the
benchmark's own tests as well, which tells those that may be equivalent. A problem without a reference is not probed and counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from prefect import task

from models.config import QualityConfig, RunConfig, SandboxConfig
from models.errors import InputError
from models.matrix import MatrixJob, PassMatrix
from models.metrics import quality_of_tests
from models.metrics_probe import Probe
from models.mutants import mutants_of
from models.types import Limits, Problem, SolutionSet, TestSet
from tasks.caching import RETRY_INFRA_ONLY
from tasks.execute_matrix import execute_jobs, matrix_job
from tasks.jsonl import read_lines
from tasks.label_solutions import judge_all
from tasks.sandbox_stage import sandbox_stage
from tasks.select_and_score import read_labels, read_matrices
from tasks.shard import Shard


@task(name="probe-tests", task_run_name="probe-{shard.index}", **RETRY_INFRA_ONLY)
def probe_tests(config: RunConfig, shard: Shard) -> dict[str, Probe]:
    """Task id → probe over the tests that the run asked for. Raises SandboxUnavailable."""
    truth = Limits(timeout_s=config.label_timeout_s, memory_mib=config.sandbox.limits.memory_mib)
    return probe_all(shard.problems, shard.tests, shard.matrices, config.sandbox, config.quality.mutants, truth)


def all_probes(of_shards: Iterable[dict[str, Probe]]) -> dict[str, Probe]:
    """The shards' probes as one mapping, in benchmark order."""
    return {task_id: probe for probes in of_shards for task_id, probe in probes.items()}


def quality_files(
    matrix: Path, labels: Path, problems: Path | None, tests: Path | None, sandbox: SandboxConfig, config: QualityConfig
) -> dict[str, float]:
    """Every metric under ``tests/`` of stored files; the reference's where ``problems`` and ``tests`` are given.

    Raises InputError, also for tests that are not the columns of the matrix, and SandboxUnavailable.
    """
    matrices = read_matrices(matrix)
    known = read_labels(labels, matrices)
    if problems is None or tests is None:
        if config.mutants or problems or tests:
            raise InputError("--problems and --tests go together, and --mutants needs both: the tests run on the references")
        return quality_of_tests(matrices, known)
    found = {p.task_id: p for p in read_lines(problems, Problem)}
    columns = {t.task_id: t for t in read_lines(tests, TestSet)}
    for task_id, stored in matrices.items():
        if (columns[task_id].digests if task_id in columns else ()) != stored.test_digests:
            raise InputError(f"{tests}: task_id {task_id!r}: expected the tests that are the columns of the matrix")
        if task_id not in found:
            raise InputError(f"{problems}: no line with task_id {task_id!r}; expected one for every problem of the matrix")
    truth = Limits(timeout_s=max(3.0, sandbox.limits.timeout_s), memory_mib=sandbox.limits.memory_mib)
    return quality_of_tests(matrices, known, probe_all(found, columns, matrices, sandbox, config.mutants, truth))


def probe_all(
    problems: Mapping[str, Problem],
    tests: Mapping[str, TestSet],
    matrices: Mapping[str, PassMatrix],
    sandbox: SandboxConfig,
    mutants: int,
    truth: Limits,
) -> dict[str, Probe]:
    """Probe every problem of the matrices that has a reference and tests. ``truth``: limits of the benchmark's own tests."""
    sets = {t: _rows(problems[t], mutants) for t in matrices if t in tests and problems[t].reference is not None}
    jobs = [_job(problems[t], rows, tests[t], matrices[t], sandbox.limits) for t, rows in sets.items()]
    asked = sum(int(job.asked.sum()) for job in jobs if job.asked is not None)
    with sandbox_stage(sandbox, "probe", "probe the tests", asked) as stage:
        done = {m.task_id: m for m in execute_jobs(stage.executor, jobs, stage.cache, stage.advance)}
    proven = _proven(problems, sets, sandbox.model_copy(update={"limits": truth})) if mutants else {}
    return {t: Probe(matrix, proven.get(t, ())) for t, matrix in done.items()}


def _rows(problem: Problem, mutants: int) -> SolutionSet:
    reference = problem.reference or ""
    return SolutionSet(task_id=problem.task_id, solutions=(reference, *(mutants_of(reference, mutants) if mutants else ())))


def _job(problem: Problem, rows: SolutionSet, tests: TestSet, matrix: PassMatrix, limits: Limits) -> MatrixJob:
    columns = matrix.asked.any(axis=0) & np.array([test.origin == "generated" for test in tests.tests], dtype=np.bool_)
    return matrix_job(rows, tests, limits, problem, np.tile(columns, (len(rows.solutions), 1)))


def _proven(
    problems: Mapping[str, Problem], sets: Mapping[str, SolutionSet], sandbox: SandboxConfig
) -> dict[str, tuple[bool | None, ...]]:
    """Mutants that the ground truth finds wrong, in the order of the rows after the reference."""
    only: Sequence[SolutionSet] = [SolutionSet(task_id=t, solutions=rows.solutions[1:]) for t, rows in sets.items()]
    judged, _ = judge_all(problems, [s for s in only if s.solutions], sandbox, "judge the mutants")
    return {j.labels.task_id: tuple(None if c is None else not c for c in j.labels.correct) for j in judged}
