"""Which engine is on the GPU: one after the other, kept while a run needs it.

Decides when a server starts and stops. Stages that ask for the same engine (the same weights, started the same way; sampling and
prompts do not matter) get the one that runs. Another engine ends the idle ones first, or puts them to sleep where they have sleep
mode; without anybody who ``holds`` the pool an engine ends with its last user. An engine in use is never stopped: two at one time
run side by side, which needs ``gpu_memory_utilization`` to leave room. A server that died is not handed out again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from models.backend_config import ServedConfig, VllmConfig
from models.backends.vllm_server import VllmServer
from models.fingerprint import digest_json

NOT_THE_ENGINES = frozenset({*ServedConfig.model_fields, "start_timeout_s"} - {"model", "revision"})
"""What may differ between two users of one engine: prompts, sampling, prices, patience."""


def engine_key(config: VllmConfig) -> str:
    """Two configurations with the same key are served by one engine."""
    return digest_json(config.model_dump(mode="json", exclude=set(NOT_THE_ENGINES)))


@dataclass
class _Engine:
    server: VllmServer
    sleeps: bool
    users: int = 0
    asleep: bool = field(default=False)


class EnginePool:
    """Safe between threads; starting is serialised."""

    def __init__(self, start: Callable[[VllmConfig, Path], VllmServer] | None = None) -> None:
        """``start``: what makes a server for a configuration and a state folder."""
        self._start = start or VllmServer
        self._engines: dict[str, _Engine] = {}
        self._starting: VllmServer | None = None
        self._holders = 0
        self._lock = threading.Lock()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """While the block runs, engines outlive their users; at its end all idle ones stop."""
        with self._lock:
            self._holders += 1
        try:
            yield
        finally:
            with self._lock:
                self._holders -= 1
                self._settle()

    def abandon(self) -> None:
        """End all engines at once, used ones and one that is starting included: whoever waits for them hears that they are gone."""
        starting = [self._starting] if self._starting else []
        for server in [*starting, *(engine.server for engine in list(self._engines.values()))]:  # unlocked: a start holds the lock
            server.__exit__(None, None, None)

    @contextmanager
    def lease(self, config: VllmConfig, state: Path) -> Iterator[VllmServer]:
        """The engine of ``config``, awake. Raises BackendUnavailable, InputError."""
        with self._lock:
            engine = self._awake(config, state)
            engine.users += 1
        try:
            yield engine.server
        finally:
            with self._lock:
                engine.users -= 1
                self._settle()

    def _awake(self, config: VllmConfig, state: Path) -> _Engine:
        key = engine_key(config)
        for other in [k for k, e in self._engines.items() if not e.server.alive]:
            self._engines.pop(other).server.__exit__(None, None, None)
        for other, engine in list(self._engines.items()):
            if other != key and not engine.users:
                self._make_room(other, engine, sleep=engine.sleeps)
        found = self._engines.get(key)
        if found is None:
            self._starting = server = self._start(config, state)
            server.__enter__()
            found = self._engines[key] = _Engine(server, config.sleep)
            self._starting = None
        elif found.asleep:
            found.server.wake_up()
            found.asleep = False
        return found

    def _make_room(self, key: str, engine: _Engine, *, sleep: bool) -> None:
        if not sleep:
            del self._engines[key]
            engine.server.__exit__(None, None, None)
        elif not engine.asleep:
            engine.server.sleep()
            engine.asleep = True

    def _settle(self) -> None:
        if not self._holders:
            for key, engine in list(self._engines.items()):
                if not engine.users:
                    self._make_room(key, engine, sleep=False)
