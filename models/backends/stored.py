"""Draws that are stored are not drawn again: a ``Generator`` around a live one, with a memory that outlives the process.

A series of draws is named by model, sampling, prompt and seed; a request for n takes its first n. Where fewer are stored, the model
is asked for the rest under the seeds that follow, and what comes is stored before it is handed out: a killed run loses what was at
the model and nothing else. Raw responses are stored and extracted on the way out, so that another extraction needs no model. The
model is opened when the first draw is missing: a run that has everything needs no server; how long opening took is told.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import chain
from types import TracebackType
from typing import Self

from models.backend_config import ExtractionVersion
from models.backends.identity import draw_key
from models.extraction.extract import extract
from models.extraction.reasons import UNREAD
from models.ports import Generator, ResponseStore
from models.run_record import Generation, GenerationRequest, GeneratorIdentity, Response, Sample

OnOpen = Callable[[float, float], None]
"""(began, ended): monotonic seconds in which a model was loaded, or switched to."""


class StoredGenerator:
    """Same port, fewer draws."""

    def __init__(
        self,
        inner: Generator,
        store: ResponseStore,
        extraction: ExtractionVersion,
        on_open: OnOpen = lambda _began, _ended: None,
    ) -> None:
        """``inner`` is not open yet; ``extraction`` is its own; ``on_open`` is told when it is opened."""
        self._inner, self._store, self._extraction, self._on_open = inner, store, extraction, on_open
        self._stack = ExitStack()
        self._opened: Generator | None = None

    def __enter__(self) -> Self:
        """Nothing yet."""
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        """Close the model where it was opened."""
        self._stack.__exit__(kind, value, trace)
        self._opened = None

    @property
    def identity(self) -> GeneratorIdentity:
        """The model's."""
        return self._inner.identity

    @property
    def busy_s(self) -> float:
        """The model's; 0 where it was not needed."""
        return self._opened.busy_s if self._opened else 0.0

    def generate(self, requests: Iterable[GenerationRequest]) -> Iterator[Generation]:
        """Stored problems at once where all requests are known, each other one as soon as the model has it."""
        ready: deque[Generation] = deque()
        waiting: dict[str, tuple[GenerationRequest, Sequence[Response]]] = {}
        missing = self._missing(requests, ready, waiting)
        if isinstance(requests, Sequence):
            missing = iter(list(missing))
        first = next(missing, None)
        yield from _drained(ready)
        if first is not None:
            for drawn in self._open().generate(chain([first], missing)):
                yield self._complete(*waiting.pop(drawn.task_id), drawn)
                yield from _drained(ready)
        yield from _drained(ready)

    def _open(self) -> Generator:
        if self._opened is None:
            began = time.monotonic()
            self._opened = self._stack.enter_context(self._inner)
            self._on_open(began, time.monotonic())
        return self._opened

    def _missing(
        self,
        requests: Iterable[GenerationRequest],
        ready: deque[Generation],
        waiting: dict[str, tuple[GenerationRequest, Sequence[Response]]],
    ) -> Iterator[GenerationRequest]:
        """What the model must be asked for; stored problems go to ``ready``, begun ones to ``waiting``."""
        for request in requests:
            key = self._key(request)
            known = self._store.lookup_responses([key]).get(key, ())[: request.n]
            if len(known) == request.n:
                ready.append(self._extracted(request, known, len(known)))
            else:
                waiting[request.task_id] = (request, known)
                yield request.model_copy(update={"n": request.n - len(known), "seed": request.seed + len(known)})

    def _complete(self, request: GenerationRequest, known: Sequence[Response], drawn: Generation) -> Generation:
        """Store what is new after what was known, unless nothing was drawn; hand out the whole."""
        series = [*known, *(Response(**s.model_dump(include=set(Response.model_fields))) for s in drawn.samples)]
        facts = {"task_id": request.task_id, "kind": request.kind, "model": self.identity.model}
        if not any(response.finish_reason == UNREAD for response in series):
            self._store.store_responses(self._key(request), series, facts)
        if not known:
            return drawn  # the model has extracted it already, and that takes as long as reading the answer
        return self._extracted(request, series, len(known))

    def _extracted(self, request: GenerationRequest, series: Sequence[Response], reused: int) -> Generation:
        generation = extract(request, series, self._extraction)
        samples = tuple(_marked(s) if at < reused else s for at, s in enumerate(generation.samples))
        return generation.model_copy(update={"samples": samples})

    def _key(self, request: GenerationRequest) -> str:
        return draw_key(self.identity, request.prompt_digest, request.seed)


def _marked(sample: Sample) -> Sample:
    return sample.model_copy(update={"reused": True})


def _drained(ready: deque[Generation]) -> Iterator[Generation]:
    while ready:
        yield ready.popleft()
