"""Why a response was discarded: codes that are stored, counted and shown. A stored code never changes its meaning."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

from models.types import UnitTest

Reason = Literal[
    "empty",  # no text at all
    "truncated",  # cut at the token limit before what was asked for was complete
    "no_code_block",
    "several_code_blocks",  # coderm-1 wants exactly one
    "does_not_parse",
    "no_entry_point",  # the code defines nothing of the name that the problem asks for
    "no_test_class",
    "several_classes",  # coderm-1 wants exactly one in the whole tree
    "no_test_case",  # a stdin problem's test without its two labelled parts
    "duplicate",  # the same test was kept already for this problem
    "filtered",  # the server withheld the text
    "prompt_too_long",  # the model could not read the prompt, and was not asked
]
UNREAD: Literal["prompt_too_long"] = "prompt_too_long"
"""Also the finish reason of a response that was never drawn: it is not stored, since a longer context would have one."""
REASONS: tuple[Reason, ...] = get_args(Reason)


class Extracted(NamedTuple):
    """Exactly one of the two is None. ``key``: two tests with one key are the same test."""

    content: str | UnitTest | None
    reason: Reason | None = None
    key: str = ""
