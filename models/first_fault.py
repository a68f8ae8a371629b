"""What pydantic refused first, in the words of whoever wrote the file: a list or an object, not a tuple or a dictionary.

Decides the wording and the place; who was wrong (a line, a TOML file, an option) is the caller's to say. The value itself is not
quoted here: it may be a key.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

KINDS = {
    **dict.fromkeys(("tuple_type", "list_type"), "expected a list"),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "expected an object of named fields"),
    "extra_forbidden": "no such field",
    "missing": "is missing",
}
BRANCH = re.compile(r"^(literal\[|constrained-|function-)")
"""Parts of a place that name pydantic's way through a union, and no field."""


class Fault(NamedTuple):
    """``place``: the field's parts, empty for the whole; ``expected``: one line; ``more``: other fields that are wrong too."""

    place: tuple[int | str, ...]
    expected: str
    more: int


def first_fault(error: ValidationError) -> Fault:
    """The first field that is wrong, what was expected there, and how many others are."""
    found = error.errors(include_url=False, include_input=False)
    wrong = dict.fromkeys(_place(one) for one in found)
    # where an entry of a list is wrong pydantic also finds the list too short
    places = [place for place in wrong if not any(other[: len(place)] == place != other for other in wrong)]
    ways = [one for one in found if _place(one) == places[0]]
    named = [one for one in ways if one["type"] != "string_pattern_mismatch"]  # a pattern tells less than a list of names
    return Fault(places[0], "; or ".join(map(_expected, named or ways)), len(places) - 1)


def _place(error: ErrorDetails) -> tuple[int | str, ...]:
    return tuple(part for part in error["loc"] if not (isinstance(part, str) and BRANCH.match(part)))


def _expected(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind in KINDS:
        return KINDS[kind]
    if kind == "too_short":
        return f"expected a list of at least {context['min_length']}"
    if kind == "union_tag_invalid":
        return f"{context['discriminator'].strip(chr(39))} = {context['tag']!r}: expected one of {context['expected_tags']}"
    if kind == "union_tag_not_found":
        return f"expected an object with a field {context['discriminator']}"
    message = error["msg"].removeprefix("Value error, ")
    return " ".join(message.replace("Input should be", "expected", 1).split())
