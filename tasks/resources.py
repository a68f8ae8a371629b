"""Settings and configuration → sampler, executor, store: the one place that decides which implementation is used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import assert_never

from db.store import SqlStore, open_store
from models.backend_config import BackendConfig, OpenAIConfig, ReplayConfig, TransformersConfig, VllmConfig
from models.backends.engine_pool import EnginePool
from models.backends.openai_compat import OpenAIGenerator
from models.backends.replay import ReplayGenerator
from models.backends.stored import OnOpen, StoredGenerator
from models.backends.transformers_local import TransformersGenerator
from models.backends.vllm_managed import VllmGenerator
from models.backends.vllm_server import VllmServer
from models.config import SandboxConfig
from models.errors import SandboxUnavailable
from models.ports import Executor, Generator
from sandbox.executor import open_executor as open_sandbox
from tasks.jsonl import read_lines
from tasks.progress import say
from tasks.settings import Settings, api_key, load_settings


def open_database(settings: Settings | None = None, *, migrate: bool = True) -> SqlStore:
    """The SQL store of this machine. Raises StoreUnavailable when it cannot be reached."""
    return open_store((settings or load_settings()).database, migrate=migrate)


def open_executor(config: SandboxConfig, settings: Settings | None = None) -> Executor:
    """The sandbox that a run asks for. Raises SandboxUnavailable when it is not there, or this machine refuses it."""
    settings = settings or load_settings()
    if settings.containers_only:
        if config.runtime == "process":
            raise SandboxUnavailable(
                "sandbox.runtime = 'process': expected docker or auto on this machine (CODERM_CONTAINERS_ONLY)"
            )
        config = config.model_copy(update={"runtime": "docker"})
    if settings.sandbox_workers:
        config = with_slots(config, min(config.workers or settings.sandbox_workers, settings.sandbox_workers))
    return open_sandbox(config, image=settings.sandbox_image, docker_host=settings.docker_host)


def with_slots(config: SandboxConfig, slots: int) -> SandboxConfig:
    """The same sandbox with so many slots; no verdict depends on them."""
    return config.model_copy(update={"workers": slots})


@contextmanager
def open_stored_generator(config: BackendConfig, on_open: OnOpen = lambda _began, _ended: None) -> Iterator[Generator]:
    """The model behind a configuration, open, with the memory of this machine's store where it is a live one.

    ``on_open`` is told when a live one was loaded, or switched to.
    """
    if isinstance(config, ReplayConfig):
        with open_generator(config) as replay:
            yield replay
    else:
        with open_database() as store, StoredGenerator(open_generator(config), store, config.extraction, on_open) as model:
            yield model


def open_generator(config: BackendConfig) -> Generator:
    """The model behind a configuration, not yet opened: its identity is known without it. Raises BackendUnavailable."""
    if isinstance(config, ReplayConfig):
        return ReplayGenerator(config, read_lines)
    if isinstance(config, OpenAIConfig):
        return OpenAIGenerator.of(config, api_key(config.api_key))
    if isinstance(config, VllmConfig):
        return VllmGenerator(config, engine_pool(), load_settings().root)
    if isinstance(config, TransformersConfig):
        return TransformersGenerator(config)
    assert_never(config)


@cache
def engine_pool() -> EnginePool:
    """The engines that this process has started. ``with engine_pool().hold():`` keeps them from one stage or shard to the next."""
    return EnginePool(lambda config, state: VllmServer(config, state, say))
