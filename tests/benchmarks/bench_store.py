"""What the store costs for 164 problems x 100 solutions x 100 tests (1.64 M cells): write, read, export, size, known verdicts.

Run it as ``.venv/bin/python tests/benchmarks/bench_store.py [--url postgresql+psycopg://…] [--problems 164]``; without a URL a
SQLite file in a temporary directory is used. With a URL the database must be empty; its size is then not shown.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from db.store import SqlStore, open_store
from models.fingerprint import digest_text
from models.matrix import ExecutionContext, PassMatrix
from models.outputs import Outputs
from models.ports import CachedCell
from models.run_record import GeneratorIdentity, RunRecord
from models.types import Labels, Problem, Ranking, SolutionSet, TestSet, Verdict

N = 100
"""Solutions and tests a problem."""
KINDS = 5
"""Distinct outputs a test."""
CONTEXT = ExecutionContext(sandbox="docker", image="sha256:0", version="1", timeout_s=1, memory_mib=512)


def synthetic(run_id: str, problems: int, seed: int = 0) -> RunRecord:
    """Correlated verdicts (a solution is mostly right or mostly wrong), distinct sources of about 500 bytes, gamma wall times."""
    draw = np.random.default_rng(seed)
    tasks = [f"HumanEval/{i}" for i in range(problems)]
    words = np.array([f"name_{i}" for i in range(500)])

    def source(task: str, index: int, kind: str) -> str:
        body = "\n".join(f"    {a} = {b} + {c}" for a, b, c in draw.choice(words, (20, 3)))
        return f"def {kind}_{index}(x):  # {task}\n{body}\n    return x\n"

    solutions = {t: SolutionSet(task_id=t, solutions=tuple(source(t, i, "f") for i in range(N))) for t in tasks}
    tests = {t: TestSet.model_validate({"task_id": t, "tests": [source(t, i, "test") for i in range(N)]}) for t in tasks}
    truth = {"kind": "check", "source": "def check(candidate): ..."}
    head = {"prompt": "def f(x): ...", "entry_point": "f", "style": "function", "ground_truth": truth}
    who = GeneratorIdentity(backend="replay", model="bench", prompt_version="1")
    return RunRecord(
        run_id=run_id,
        benchmark="bench",
        config={},
        created_at="2026-01-01T00:00:00+00:00",
        problems={t: Problem.model_validate({"task_id": t, **head}) for t in tasks},
        solutions=solutions,
        tests=tests,
        matrices={t: _matrix(draw, solutions[t], tests[t]) for t in tasks},
        labels={t: Labels(task_id=t, correct=(True,) * N, solution_digests=solutions[t].digests) for t in tasks},
        rankings={
            s: {t: Ranking(task_id=t, selector=s, order=((0, 1), (2,))) for t in tasks}
            for s in ("random", "majority", "codet", "oracle")
        },
        allocation=None,
        metrics={f"m{i}": float(i) for i in range(50)},
        generators={"solution": who, "test": who},
        prompt_digests={},
    )


def _matrix(draw: np.random.Generator, solutions: SolutionSet, tests: TestSet) -> PassMatrix:
    right = draw.random((N, 1)) < 0.4
    odd = draw.random((N, N)) < 0.02
    verdicts = np.where(right ^ odd, Verdict.PASSED, draw.choice([Verdict.FAILED, Verdict.ERROR, Verdict.TIMEOUT], (N, 1)))
    durations = draw.gamma(2, 10, (N, N)).astype(np.float32)
    digests = solutions.digests, tests.digests
    outputs = _outputs(solutions.task_id, verdicts == Verdict.PASSED)
    return PassMatrix(solutions.task_id, verdicts.astype(np.uint8), durations, CONTEXT, *digests, outputs=outputs)


def _outputs(task: str, passes: npt.NDArray[np.bool_]) -> Outputs:
    """Each test has one right output and four wrong ones."""
    kinds = np.where(passes, 0, 1 + np.arange(N)[:, None] % (KINDS - 1))
    names = [digest_text(f"{task} {at}")[:16] for at in range(KINDS * N)]
    return Outputs((KINDS * np.arange(N) + kinds).astype(np.int32), names, {name: str(at) for at, name in enumerate(names)})


def known_cells(run: RunRecord) -> Iterator[dict[str, dict[str, CachedCell]]]:
    """What an executor would store, a problem at a time."""
    for matrix in run.matrices.values():
        yield {
            solution: {
                test: CachedCell(int(code), float(ms), (), matrix.outputs[i, j], matrix.output_table.text((i, j)))
                for j, (test, code, ms) in enumerate(
                    zip(matrix.test_digests, matrix.verdicts[i], matrix.duration_ms[i], strict=True)
                )
            }
            for i, solution in enumerate(matrix.solution_digests)
        }


def measure(store: SqlStore, run: RunRecord, folder: Path, size: Callable[[], str]) -> Iterator[tuple[str, float, str]]:
    """(what, seconds, size afterwards)."""

    def timed(what: str, call: Callable[[], object]) -> tuple[str, float, str]:
        start = time.perf_counter()
        call()
        return what, time.perf_counter() - start, size()

    yield timed("save_run, everything new", lambda: store.save_run(run))
    yield timed("save_run again (nothing to do)", lambda: store.save_run(run))
    yield timed("save_run, samples known", lambda: store.save_run(synthetic_copy(run)))
    yield timed("load_run", lambda: store.load_run(run.run_id))
    yield timed("list_runs", store.list_runs)
    yield timed("export_parquet", lambda: store.export_parquet(run.run_id, folder))
    cells = list(known_cells(run))
    yield timed("verdicts: store, a call a problem", lambda: [store.store("bench", rows) for rows in cells])
    yield timed("verdicts: lookup, a call a problem", lambda: [store.lookup("bench", list(rows)) for rows in cells])
    yield timed("verdicts: store again", lambda: [store.store("bench", rows) for rows in cells])
    yield timed("delete_run", lambda: store.delete_run(run.run_id))


def synthetic_copy(run: RunRecord) -> RunRecord:
    """The same samples and verdicts under another id: the nightly regression of a replay."""
    from dataclasses import replace

    return replace(run, run_id=f"{run.run_id}-again")


@contextmanager
def database(url: str | None) -> Iterator[tuple[str, Path, Callable[[], str]]]:
    """(URL, scratch folder, what it holds now)."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if url:
            yield url, folder, lambda: ""
            return
        files = [folder / "bench.db", folder / "bench.db-wal"]
        yield f"sqlite:///{files[0]}", folder, lambda: f"{sum(f.stat().st_size for f in files if f.exists()) / 1e6:.1f} MB"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--url")
    parser.add_argument("--problems", type=int, default=164)
    options = parser.parse_args()
    run = synthetic("bench", options.problems)
    sys.stdout.write(f"{options.problems} x {N} x {N} cells\n{'':36}{'seconds':>9}{'database and log':>19}\n")
    with database(options.url) as (url, folder, size), open_store(url) as store:
        for what, seconds, total in measure(store, run, folder, size):
            sys.stdout.write(f"{what:36}{seconds:9.2f}{total:>19}\n")


if __name__ == "__main__":
    main()
