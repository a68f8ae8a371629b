"""The OpenAI chat protocol as data: a request's JSON, an answer's choices, and who is to blame for an error.

Pure. An answer that is no answer (garbage, no choices) is the server's fault and worth another try, as are 429 and 5xx; whatever
else the server refuses is the request's fault, said in one line with what to change.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from models.backend_config import ServedConfig
from models.errors import BackendUnavailable, InputError, PromptTooLong
from models.run_record import GenerationRequest, Response

BUSY_OR_BROKEN = frozenset({408, 409, 425, 429})
MESSAGE_CHARS = 300
_CONTEXT = re.compile(
    r"context.{0,20}(length|window|size)|max(imum)?.?model.?len|too (long|many tokens)|exceeds? .{0,40}tokens", re.I
)
_ROOM = re.compile(r"(?:context.{0,20}(?:length|window|size)|max.?model.?len)\D{0,12}(\d+)", re.I)
"""Tokens of the whole context; where ``max_tokens`` alone is as many, no prompt fits."""
_TEMPLATE = re.compile(r"chat.?template", re.I)
_UNKNOWN_MODEL = re.compile(r"model.{0,200}(does not exist|not found|unknown|not served|invalid)|no such model", re.I | re.S)
_TOO_MANY = re.compile(r"\bn\b(?!o)|best_of|number of (choices|completions|samples)|completion choice", re.I)


class Busy(Exception):
    """The server cannot answer now; ``after_s``: how long it asks to be left alone."""

    def __init__(self, message: str, after_s: float = 0.0) -> None:
        """``message``: one line."""
        super().__init__(message)
        self.after_s = after_s


class TooManyChoices(Exception):
    """The server takes fewer samples a request than it was asked for."""


class Part(NamedTuple):
    """Samples ``offset`` … ``offset + n - 1`` of a request; ``logprobs``: with their log-probabilities."""

    offset: int
    n: int
    logprobs: bool


def payload(config: ServedConfig, request: GenerationRequest, part: Part, *, extras: bool) -> dict[str, Any]:
    """The body for a part of a request: seeds follow on, so that splitting changes nothing."""
    sampling = config.sampling
    body: dict[str, Any] = {
        "model": config.model,
        "messages": [{"role": "user", "content": request.prompt}],
        "n": part.n,
        "seed": request.seed + part.offset,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        "frequency_penalty": sampling.frequency_penalty,
        "presence_penalty": sampling.presence_penalty,
    }
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    if part.logprobs:
        body["logprobs"] = True
    if extras:
        body["add_generation_prompt"] = config.generation_prompt
    return body


def read_answer(text: str, n: int) -> list[Response]:
    """The choices of an answer in their order, at most ``n``. Raises Busy for what is no answer."""
    try:
        answer = json.loads(text)
        choices = sorted(answer["choices"], key=lambda choice: int(choice.get("index", 0)))[:n]
        logprobs = [_logprobs(choice) for choice in choices]
        tokens_in, tokens_out = _usage(answer, logprobs)
        return [
            Response(
                text=_text(choice),
                finish_reason=str(choice.get("finish_reason") or "stop"),
                tokens_in=tokens_in if at == 0 else 0,
                tokens_out=tokens_out[at],
                mean_logprob=sum(logprobs[at]) / len(logprobs[at]) if logprobs[at] else None,
            )
            for at, choice in enumerate(choices)
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Busy(f"an answer that is none ({type(error).__name__}): {one_line(text)[:120]!r}") from None


def _text(choice: Mapping[str, Any]) -> str:
    content = choice["message"].get("content")
    if content is not None and not isinstance(content, str):
        raise TypeError("content is no text")
    return content or ""


def _logprobs(choice: Mapping[str, Any]) -> list[float]:
    listed = (choice.get("logprobs") or {}).get("content") or []
    return [float(token["logprob"]) for token in listed]


def _usage(answer: Mapping[str, Any], logprobs: list[list[float]]) -> tuple[int, list[int]]:
    """(prompt tokens, tokens of each choice). Where choices have no log-probabilities, their sum is shared out evenly."""
    usage = answer.get("usage") or {}
    total, count = int(usage.get("completion_tokens") or 0), len(logprobs)
    even = [total // count + (at < total % count) for at in range(count)] if count else []
    exact = [len(tokens) for tokens in logprobs]
    return int(usage.get("prompt_tokens") or 0), exact if all(exact) else even


class Place(NamedTuple):
    """Where a request went, for the line that says what was wrong with it."""

    url: str
    model: str
    task_id: str
    max_tokens: int
    key_variable: str


def refusal(status: int, text: str, n: int, at: Place) -> Exception:
    """What an answer with an error status means, as an exception to raise. ``n``: samples that were asked for."""
    said = error_message(text)
    if status in BUSY_OR_BROKEN or status >= 500:
        return Busy(f"status {status}: {said}")
    if status in (401, 403):
        key = at.key_variable or "the server's key"
        return BackendUnavailable(f"{at.url}: status {status}: {said}; set {key} to a key that this server accepts")
    if n > 1 and _TOO_MANY.search(said):
        return TooManyChoices(said)
    if _CONTEXT.search(said):
        room = _ROOM.search(said)
        kind = InputError if room and int(room[1]) <= at.max_tokens else PromptTooLong
        return kind(
            f"task {at.task_id!r}: the prompt and sampling.max_tokens = {at.max_tokens} do not fit into the context of "
            f"{at.model!r} ({said}); lower sampling.max_tokens, or serve the model with a longer context"
        )
    return InputError(_fault(status, said, at))


def _fault(status: int, said: str, at: Place) -> str:
    if _TEMPLATE.search(said):
        return (
            f"{at.url}: model {at.model!r} has no chat template ({said}); serve it with one "
            "(vLLM: --chat-template; type 'vllm': field 'chat_template')"
        )
    if status == 404 or _UNKNOWN_MODEL.search(said):
        return f"{at.url}: field 'model': {at.model!r} is not served ({said}); expected a name from {at.url}/models"
    return f"{at.url}: task {at.task_id!r}: status {status}: {said}"


def error_message(text: str) -> str:
    """The sentence inside an error's JSON, in any of the usual shapes, else the text itself; one line."""
    try:
        found = json.loads(text)
        while isinstance(found, dict):
            found = next((found[key] for key in ("error", "message", "detail") if key in found), json.dumps(found))
        return one_line(found if isinstance(found, str) else json.dumps(found))
    except ValueError:
        return one_line(text) or "no explanation"


def one_line(text: str) -> str:
    """Without line feeds and not too long."""
    return " ".join(text.split())[:MESSAGE_CHARS]
