"""One stage that runs cells: the store of known cells, the sandbox, progress for people, and what the stage measured of itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from models.config import SandboxConfig
from models.operations import CellCounts, Operations, of_sandbox
from models.ports import Executor, VerdictCache
from tasks.progress import progress_bar
from tasks.resources import open_database, open_executor


class SandboxStage:
    """An open stage: what ``tasks.execute_matrix.execute_jobs`` asks for. ``operations``: of the stage, once it has ended well."""

    def __init__(self, executor: Executor, cache: VerdictCache | None, advance: Callable[[int], None]) -> None:
        """``advance``: tells people that so many more are done."""
        self.executor, self.cache, self.advance = executor, cache, advance
        self.counts, self.operations = CellCounts(), Operations()


@contextmanager
def sandbox_stage(config: SandboxConfig, name: str, title: str, total: int) -> Iterator[SandboxStage]:
    """Open everything for the block. ``name``: of the stage in the metrics; ``title``, ``total``: what people see.

    Raises SandboxUnavailable, StoreUnavailable.
    """
    with (
        open_database() if config.reuse else nullcontext() as cache,
        open_executor(config) as executor,
        progress_bar(title, total) as advance,
    ):
        stage, began = SandboxStage(executor, cache, advance), time.time()
        yield stage
        stage.operations = of_sandbox(name, began, stage.counts, executor.load)
