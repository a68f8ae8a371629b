"""What pydantic refused first, in the words of whoever wrote the file: a list or an object, not a tuple or a dictionary.

Decides the wording and the place; who was wrong (a line, a TOML file, an option) is the caller's to say. The value itself is not
quoted here: it may be a key.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from models.known_fields import Place, known_place
from models.nearest_name import did_you_mean, nearest_name

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

    place: Place
    expected: str
    more: int


def first_fault(error: ValidationError, model: type[BaseModel] | None = None) -> Fault:
    """The first field that is wrong, what was expected there, and how many others are.

    With ``model``, what was validated: the place as the file has it, without pydantic's tags, and for an unknown field the nearest
    known one; a field that is missing because its name was misspelt is one fault, at the misspelt name.
    """
    schema = model.model_json_schema() if model else {}
    details = error.errors(include_url=False, include_input=False)
    found = [(one, known_place(schema, _place(one))) for one in details]
    meant = {
        known.place: nearest_name(str(known.place[-1]), known.siblings) for one, known in found if one["type"] == "extra_forbidden"
    }
    slips = {(*place[:-1], name): place for place, name in meant.items() if name}
    faults: dict[Place, list[ErrorDetails]] = {}
    for one, known in found:
        if one["type"] != "missing" or known.place not in slips:
            faults.setdefault(known.place, []).append(one)
    # where an entry of a list is wrong pydantic also finds the list too short
    around = {place[:depth] for place in faults for depth in range(len(place))}
    first, *others = (place for place in faults if place not in around)
    ways = [one for one in faults[first] if one["type"] != "string_pattern_mismatch"]  # it tells less than a list of names
    return Fault(first, "; or ".join(map(_expected, ways or faults[first])) + did_you_mean(meant.get(first)), len(others))


def _place(error: ErrorDetails) -> Place:
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
