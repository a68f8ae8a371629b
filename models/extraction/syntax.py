"""What can be kept of a source that was cut, and when two sources are the same one."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from models.python_source import parsed

MAX_CUTS = 200
"""Places at which a truncated source is tried; a response of 2,048 tokens has about as many lines."""


def dumped(tree: ast.Module) -> str:
    """The tree as text without positions: the same for sources that differ in comments and layout only."""
    try:
        return ast.dump(tree)
    except RecursionError:
        return ast.unparse(tree) if tree.body else ""


def longest_prefix(source: str, indent: int) -> str | None:
    """The longest beginning that parses and ends before a line indented by at most ``indent`` blanks; None where there is none.

    For a source that was cut in the middle: what was complete before the cut.
    """
    for cut in _cuts(source.split("\n"), indent):
        if parsed(cut) is not None:
            return cut
    return None


def _cuts(lines: list[str], indent: int) -> Iterator[str]:
    places = [at for at in range(len(lines) - 1, 0, -1) if lines[at].strip() and _depth(lines[at]) <= indent]
    for at in places[:MAX_CUTS]:
        yield "\n".join(lines[:at]).rstrip() + "\n"


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())
