"""What keeping the outputs of every call costs: CPU seconds of the same recorded cells, with and without.

    python tests/benchmarks/bench_outputs.py --data DIR      DIR: CodeT's recordings (README, "The public check")

Local processes; both ways in turn, ``--rounds`` times; CPU seconds of test and solution, so that other work on the machine
counts little, and what the rest of the sandbox costs is left out. Without: the same guest, less the line that digests a reply.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from unittest import mock

import numpy as np

from models.config import SandboxConfig
from models.matrix import MatrixJob
from models.types import Verdict
from sandbox import slot
from sandbox.classify import Evidence
from sandbox.executor import process_executor
from sandbox.plan import PlannedJob
from tests.benchmarks.bench_sandbox import load

DIGESTING = "        self.outcomes.add(reply, packed, self.reply_size)\n"
MODULE = "sandbox.guest.remote"


def cpu_s(jobs: list[MatrixJob]) -> float:
    """CPU seconds of all cells, test and solution together."""
    spent: list[float] = []
    record = PlannedJob.record

    def counted(self: PlannedJob, solution: int, column: int, seen: Evidence) -> int:
        spent.append(seen.cpu_ms)
        return record(self, solution, column, seen)

    with (
        mock.patch.object(PlannedJob, "record", counted),
        process_executor(SandboxConfig(runtime="process", workers=1)) as executor,
    ):
        for _ in executor.execute(jobs):
            pass
    return sum(spent) / 1000


def main() -> None:
    """Print the medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--problems", type=int, default=6)
    parser.add_argument("--solutions", type=int, default=10)
    parser.add_argument("--tests", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    jobs = load(options.data, options.problems, options.solutions, options.tests)
    with process_executor(SandboxConfig(runtime="process", workers=1)) as executor:
        keep = [m.verdicts != Verdict.TIMEOUT for m in executor.execute(jobs)]
    jobs = [MatrixJob(**{**vars(j), "asked": k}) for j, k in zip(jobs, keep, strict=True)]
    sources = dict(slot.guest_sources())
    assert sources[MODULE].count(DIGESTING) == 1
    plain = {**sources, MODULE: sources[MODULE].replace(DIGESTING, "")}
    kept, left = [], []
    for _ in range(options.rounds):
        kept.append(cpu_s(jobs))
        with mock.patch.object(slot, "guest_sources", return_value=plain):
            left.append(cpu_s(jobs))
    cells = sum(int(np.count_nonzero(k)) for k in keep)
    ratio = statistics.median(a / b for a, b in zip(kept, left, strict=True))
    print(f"{len(jobs)} problems, {cells} cells, {options.rounds} rounds, CPU seconds of their cells")
    for name, figures in (("with outputs", kept), ("without outputs", left)):
        print(f"{name:16}{statistics.median(figures):7.2f} s")
    print(f"{'ratio':16}{ratio:7.3f}")


if __name__ == "__main__":
    main()
