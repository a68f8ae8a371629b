"""Any server that speaks the OpenAI chat protocol: one request a problem, many at a time, tried again while the server is busy.

Decides how a request is split (at most ``n_a_request`` samples each; halved where the server takes fewer, asked on where it gives
fewer; the first ``logprob_samples`` apart, since log-probabilities are dear); seeds follow on over the parts. A failure stops new
requests, what is at the server is awaited, handed out, and then the failure is raised: nothing that was finished is lost. Requests
are taken from the caller by a thread of its own, so that they may come slowly, and finished problems go out meanwhile. One request:
``chat_client``. Not streamed token by token: at thousands of tokens a second the parsing would cost more than it tells.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from types import TracebackType
from typing import Self

from pydantic import SecretStr

from models.backend_config import OpenAIConfig, ServedConfig
from models.backends.chat_client import ChatClient
from models.backends.chat_protocol import Part, TooManyChoices
from models.backends.identity import identity_of
from models.errors import BackendUnavailable, PromptTooLong
from models.extraction.extract import extract, unread
from models.run_record import Generation, GenerationRequest, GeneratorIdentity, Response

LOG = logging.getLogger(__name__)
Outcome = Generation | BaseException


class OpenAIGenerator:
    """A ``Generator`` over HTTP. Made for one configuration; opened once."""

    def __init__(self, config: ServedConfig, client: ChatClient) -> None:
        """``client`` is not open yet."""
        self._config, self._client = config, client
        self._open = False

    @classmethod
    def of(cls, config: OpenAIConfig, key: SecretStr | None) -> Self:
        """The generator of a server that runs already."""
        variable = f"CODERM_{config.api_key.upper()}_API_KEY"
        return cls(config, ChatClient(config, config.base_url, key, key_variable=variable, extras=config.vllm_extras))

    @classmethod
    def of_engine(cls, config: ServedConfig, url: str, alive: Callable[[], bool]) -> Self:
        """The generator of a server of our own; once it is not ``alive`` nothing is tried again."""
        return cls(config, ChatClient(config, url, alive=alive))

    def __enter__(self) -> Self:
        """Raises BackendUnavailable where nobody answers, InputError for a name that is not served."""
        self._client.__enter__()
        self._open = True
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        """End what waits, close the connections."""
        self._open = False
        self._client.__exit__(kind, value, trace)

    @property
    def identity(self) -> GeneratorIdentity:
        """The model under its sampling; a model's name is only the server's word, so the server is part of it."""
        config = self._config
        facts = {"server": self._client.url} if isinstance(config, OpenAIConfig) else {}
        return identity_of(config, getattr(config, "type", "openai"), **facts)

    @property
    def busy_s(self) -> float:
        """Seconds in which at least one request was at the server."""
        return self._client.busy_s

    def generate(self, requests: Iterable[GenerationRequest]) -> Iterator[Generation]:
        """Yield finished problems in the order in which they finish. Raises BackendUnavailable, InputError, after those."""
        if not self._open:
            raise BackendUnavailable(f"{self._client.url}: the connection is not open")
        self._client.stop.clear()
        asked = iter(requests)
        if (first := next(asked, None)) is None:
            return
        width = self._config.width(first.n)
        outcomes: queue.SimpleQueue[Outcome | None] = queue.SimpleQueue()
        room = threading.Semaphore(2 * width)  # in work, and finished but not yet taken
        with ThreadPoolExecutor(width, thread_name_prefix="chat") as pool:
            given = chain([first], asked), pool, room, outcomes
            feeder = threading.Thread(target=self._feed, args=given, name="chat-feed", daemon=True)
            feeder.start()
            try:
                yield from self._finished(outcomes, room)
            finally:
                self._client.stop.set()
                room.release()  # the feeder may wait for room that nobody will make

    def _finished(self, outcomes: queue.SimpleQueue[Outcome | None], room: threading.Semaphore) -> Iterator[Generation]:
        """Generations until the feeder has ended and all that it submitted is in; then the first failure, if any."""
        failure: BaseException | None = None
        taken = 0
        expected: int | None = None
        while expected is None or taken < expected:
            outcome = outcomes.get()
            if outcome is None:
                expected = self._submitted
                continue
            taken += 1
            room.release()
            if isinstance(outcome, Generation):
                yield outcome
            else:
                failure = failure or outcome
                self._client.stop.set()
        if failure is not None:
            raise failure

    def _feed(
        self,
        requests: Iterator[GenerationRequest],
        pool: ThreadPoolExecutor,
        room: threading.Semaphore,
        outcomes: queue.SimpleQueue[Outcome | None],
    ) -> None:
        self._submitted = 0
        try:
            while not self._client.stop.is_set() and (request := next(requests, None)) is not None:
                room.acquire()
                if self._client.stop.is_set():
                    break
                self._submitted += 1
                pool.submit(lambda asked: outcomes.put(self._outcome(asked)), request)
        except BaseException as error:  # noqa: BLE001 - the caller's iterator failed: the caller's thread must hear of it
            self._submitted += 1
            outcomes.put(error)
        outcomes.put(None)

    def _outcome(self, request: GenerationRequest) -> Outcome:
        try:
            return extract(request, self._responses(request), self._config.extraction)
        except PromptTooLong as error:
            LOG.warning("%s", error)
            return unread(request)
        except BaseException as error:  # noqa: BLE001 - carried to the caller's thread and raised there
            return error

    def _responses(self, request: GenerationRequest) -> list[Response]:
        """All ``n`` responses; those with log-probabilities are asked for beside the others."""
        most = self._config.logprob_samples or request.n
        told = min(request.n, most) if self._config.sampling.logprobs else 0
        spans = [span for span in (Part(0, told, True), Part(told, request.n - told, False)) if span.n]
        if len(spans) == 1:
            return self._drawn(request, *spans)
        with ThreadPoolExecutor(1, thread_name_prefix="chat-part") as beside:
            first = beside.submit(self._drawn, request, spans[0])
            rest = self._drawn(request, spans[1])
            return first.result() + rest

    def _drawn(self, request: GenerationRequest, span: Part) -> list[Response]:
        """All responses of a span, in as many parts as the server wants."""
        most = self._config.n_a_request or span.n
        responses: list[Response] = []
        while len(responses) < span.n:
            part = span._replace(offset=span.offset + len(responses), n=min(most, span.n - len(responses)))
            try:
                responses += self._client.ask(request, part)
            except TooManyChoices:
                most = max(1, part.n // 2)
        return responses[: span.n]
