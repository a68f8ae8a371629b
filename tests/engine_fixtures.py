"""A real vLLM server for whole modules of tests. Loaded by ``pytest_plugins`` where it is needed.

A start costs about 25 s, so whoever can shares ``engine`` (one a worker of pytest-xdist); who kills an engine starts its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from models.backend_config import VllmConfig
from models.backends.engine_pool import EnginePool
from tests.engines import Engine, managed, write_adapter
from tests.tiny_model import tiny_model


@pytest.fixture(scope="session")
def model() -> str:
    """The folder of the tiny model. One thread: for so small a model a second one only waits for a busy core."""
    import torch

    torch.set_num_threads(1)
    return str(tiny_model())


@pytest.fixture(scope="session")
def engine(model: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    state, pool = tmp_path_factory.mktemp("engine"), EnginePool()
    config = VllmConfig.model_validate(managed(model, lora=write_adapter(state / "adapter")))
    with pool.hold(), ExitStack() as lease:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("VLLM_API_KEY", "meant for another server")
            server = lease.enter_context(pool.lease(config, state))
        yield Engine(config, pool, server.base_url)
