"""How close sampling and execution together come to max(GPU time, CPU time), by simulation: the product's own threads, queues and
planner (tasks/overlap.py, tasks/waves.py) between models and a sandbox that only let recorded times pass.

    python -m tests.benchmarks.bench_overlap [--copies 5] [--seconds 30] [--processes 2]

``overlap_recording.json`` holds, for each problem of the demo, the seconds that its cells took in a run of ``coderm demo`` and the
length of its solutions and tests; a model's time is proportional to the length. The GPU serves one request after the other, whoever
asks. CPU time is scaled to 0.5, 1 and 2 times the GPU's; the longer of the two takes ``--seconds``. On one GPU a model that is not
on it has to be brought there first: 0.5, 2 and 5 % of the sampling time a switch, and the planner is told, as a guess, that the
sandbox takes as long as the models, which is wrong by a factor of two in two of three cases. Ratios are to the longer of the two
without switches (what no schedule on one GPU can reach) and with them; ``best``: the wall time of the best plan for equal problems
whose paces are known beforehand (models/waves.py), also over the longer without switches.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from models.extraction.extract import extract
from models.matrix import ExecutionContext, MatrixJob, PassMatrix
from models.ports import Generator
from models.run_record import Generation, GenerationRequest, Response
from models.types import CheckTruth, Limits, Problem, Verdict
from models.waves import Paces, Standing, best_waves, wall
from tasks.execute_matrix import matrix_job
from tasks.generate_tests import kept_tests
from tasks.overlap import Plan, overlap
from tasks.waves import Switches, Wanted, WavePlan

LABEL_SHARE = 0.05
"""Ground truth against generated tests: one cell a solution, of some twenty."""
TEXT = "```python\nimport unittest\n\nclass TestIt(unittest.TestCase):\n    def test_it(self):\n        pass\n```"
Recording = dict[str, dict[str, float]]


def slept(seconds: float) -> float:
    """Let time pass; how much did, since a busy machine wakes late."""
    began = time.monotonic()
    time.sleep(seconds)
    return time.monotonic() - began


class Gpu:
    """Serves in the order of arrival."""

    def __init__(self) -> None:
        self._turn, self._served, self._change = 0, 0, threading.Condition()
        self.worked_s, self.holds = 0.0, ""

    def work(self, seconds: float) -> float:
        with self._change:
            ticket = self._turn
            self._turn += 1
            self._change.wait_for(lambda: self._served == ticket)
        took = slept(seconds)
        self.worked_s += took
        with self._change:
            self._served += 1
            self._change.notify_all()
        return took


@dataclass
class Timed:
    """A model whose draws take their recorded time on the GPU; it is there at first, or has to be brought there."""

    kind: str
    gpu: Gpu
    seconds: dict[str, float]
    switch_s: float
    switches: Switches
    busy_s: float = field(default=0.0)

    @contextmanager
    def __call__(self) -> Iterator[Generator]:
        self.busy_s = 0.0
        if self.switch_s and self.gpu.holds != self.kind:
            began = time.monotonic()
            slept(self.switch_s)
            self.switches.record(self.kind, began, time.monotonic())
            self.gpu.holds = self.kind
        yield self  # type: ignore[misc]

    def generate(self, requests: Iterable[GenerationRequest]) -> Iterator[Generation]:
        for request in requests:
            self.busy_s += self.gpu.work(self.seconds[request.task_id])
            yield extract(request, [Response(text=TEXT)], "ast-2")


class Case(NamedTuple):
    """``switch``: as a share of the sampling time; None: two GPUs, or one that holds both."""

    cpu_per_gpu: float
    switch: float | None = None
    waves: Wanted = 1


class Outcome(NamedTuple):
    """Seconds; ``best``: a ratio."""

    sampling: float
    switches: float
    cpu: float
    wall: float
    waves: int
    best: float


def simulate(recording: Recording, case: Case, longest_s: float) -> Outcome:
    """Let the recorded times pass. The policy is on the GPU when the run begins; bringing it there is nobody's switch."""
    chars = sum(r["solutions_chars"] + r["tests_chars"] for r in recording.values())
    cells = sum(r["cells_s"] for r in recording.values()) * (1 + LABEL_SHARE)
    gpu_s, cpu_s = longest_s * min(1, 1 / case.cpu_per_gpu), longest_s * min(1, case.cpu_per_gpu)
    gpu, worked, switches, switch_s = Gpu(), [0.0], Switches(), (case.switch or 0.0) * gpu_s
    gpu.holds = "solution"
    if switch_s:
        switches.record("solution", -switch_s, 0.0)  # what its start is known to have taken
    models = [
        Timed(kind, gpu, {t: r[f"{kind}s_chars"] / chars * gpu_s for t, r in recording.items()}, switch_s, switches)
        for kind in ("solution", "test")
    ]

    def execute(jobs: Iterable[MatrixJob]) -> Iterator[PassMatrix]:
        for job in jobs:
            share = LABEL_SHARE if job.limits.timeout_s == 2 else 1.0
            seconds = recording[job.task_id]["cells_s"] / cells * cpu_s * share
            worked[0] += slept(seconds)
            yield passed(job)

    plan = Plan(
        problems={t: problem(t) for t in recording},
        ask_solutions=lambda p: request("solution", p.task_id),
        ask_tests=lambda p, _solutions: request("test", p.task_id),
        cells_of=lambda p, solutions, drawn: matrix_job(solutions, kept_tests(drawn), Limits(), p),
        label_limits=Limits(timeout_s=2),
        together=case.switch is None,
        ahead=256,
        waves=WavePlan(case.waves, switches=switches),
    )
    drawn = overlap(plan, models[0], models[1], execute)
    moved = switches.total_s - switch_s
    return Outcome(gpu.worked_s, moved, worked[0], drawn.wall_s, drawn.waves, best(models, cpu_s, switch_s))


def best(models: list[Timed], cpu_s: float, switch_s: float) -> float:
    """Wall time of the best plan for equal problems of known paces, over the longer of sampling and sandbox."""
    n = len(models[0].seconds)
    sample, test = (sum(model.seconds.values()) / n for model in models)
    cells = cpu_s / n / (1 + LABEL_SHARE)
    paces = Paces(sample, test, cells, cells * LABEL_SHARE, switch_s)
    return wall(best_waves(paces, Standing(n)), paces, Standing(n)) / max(n * (sample + test), cpu_s)


def problem(task_id: str) -> Problem:
    return Problem(task_id=task_id, prompt="?", entry_point="f", style="function", ground_truth=CheckTruth(source="x"))


def request(kind: Any, task_id: str) -> GenerationRequest:
    return GenerationRequest(task_id=task_id, kind=kind, prompt=task_id, n=1, seed=0)


def passed(job: MatrixJob) -> PassMatrix:
    shape = (len(job.solutions), len(job.tests))
    return PassMatrix(
        task_id=job.task_id,
        verdicts=np.full(shape, Verdict.PASSED, np.uint8),
        duration_ms=np.zeros(shape, np.float32),
        context=ExecutionContext(sandbox="process", image=None, version="0", timeout_s=1, memory_mib=64),
        solution_digests=job.solution_digests,
        test_digests=tuple(t.digest for t in job.tests),
    )


def told(case: Case, found: Outcome) -> str:
    """One line of the table."""
    longer = max(found.sampling, found.cpu)
    ratios = [found.wall / longer, found.wall / max(found.sampling + found.switches, found.cpu)]
    busy = found.sampling / found.wall
    if case.switch is None:
        return f"{case.cpu_per_gpu:4.1f}  together {'':15} x {ratios[0]:.3f}  {'':7}  GPU busy {busy:6.1%}"
    how = f"switch {case.switch:5.1%}, {found.waves:2} wave{'s' if found.waves > 1 else ' '}"
    figures = f"x {ratios[0]:.3f}  x {ratios[1]:.3f}  GPU busy {busy:6.1%}  switching {found.switches / found.wall:6.1%}"
    return f"{case.cpu_per_gpu:4.1f}  {how:24} {figures}  best x {found.best:.3f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--copies", type=int, default=5, help="how many times the recorded problems stand one after the other")
    parser.add_argument("--seconds", type=float, default=30.0, help="the longer of GPU and CPU time")
    parser.add_argument("--processes", type=int, default=4, help="cases at one time: they only sleep")
    options = parser.parse_args()
    recorded = json.loads(Path(__file__).with_name("overlap_recording.json").read_text())
    recording = {f"{task}#{copy}": times for copy in range(options.copies) for task, times in recorded.items()}
    ratios, switches = (0.5, 1.0, 2.0), (0.005, 0.02, 0.05)
    turns: tuple[Wanted, ...] = (1, "auto")
    cases = [Case(ratio) for ratio in ratios]
    cases += [Case(ratio, switch, waves) for switch in switches for ratio in ratios for waves in turns]
    print(f"{len(recording)} problems; CPU/GPU; wall over the longer, without and with switches")
    with ProcessPoolExecutor(options.processes, get_context("spawn")) as pool:
        for case, found in zip(cases, pool.map(simulate, repeat(recording), cases, repeat(options.seconds)), strict=True):
            print(told(case, found), flush=True)


if __name__ == "__main__":
    main()
