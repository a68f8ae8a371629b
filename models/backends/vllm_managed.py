"""``type = "vllm"``: the OpenAI-compatible client on a server that the run starts and stops itself.

Adds nothing to what is drawn: requests, retries, seeds and extraction are those of ``openai_compat``. What it adds is the
blame: when the server dies under way, the error says why it died, from its log, and not that a connection broke.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from models.backend_config import VllmConfig
from models.backends.engine_pool import EnginePool
from models.backends.identity import identity_of, weights_of
from models.backends.openai_compat import OpenAIGenerator
from models.backends.vllm_command import ADAPTER, check_environment
from models.backends.vllm_server import VllmServer
from models.backends.weights import files_digest, weights_digest
from models.errors import BackendUnavailable
from models.run_record import Generation, GenerationRequest, GeneratorIdentity


class VllmGenerator:
    """A ``Generator`` over a managed server."""

    def __init__(self, config: VllmConfig, pool: EnginePool, state: Path) -> None:
        """``state``: folder for logs and records. Raises BackendUnavailable where the environment is missing."""
        check_environment(config)
        self._config, self._pool, self._state = config, pool, state
        self._client: OpenAIGenerator | None = None
        self._server: VllmServer | None = None
        self._open = ExitStack()

    def __enter__(self) -> Self:
        """Lease the engine, started where it does not run yet. Raises BackendUnavailable, InputError."""
        config = self._config
        served = config.model_copy(update={"model": ADAPTER}) if config.lora else config
        try:
            server = self._server = self._open.enter_context(self._pool.lease(config, self._state))
            self._client = self._open.enter_context(OpenAIGenerator.of_engine(served, self._server.base_url, lambda: server.alive))
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        """Give the engine back; it stops unless the pool is held."""
        self._open.close()

    @cached_property
    def identity(self) -> GeneratorIdentity:
        """Model, adapter and template by content, number format, options; where and on how many GPUs it runs is no part of it."""
        config = self._config
        facts = weights_of(config)
        if config.chat_template:
            facts["chat_template"] = files_digest([config.chat_template])
        if config.extra_args:
            facts["extra_args"] = json.dumps(config.extra_args)
        lora = weights_digest(config.lora) if config.lora else None
        return identity_of(config, "vllm", lora=lora, dtype=config.dtype, **facts)

    @property
    def busy_s(self) -> float:
        """Seconds in which at least one request was at the server; its start is not counted."""
        return self._client.busy_s if self._client else 0.0

    def generate(self, requests: Iterable[GenerationRequest]) -> Iterator[Generation]:
        """Yield finished problems as they finish. Raises BackendUnavailable, InputError, after those."""
        if self._client is None or self._server is None:
            raise BackendUnavailable(f"{self._config.model}: the engine is not open")
        try:
            yield from self._client.generate(requests)
        except BackendUnavailable as error:
            raise self._server.broke_off(str(error)) from None
