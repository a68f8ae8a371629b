"""``python -m tests.integration.fated_shards RUNNER FATE …``: shards with a fate over a runner's workers; prints what is raised."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any

from prefect import flow, task

from models.errors import CodeRMError, MalformedLine

SECONDS = {"long": 3600.0, "short": 5.0}


class Fated:
    """``fate``: bad, killed, short, or long, which takes an hour."""

    def __init__(self, fate: str) -> None:
        self.fate = fate


@task(persist_result=False)
def meet(config: Any, shard: Any) -> None:
    if shard.fate == "bad":
        raise MalformedLine("p.jsonl", 3, "prompt", "a string")
    if shard.fate == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(SECONDS[shard.fate])


@flow
def several(runner: Any, fates: list[str]) -> None:
    from tasks.settings import Settings
    from tasks.shard_runner import Beside
    from tasks.task_runners import open_runner
    from tests.integration.many_workers import demo

    settings = Settings(task_runner=runner, task_workers=2)
    with open_runner(settings) as opened:
        Beside(opened, settings, None).each(meet, demo(), [Fated(fate) for fate in fates], held=None)


if __name__ == "__main__":
    try:
        several(sys.argv[1], sys.argv[2:])
    except CodeRMError as error:
        print(type(error).__name__, error)
