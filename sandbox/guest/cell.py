"""One forked process: puts the limits on itself, runs what it was given, sends one message, leaves.

Everything here happens after the fork and before the first line of untrusted code, so it can be trusted until then and nothing
of it afterwards: the limits are hard ones of the kernel, and the message is judged by the supervisor, not believed.
"""

from __future__ import annotations

import _sitebuiltins
import builtins
import gc
import os
import random
import resource
import sys
from typing import Any, NoReturn

from sandbox.guest import judge, program, report, seccomp

NULL = "/dev/null"
MAX_OPEN_FILES = 256
MAX_FILE_BYTES = 64 << 20
"""As large as the scratch space."""


class Spec:
    """What one cell runs. ``style``: function, stdin or checker."""

    cpu_s: float
    detail: bool
    entry_point: str | None
    hidden: tuple[str, ...]
    memory_bytes: int
    nproc: int | None
    scratch: str
    solution: Any
    style: str
    test: Any
    __slots__ = ("cpu_s", "detail", "entry_point", "hidden", "memory_bytes", "nproc", "scratch", "solution", "style", "test")

    def __init__(self, **fields: Any) -> None:
        """``memory_bytes`` is address space above what the supervisor itself has mapped; ``nproc`` None: bounded elsewhere."""
        for name in self.__slots__:
            setattr(self, name, fields.get(name))

    def copy(self) -> Spec:
        """Another one with the same fields."""
        return Spec(**{name: getattr(self, name) for name in self.__slots__})


def run(spec: Spec, nonce: bytes, channel: int, output: int | None) -> NoReturn:
    """Never returns. ``channel``: where the message goes; ``output``: where stdout of a stdin program goes."""
    status = 70
    try:
        _descriptors(spec, channel, output)
        _limits(spec)
        _surroundings(spec)
        seccomp.install(seccomp.for_cell(os.getpid()))
        if spec.style == "stdin":
            status = _run_program(spec, nonce, channel)
        else:
            letter, detail = _run_checker(spec)
            os.write(channel, report.compose(nonce, letter, detail if spec.detail else ""))
            status = 0
    finally:
        os._exit(status)


def standard_streams() -> None:
    """Done once by the supervisor: 0, 1 and 2 are empty or go nowhere, with Python's text streams on them, for every cell alike."""
    null = os.open(NULL, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)
    _text_streams()


def _text_streams() -> None:
    """As Python itself opens them: "\r" stays where it is. A stream remembers whether it can seek, so one for each descriptor."""
    same = {"encoding": "utf-8", "newline": "\n", "closefd": False}
    sys.stdin = sys.__stdin__ = open(0, errors="surrogateescape", **same)  # type: ignore[call-overload, misc]  # noqa: SIM115
    sys.stdout = sys.__stdout__ = open(1, "w", **same)  # type: ignore[call-overload, misc]  # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(2, "w", errors="backslashreplace", **same)  # type: ignore[call-overload, misc]  # noqa: SIM115


def guest_names() -> tuple[str, ...]:
    """Modules of ours that a cell must not find; computed once, since looking at every name after a fork touches every page."""
    return tuple(name for name in sys.modules if name.split(".")[0] == "sandbox")


def confine(spec: Spec, *keep: int) -> None:
    """Limits and surroundings of a cell for a process that keeps the descriptors ``keep`` (three at most) and nothing else."""
    low = 3
    for fd in sorted(keep):
        os.closerange(low, fd)
        low = fd + 1
    os.closerange(low, MAX_OPEN_FILES)
    _limits(spec)
    _surroundings(spec)


def _descriptors(spec: Spec, channel: int, output: int | None) -> None:
    if spec.style == "stdin":
        source = os.memfd_create("stdin", os.MFD_CLOEXEC)
        os.write(source, spec.test.encode("utf-8", "surrogatepass"))
        os.lseek(source, 0, os.SEEK_SET)
        os.dup2(source, 0)
        os.close(source)
    if output is not None:
        os.dup2(output, 1)
    os.closerange(3, channel)
    os.closerange(channel + 1, 64)


def _limits(spec: Spec) -> None:
    hard = [
        (resource.RLIMIT_AS, spec.memory_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, MAX_FILE_BYTES),
        (resource.RLIMIT_NOFILE, MAX_OPEN_FILES),
        (resource.RLIMIT_CPU, int(spec.cpu_s) + 2 if spec.style != "judge" else 86400),  # should the supervisor's clock ever fail
    ]
    if spec.nproc:
        hard.append((resource.RLIMIT_NPROC, spec.nproc))
    for what, value in hard:
        resource.setrlimit(what, (value, value))


def _surroundings(spec: Spec) -> None:
    os.setsid()
    os.chdir(spec.scratch)
    random.seed(0)  # the same cell draws the same numbers: a verdict must be repeatable
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed(0)
    gc.enable()
    for name in spec.hidden:
        del sys.modules[name]
    del sys.meta_path[0]  # the finder of the guest's own sources


def _run_program(spec: Spec, nonce: bytes, channel: int) -> int:
    """A stdin program as Python itself runs it: ``__main__``, exit handlers, status. Evidence is its output and its status."""
    try:
        code = program.solution_code(spec.solution)
    except program.Uncompilable as error:
        letter = report.MEMORY if error.memory else report.BAD_SOLUTION
        os.write(channel, report.compose(nonce, letter, f"solution: {error}"))
        return 0
    _text_streams()
    main = _main_module(spec)
    try:
        exec(code, main.__dict__)
        return _leave(0)
    except SystemExit as error:
        return _leave(_exit_status(error))
    except BaseException as error:
        letter = report.MEMORY if isinstance(error, MemoryError) else report.ERROR
        os.write(channel, report.compose(nonce, letter, judge.describe(error)))
        _leave(0)
        return 1


def _main_module(spec: Spec) -> Any:
    """What a script finds: its name and file, the names that ``site`` adds, threads that get a stack which its limit allows."""
    import threading

    main = type(sys)("__main__")
    sys.modules["__main__"] = main
    main.__dict__.update(__builtins__=builtins, __file__="solution.py")
    vars(builtins).update({name: _sitebuiltins.Quitter(name, "Ctrl-D (i.e. EOF)") for name in ("exit", "quit")})
    vars(builtins).update({name: _sitebuiltins._Printer(name, "") for name in ("copyright", "credits", "license")})
    own, most = threading.stack_size, spec.memory_bytes >> 2  # contest programs ask for 512 MiB, of which they use little
    threading.stack_size = lambda size=0: own(min(size, most) & -4096)
    return main


def _exit_status(error: SystemExit) -> int:
    if error.code is None:
        return 0
    return error.code & 0xFF if isinstance(error.code, int) else 1


def _leave(status: int) -> int:
    """What the interpreter does at its end: other threads, exit handlers, flush, also of what names of the program still hold."""
    import atexit
    import contextlib
    import io
    import threading

    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        if not getattr(sys.stdout, "closed", sys.stdout is None):
            sys.stdout.flush()
    except (OSError, ValueError, AttributeError):
        status = status or 120  # what Python answers when the last flush fails
    for value in [*vars(sys.modules.get("__main__", sys)).values(), sys.__stdout__]:
        with contextlib.suppress(Exception):
            stream = getattr(value, "__self__", value)
            if isinstance(stream, io.IOBase) and not stream.closed:
                stream.flush()
    return status


def _run_checker(spec: Spec) -> tuple[str, str]:
    """Run ``check(stdin, expected, actual)`` of a checker source; any answer but True fails."""
    source, arguments = spec.solution, spec.test
    try:
        code = program.compile_alone(source, "<checker>")
    except program.Uncompilable as error:
        return report.BAD_TEST, f"checker: {error}"
    names: dict[str, Any] = {"__name__": "checker"}
    try:
        exec(code, names)
        if not callable(names.get("check")):
            return report.BAD_TEST, "the checker defines no check(stdin, expected, actual)"
        return (report.PASSED if names["check"](*arguments) else report.FAILED), ""
    except BaseException as error:
        return judge.blame(error), "checker: " + judge.describe(error)
