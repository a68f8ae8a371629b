"""Where a field stands in a TOML file, which the standard library's reader does not say.

Decides by reading: the beginning of a file is a file itself wherever no value is cut, so the first beginning that holds the field
ends with it. Fields only ever come as more is read, so a bisection over the lines finds it; no second grammar of TOML is needed.
"""

from __future__ import annotations

import tomllib
from bisect import bisect_left
from collections.abc import Sequence
from functools import cache
from typing import Any

from models.known_fields import Place


def line_of(text: str, place: Place) -> int | None:
    """The line, counted from 1, where the value at ``place`` begins, or the innermost table around it that stands there; else None.

    ``text``: a whole file that is TOML.
    """
    lines = text.split("\n")

    @cache
    def beginning(count: int) -> tuple[int, Any]:
        """(lines, content) of the longest beginning of at most ``count`` lines that is TOML."""
        for fewer in range(count, 0, -1):
            try:
                return fewer, tomllib.loads("\n".join(lines[:fewer]))
            except tomllib.TOMLDecodeError:
                continue
        return 0, {}

    for depth in range(len(place), 0, -1):
        if _holds(beginning(len(lines))[1], place[:depth]):
            last = bisect_left(range(len(lines)), True, key=lambda count: _holds(beginning(count)[1], place[:depth]))
            return beginning(last - 1)[0] + 1
    return None


def _holds(content: Any, place: Sequence[int | str]) -> bool:
    for part in place:
        known = part < len(content) if isinstance(content, list) and isinstance(part, int) else _is_key(content, part)
        if not known:
            return False
        content = content[part]
    return True


def _is_key(content: Any, part: int | str) -> bool:
    return isinstance(content, dict) and part in content
