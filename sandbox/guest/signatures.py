"""Signatures of functions of the other side, for who asks what it may call them with: names, kinds and classes, never a default.

A default may be what the test expects, and a note that is a text could be evaluated by who reads it: neither crosses.
"""

from __future__ import annotations

import inspect
import types
from typing import Any, Callable, Dict  # noqa: UP035 - evaluated by Python 3.9 too


def build(parts: Any) -> inspect.Signature:
    """One of [name, kind, whether it has a default, class that it is noted to be] a parameter. Raises ValueError or TypeError."""
    empty = inspect.Parameter.empty
    return inspect.Signature(
        [
            inspect.Parameter(name, kind, default=None if given else empty, annotation=noted if isinstance(noted, type) else empty)
            for name, kind, given, noted in parts
        ]
    )


def _code(found: inspect.Signature) -> Any:
    positional = [p.name for p in found.parameters.values() if p.kind <= inspect.Parameter.POSITIONAL_OR_KEYWORD]
    return types.SimpleNamespace(co_argcount=len(positional), co_varnames=tuple(found.parameters), co_flags=0)


def _defaults(found: inspect.Signature) -> Any:
    given = (p for p in found.parameters.values() if p.kind <= inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return tuple(p.default for p in given if p.default is not p.empty) or None


def _annotations(found: inspect.Signature) -> Any:
    return {p.name: p.annotation for p in found.parameters.values() if p.annotation is not p.empty}


FIELDS: Dict[str, Callable[[inspect.Signature], Any]] = {  # noqa: UP006
    "__signature__": lambda found: found,
    "__code__": _code,
    "__defaults__": _defaults,
    "__annotations__": _annotations,
}
