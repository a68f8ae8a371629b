"""What the test has changed of what a process has once (``world``), changed here, and what happens meanwhile, noted to be told."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from typing import Any

from sandbox.guest import world

Pack = Callable[[Any], Any]


class Inside:
    """The solution's side."""

    def __init__(self) -> None:
        """As the process is."""
        self.own: dict[tuple[str, str], Any] = {}
        self.happened: list[Any] = []
        self.streams: list[Any] = [None, None]
        self.levels: dict[str, int] = {}
        self.said: dict[str, Any] = {}

    def apply(self, news: dict[str, Any], solution: Any, unpack: Pack) -> None:
        """Make this process what the test's side has made its own."""
        for name, value in news.items():
            if name == "places":
                for place in value:
                    self._set(solution if place[0] == world.SOLUTION else world.module_at(place[0]), place, unpack)
            else:
                getattr(self, f"_{name}")(value)

    def original(self, name: str) -> Any:
        """[what the solution itself had under a name that the test has set]; empty for others."""
        return [self.own[world.SOLUTION, name]] if (world.SOLUTION, name) in self.own else []

    def _set(self, module: Any, place: Any, unpack: Pack) -> None:
        key, held = (place[0], place[1]), vars(module)
        if len(place) == 3:
            self.own.setdefault(key, held.get(place[1], self))
            held[place[1]] = unpack(place[2])
        elif self.own.get(key, self) is self:
            held.pop(place[1], None)
        else:
            held[place[1]] = self.own.pop(key)

    def _streams(self, captured: Any) -> None:
        for at, name in enumerate(world.STREAMS):
            if captured[at] and self.streams[at] is None:
                self.streams[at] = getattr(sys, name)
                setattr(sys, name, Written(name, self.happened))
            elif not captured[at] and self.streams[at] is not None:
                setattr(sys, name, self.streams[at])
                self.streams[at] = None

    def _environ(self, now: dict[str, str]) -> None:
        os.environ.clear()
        os.environ.update(now)
        self.said["environ"] = now

    def _cwd(self, path: str) -> None:
        os.chdir(path)

    def _seed(self, told: Any) -> None:
        world.set_random(told[1])

    def _precision(self, now: Any) -> None:
        import decimal

        decimal.getcontext().prec, decimal.getcontext().rounding = now

    def _warnings(self, action: Any) -> None:
        import warnings

        def told(message: Any, *_: Any, **__: Any) -> None:
            self.happened.append(["warnings", message])

        warnings.resetwarnings()
        warnings.simplefilter(action)
        vars(warnings)["showwarning"] = told

    def _logs(self, levels: Any) -> None:
        import logging

        happened = self.happened

        class Told(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                happened.append(["logs", [record.name, record.levelno, record.getMessage()]])

        if not any(type(handler).__name__ == "Told" for handler in logging.root.handlers):
            logging.root.addHandler(Told())
        now = {str(name): int(level) for name, level in levels}
        for name in {*now, *self.levels}:
            log = logging.getLogger(name or None)
            own = self.levels.setdefault(name, log.level)
            log.setLevel(now.get(name, own))

    def effects(self, error: Pack) -> list[Any]:
        """What happened since it was last told. ``error``: says what a warning is."""
        now = self.happened[:]
        del self.happened[: len(now)]  # another thread may note something meanwhile
        happened = [[sort, error(body) if sort == "warnings" else body] for sort, body in now]
        if "environ" in self.said and self.said["environ"] != dict(os.environ):
            self.said["environ"] = dict(os.environ)
            happened.append(["environ", self.said["environ"]])
        return happened


class Written(io.TextIOBase):
    """A stream of text that is told to the other side."""

    encoding = "utf-8"

    def __init__(self, name: str, happened: list[Any]) -> None:
        """``happened``: where its texts are noted."""
        self.sort, self.happened = name, happened

    def writable(self) -> bool:
        """As for any stream of output."""
        return True

    def write(self, text: str) -> int:
        """Note a text."""
        if not isinstance(text, str):
            raise TypeError(f"string argument expected, got {type(text).__name__!r}")
        self.happened.append([self.sort, str(text)])
        return len(text)
