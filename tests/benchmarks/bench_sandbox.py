"""How fast the sandbox is, everything on, against two unprotected ways of running the same recorded cells on one core.

    python tests/benchmarks/bench_sandbox.py --data DIR      DIR: CodeT's recordings (README, "The public check")

``process``: one fresh python a cell that runs the test as a ``unittest.TestCase``. ``floor``: fork, exec, report, no protection at
all. Both run inside a throw-away container without network, since the programs are a model's; ours runs with one slot. Cells that
time out are left out of all three. Each way is run ``--rounds`` times in turn and the median counts.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np

from models.config import SandboxConfig
from models.types import Limits, MatrixJob, Verdict
from sandbox.docker_runtime import connect
from sandbox.executor import docker_executor
from tasks.importers.registry import import_format
from tasks.importers.result import ImportRequest

IMAGE = "coderm-sandbox:latest"
SAMPLES = "HumanEval_codegen16B_temp0.8_topp0.95_num100_max300"
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
run, began = {"process": process, "floor": floor}[way], time.monotonic()
null = os.open(os.devnull, os.O_RDWR)
votes = "".join("01"[run(*cell)] for cell in cells)
print(json.dumps({"wall_s": time.monotonic() - began, "votes": votes}))
"""


def load(data: Path, problems: int, solutions: int, tests: int) -> list[MatrixJob]:
    """Distinct solutions and asserts of evenly spread problems."""
    request = ImportRequest(
        format="codet",
        problems=data / "HumanEval_for_code_generation.jsonl",
        solutions=data / f"{SAMPLES}_code_solution.jsonl",
        test_problems=data / "HumanEval_for_test_case_generation.jsonl",
        tests=data / f"{SAMPLES}_test_case.jsonl",
    )
    result = import_format(request)
    tests_of = {t.task_id: t for t in result.tests or ()}
    entry = {p.task_id: p.entry_point for p in result.problems or ()}
    sets = [s for s in result.solutions or () if s.task_id in tests_of and tests_of[s.task_id].tests]
    jobs = []
    for chosen in sets[:: max(1, len(sets) // problems)][:problems]:
        rows = tuple(dict.fromkeys(chosen.solutions))[:solutions]
        columns = tuple({t.digest: t for t in tests_of[chosen.task_id].tests}.values())[:tests]
        limits = Limits(timeout_s=0.5)
        jobs.append(MatrixJob(chosen.task_id, "function", entry[chosen.task_id], rows, rows, columns, limits))
    return jobs


def ours(jobs: list[MatrixJob]) -> tuple[float, list[np.ndarray]]:
    """Wall seconds of one slot that is already up, and the verdicts."""
    with docker_executor(SandboxConfig(runtime="docker", workers=1), image=IMAGE, docker_host=None) as executor:
        began = time.monotonic()
        verdicts = [m.verdicts for m in executor.execute(jobs)]
        return time.monotonic() - began, verdicts


def unprotected(way: str, cells: list[tuple[str, str]]) -> tuple[float, str]:
    """Wall seconds inside a container of one core, and the votes as 0 and 1."""
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
    done = json.loads(printed)
    return done["wall_s"], done["votes"]


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--problems", type=int, default=6)
    parser.add_argument("--solutions", type=int, default=10)
    parser.add_argument("--tests", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    jobs = load(options.data, options.problems, options.solutions, options.tests)
    _, verdicts = ours(jobs)
    keep = [v != Verdict.TIMEOUT for v in verdicts]
    jobs = [MatrixJob(**{**vars(j), "asked": k}) for j, k in zip(jobs, keep, strict=True)]
    cells = [(j.solutions[r], j.tests[c].source or "") for j, k in zip(jobs, keep, strict=True) for r, c in np.argwhere(k)]
    mine = "".join("01"[int(v[r, c] == Verdict.PASSED)] for v, k in zip(verdicts, keep, strict=True) for r, c in np.argwhere(k))
    walls: dict[str, list[float]] = {"process": [], "floor": [], "ours": []}
    differ: dict[str, int] = {}
    for _ in range(options.rounds):
        for way in ("process", "floor"):
            wall_s, votes = unprotected(way, cells)
            walls[way].append(wall_s)
            differ[way] = sum(a != b for a, b in zip(votes, mine, strict=True))
        walls["ours"].append(ours(jobs)[0])
    timeouts = sum(int((~k).sum()) for k in keep)
    print(f"{len(jobs)} problems, {len(cells)} cells, {timeouts} time-outs left out, one core, median of {options.rounds}")
    base = statistics.median(walls["ours"])
    for way, seconds in walls.items():
        wall_s = statistics.median(seconds)
        votes = f"  votes that differ from ours {differ[way]}" if way in differ else ""
        print(f"{way:8} {wall_s:8.2f} s {len(cells) / wall_s:9.0f} cells/s   ours is {wall_s / base:6.2f} x as fast{votes}")


if __name__ == "__main__":
    main()
