"""The one message that a cell may send, and how the supervisor reads it.

A message is the cell's nonce, one letter, and optionally a line of text for people. It is written in one piece shorter than
PIPE_BUF, so it is there whole or not at all. Anything else in the pipe is no message: the reader says ``GARBLED`` and never
guesses.
"""

from __future__ import annotations

PASSED, FAILED, ERROR, BAD_SOLUTION, BAD_TEST, MEMORY = "P", "F", "E", "S", "T", "M"
NOTHING, GARBLED = "-", "?"
LETTERS = frozenset((PASSED, FAILED, ERROR, BAD_SOLUTION, BAD_TEST, MEMORY))
MAX_MESSAGE = 4096
"""Bytes: PIPE_BUF on Linux."""


def compose(nonce: bytes, letter: str, detail: str = "") -> bytes:
    """The message of a cell; the detail is cut to fit."""
    text = detail.encode("utf-8", "backslashreplace").replace(b"\n", b" ")
    return (nonce + letter.encode("ascii") + text)[: MAX_MESSAGE - 1] + b"\n"


def parse(nonce: bytes, data: bytes) -> tuple[str, str]:
    """(letter, detail) of everything that came through the pipe; NOTHING for none, GARBLED for more or less than one message."""
    if not data:
        return NOTHING, ""
    start = len(nonce)
    letter = data[start : start + 1].decode("ascii", "replace")
    whole = len(data) <= MAX_MESSAGE and data.startswith(nonce) and data.endswith(b"\n") and data.count(b"\n") == 1
    if not whole or letter not in LETTERS:
        return GARBLED, ""
    return letter, data[start + 1 : -1].decode("utf-8", "replace")
