"""What was probably meant by a name that nobody knows: the nearest of those that are known, or nothing where none is near."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest_name(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like ``name``; case and hyphens do not count."""
    spelled = {_plain(one): one for one in sorted(known)}
    near = get_close_matches(_plain(name), spelled, n=1)
    return spelled[near[0]] if near else None


def did_you_mean(name: str | None) -> str:
    """The end of a line that refuses a name: ``; did you mean n_tests?``, or nothing."""
    return f"; did you mean {name}?" if name else ""


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")
