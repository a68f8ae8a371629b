"""What a solution gave back to the calls of one cell, as one digest: selectors compare it, no verdict depends on it.

Computed in the judge from what crossed, never by the solution. An outcome is the value of a call or the name of the exception's
class; a call that returns None answers with the arguments that it changed. The digest runs over the outcomes in the order of the
calls, so equal digests mean equal answers to an equal test up to its end or its first failure. Canonical form of a value: scalars
keep their type (True, 1 and 1.0 are three values; NaN is one, -0.0 is 0.0, 1.10 and 1.1 as decimals are two), sequences their order
and kind; dicts of any kind are one kind without order, and so are sets and frozensets, bytes and bytearrays, as ``==`` says.
A scalar of numpy is the plain value that it equals, an array its shape, kind and values.
There is no digest where no call was made, and none where a value could not cross, was malformed or longer than ``MAX_BYTES``.
"""

from __future__ import annotations

import hashlib
from json import dumps, loads  # by themselves: a test may patch the module's
from typing import Any

from sandbox.guest import arrays, codec

DIGEST_BYTES = 8
MAX_BYTES = 1 << 20
"""Of one reply, as JSON: hashing it costs 3 ms."""
SHORT = 120
"""Characters of all outcomes of a cell together that are kept for people."""
_ONE_KIND = {"d": "d", "C": "d", "O": "d", "s": "s", "z": "s", "b": "b", "y": "b"}


def canonical(data: Any) -> str:
    """One text for equal values. ``data``: a packed value (codec)."""
    text = dumps(data, separators=(",", ":"))
    if "{" in text or "-0.0" in text:
        return dumps(_ordered(data), separators=(",", ":"))
    return text


def _ordered(data: Any) -> Any:  # noqa: PLR0911 - one line a kind
    kind = type(data)
    if kind is list:
        return [_ordered(item) for item in data]
    if kind is float:
        return data or 0.0
    if kind is not dict:
        return data
    [(tag, body)] = data.items()
    if tag == "D":
        tag, body = "d", body[1]
    if tag == arrays.SCALAR:
        return _plain_scalar(body)
    if tag == arrays.ARRAY:
        return {tag: arrays.canonical(body, lambda item: _ordered(codec.pack(item) if body[0] != arrays.OBJECTS else item))}
    if tag in ("d", "C", "O", "s", "z"):
        return {_ONE_KIND[tag]: sorted(_ordered(body), key=dumps)}
    return {_ONE_KIND.get(tag, tag): _ordered(body)}


def _plain_scalar(body: Any) -> Any:
    value = codec.unpack({arrays.SCALAR: body})
    return {arrays.SCALAR: body} if value.dtype.kind in "mM" else _ordered(codec.pack(value.item()))


def shown(data: Any) -> str:  # noqa: PLR0911 - one line a kind
    """A packed value much as Python writes it."""
    kind = type(data)
    if kind is list:
        return "[" + ", ".join(map(shown, data)) + "]"
    if kind is not dict:
        return repr(data)
    [(tag, body)] = data.items()
    if tag == "d":
        return "{" + ", ".join(f"{shown(key)}: {shown(item)}" for key, item in body) + "}"
    if tag in ("s", "z"):
        return "{" + ", ".join(map(shown, body)) + "}" if body else "set()"
    if tag == arrays.ARRAY:
        return arrays.shown(body, shown)
    if tag == "t":
        return "(" + ", ".join(map(shown, body)) + ("," if len(body) == 1 else "") + ")"
    return repr(codec.unpack(data))


class Outcomes:
    """The outcomes of one cell so far."""

    def __init__(self) -> None:
        """None yet."""
        self._hash = hashlib.blake2b(digest_size=DIGEST_BYTES)
        self._texts: list[str] | None = []
        self._length = self._calls = 0
        self._lost = False

    def add(self, reply: dict[str, Any], sent: list[Any], size: int) -> None:
        """One more call. ``sent``: its packed arguments; ``size``: bytes of the reply. A malformed reply only loses the digest."""
        if self._lost:
            return
        self._calls += 1
        self._lost = size > MAX_BYTES
        try:
            mark, data = _outcome(reply, sent) if not self._lost else ("", None)
            text = canonical(data)
            self._hash.update(f"{mark}{text}\n".encode("ascii"))
            self._show(mark, text)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError, MemoryError):
            self._lost = True

    def lose(self) -> None:
        """Something was answered that is no plain data."""
        self._lost = True

    def _show(self, mark: str, text: str) -> None:
        self._length += len(text)
        if self._texts is None or self._length > 2 * SHORT:
            self._texts = None
        else:
            data = loads(text)
            self._texts.append({"raised": f"raises {data}", "changed": f"changes to {shown(data)}"}.get(mark) or shown(data))

    def result(self) -> list[str | None]:
        """[digest, text]; both None without an outcome, the text None when it is long."""
        if self._lost or not self._calls:
            return [None, None]
        text = None if self._texts is None else "; ".join(self._texts)
        return [self._hash.hexdigest(), text if text is not None and len(text) <= SHORT else None]


def _outcome(reply: dict[str, Any], sent: list[Any]) -> tuple[str, Any]:
    if "raised" in reply:
        return "raised", str(reply["raised"][0])
    after = reply.get("after")
    data = (sent if after is None else after)[reply["same"]] if "same" in reply else reply["value"]
    return ("changed", after) if data is None and after is not None else ("value", data)
