"""How fast the sandbox is, everything on, against two unprotected ways of running the same recorded cells on one core.

    python tests/benchmarks/bench_sandbox.py --data DIR           DIR: CodeT's recordings (README, "The public check")
    python tests/benchmarks/bench_sandbox.py --data DIR --full    the matrix of 164 x 100 x 100: linearity, memory, the estimate

``process``: one fresh python a cell that runs the test as a ``unittest.TestCase``. ``floor``: fork, exec, report, no protection at
all. Both run inside a throw-away container without network, since the programs are a model's. Cells that time out are left out of
all ways, and are counted and timed apart. Each way is run ``--rounds`` times in turn and the median counts; a load of other work on
the machine falls on all of them.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from models.config import SandboxConfig
from models.matrix import MatrixJob, PassMatrix
from models.operations import CellCounts
from models.types import Limits, Verdict
from sandbox.docker_runtime import connect
from sandbox.executor import docker_executor
from tasks.execute_matrix import execute_jobs
from tasks.progress import progress_bar

sys.path.insert(0, str(Path(__file__).parent))
from recorded_cells import filled, sample  # type: ignore[import-not-found]

IMAGE = "coderm-sandbox:latest"
BASELINE = r"""
import json, os, subprocess, sys, time
way, cells = sys.argv[1], json.load(open("/cells.json"))
WRAP = "\n\nimport unittest\nclass Test(unittest.TestCase):\n    def test_it(self):\n        %s\nunittest.main()\n"
def process(solution, test):
    program = solution + WRAP % test.replace("\n", "\n        ")
    run = subprocess.run([sys.executable, "-c", program], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=20)
    return run.returncode == 0
def floor(solution, test):
    pid = os.fork()
    if pid == 0:
        os.dup2(null, 1)
        os.dup2(null, 2)
        try:
            names = {}
            exec(solution, names)
            exec(test, names)
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitpid(pid, 0)[1] == 0
run = {"process": process, "floor": floor}[way]
null, votes, times, began = os.open(os.devnull, os.O_RDWR), "", [], time.monotonic()
for cell in cells:
    start = time.monotonic()
    votes += "01"[run(*cell)]
    times.append(round((time.monotonic() - start) * 1e3, 3))
print(json.dumps({"wall_s": time.monotonic() - began, "votes": votes, "ms": times}))
"""


def ours(jobs: list[MatrixJob], slots: int) -> tuple[float, list[PassMatrix]]:
    """Wall seconds of slots that are already up, and the matrices."""
    with docker_executor(SandboxConfig(runtime="docker", workers=slots), image=IMAGE, docker_host=None) as executor:
        for number in range(slots):
            executor.slot(number, jobs[0].limits.memory_mib)
        began = time.monotonic()
        matrices = list(executor.execute(jobs))
        return time.monotonic() - began, matrices


def unprotected(way: str, cells: list[tuple[str, str]]) -> dict[str, Any]:
    """Wall seconds inside a container of one core, the votes as 0 and 1, ms of each cell."""
    with tempfile.TemporaryDirectory() as folder, closing(connect(None)) as client:
        file = Path(folder) / "cells.json"
        file.write_text(json.dumps(cells))
        Path(folder).chmod(0o755)
        file.chmod(0o644)
        printed = client.containers.run(
            IMAGE,
            ["-c", BASELINE, way],
            entrypoint=["python3"],
            network_mode="none",
            cap_drop=["ALL"],
            nano_cpus=1_000_000_000,
            mem_limit="1g",
            pids_limit=64,
            tmpfs={"/tmp": "size=64m"},
            volumes={str(file): {"bind": "/cells.json", "mode": "ro"}},
            remove=True,
        )
    return dict(json.loads(printed))


def without_time_outs(jobs: list[MatrixJob], matrices: list[PassMatrix]) -> list[MatrixJob]:
    """The same jobs, asking only cells that ended before their limit; says what the others cost."""
    ended = [m.verdicts != Verdict.TIMEOUT for m in matrices]
    late = np.concatenate([m.duration_ms[~k] for m, k in zip(matrices, ended, strict=True)])
    print(f"{late.size} of {sum(k.size for k in ended)} cells timed out and are left out below: {late.sum() / 1e3:.1f} s of slots")
    return [replace(job, asked=keep) for job, keep in zip(jobs, ended, strict=True)]


def compare(options: argparse.Namespace) -> None:
    """Print the table."""
    jobs = sample(options.data, options.problems, options.solutions, options.tests, Limits(timeout_s=0.5))
    jobs = without_time_outs(jobs, ours(jobs, options.slots)[1])
    places = [(job, int(r), int(c)) for job in jobs for r, c in np.argwhere(job.asked)]
    cells = [(job.solutions[r], job.tests[c].source or "") for job, r, c in places]
    walls: dict[str, list[float]] = {"process": [], "floor": [], "one slot": [], f"{options.slots} slots": []}
    cell_ms: dict[str, list[float]] = {}
    seen: dict[str, str] = {}
    for _ in range(options.rounds):
        for way in ("process", "floor"):
            done = unprotected(way, cells)
            walls[way].append(done["wall_s"])
            cell_ms[way], seen[way] = done["ms"], done["votes"]
        for way, slots in (("one slot", 1), (f"{options.slots} slots", options.slots)):
            wall_s, matrices = ours(jobs, slots)
            walls[way].append(wall_s)
            cell_ms[way] = [float(x) for m in matrices for x in m.duration_ms[m.asked]]
            seen[way] = "".join("01"[int(m.verdicts[r, c] == Verdict.PASSED)] for m in matrices for r, c in np.argwhere(m.asked))
    base = statistics.median(walls["one slot"])
    print(f"{len(jobs)} problems, {len(cells)} cells, median of {options.rounds} rounds in turn")
    for way, seconds in walls.items():
        wall_s, (p50, p99) = statistics.median(seconds), np.percentile(cell_ms[way], (50, 99))
        against = f"{wall_s / base:7.2f} x the time of one slot   ms a cell: p50 {p50:6.2f}, p99 {p99:7.2f}"
        print(f"{way:8} {wall_s:8.2f} s {len(cells) / wall_s:8.0f} cells/s {against}   {agreement(seen[way], seen['one slot'])}")
    for place, ours_vote, theirs in zip(places, seen["one slot"], seen["process"], strict=True):
        if ours_vote != theirs:
            job, row, column = place
            print(
                f"differs: {job.task_id} row {row} column {column}: ours {ours_vote}, unittest {theirs}: {job.tests[column].source}"
            )


def agreement(votes: str, mine: str) -> str:
    """In words."""
    return f"votes equal in {sum(a == b for a, b in zip(votes, mine, strict=True)) / len(mine):.3%}"


def full(options: argparse.Namespace) -> None:
    """One big matrix through the whole path but the store; how far it was after each twentieth, and what the bar promised there."""
    limits = Limits(timeout_s=0.1)
    counts, settled, marks = CellCounts(), 0, 0
    total = options.problems * 100 * 100
    began = time.monotonic()
    with (
        docker_executor(SandboxConfig(runtime="docker", workers=options.slots), image=IMAGE, docker_host=None) as executor,
        progress_bar("execute", total) as advance,
    ):

        def on_cells(count: int) -> None:
            nonlocal settled, marks
            settled += count
            advance(count)
            if settled >= total * (marks + 1) / 20:
                marks, at_s = marks + 1, time.monotonic() - began
                pace = f"after {at_s:6.0f} s; at this pace {at_s * total / settled:6.0f} s in all"
                print(f"  {settled / total:4.0%} of cells {pace}; coordinator {peak_mib():.0f} MiB at most", flush=True)

        for _ in execute_jobs(executor, filled(options.data, options.problems, 100, 100, limits), None, on_cells, counts):
            pass
    wall_s = time.monotonic() - began
    print(f"{counts.cells} cells, {counts.executed} distinct and executed, {wall_s:.0f} s: {counts.cells / wall_s:.0f} cells/s,")
    print(f"{counts.executed / wall_s:.0f} executed/s; peak memory of the coordinator {peak_mib():.0f} MiB", flush=True)
    slice_without_copies(options, limits)


def peak_mib() -> float:
    """Largest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def slice_without_copies(options: argparse.Namespace, limits: Limits) -> None:
    """Honest cells a second: each copy is made another source by a comment, so that every cell of the slice really runs."""

    def distinct() -> Iterator[MatrixJob]:
        for job in filled(options.data, 4, 50, 50, limits):
            tests = tuple(t.model_copy(update={"source": f"{t.source}\n# {i}"}) for i, t in enumerate(job.tests))
            yield replace(job, solutions=tuple(f"{s}\n# {i}" for i, s in enumerate(job.solutions)), tests=tests)

    counts = CellCounts()
    with docker_executor(SandboxConfig(runtime="docker", workers=options.slots), image=IMAGE, docker_host=None) as executor:
        began = time.monotonic()
        for _ in execute_jobs(executor, distinct(), None, None, counts):
            pass
    wall_s = time.monotonic() - began
    print(
        f"without copies: {counts.executed} of {counts.cells} cells ran in {wall_s:.0f} s, {counts.executed / wall_s:.0f} cells/s"
    )


def main() -> None:
    """Options, then one of the two."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--problems", type=int, default=None, help="default 20, with --full 164")
    parser.add_argument("--solutions", type=int, default=15)
    parser.add_argument("--tests", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--full", action="store_true")
    options = parser.parse_args()
    options.problems = options.problems or (164 if options.full else 20)
    (full if options.full else compare)(options)


if __name__ == "__main__":
    main()
