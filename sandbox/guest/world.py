"""What a process has once, and a test changes or looks at: streams, names of the library, environment, seeds, warnings, logs.

Test and solution are two processes, so each has its own. With every message the test's side says what it has changed (``Outside``),
the solution's side does the same at home (``Inside``), and says with every message what was written, warned or logged there.
Only texts and numbers come back, in the order in which they happened; the test's own streams and handlers take them, and its own
assertions decide. What is patched is lent like any object of the test's (``lent``).
"""

# ruff: noqa: SIM905 - lists of words read better as words
from __future__ import annotations

import importlib
import os
import random
import sys
import types
from collections.abc import Callable
from typing import Any

STREAMS = ("stdout", "stderr")
FACETS = {
    "environ": frozenset(("environ", "putenv", "getenv")),
    "cwd": frozenset(("chdir",)),
    "seed": frozenset(("seed", "setstate")),
    "warnings": frozenset("assertWarns assertWarnsRegex catch_warnings simplefilter filterwarnings".split()),
    "logs": frozenset("assertLogs assertNoLogs getLogger addHandler".split()),
    "precision": frozenset("getcontext setcontext localcontext".split()),
}
"""What else there is once, by the words of a test that cares."""
TOUCHING = frozenset(("redirect_stdout", "redirect_stderr", "stdout", "stderr", "patch")).union(*FACETS.values())
"""Words of tests for which both sides are kept alike from the start."""
_STEERING = ("LD_", "PYTHON", "GLIBC", "MALLOC", "PATH")
"""Variables that a program is started by; none of a solution's is taken."""
SOLUTION = "solution"


def random_states() -> list[Any]:
    """That of ``random``, and of numpy where it is loaded."""
    version, numbers, gauss = random.getstate()
    states: list[Any] = [[version, list(numbers), gauss]]
    if "numpy.random" in sys.modules:
        name, keys, *rest = sys.modules["numpy.random"].get_state()
        states.append([name, [int(key) for key in keys], *rest])
    return states


def set_random(states: Any) -> None:
    version, numbers, gauss = states[0]
    random.setstate((int(version), tuple(int(number) for number in numbers), None if gauss is None else float(gauss)))
    if len(states) > 1 and "numpy.random" in sys.modules:
        name, keys, place, has_gauss, cached = states[1]
        sys.modules["numpy.random"].set_state((str(name), [int(key) for key in keys], int(place), int(has_gauss), float(cached)))


def _precision() -> list[Any]:
    import decimal

    context = decimal.getcontext()
    return [context.prec, context.rounding]


def _warnings() -> str:
    import warnings

    return "error" if warnings.filters and warnings.filters[0][0] == "error" else "always"


def _log_levels() -> list[Any]:
    import logging

    named = {name: log for name, log in logging.root.manager.loggerDict.items() if isinstance(log, logging.Logger)}
    return [["", logging.root.level], *sorted([name, log.level] for name, log in named.items() if log.level)]


NOW: dict[str, Callable[[], Any]] = {
    "environ": lambda: dict(os.environ),
    "cwd": os.getcwd,
    "seed": lambda: [_seeded[0], random_states()],
    "warnings": _warnings,
    "logs": _log_levels,
    "precision": _precision,
}
_AT_ONCE = ("environ", "warnings", "logs")
"""Facets that are told before anything was changed: the other side has to listen."""
_seeded: list[int] = [0]


def module_at(path: str) -> Any:
    """The module of a dotted name, as ``os.path``. Raises ImportError or AttributeError."""
    first, *rest = path.split(".")
    found: Any = importlib.import_module(first)
    for name in rest:
        found = getattr(found, name) if hasattr(found, name) else importlib.import_module(f"{found.__name__}.{name}")
    return found


class Outside:
    """The test's side, for one cell."""

    def __init__(self) -> None:
        """Nothing is watched but the streams."""
        self.streams = [getattr(sys, name) for name in STREAMS]
        self.said: dict[str, Any] = {"streams": [False, False]}
        self.facets: list[str] = []
        self.originals: dict[tuple[str, str], Any] = {}
        self.told_places: dict[tuple[str, str], Any] = {}
        self.assigned: dict[str, Any] = {}
        self.told_names: dict[str, Any] = {}

    def look(self, words: set[str], places: tuple[str, ...], refuse: Callable[[str], BaseException]) -> None:
        """What this test may change. ``places``: names of modules that it assigns to; ``refuse``: for a patch of anything else."""
        self.facets = [name for name, those in FACETS.items() if not those.isdisjoint(words)]
        self.said.update({name: NOW[name]() for name in self.facets if name not in _AT_ONCE})
        for place in places:
            module, _, name = place.rpartition(".")
            try:
                self._watch(module, name, vars(module_at(module))[name])
            except (ImportError, AttributeError, KeyError):
                continue  # as the test will find out
        if "seed" in self.facets:
            _note_seeds()
        if "patch" in words:
            self._follow_patches(refuse)

    def _watch(self, module: str, name: str, original: Any) -> None:
        if not (module == "sys" and name in STREAMS):
            self.originals.setdefault((module, name), original)

    def _follow_patches(self, refuse: Callable[[str], BaseException]) -> None:
        """Have ``unittest.mock`` say what it patches."""
        from unittest import mock

        patcher: Any = vars(mock)["_patch"]
        enter = patcher.__enter__

        def entering(patch: Any) -> Any:
            entered = enter(patch)
            target, name = patch.target, patch.attribute
            if type(target) is types.ModuleType and target.__name__ not in (SOLUTION, "generated_test"):
                path = "os.path" if target is os.path else target.__name__
                self._watch(path, name, patch.temp_original)
            elif isinstance(target, type) and type(target).__module__ == "builtins" and target.__module__ != "generated_test":
                raise refuse(f"a patch of {target.__name__}, a class of the library's")
            return entered

        patcher.__enter__ = entering

    def moved(self) -> bool:
        """Whether there is anything that the other side has to know."""
        return self.streams[0] is not sys.stdout or self.streams[1] is not sys.stderr or bool(self.originals) or bool(self.assigned)

    def assign(self, name: str, value: Any) -> None:
        """The test has set a name of the solution's module."""
        self.assigned[name] = value

    def restore(self, name: str) -> None:
        """It has taken that back."""
        self.assigned.pop(name, None)

    def told(self, pack: Callable[[Any], Any]) -> dict[str, Any]:
        """What changed since it was last told. Raises codec.Opaque for what may not leave."""
        news: dict[str, Any] = {}
        now: dict[str, Any] = {"streams": [getattr(sys, name) is not own for name, own in zip(STREAMS, self.streams)]}  # noqa: B905
        now.update({name: NOW[name]() for name in self.facets})
        for name, value in now.items():
            if self.said.get(name) != value:
                news[name] = self.said[name] = value
        places = [*self._places(pack), *self._names(pack)]
        if places:
            news["places"] = places
        return news

    def _places(self, pack: Callable[[Any], Any]) -> list[Any]:
        said: list[Any] = []
        for place, original in self.originals.items():
            value = vars(module_at(place[0])).get(place[1], original)
            if self.told_places.get(place, original) is not value:
                self.told_places[place] = value
                said.append([*place] if value is original else [*place, pack(value)])
        return said

    def _names(self, pack: Callable[[Any], Any]) -> list[Any]:
        said: list[Any] = []
        for name in [name for name in self.told_names if name not in self.assigned]:
            del self.told_names[name]
            said.append([SOLUTION, name])
        for name, value in self.assigned.items():
            if name not in self.told_names or self.told_names[name] is not value:
                self.told_names[name] = value
                said.append([SOLUTION, name, pack(value)])
        return said

    def seen(self, happened: Any, failure: Callable[[Any], BaseException]) -> list[Callable[[], Any]]:
        """What happened over there, to be done here. ``failure``: makes an exception. Raises ValueError and others for nonsense."""
        return [self._deed(sort, body, failure) for sort, body in happened]

    def _deed(self, sort: str, body: Any, failure: Callable[[Any], BaseException]) -> Callable[[], Any]:
        if sort in STREAMS and type(body) is str:
            own, stream = self.streams[STREAMS.index(sort)], getattr(sys, sort)
            return (lambda: None) if stream is own else lambda: stream.write(body)
        if sort not in self.facets:
            raise ValueError("what nobody asked about")
        if sort == "warnings":
            return _warned(failure(body))
        if sort == "logs":
            return _logged(*body)
        if sort == "environ":
            return lambda: self._environ({str(name): str(value) for name, value in body.items()})
        raise ValueError("what nobody tells")

    def _environ(self, now: dict[str, str]) -> None:
        for name in [name for name in os.environ if name not in now and not name.startswith(_STEERING)]:
            del os.environ[name]
        os.environ.update({name: value for name, value in now.items() if not name.startswith(_STEERING)})
        self.said["environ"] = dict(os.environ)


def _note_seeds() -> None:
    """Have a seed told that is the one before. What the solution draws is not told: the test's numbers are its own."""
    for module in (random, sys.modules.get("numpy.random")):
        for name in ("seed", "setstate", "set_state"):
            if hasattr(module, name):
                setattr(module, name, _noted(getattr(module, name)))


def _noted(function: Callable[..., Any]) -> Callable[..., Any]:
    def noted(*arguments: Any, **keywords: Any) -> Any:
        _seeded[0] += 1
        return function(*arguments, **keywords)

    return noted


def _warned(error: BaseException) -> Callable[[], Any]:
    if not isinstance(error, Warning):
        raise TypeError("no warning")
    import warnings

    return lambda: warnings.warn_explicit(error, type(error), "solution.py", 1)


def _logged(name: str, level: int, text: str) -> Callable[[], Any]:
    if (type(name), type(level), type(text)) != (str, int, str):
        raise TypeError("no log record")
    import logging

    record = logging.LogRecord(name, level, "solution.py", 1, text, None, None)
    return lambda: logging.getLogger(name).handle(record)
