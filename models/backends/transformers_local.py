"""``type = "transformers"``: the model in this process (extra ``[local]``), for a CPU or where there is no vLLM.

Rows of several problems share a batch, padded on the left. Sample k of a request is drawn from a random stream of its own, seeded
with ``seed + k``: one uniform number a token, turned into a token by the inverse of the cumulative distribution. So a sample does
not depend on which rows share its batch (up to the rounding of the matrix products), and fewer samples are the first of more.
Order of the steps as in vLLM: penalties, temperature, top-p; log-probabilities are those of the model before all of them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import islice
from types import TracebackType
from typing import Any, NamedTuple, Self

from models.backend_config import Sampling, TransformersConfig
from models.backends.busy import BusyClock
from models.backends.identity import identity_of, weights_of
from models.backends.transformers_model import LoadedModel, load, out_of_memory
from models.errors import BackendUnavailable, InputError
from models.extraction.extract import extract, unread
from models.run_record import Generation, GenerationRequest, GeneratorIdentity, Response

LOG = logging.getLogger(__name__)


class _Row(NamedTuple):
    """``tokens``: of the prompt; none where it is too long, and then this is the request's only row."""

    request: GenerationRequest
    tokens: list[int]
    k: int


class TransformersGenerator:
    """A ``Generator`` in process."""

    def __init__(self, config: TransformersConfig) -> None:
        """Nothing is loaded yet."""
        self._config = config
        self._clock = BusyClock()
        self._loaded: LoadedModel | None = None

    def __enter__(self) -> Self:
        """Load. Raises BackendUnavailable without the extra or the memory, InputError for a wrong name or no chat template."""
        config = self._config
        self._loaded = load(config.model, config.revision, config.device, config.dtype)
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        """Let go of the weights."""
        loaded, self._loaded = self._loaded, None
        if loaded is not None and loaded.device.type == "cuda":
            import torch

            del loaded
            torch.cuda.empty_cache()

    @cached_property
    def identity(self) -> GeneratorIdentity:
        """The model under its sampling and number format."""
        return identity_of(self._config, "transformers", dtype=self._config.dtype, **weights_of(self._config))

    @property
    def busy_s(self) -> float:
        """Seconds in which the model computed."""
        return self._clock.seconds

    def generate(self, requests: Iterable[GenerationRequest]) -> Iterator[Generation]:
        """Yield in the order of the requests; a prompt that is too long is discarded. Raises InputError, BackendUnavailable."""
        if self._loaded is None:
            raise BackendUnavailable(f"{self._config.model}: the model is not open")
        loaded = self._loaded
        rows = (row for request in requests for row in self._rows(loaded, request))
        responses: list[Response] = []
        while batch := list(islice(rows, self._config.batch_size)):
            read = [row for row in batch if row.tokens]
            with self._clock.working(), out_of_memory(self._config.model, "lower batch_size or sampling.max_tokens"):
                drawn = iter(draw(loaded, read, self._config.sampling) if read else [])
            for row in batch:
                if not row.tokens:
                    yield unread(row.request)
                    continue
                responses.append(next(drawn))
                if row.k == row.request.n - 1:
                    yield extract(row.request, responses, self._config.extraction)
                    responses = []

    def _rows(self, loaded: LoadedModel, request: GenerationRequest) -> list[_Row]:
        tokens = loaded.prompt_tokens(request.prompt, generation_prompt=self._config.generation_prompt)
        room = min(self._config.max_model_len, loaded.context)
        if len(tokens) + self._config.sampling.max_tokens > room:
            said = (
                f"task {request.task_id!r}: {len(tokens)} tokens of prompt and sampling.max_tokens = "
                f"{self._config.sampling.max_tokens} do not fit into {room}; lower sampling.max_tokens, or raise max_model_len"
            )
            if self._config.sampling.max_tokens >= room:
                raise InputError(said)
            LOG.warning("%s", said)
            return [_Row(request, [], 0)]
        return [_Row(request, tokens, k) for k in range(request.n)]


def draw(loaded: LoadedModel, rows: list[_Row], sampling: Sampling) -> list[Response]:
    """One response a row."""
    import torch
    from transformers import LogitsProcessorList

    from models.backends.transformers_sampler import SeededSampler

    longest = max(len(row.tokens) for row in rows)
    prompts = torch.full((len(rows), longest), loaded.pad, device=loaded.device)
    mask = torch.zeros_like(prompts)
    for at, row in enumerate(rows):
        prompts[at, longest - len(row.tokens) :] = torch.tensor(row.tokens, device=loaded.device)
        mask[at, longest - len(row.tokens) :] = 1
    sampler = SeededSampler(sampling, [row.request.seed + row.k for row in rows], longest)
    stopping: dict[str, Any] = {"stop_strings": list(sampling.stop), "tokenizer": loaded.tokenizer} if sampling.stop else {}
    with torch.inference_mode():
        whole = loaded.model.generate(
            input_ids=prompts,
            attention_mask=mask,
            max_new_tokens=sampling.max_tokens,
            do_sample=False,
            num_beams=1,
            logits_processor=LogitsProcessorList([sampler]),
            pad_token_id=loaded.pad,
            eos_token_id=sorted(loaded.ends),
            **stopping,
        )
    return [_response(loaded, row, whole[at, longest:].tolist(), sampler.logprobs(at), sampling) for at, row in enumerate(rows)]


def _response(loaded: LoadedModel, row: _Row, tokens: list[int], logprobs: list[float], sampling: Sampling) -> Response:
    end = next((at for at, token in enumerate(tokens) if token in loaded.ends), None)
    text = loaded.tokenizer.decode(tokens[:end], skip_special_tokens=True)
    cut = min((at for stop in sampling.stop if (at := text.find(stop)) >= 0), default=None)
    drawn = len(tokens) if end is None else end + 1
    if cut is not None and end is None:
        drawn = _until(loaded, tokens, sampling.stop)
    return Response(
        text=text[:cut],
        finish_reason="length" if end is None and cut is None else "stop",
        tokens_in=len(row.tokens) if row.k == 0 else 0,
        tokens_out=drawn,
        mean_logprob=sum(logprobs[:drawn]) / drawn if sampling.logprobs and drawn else None,
    )


def _until(loaded: LoadedModel, tokens: list[int], stops: tuple[str, ...]) -> int:
    """How many tokens were drawn when the first of ``stops`` was complete; the rest is padding."""
    for count in range(1, len(tokens) + 1):
        text = loaded.tokenizer.decode(tokens[:count], skip_special_tokens=True)
        if any(stop in text for stop in stops):
            return count
    return len(tokens)
