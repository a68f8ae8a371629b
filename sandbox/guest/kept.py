"""Containers of which two processes hold a copy each: what such a copy says of its content, and how it becomes what was said.

Only one level at a time: what is in a container crosses as ``peer`` packs it, another container by its number. So nothing is
nested, aliases and cycles cross as they are, and a change is a change of one body.
"""

from __future__ import annotations

import operator
from collections import Counter, OrderedDict, defaultdict, deque
from itertools import chain
from typing import Any, Callable, Dict, Iterator, List  # noqa: UP035 - evaluated by Python 3.9 too

from sandbox.guest import arrays, codec

TAGS: Dict[type, str] = {  # noqa: UP006
    list: "",
    dict: "d",
    set: "s",
    deque: "q",
    Counter: "C",
    OrderedDict: "O",
    defaultdict: "D",
    bytearray: "y",
}
BOUNDED = "Q"
"""Tag of a deque with a largest length."""
_EMPTY: Dict[str, Callable[[], Any]] = {tag: kind for kind, tag in TAGS.items()}  # noqa: UP006
Pack = Callable[[Any], Any]


def is_kept(value: Any) -> bool:
    """Whether a value can change and is nothing but its content."""
    kind = type(value)
    return kind in TAGS or (kind is not int and arrays.kind(value) == arrays.ARRAY)


DEEPEST = 1000
"""Levels: Python compares no two containers that are nested more deeply."""


def refuse_depth(value: Any) -> None:
    """Raises codec.Opaque for a chain of containers, each the first that the one before holds, that nothing could be done with."""
    for _ in range(DEEPEST):
        inner = value.values() if isinstance(value, dict) else value if type(value) in (list, tuple, deque) else ()
        value = next((item for item in inner if isinstance(item, (list, tuple, dict, deque))), None)
        if value is None:
            return
    raise codec.Opaque("nested too deeply")


MOST_LOOKS = 100


def steady(look: Callable[[], Any]) -> Any:
    """What a look at containers gives, once no other thread changes them meanwhile."""
    for _ in range(MOST_LOOKS):
        try:
            return look()
        except RecursionError:
            raise
        except RuntimeError:
            continue
    raise codec.Opaque("a container that never stands still")


def body(value: Any, pack: Pack) -> Any:
    """{tag: content} of a container. ``pack``: of an item."""
    kind = type(value)
    if kind is list or kind is set:
        return {TAGS[kind]: [pack(item) for item in value]}
    if kind is deque:
        items = [pack(item) for item in value]
        return {"q": items} if value.maxlen is None else {BOUNDED: [value.maxlen, items]}
    if kind is bytearray:
        return {"y": value.hex()}
    if kind not in TAGS:
        return {arrays.ARRAY: arrays.pack(value, pack)}
    pairs = [[pack(key), pack(item)] for key, item in value.items()]
    if kind is not defaultdict:
        return {TAGS[kind]: pairs}
    factory = value.default_factory
    return {"D": [None if factory is None else pack(factory), pairs]}


class Glance:
    """Whether any of some containers has changed, seen by the objects that they hold: bodies would take twenty times as long."""

    def __init__(self, containers: List[Any]) -> None:  # noqa: UP006
        """Remembers, and keeps alive, what they hold now."""
        self.plain = all(type(value) in TAGS and type(value) is not bytearray for value in containers)
        looked_at = containers if self.plain else []
        self.pairs = [value for value in looked_at if isinstance(value, dict)]
        self.rows = [value for value in looked_at if not isinstance(value, dict)]
        self.sizes = self._sizes()
        self.held = list(self._held())

    def _sizes(self) -> List[int]:  # noqa: UP006
        return [*map(len, self.pairs), *map(len, self.rows)]

    def _held(self) -> Iterator[Any]:
        values = chain.from_iterable(map(dict.values, self.pairs))
        return chain(chain.from_iterable(self.pairs), values, chain.from_iterable(self.rows))

    def same(self) -> bool:
        """False where something may have changed; arrays and bytes are not looked into."""
        return self.plain and self._sizes() == self.sizes and all(map(operator.is_, self._held(), self.held))


def empty(said: Any) -> Any:
    """A new container of the kind that a body has; an array with its content. Raises ValueError and the like for nonsense."""
    [tag] = said
    if tag == arrays.ARRAY:
        return codec.unpack(said)
    return deque(maxlen=said[tag][0]) if tag == BOUNDED else _EMPTY[tag]()


def fill(value: Any, said: Any) -> None:
    """Make a container what a body says, in place. Raises ValueError and the like for nonsense, codec.Opaque where it cannot."""
    [(tag, items)] = said.items()
    if tag == arrays.ARRAY:
        if not arrays.restore(value, codec.unpack(said)):
            raise codec.Opaque("an array that is of another shape now")
        return
    if ("q" if tag == BOUNDED else tag) != TAGS.get(type(value)):
        raise ValueError("a container that became another")
    if tag == "y":
        value[:] = bytes.fromhex(items)
    elif tag == "":
        value[:] = [codec.unpack(item) for item in items]
    elif tag in ("s", "q", BOUNDED):
        new = [codec.unpack(item) for item in (items[1] if tag == BOUNDED else items)]
        value.clear()
        (value.update if tag == "s" else value.extend)(new)
    else:
        if tag == "D":
            value.default_factory, items = codec.unpack(items[0]), items[1]
        pairs = [(codec.unpack(key), codec.unpack(item)) for key, item in items]
        value.clear()
        (OrderedDict if tag == "O" else dict).update(value, pairs)
