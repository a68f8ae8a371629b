"""Run the cells of many problems on a few slots: the only door to the sandbox for the rest of the house.

``open_executor`` chooses the runtime; ``PooledExecutor`` keeps one thread a slot, feeds them rows, and yields matrices in the order
of the jobs with at most ``look_ahead`` rows in flight, so memory does not grow with the benchmark. A fault of ours (a slot that
dies, hangs or talks nonsense) costs the cell in hand one retry on another slot and then ``not_run``; the program is never blamed.
Whatever ends the iteration (the last job, an exception, Ctrl-C) closes every slot.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Self

from models.cell_shard import CellShard, ShardResult
from models.config import SandboxConfig
from models.errors import InputError, SandboxUnavailable
from models.lines import MatrixLine
from models.load import SlotLoad
from models.matrix import ExecutionContext, MatrixJob, PassMatrix
from models.ports import Executor, OnRows
from models.types import Limits
from sandbox import docker_runtime, process_runtime
from sandbox.image import image_digest
from sandbox.pool import Run
from sandbox.slot import InfraFault, Slot, sandbox_version

START_ATTEMPTS = 3


def open_executor(config: SandboxConfig, *, image: str, docker_host: str | None) -> Executor:
    """The executor that a configuration asks for. Raises SandboxUnavailable when it cannot be had.

    ``auto``: containers when an engine answers and has the image, otherwise local processes and one warning on stderr. An engine
    that cannot limit containers is refused: to take the processes instead, which are limited even less, is for a person to say.
    """
    if config.container_runtime and config.runtime != "docker":
        raise InputError(f"sandbox.container_runtime = {config.container_runtime!r}: expected with runtime = 'docker' only")
    if config.runtime == "process":
        _warn(f"the process runtime gives less than a container: {_missing()}")
        return process_executor(config)
    try:
        return docker_executor(config, image=image, docker_host=docker_host)
    except SandboxUnavailable as error:
        if config.runtime == "docker" or isinstance(error, docker_runtime.Unlimited):
            raise
        _warn(f"{error}; running cells as local processes, without: {_missing()}")
        return process_executor(config)


def _missing() -> str:
    return ", ".join(process_runtime.missing_protections())


@functools.cache
def _warn(line: str) -> None:
    """Once a process and not in its workers: a run opens its sandbox several times, and a line that repeats itself is not read."""
    if multiprocessing.parent_process() is None:
        sys.stderr.write(f"warning: {line}\n")


def cores() -> int:
    """Cores that this process may use: slots of a sandbox that is not told how many."""
    return len(os.sched_getaffinity(0))


def process_executor(config: SandboxConfig) -> PooledExecutor:
    """Slots as local processes."""

    def start(number: int, memory_mib: int) -> Slot:  # noqa: ARG001 - limits of a process are set cell by cell
        return process_runtime.start_slot(number)

    return PooledExecutor(start, workers=config.workers or cores(), sandbox="process", image=None)


def docker_executor(config: SandboxConfig, *, image: str, docker_host: str | None) -> PooledExecutor:
    """Slots as containers. Raises SandboxUnavailable when no engine answers, it lacks the image, or could not limit a slot."""
    client = docker_runtime.connect(docker_host)
    digest = image_digest(client, image)
    if digest is None:
        client.close()
        raise SandboxUnavailable(f"the container engine has no image {image}; run `coderm sandbox build`")
    try:
        docker_runtime.check_limits(client)
        if config.container_runtime:
            docker_runtime.check_runtime(client, config.container_runtime)
        docker_runtime.prune(client)
    except BaseException:
        client.close()
        raise

    def start(number: int, memory_mib: int) -> Slot:
        return docker_runtime.start_slot(client, image, number, memory_mib, config.container_runtime)

    workers = config.workers or cores()
    runtime = config.container_runtime
    return PooledExecutor(start, workers=workers, sandbox="docker", image=digest, close=client.close, kernel=runtime)


def run_shards(executor: Executor, shards: Iterable[CellShard]) -> Iterator[ShardResult]:
    """Results in the order of the shards. What comes in and goes out is plain data, so a worker may stand on any machine."""
    rows: deque[tuple[int, ...]] = deque()

    def jobs() -> Iterator[MatrixJob]:
        for shard in shards:
            rows.append(shard.rows)
            yield shard.work.job()

    for matrix in executor.execute(jobs()):
        yield ShardResult(rows=rows.popleft(), found=MatrixLine.from_matrix(matrix))


class PooledExecutor:
    """N slots, each driven by a thread of its own; one ``execute`` at a time."""

    def __init__(
        self,
        start: Callable[[int, int], Slot],
        *,
        workers: int,
        sandbox: str,
        image: str | None,
        close: Callable[[], None] | None = None,
        kernel: str | None = None,
    ) -> None:
        """``start(number, memory_mib)`` gives a fresh slot; ``close`` releases what they share; ``kernel``: of containers.

        ``load`` counts from here on, since slots start with the block that follows.
        """
        self._version = sandbox_version() + (f"+{kernel}" if kernel else "")
        self._start, self._workers, self._sandbox, self._image = start, workers, sandbox, image
        self._release = close
        self.load = SlotLoad(workers)
        self._slots: dict[int, Slot] = {}
        self._memory_mib: dict[int, int] = {}
        self._runs: list[Run] = []
        self._guard = threading.Lock()

    def __enter__(self) -> Self:
        """Start one slot, so that a runtime that cannot run is known before work begins."""
        try:
            self.slot(0, Limits().memory_mib)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        """End runs that were left in the middle, then close every slot."""
        for run in self._runs:
            run.stop()
        self.interrupt()
        release, self._release = self._release, None
        if release is not None:
            release()

    def interrupt(self) -> None:
        """Close all slots; workers that wait for an answer wake up."""
        with self._guard:
            slots = list(self._slots.values())
            self._slots.clear()
        for slot in slots:
            slot.close()

    def context(self, limits: Limits) -> ExecutionContext:
        """Where and under what cells with these limits run."""
        return ExecutionContext.model_validate(
            {"sandbox": self._sandbox, "image": self._image, "version": self._version, **limits.model_dump()}
        )

    def execute(
        self, jobs: Iterable[MatrixJob], on_cells: Callable[[int], None] | None = None, on_rows: OnRows | None = None
    ) -> Iterator[PassMatrix]:
        """See models.ports.Executor."""
        run = Run(self)
        self._runs.append(run)
        try:
            yield from run.matrices(iter(jobs), on_cells or (lambda _count: None), on_rows)
        finally:
            run.stop()
            self._runs.remove(run)

    @property
    def workers(self) -> int:
        """How many slots."""
        return self._workers

    def slot(self, number: int, memory_mib: int) -> Slot:
        """The slot of a worker, started when there is none with so much memory. Raises SandboxUnavailable."""
        if self._memory_mib.get(number, 0) < memory_mib:
            self.discard(number)
            self._memory_mib[number] = memory_mib
        with self._guard:
            slot = self._slots.get(number)
        if slot is None:
            slot = _persistently(lambda: self._start(number, self._memory_mib[number]))
            with self._guard:
                self._slots[number] = slot
        return slot

    def discard(self, number: int) -> None:
        """Close a worker's slot; its next piece starts a fresh one."""
        with self._guard:
            slot = self._slots.pop(number, None)
        if slot is not None:
            slot.close()


def _persistently(start: Callable[[], Slot]) -> Slot:
    for _ in range(START_ATTEMPTS - 1):
        with contextlib.suppress(InfraFault):
            return start()
    try:
        return start()
    except InfraFault as error:
        raise SandboxUnavailable(f"{error}; run `coderm doctor --sandbox`") from error
