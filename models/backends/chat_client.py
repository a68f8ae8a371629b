"""One chat server as its client sees it: is it there, has it the model, and one request until it is answered or given up.

Decides what is worth another try (busy, broken, garbage) and when to stop trying: after ``attempts`` with back-off, when somebody
says stop, or when ``alive`` says that the server's process is gone. The key goes into one header and nowhere else.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

import httpx
from pydantic import SecretStr
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, stop_any, stop_when_event_set
from tenacity.nap import sleep_using_event
from tenacity.wait import wait_exponential, wait_random

from models.backend_config import ServedConfig
from models.backends.busy import BusyClock
from models.backends.chat_protocol import Busy, Part, Place, error_message, payload, read_answer, refusal
from models.errors import BackendUnavailable, InputError
from models.run_record import GenerationRequest, Response

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
FIRST_WAIT_S = 0.5


def _lives() -> bool:
    return True


class ChatClient:
    """``with`` opens the connections. ``stop``: set it and nothing is tried again. ``busy_s``: a request was at the server."""

    def __init__(
        self,
        config: ServedConfig,
        url: str,
        key: SecretStr | None = None,
        *,
        key_variable: str = "",
        extras: bool = True,
        alive: Callable[[], bool] = _lives,
    ) -> None:
        """``url`` up to and including ``/v1``. ``key_variable``: where a key comes from, for the error that asks for one."""
        self.url, self.stop = url.rstrip("/"), threading.Event()
        self._config, self._key, self._key_variable, self._extras, self._alive = config, key, key_variable, extras, alive
        self._clock = BusyClock()
        self._http: httpx.Client | None = None

    def __enter__(self) -> Self:
        """Ask for the list of models: a server that is not there, or has another model, is known before work begins.

        Raises BackendUnavailable, and InputError for a name that the server does not list. A server without a list is taken as is.
        """
        config = self._config
        self._http = httpx.Client(
            timeout=httpx.Timeout(config.timeout_s, connect=config.connect_timeout_s, pool=None),
            limits=httpx.Limits(max_connections=config.width(1)),
            headers={"Authorization": f"Bearer {self._key.get_secret_value()}"} if self._key else {},
            trust_env=httpx.URL(self.url).host not in LOOPBACK,
        )
        try:
            self._check_model(self._http)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        """End what waits, close the connections."""
        self.stop.set()
        if self._http is not None:
            self._http.close()

    @property
    def busy_s(self) -> float:
        """Seconds in which at least one request was at the server."""
        return self._clock.seconds

    def ask(self, request: GenerationRequest, part: Part) -> list[Response]:
        """Samples of a part, perhaps not all; a server that is busy or broken is asked again.

        Raises BackendUnavailable when it stays so or ``stop`` is set already, TooManyChoices, InputError.
        """
        if self.stop.is_set():
            raise BackendUnavailable(f"{self.url}: task {request.task_id!r}: not asked, since another request failed")
        retrying = Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, Busy) and self._alive()),
            stop=stop_any(stop_after_attempt(self._config.attempts), stop_when_event_set(self.stop)),
            wait=self._wait_s,
            sleep=sleep_using_event(self.stop),
            reraise=True,
        )
        try:
            return retrying(self._ask_once, request, part)
        except Busy as error:
            tries = retrying.statistics["attempt_number"]
            raise BackendUnavailable(
                f"{self.url}: task {request.task_id!r}: no answer after {tries} tries: {error}; what was finished is kept: "
                "mend the server, then `coderm runs resume`"
            ) from None

    def _wait_s(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.after_s if isinstance(error, Busy) else 0.0
        backoff = wait_exponential(multiplier=FIRST_WAIT_S)(state) + wait_random(0, FIRST_WAIT_S)(state)
        return min(self._config.max_wait_s, max(asked, backoff))

    def _ask_once(self, request: GenerationRequest, part: Part) -> list[Response]:
        body = payload(self._config, request, part, extras=self._extras)
        assert self._http is not None
        try:
            with self._clock.working():
                answer = self._http.post(f"{self.url}/chat/completions", json=body)
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise Busy(_transport_line(error)) from None
        if answer.status_code != 200:
            place = Place(self.url, self._config.model, request.task_id, self._config.sampling.max_tokens, self._key_variable)
            failure = refusal(answer.status_code, answer.text, part.n, place)
            if isinstance(failure, Busy):
                failure.after_s = _retry_after(answer)
            raise failure
        responses = read_answer(answer.text, part.n)
        if not responses:
            raise Busy("an answer without any choice")
        return responses

    def _check_model(self, http: httpx.Client) -> None:
        try:
            answer = http.get(f"{self.url}/models")
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise BackendUnavailable(f"{self.url}: {_transport_line(error)}; start the server, or correct 'base_url'") from None
        if answer.status_code in (401, 403):
            said = error_message(answer.text)
            raise BackendUnavailable(f"{self.url}: status {answer.status_code}: {said}; set {self._key_variable or 'its key'}")
        try:
            known = [str(model["id"]) for model in answer.json()["data"]] if answer.status_code == 200 else []
        except (ValueError, KeyError, TypeError):
            known = []
        if known and self._config.model not in known:
            raise InputError(
                f"{self.url}: field 'model': {self._config.model!r} is not served; expected one of: {', '.join(known[:8])}"
            )


def _retry_after(answer: httpx.Response) -> float:
    """Seconds that the server asks for; a date, or nothing, is 0."""
    try:
        return max(0.0, float(answer.headers.get("retry-after", 0)))
    except ValueError:
        return 0.0


def _transport_line(error: Exception) -> str:
    kinds: dict[type[Exception], str] = {
        httpx.ConnectError: "no connection",
        httpx.ConnectTimeout: "no connection in time",
        httpx.ReadTimeout: "no answer in time",
        httpx.RemoteProtocolError: "the answer broke off",
        httpx.ReadError: "the connection broke",
    }
    kind = kinds.get(type(error), type(error).__name__)
    return f"{kind} ({' '.join(str(error).split())[:120]})" if str(error) else kind
