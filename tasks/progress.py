"""What a person sees while a run is under way: progress in the Prefect UI, and bars on stderr, only on a terminal, since logs and
pipes stay clean and stdout belongs to results; and no traceback of an error that has a line of its own.

Only the main thread of the process that a person started draws: shards that run beside one another would draw over one another.
"""

from __future__ import annotations

import logging
import multiprocessing
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from models.errors import CodeRMError
from tasks.progress_artifact import progress_artifact

ERR = Console(stderr=True)
CALLED_OFF: ContextVar[threading.Event | None] = ContextVar("called_off", default=None)
"""Set where shards run in threads, which nobody can interrupt: once it is set, their next ``advance`` ends them."""


class CalledOff(Exception):
    """The run ended while this shard was at work."""


def without_known_tracebacks() -> None:
    """Prefect logs whatever ends a run with its traceback; for an error of ours the line says it all, also on the run's page."""
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).addFilter(_keep_the_line)


def _keep_the_line(record: logging.LogRecord) -> bool:
    if record.exc_info and isinstance(record.exc_info[1], CodeRMError):
        record.exc_info = None
    return True


@contextmanager
def progress_bar(description: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Yield ``advance(count)``, for any thread. ``total`` None: unknown. In a flow run the Prefect UI shows it as well.

    ``advance`` raises CalledOff in a thread whose run has ended.
    """
    called_off = CALLED_OFF.get()
    with progress_artifact(description, total or 0) as show, _terminal_bar(description, total) as draw:

        def advance(count: int) -> None:
            if called_off is not None and called_off.is_set():
                raise CalledOff
            show(count)
            draw(count)

        yield advance


@contextmanager
def _terminal_bar(description: str, total: int | None) -> Iterator[Callable[[int], None]]:
    if not ERR.is_terminal or threading.current_thread() is not threading.main_thread() or multiprocessing.parent_process():
        yield lambda _count: None
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=ERR, transient=True) as progress:
        bar = progress.add_task(description, total=total)
        yield lambda count: progress.advance(bar, count)


def say(line: str) -> None:
    """One line that the next one overwrites: what a wait is for. Without a terminal nothing."""
    if ERR.is_terminal:
        ERR.print(line.ljust(ERR.width - 1)[: ERR.width - 1], end="\r", highlight=False, markup=False)
