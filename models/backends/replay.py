"""Replay: serves recorded samples through the port of a real model, in the order in which they were recorded.

Decides nothing and invents nothing: sample k of a task is what stands at index k of its line. Everything that a call asks for is found
and counted before the first generation goes out, so that a recording that is too short stops the job instead of shrinking it. Refuses
to repeat, to truncate, and to serve a task that it has no line for. The trade: each call reads the file once and keeps the lines asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from models.config import ReplayConfig
from models.errors import ExhaustedError
from models.types import Generation, GenerationRequest, GeneratorIdentity, Sample, SolutionSet, TestSet, UnitTest

Recording = SolutionSet | TestSet
ReadRecordings = Callable[[Path], Iterable[Recording]]
"""Streams the lines of an S or T file; raises InputError for a bad one."""


class ReplayGenerator:
    """A ``Generator`` over one S file (``kind`` "solution") or T file ("test")."""

    def __init__(self, config: ReplayConfig, kind: Literal["solution", "test"], read: ReadRecordings) -> None:
        """``read``: how lines become records (tasks/jsonl.py), given because this layer opens no files by itself."""
        self._config, self._kind, self._read = config, kind, read

    def __enter__(self) -> Self:
        """Nothing to acquire: a missing file is the first call's error."""
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing to release."""

    @property
    def identity(self) -> GeneratorIdentity:
        """Backend "replay"; the model is the one that the configuration names."""
        return GeneratorIdentity(backend="replay", model=self._config.model, prompt_version="recorded")

    def generate(self, requests: Sequence[GenerationRequest]) -> Iterator[Generation]:
        """One generation a request, in the order of the requests.

        Raises before the first one: ExhaustedError when a task has fewer than ``n`` samples or no line, InputError for a bad file,
        ValueError for a request of the other kind.
        """
        if wrong := [r.task_id for r in requests if r.kind != self._kind]:
            raise ValueError(f"{self._config.path} replays {self._kind}s; task {wrong[0]!r} was asked for the other kind")
        recorded = self._recorded({r.task_id for r in requests})
        for request in requests:
            self._require(request, recorded.get(request.task_id))
        return (self._served(request, recorded[request.task_id]) for request in requests)

    def _recorded(self, task_ids: set[str]) -> dict[str, tuple[str, ...] | tuple[UnitTest, ...]]:
        return {line.task_id: _samples(line) for line in self._read(self._config.path) if line.task_id in task_ids}

    def _require(self, request: GenerationRequest, samples: Sequence[str | UnitTest] | None) -> None:
        available = len(samples or ())
        if available < request.n:
            held = f"{available} are recorded" if samples is not None else "0 are recorded (the task has no line)"
            raise ExhaustedError(
                f"{self._config.path}: task {request.task_id!r}: {request.n} {self._kind}s were asked for and {held}; "
                f"ask for {available} at most, or record more"
            )

    @staticmethod
    def _served(request: GenerationRequest, samples: Sequence[str | UnitTest]) -> Generation:
        served = tuple(Sample(content=content, text=_text(content)) for content in samples[: request.n])
        return Generation(task_id=request.task_id, kind=request.kind, prompt_digest=request.prompt_digest, samples=served)


def _samples(line: Recording) -> tuple[str, ...] | tuple[UnitTest, ...]:
    return line.solutions if isinstance(line, SolutionSet) else line.tests


def _text(content: str | UnitTest) -> str:
    if isinstance(content, str):
        return content
    return content.source if content.source is not None else f"{content.stdin}\n{content.stdout}"
