"""What a person sees while a run is under way: progress in the Prefect UI, and bars on stderr, only on a terminal, since logs and
pipes stay clean and stdout belongs to results; and no traceback of an error that has a line of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from models.errors import CodeRMError
from tasks.progress_artifact import progress_artifact

ERR = Console(stderr=True)


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
    """Yield ``advance(count)``, for any thread. ``total`` None: unknown. In a flow run the Prefect UI shows it as well."""
    with progress_artifact(description, total or 0) as show, _terminal_bar(description, total) as draw:

        def advance(count: int) -> None:
            show(count)
            draw(count)

        yield advance


@contextmanager
def _terminal_bar(description: str, total: int | None) -> Iterator[Callable[[int], None]]:
    if not ERR.is_terminal:
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
