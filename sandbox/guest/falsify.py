"""Whether a comparison that was believed could have come out otherwise: the same question once more with another expected value.

A comparison of the solution's own is asked again with values next to what was expected: a number one larger, a text one letter
longer, a list with one other item; where the expected value is an object that the test has made, one is made of arguments next to
its own. An equality that holds for all of them holds for anything. So does a difference that is the same whatever is subtracted.
Asked at the end of the run in which the solution is watched, so that what the questions leave behind is seen by no test.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from decimal import Decimal
from fractions import Fraction
from typing import Any, Iterator, List, Tuple  # noqa: UP035 - evaluated by Python 3.9 too

from sandbox.guest import handles, operations

ENOUGH = 24
"""Comparisons that are tried."""


def near(value: Any) -> Iterator[Any]:
    """Values next to a plain one; none for what has no neighbours."""
    kind = type(value)
    if kind is bool:
        yield not value
    elif kind in (int, float, complex, Decimal, Fraction):
        yield value + 1
        yield value - 1
    elif kind is str:
        yield value + "x"
        yield value[:-1] + "1" if value[-1:] != "1" else value[:-1] + "2"
    elif kind is bytes:
        yield value + b"x"
    elif kind in (list, tuple, deque) and value:
        items = list(value)
        for at in {0, len(items) - 1}:
            for item in near(items[at]):
                yield kind([*items[:at], item, *items[at + 1 :]])
    elif kind in (set, frozenset) and value:
        first, *rest = value
        for item in near(first):
            yield kind([item, *rest])
    elif kind in (dict, OrderedDict) and value:
        key = next(iter(value))
        for item in near(value[key]):
            yield kind({**value, key: item})
        for other in near(key):
            yield kind({other if k == key else k: item for k, item in value.items()})


def _calls(arguments: Tuple[Any, ...], keywords: Any) -> Iterator[Any]:  # noqa: UP006
    for at, argument in enumerate(arguments):
        for item in near(argument):
            yield (*arguments[:at], item, *arguments[at + 1 :]), keywords or {}
    for name, argument in (keywords or {}).items():
        for item in near(argument):
            yield arguments, {**keywords, name: item}


def holds_for_anything(link: Any) -> bool:
    """Whether one of the believed comparisons of this cell gives the same answer for every other expected value."""
    told: List[Any] = [entry for entry in link.doubts.told if entry[0] != "__ne__" and _shows_something(*entry)]  # noqa: UP006
    return any(_same_for_all(link, *entry) for entry in told[:ENOUGH])


def _shows_something(operation: str, value: Any, other: Any, result: Any) -> bool:
    if operation in operations.COMPARISONS:
        return operation == "__eq__" and result is True
    return type(result) in (int, float, complex, bool, str) and not isinstance(other, type(value))


def _same_for_all(link: Any, operation: str, value: Any, other: Any, result: Any) -> bool:
    answers = [answer for answer in _others(link, operation, value, other) if answer is not _NO_ANSWER]
    return bool(answers) and all(type(answer) is type(result) and answer == result for answer in answers)


def _others(link: Any, operation: str, value: Any, other: Any) -> Iterator[Any]:
    """The answers for other values in the place of what was expected, or of what the test has made."""
    made = link.doubts.made
    if id(other) in made:
        for given in _calls(*made[id(other)][1:]):
            yield _asked(link, operation, value, made[id(other)][0], given)
    elif not isinstance(other, (handles.Handle, handles.Remote)):
        for item in near(other):
            yield _asked(link, operation, value, None, item)
    elif id(value) in made:
        for given in _calls(*made[id(value)][1:]):
            yield _asked(link, operation, other, made[id(value)][0], given)


_NO_ANSWER = object()


def _asked(link: Any, operation: str, value: Any, cls: Any, given: Any) -> Any:
    """The answer; none where there is no such neighbour, or no answer to it. ``cls``: what makes the neighbour of ``given``."""
    try:
        return link.ask(operation, value, (given if cls is None else cls(*given[0], **given[1]),))
    except Exception:
        return _NO_ANSWER
