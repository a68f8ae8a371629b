"""Prefect's ephemeral server ends with the command that it was started for, also when that is killed with SIGKILL.

Prefect starts it where no PREFECT_API_URL is set, and stops it when the process leaves; one that is killed does not leave, and its
server stayed for ever. In all else it is as Prefect starts it, so that nothing takes it for a server that somebody runs: slots,
shards elsewhere and the links that are printed depend on that. ``coderm serve`` needs a real one (tasks/prefect_server.py).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from prefect.server.api.server import SubprocessASGIServer

GUARD = Path(__file__).with_name("process_guard.py")


class GuardedServer(SubprocessASGIServer):
    """Made before the first client asks for a server, it is the one that all of them get."""

    _guard: subprocess.Popen[bytes] | None = None

    def _run_uvicorn_command(self) -> subprocess.Popen[Any]:
        server = super()._run_uvicorn_command()
        self._end_guard()
        # out of the terminal's group, whose Ctrl-C is for the others, and without our pipes, whose end somebody may wait for
        self._guard = subprocess.Popen(
            [sys.executable, "-I", str(GUARD), str(os.getpid()), str(server.pid)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        return server

    def stop(self) -> None:
        """Prefect's own, and the guard is not needed any more."""
        super().stop()
        self._end_guard()

    def _end_guard(self) -> None:
        guard, self._guard = self._guard, None
        if guard is not None:
            guard.kill()
            guard.wait()
