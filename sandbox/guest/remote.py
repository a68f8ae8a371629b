"""The judge's picture of a solution that lives in another process: a module whose names call across, and nothing else of it.

A function becomes a function that sends its arguments and raises or returns what comes back; data arrives as fresh plain data; a
standard module or a member of one is imported here; anything else is a handle. A test that changes the module needs it in its own
process.
"""

from __future__ import annotations

import builtins
import types
from typing import Any

from sandbox.guest import table
from sandbox.guest.link import Link

NOTES = ("__version__", "__author__")
"""Special names of a module that are a solution's own."""


class Solution(types.ModuleType):
    """Modules ``solution`` and ``your_module`` of the judge: attributes are looked up across, changes cannot cross."""

    def __init__(self, link: Link, names: list[str], entry_point: str | None) -> None:
        """``names``: what the test mentions; those that the solution has become attributes."""
        super().__init__("solution")
        public = [name for name in names if name[:1] != "_"]
        link.learn(public)
        hidden = set(dir(builtins)) - {entry_point}
        known = {name for name in public if link.kinds.get(name) is not None}
        held = self.__dict__
        held["__all__"] = sorted(known - hidden)
        for name in known:
            held[name] = link.value(name)
        held["__originals__"] = {}
        held["__link__"] = link

    def __getattribute__(self, name: str) -> Any:
        """Plain data of a source that keeps state is asked for each time."""
        held = object.__getattribute__(self, "__dict__")
        link = held.get("__link__")
        if link is not None and link.full and name in link.changing:
            return link.now(name)
        return object.__getattribute__(self, name)

    def __getattr__(self, name: str) -> Any:
        """A name that the test does not spell out, as in ``getattr``, or a private one, which only the module has."""
        link = self.__dict__["__link__"]
        if name[:2] == "__" and name not in NOTES:
            raise AttributeError(name)
        link.learn([name])
        try:
            return link.value(name)
        except KeyError:
            raise AttributeError(f"module 'solution' has no attribute {name!r}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        """What a test puts in the place of a name of the solution's is put there, or taken back (a loader's bookkeeping is not)."""
        held = self.__dict__
        if name[:2] != "__":
            link, original = held["__link__"], held["__originals__"]
            original.setdefault(name, held.get(name, link.kinds.get(name)))
            own = value is original[name] or (table.crossing(value) == name and name not in ("", None))
            (link.outside.restore(name) if own else link.outside.assign(name, value))
        held[name] = value

    def __delattr__(self, name: str) -> None:
        """The end of a patch of a name that the test did not spell out."""
        self.__dict__["__link__"].outside.restore(name)
        del self.__dict__[name]
