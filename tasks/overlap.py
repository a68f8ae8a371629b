"""Sampling and execution at the same time: a problem goes to the sandbox as soon as its samples are there.

    policy ──► solutions ──┬──► ground truth ──┐
                           └──► test prompts   ├──► one sandbox
               generator ──► tests ──► cells ──┘

Two models that can be reached together (servers that run already, recordings) work together: tests of a problem are asked for when
its solutions are there. Two that need the same GPU take turns, in waves of problems (tasks/waves.py), and the sandbox works beside
both. At most ``ahead`` problems wait before each step; then the model waits too, so memory is bounded. None of this changes what
is drawn. What the sandbox finished here is not run again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from models.labelling import judge
from models.load import Level
from models.matrix import MatrixJob, PassMatrix
from models.ports import Generator
from models.run_record import Generation, GenerationRequest
from models.types import Labels, Limits, Problem, SolutionSet
from tasks.sample_solutions import kept_solutions
from tasks.shared_sandbox import Channel, Execute, SharedSandbox, Stopped
from tasks.waves import WavePlan, Waves

OpenModel = Callable[[], AbstractContextManager[Generator]]


@dataclass(frozen=True)
class Plan:
    """What is to be drawn and run. ``ask_tests``, ``cells_of``: None where there are no tests, where no cell is wanted yet.

    ``together``: both models at one time; else in ``waves``.
    """

    problems: Mapping[str, Problem]
    ask_solutions: Callable[[Problem], GenerationRequest]
    ask_tests: Callable[[Problem, SolutionSet], GenerationRequest] | None
    cells_of: Callable[[Problem, SolutionSet, Generation], MatrixJob] | None
    label_limits: Limits | None
    together: bool
    ahead: int
    waves: WavePlan = field(default_factory=WavePlan)

    @property
    def steps(self) -> int:
        """A step is one problem sampled, tested, judged, or executed."""
        parts = (self.ask_solutions, self.ask_tests, self.label_limits, self.ask_tests and self.cells_of)
        return len(self.problems) * sum(part is not None for part in parts)


@dataclass
class Drawn:
    """Everything by task id. Seconds: ``busy_s`` of each model, ``switch_s`` to bring them onto their GPU, ``gpu_s`` of the longer
    of two GPUs or of the only one, switches included, ``sandbox_s`` with work, ``wall_s`` of the whole. ``levels``: what waited.
    """

    solutions: dict[str, Generation] = field(default_factory=dict)
    tests: dict[str, Generation] = field(default_factory=dict)
    labels: dict[str, Labels] = field(default_factory=dict)
    matrices: dict[str, PassMatrix] = field(default_factory=dict)
    busy_s: dict[str, float] = field(default_factory=dict)
    waves: int = 0
    switch_s: float = 0.0
    gpu_s: float = 0.0
    sandbox_s: float = 0.0
    wall_s: float = 0.0
    levels: dict[str, Level] = field(default_factory=dict)


def overlap(
    plan: Plan,
    policy: OpenModel,
    generator: OpenModel,
    execute: Execute,
    advance: Callable[[int], None] = lambda _count: None,
    abandon: Callable[[], None] = lambda: None,
) -> Drawn:
    """Run the plan; ``advance`` counts finished steps, of ``plan.steps``.

    Raises the first failure of any part, once the others have stopped; stored samples and cells are kept. An interrupt calls
    ``abandon``, which ends what the models are at: nobody will take it, and it may be minutes.
    """
    began = time.monotonic()
    work = _Work(plan, execute, advance)
    with ThreadPoolExecutor(3, thread_name_prefix="overlap") as pool:
        tasks = [pool.submit(work.guarded, step) for step in work.steps(policy, generator)]
        try:
            work.sandbox.run(lambda: not all(task.done() for task in tasks))
        except BaseException as error:
            work.stop.set()
            if not isinstance(error, Exception):
                abandon()
            raise
    _raise_first(tasks)
    return work.finished(time.monotonic() - began)


def _raise_first(tasks: Iterable[Future[None]]) -> None:
    """The failure that stopped the others; their own ``Stopped`` says nothing."""
    errors = [error for task in tasks if (error := task.exception()) is not None]
    for error in sorted(errors, key=lambda e: isinstance(e, Stopped)):
        raise error


class _Work:
    """The threads' common ground. Each dictionary of ``drawn`` is written by one thread."""

    def __init__(self, plan: Plan, execute: Execute, advance: Callable[[int], None]) -> None:
        self.plan, self.drawn, self.advance = plan, Drawn(), advance
        self.stop = threading.Event()
        self.sandbox = SharedSandbox(execute, self.stop)
        self._to_label: Channel[SolutionSet] = Channel(plan.ahead, self.stop)
        self._to_ask: Channel[GenerationRequest] = Channel(plan.ahead, self.stop)
        self._room = threading.Semaphore(plan.ahead)
        self._waves = Waves(plan.problems.values(), plan.waves, self.sandbox)

    def _levels(self) -> dict[str, Level]:
        """Jobs that waited for the sandbox, and problems that waited for the test generator where that worked beside the policy."""
        asked = {"waiting_model": self._to_ask.waiting.read()} if self.plan.together and self.plan.ask_tests else {}
        return {"waiting_sandbox": self.sandbox.waiting.read(), **asked}

    def guarded(self, step: Callable[[], None]) -> None:
        """Run one step; its failure stops the others."""
        try:
            step()
        except BaseException:
            self.stop.set()
            raise

    def steps(self, policy: OpenModel, generator: OpenModel) -> list[Callable[[], None]]:
        """What runs side by side."""
        steps: list[Callable[[], None]] = [self._label] if self.plan.label_limits else []
        if self.plan.together:
            return [*steps, lambda: self._all_at_once(policy), lambda: self._generate(generator, self._to_ask)]
        return [*steps, lambda: self._in_turns(policy, generator)]

    def _all_at_once(self, policy: OpenModel) -> None:
        def ask(task_id: str) -> None:
            if self.plan.ask_tests:
                self._to_ask.put(self._test_request(task_id))

        self._sample(policy, self.plan.problems.values(), ask)
        for channel in (self._to_label, self._to_ask):
            channel.close()

    def _in_turns(self, policy: OpenModel, generator: OpenModel) -> None:
        while self._waves.more:
            wave: list[str] = []
            self._sample(policy, self._waves.next_wave(), wave.append)
            self._generate(generator, [self._test_request(t) for t in wave] if self.plan.ask_tests else [])
        self._to_label.close()

    def _sample(self, policy: OpenModel, problems: Iterable[Problem], then: Callable[[str], None]) -> None:
        requests: Iterable[GenerationRequest] = map(self.plan.ask_solutions, problems)
        with policy() as model:
            for generation in model.generate(list(requests) if isinstance(problems, Collection) else requests):
                self.drawn.solutions[generation.task_id] = generation
                self.advance(1)
                self._waves.note("solution", generation, model.busy_s)
                if self.plan.label_limits:
                    self._to_label.put(kept_solutions(generation))
                then(generation.task_id)
            self._add("solution", model.busy_s)

    def _test_request(self, task_id: str) -> GenerationRequest:
        assert self.plan.ask_tests is not None
        return self.plan.ask_tests(self.plan.problems[task_id], kept_solutions(self.drawn.solutions[task_id]))

    def _generate(self, generator: OpenModel, requests: Iterable[GenerationRequest]) -> None:
        if self.plan.ask_tests is None:
            return
        with generator() as model:
            for generation in model.generate(requests):
                self.drawn.tests[generation.task_id] = generation
                self.advance(1)
                self._waves.note("test", generation, model.busy_s)
                if self.plan.cells_of:
                    self._run_cells(generation)
            self._add("test", model.busy_s)

    def _add(self, kind: str, busy_s: float) -> None:
        self.drawn.busy_s[kind] = self.drawn.busy_s.get(kind, 0.0) + busy_s

    def finished(self, wall_s: float) -> Drawn:
        """What was drawn, with the books closed."""
        drawn, models = self.drawn, self.drawn.busy_s.values()
        drawn.wall_s, drawn.waves, drawn.switch_s = wall_s, self._waves.begun, self.plan.waves.switches.total_s
        drawn.gpu_s = max(models, default=0.0) if self.plan.together else sum(models) + drawn.switch_s
        drawn.sandbox_s = sum(tally.seconds for tally in self.sandbox.tallies.values())
        drawn.levels = self._levels()
        return drawn

    def _run_cells(self, generation: Generation) -> None:
        task_id = generation.task_id
        assert self.plan.cells_of is not None
        job = self.plan.cells_of(self.plan.problems[task_id], kept_solutions(self.drawn.solutions[task_id]), generation)
        while not self._room.acquire(timeout=0.05):
            if self.stop.is_set():
                raise Stopped
        asker = "tests" if any(not sample.reused for sample in generation.samples) else "stored tests"
        self.sandbox.submit(job, asker).add_done_callback(self._keep)

    def _keep(self, future: Future[PassMatrix]) -> None:
        matrix = future.result()
        self.drawn.matrices[matrix.task_id] = matrix
        self.advance(1)
        self._room.release()

    def _label(self) -> None:
        assert self.plan.label_limits is not None
        for sets in self._to_label.batches():
            for judged in judge(self.plan.problems, sets, self.sandbox.execute, self.plan.label_limits):
                self.drawn.labels[judged.labels.task_id] = judged.labels
                self.advance(1)
