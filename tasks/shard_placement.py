"""Where the shards of a run are worked on, by settings of this machine alone: no result depends on it (tests/integration)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from models.config import RunConfig
from models.errors import InputError
from tasks.run_header import RunHeader
from tasks.shard import Shard
from tasks.shard_deployment import Ahead
from tasks.shard_orders import find_run
from tasks.shard_runner import Beside, InTurn
from tasks.task_runners import open_runner


@contextmanager
def shard_runner(header: RunHeader, config: RunConfig, shards: Sequence[Shard]) -> Iterator[InTurn]:
    """The runner for as long as the block. Raises InputError for settings that contradict each other, UnavailableError."""
    settings = header.settings
    if settings.task_runner != "none" and settings.shard_deployment:
        raise InputError("CODERM_SHARD_DEPLOYMENT and CODERM_TASK_RUNNER are both set; expected one of them")
    if settings.shard_deployment:
        ahead = Ahead(header, config, settings.shard_deployment)
        ahead.ahead(shards, None)
        yield ahead
    elif settings.task_runner != "none":
        with open_runner(settings) as opened:
            beside = Beside(opened, settings, header.sandbox)
            if beside.elsewhere:
                beside.each(find_run, config, shards, held=None, run=header.run_id)
            yield beside
    else:
        yield InTurn()
