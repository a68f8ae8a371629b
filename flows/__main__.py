"""The command's frame: which defaults a process starts with, and which exit code each kind of failure has (README.md).

Nothing heavy is imported here: ``coderm --help`` answers in a fraction of a second, Prefect, MLflow and Great Expectations come
with the command that needs them.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import traceback
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from models.errors import CodeRMError

QUIET_DEFAULTS = {
    # MLflow reads the literal "true"; without it Prefect waits 5 s for failed telemetry where there is no network
    "DO_NOT_TRACK": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_LOGGING_EXTRA_LOGGERS": "coderm",  # our events, in the UI of the run that they are of
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    # a failure is one line here; its traceback goes to the server's log of the run, and to our own for what is our error
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_SERVER_LOGGING_LEVEL": "ERROR",
    # in memory, where Prefect keeps them by itself, a restart of the server forgets who holds a slot, and it is never given back
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GX_ANALYTICS_ENABLED": "false",
}

READER_GONE = 141
"""What a shell reports of any program whose reader left (``coderm runs show RUN | head``): 128 + SIGPIPE. 1 is a bad answer's."""
THE_MACHINES = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES)
"""No room, no right to write: neither the input's fault nor ours."""


def main(argv: list[str] | None = None) -> None:
    """Run one command and exit: 0 done, 1 bad answer, 2 wrong input, 3 missing part, 4 our error, 130 interrupted."""
    for name, value in QUIET_DEFAULTS.items():
        os.environ.setdefault(name, value)
    signal.signal(signal.SIGTERM, _interrupt)  # a scheduler's way to stop a job cleans up as Ctrl-C does
    sys.unraisablehook = _again
    try:
        code = run(argv)
    except KeyboardInterrupt:  # while the commands were still being imported
        code = _fail("interrupted; nothing half-written was kept", 130)
    sys.exit(code)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _again(lost: sys.UnraisableHookArgs) -> None:
    """Python drops what is raised while it collects garbage: a Ctrl-C that arrived just then comes again, a moment later."""
    if issubclass(lost.exc_type, KeyboardInterrupt):
        # from a thread, since what is raised in here is dropped too; a real signal, since it ends a sleep
        again = threading.Timer(0.1, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT))
        again.daemon = True
        again.start()
    else:
        sys.__unraisablehook__(lost)


def run(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code; every failure is one line on stderr."""
    from typer import Abort
    from typer.exceptions import TyperException

    from flows.cli.app import app
    from models.errors import CodeRMError

    try:
        code = app(args=argv, standalone_mode=False, prog_name="coderm")
    except TyperException as error:
        return _fail(f"{error.format_message()} (see `{_asked(error)} --help`)", error.exit_code)
    except CodeRMError as error:
        return _fail(str(error), error.exit_code)
    except (KeyboardInterrupt, Abort):
        return _fail("interrupted; nothing half-written was kept", 130)
    except SystemExit as stop:
        if isinstance(stop.__context__, BrokenPipeError):
            return READER_GONE
        return stop.code if isinstance(stop.code, int) else 4
    except Exception as error:  # noqa: BLE001 - the frame: whatever else arrives is ours
        if gone := _server_gone(error):
            known = _behind(error)
            _leave_now(_fail(str(known), known.exit_code) if known else _fail(gone, 3))
        if isinstance(error, OSError) and error.errno in THE_MACHINES:
            return _fail(f"{error.filename or 'output'}: {error.strerror}; make room or give leave, and run again", 3)
        return _fail(f"internal error: {type(error).__name__}: {_one_line(error)} (log: {_write_log()})", 4)
    if code == 130:
        return _fail("interrupted; nothing half-written was kept", 130)
    return code if isinstance(code, int) else 0


def _asked(error: object) -> str:
    """The command whose arguments were wrong, as far as it was understood."""
    context = getattr(error, "ctx", None)
    return context.command_path if context else "coderm"


def _behind(error: BaseException) -> CodeRMError | None:
    """Our own error, when another was raised while it was on its way: a database that dies takes the Prefect server along."""
    from models.errors import CodeRMError

    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, CodeRMError):
        seen = seen.__cause__ or seen.__context__
    return seen


def _server_gone(error: Exception) -> str | None:
    """One line when it was the Prefect server that stopped answering, after the client's own retries (about a minute)."""
    import httpx

    if str(error).startswith("Timed out while attempting to connect to ephemeral"):
        return "Prefect's own server did not start in two minutes: a full or very busy machine; run again, or set PREFECT_API_URL"
    at_first = str(error).startswith("Failed to reach API")  # Prefect's RuntimeError, before it begins a flow run
    broken = isinstance(error, httpx.HTTPStatusError) and error.response.status_code >= 500
    if not broken and not isinstance(error.__cause__ if at_first else error, httpx.TransportError):
        return None
    url = os.environ.get("PREFECT_API_URL", "of this process")
    return f"the Prefect server {url} stopped answering: {_one_line(error)}; start it and run again, what is known is not run twice"


def _leave_now(code: int) -> NoReturn:
    """Without Prefect's farewell, which offers every event of the run to a dead server, some seconds each."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _fail(message: str, code: int) -> int:
    print(f"coderm: {message}", file=sys.stderr)
    return code


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _write_log() -> Path:
    """Append the traceback to the log under the state directory; fall back to the temporary directory."""
    import tempfile
    from datetime import UTC, datetime

    from tasks.settings import load_settings

    try:
        folder = load_settings().root / "log"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError):
        folder = Path(tempfile.gettempdir())
    path = folder / "errors.log"
    with path.open("a", encoding="utf-8") as log:
        log.write(f"\n{datetime.now(UTC).isoformat()} {sys.argv}\n{traceback.format_exc()}")
    return path


if __name__ == "__main__":
    main()
