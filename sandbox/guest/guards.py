"""``getattr`` and ``setattr`` with names that reading a source cannot know, looked at when the call comes.

In a cell where test and solution share a process, the solution's module gets these in the place of the built-in functions: what
``innocence`` would refuse in the source is refused here. They only ever refuse more than Python does.
"""

from __future__ import annotations

import builtins
import types
from typing import Any

from sandbox.guest.allowed import DENIED_ATTRIBUTES
from sandbox.guest.innocence import READABLE_SPECIAL, is_dunder

_REFUSED = DENIED_ATTRIBUTES | {"format", "wraps", "contextmanager", "asynccontextmanager", "register"}
_get, _set = getattr, setattr


class _Builtins(dict[str, Any]):
    """The guarded names, and behind them Python's own as they are now: a test may patch those. The first four are looked up raw."""

    def __missing__(self, name: str) -> Any:
        return vars(builtins)[name]


def names(module: str) -> dict[str, Any]:
    """The built-in names for a solution whose module has this name."""

    def guarded_get(obj: Any, name: Any, *default: Any) -> Any:
        known = type(name) is str and (name in READABLE_SPECIAL if is_dunder(name) else name not in _REFUSED)
        if not known or isinstance(obj, types.ModuleType):
            raise AttributeError(f"{name!r} is not looked up here")
        return _get(obj, name, *default)

    def guarded_set(obj: Any, name: Any, value: Any) -> None:
        cls = obj if isinstance(obj, type) else type(obj)
        own = type.__getattribute__(cls, "__module__") == module
        if type(name) is not str or is_dunder(name) or name in _REFUSED or not own:
            raise AttributeError(f"{name!r} is not set here")
        _set(obj, name, value)

    raw = {name: vars(builtins)[name] for name in ("__import__", "__build_class__")}
    return _Builtins(raw, getattr=guarded_get, setattr=guarded_set)
