"""The reward model that MLflow serves: a pass matrix in, scores, choice and confidence out. No GPU, no generator, no database.

A row is one problem. With ``verdicts`` it is scored as it stands. With ``solutions`` and ``tests`` instead, the cells are run by
the executor that ``CODERM_EXECUTOR`` names (docker or process), under the version's limits; it starts processes or containers of
its own, and nothing of a program ever runs in the serving process. Where none is named the row is refused.

    task_id      string                  optional, returned as given
    verdicts     array of array          labels (``passed``, ``failed``, …): rows are solutions, columns tests
    solutions    array of string         complete sources;  tests: array of string, sources of unit tests
    entry_point  string                  optional, for tests of the form ``check(candidate)``
    →  task_id, scores (null: dropped by the rule), choice (indices of the tie set), confidence (null: nothing was ranked)
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.pyfunc.model import PythonModel

from models.confidence import Calibrator
from models.config import SandboxConfig
from models.errors import CodeRMError, InputError, UnavailableError
from models.matrix import ExecutionContext, PassMatrix
from models.reward.registry import resolve
from models.reward.scored import Scored, score_view
from models.reward.selector import view_of
from models.reward_version import RewardVersion, probe_spec, read_version
from models.types import SolutionSet, TestSet, UnitTest, Verdict
from tasks.execute_matrix import execute_jobs, matrix_job
from tasks.resources import open_executor
from tasks.settings import load_settings

NOT_EXECUTED = ExecutionContext(sandbox="process", image=None, version="given", timeout_s=1.0, memory_mib=16)
"""Context of a matrix that a caller hands in: nobody here ran it."""

# MLflow asks for hints on ``predict``, and would read the schema of a list from them; ours is in the signature
with warnings.catch_warnings(record=True):

    class RewardModel(PythonModel):
        """One registered version, loaded from its JSON."""

        version: RewardVersion
        calibrator: Calibrator | None

        def load_context(self, context: Any) -> None:
            """Read and check the version. Raises InputError."""
            path = Path(context.artifacts["version"])
            self.version = read_version(path.read_text(encoding="utf-8"), str(path))
            fitted = context.artifacts.get("calibrator")
            self.calibrator = Calibrator.load(Path(fitted)) if fitted else None
            probe = self.version.probe
            if probe is not None and probe_spec(Path(context.artifacts["probe"])).sha256 != probe.sha256:
                raise InputError(f"{path}: field 'probe': the weights beside it have another digest than {probe.sha256}")

        def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # noqa: ARG002
            """Score a frame of problems, in order. A wrong row is one line in an MlflowException (400 from a server)."""
            import pandas as pd
            from mlflow.exceptions import MlflowException

            rows = [_present(row) for row in model_input.to_dict(orient="records")]
            try:
                found = [_as_row(scored) for scored in score_rows(self.version, rows, self.calibrator)]
            except CodeRMError as error:
                raise MlflowException.invalid_parameter_value(str(error)) from None
            return pd.DataFrame(found, columns=["task_id", "scores", "choice", "confidence"])


def score_rows(version: RewardVersion, rows: Sequence[dict[str, Any]], calibrator: Calibrator | None = None) -> list[Scored]:
    """Score problems, rows of the table above. Raises InputError for a row of a wrong shape, UnavailableError without executor."""
    (selector,) = resolve([version.selector])
    matrices = [_matrix(version, row, f"row {at}") for at, row in enumerate(rows)]
    sources = [tuple(row["solutions"]) if "solutions" in row else None for row in rows]
    return [score_view(selector, view_of(m, sources=s), calibrator) for m, s in zip(matrices, sources, strict=True)]


def _matrix(version: RewardVersion, row: dict[str, Any], where: str) -> PassMatrix:
    task = str(row.get("task_id") or where)
    if "verdicts" in row:
        return _given(task, row["verdicts"], where, row.get("solutions"))
    if "solutions" not in row or "tests" not in row:
        raise InputError(f"{where}: expected verdicts, or solutions and tests")
    return _executed(version, task, row)


def _given(task: str, verdicts: Iterable[Iterable[str]], where: str, solutions: Sequence[str] | None) -> PassMatrix:
    table = [list(line) for line in verdicts]
    if len({len(line) for line in table}) > 1:
        raise InputError(f"{where}: field 'verdicts': rows of {sorted({len(line) for line in table})} columns; expected one length")
    if solutions is not None and len(solutions) != len(table):
        raise InputError(f"{where}: field 'solutions': {len(solutions)} for {len(table)} rows of verdicts")
    try:
        codes = [[int(Verdict.from_label(str(label))) for label in line] for line in table]
    except KeyError as error:
        raise InputError(f"{where}: field 'verdicts': {error} is no verdict; expected passed, failed, … (README.md)") from None
    shape = (len(table), len(table[0]) if table else 0)
    return PassMatrix(
        task_id=task,
        verdicts=np.array(codes, dtype=np.uint8).reshape(shape),
        duration_ms=np.full(shape, np.nan, dtype=np.float32),
        context=NOT_EXECUTED,
        solution_digests=tuple(f"row {i}" for i in range(shape[0])),
        test_digests=tuple(f"column {j}" for j in range(shape[1])),
    )


def _executed(version: RewardVersion, task: str, row: dict[str, Any]) -> PassMatrix:
    settings = load_settings()
    if settings.executor is None:
        raise UnavailableError(
            "no executor is configured to run solutions and tests: set CODERM_EXECUTOR=docker or process, or send verdicts"
        )
    solutions = SolutionSet(task_id=task, solutions=tuple(row["solutions"]))
    tests = TestSet(task_id=task, tests=tuple(UnitTest(source=source) for source in row["tests"]))
    job = matrix_job(solutions, tests, version.limits)
    if row.get("entry_point"):
        job = replace(job, entry_point=str(row["entry_point"]))
    with open_executor(SandboxConfig(runtime=settings.executor, limits=version.limits), settings) as executor:
        return next(iter(execute_jobs(executor, [job])))


def _present(row: dict[str, Any]) -> dict[str, Any]:
    """Without the columns that this problem leaves empty."""
    return {
        name: value for name, value in row.items() if value is not None and not (isinstance(value, float) and math.isnan(value))
    }


def _as_row(scored: Scored) -> tuple[str, list[float | None], list[int], float | None]:
    return scored.task_id, list(scored.scores), list(scored.choice), scored.confidence
