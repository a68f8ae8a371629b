"""Which fields a model has at a place inside it, by its JSON schema: for errors that name a place as the file has it.

pydantic's places hold, beside names and indices, the tag of a union's branch (``policy.openai.modle``), which stands in no file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

Schema = dict[str, Any]
Place = tuple[int | str, ...]


class KnownPlace(NamedTuple):
    """``place`` without tags; ``siblings``: the names that the object around it knows."""

    place: Place
    siblings: frozenset[str]


def known_place(schema: Schema, place: Place) -> KnownPlace:
    """Follow ``place``, as pydantic gives it, down a model's ``schema``; an empty one leaves the place as it is."""
    defs, nodes = schema.get("$defs", {}), [schema]
    path: list[int | str] = []
    siblings: frozenset[str] = frozenset()
    for part in place:
        nodes = [option for node in nodes for option in _options(node, defs)]
        tags = [node["discriminator"]["mapping"] for node in nodes if "discriminator" in node]
        if any(part in mapping for mapping in tags):
            nodes = [{"$ref": mapping[part]} for mapping in tags if part in mapping]
            continue
        path.append(part)
        siblings = frozenset(name for node in nodes for name in node.get("properties", {}))
        nodes = [child for node in nodes for child in _children(node, part)]
    return KnownPlace(tuple(path), siblings)


def _options(node: Schema, defs: Schema) -> Iterator[Schema]:
    """What a value of this schema may be: itself, and each branch of an untagged union."""
    while "$ref" in node:
        node = defs[node["$ref"].rsplit("/", 1)[-1]]
    yield node
    if "discriminator" not in node:
        for branch in (*node.get("anyOf", ()), *node.get("oneOf", ()), *node.get("allOf", ())):
            yield from _options(branch, defs)


def _children(node: Schema, part: int | str) -> Sequence[Schema]:
    inside = node.get("items") if isinstance(part, int) else node.get("properties", {}).get(part, node.get("additionalProperties"))
    return [inside] if isinstance(inside, dict) else []
