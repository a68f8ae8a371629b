"""vLLM's OpenAI-compatible server, started and stopped by the run, in an environment of its own (it cannot share Prefect's).

Decides when it is ready, and what it leaves: nothing. Its command line: ``vllm_command``; what its log means: ``vllm_faults``.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from models.backend_config import VllmConfig
from models.backends.engine_process import EngineProcess, sweep
from models.backends.vllm_command import check_environment, check_folder, command
from models.backends.vllm_faults import explained
from models.errors import BackendUnavailable, CodeRMError

POLL_S = 0.5
LAST_WORDS_S = 10.0
"""More than the keeper takes to end what a dead server leaves."""
VARIABLES = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "VLLM_API_KEY": ""}
"""No key: one that is meant for another server would be asked of the run itself."""
SLEEP_VARIABLES = {"VLLM_SERVER_DEV_MODE": "1"}
"""Without it vLLM's server has no /sleep and /wake_up. What else it opens (/collective_rpc, /reset_prefix_cache) is on loopback."""
TAIL_BYTES = 200_000


class VllmServer:
    """One server. ``with`` starts and stops it; ``base_url`` ends in ``/v1``."""

    def __init__(self, config: VllmConfig, state: Path, say: Callable[[str], None] = lambda _line: None) -> None:
        """``state``: folder for records and logs. ``say`` is told, about once a second, how the start goes."""
        self._config, self._state, self._say = config, state.resolve(), say
        self._engine: EngineProcess | None = None
        self._port = 0

    @property
    def base_url(self) -> str:
        """Where the OpenAI protocol is spoken."""
        return f"http://127.0.0.1:{self._port}/v1"

    def __enter__(self) -> Self:
        """Start and wait until it answers. Raises BackendUnavailable, InputError."""
        config, records = self._config, self._state / "engines"
        check_environment(config)
        check_folder(config)
        sweep(records)
        name = re.sub(r"[^\w.-]+", "-", config.model).strip("-")[-60:]
        with held_port() as self._port:
            log = self._state / "logs" / f"vllm-{name}-{time.strftime('%Y%m%d-%H%M%S')}-{self._port}.log"
            try:
                self._engine = EngineProcess(command(config, self._port), variables(config), log, records)
                self._wait(self._engine)
            except BaseException:
                self.__exit__(None, None, None)
                raise
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        """Stop it; nothing of it is left."""
        if self._engine is not None:
            self._engine.close()

    @property
    def alive(self) -> bool:
        """Whether the process is there."""
        return self._engine is not None and self._engine.exit_status is None

    def sleep(self) -> None:
        """Move the weights to the host's memory: the GPU is free for another model. Only with ``sleep = true``."""
        self._control("sleep?level=1")

    def wake_up(self) -> None:
        """Bring the weights back."""
        self._control("wake_up")

    def broke_off(self, what: str) -> CodeRMError:
        """Why a request failed, as an exception to raise: what the log says where the engine is gone, else ``what`` was seen."""
        deadline = time.monotonic() + LAST_WORDS_S
        while self.alive and time.monotonic() < deadline:
            time.sleep(0.1)  # a server whose engine died answers 500 first and ends then
        if self._engine is None or self.alive:
            return BackendUnavailable(f"{self._config.model}: {what}")
        return self._explained(self._engine)

    def _explained(self, engine: EngineProcess) -> CodeRMError:
        return explained(self._config, _tail(engine.log), engine.log, engine.exit_status)

    def _control(self, action: str) -> None:
        try:
            httpx.post(f"http://127.0.0.1:{self._port}/{action}", timeout=300, trust_env=False).raise_for_status()
        except httpx.HTTPError as error:
            raise BackendUnavailable(f"{self._config.model}: the server refused {action.partition('?')[0]}: {error}") from None

    def _wait(self, engine: EngineProcess) -> None:
        started = time.monotonic()
        with httpx.Client(timeout=5, trust_env=False) as client:
            while (waited := time.monotonic() - started) < self._config.start_timeout_s:
                if engine.exit_status is not None:
                    raise self._explained(engine)
                try:
                    if client.get(f"http://127.0.0.1:{self._port}/health").status_code == 200:
                        return
                except httpx.TransportError:
                    pass  # not listening yet
                self._say(f"{self._config.model}: vLLM is loading, {waited:.0f} s")
                time.sleep(POLL_S)
        raise BackendUnavailable(
            f"{self._config.model}: the server did not answer within start_timeout_s = {self._config.start_timeout_s:g}; "
            f"raise it, or read {engine.log}"
        )


def variables(config: VllmConfig) -> dict[str, str]:
    """What the server's environment has besides the inherited one; the configuration's own come last."""
    return {**VARIABLES, **(SLEEP_VARIABLES if config.sleep else {}), **config.variables}


def _tail(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL_BYTES))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


@contextmanager
def held_port() -> Iterator[int]:
    """A free port that nobody else is given while the block runs: bound, not listening, so that a server may bind it as well.

    A server takes ten seconds and more until it does; meanwhile another run's would be given the same port.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield int(holder.getsockname()[1])
