"""How a configuration class looks as a form: what the Prefect UI makes of its JSON schema, and people fill in.

Nothing here validates. A field's title is its name in words, its unit behind a comma, unless it has a title of its own; an optional
value is two tabs, "not set" and "set"; a ``type`` that can only be one word is a drop-down of that word, not a text to be typed.
Each field says its place, since a server on PostgreSQL keeps no order of keys (JSONB) and shows the shortest names first.
"""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, ConfigDict

UNITS = {"_s": ", seconds", "_mib": ", MiB"}
ACRONYMS = {"url": "URL", "api": "API", "gpu": "GPU", "lora": "LoRA", "vllm": "vLLM"}
NULL = {"type": "null"}


def _field_title(name: str, _field: Any) -> str:
    """``connect_timeout_s`` → "Connect timeout, seconds"."""
    unit = next((u for u in UNITS if name.endswith(u)), "")
    first, *rest = (ACRONYMS.get(word, word) for word in name.removesuffix(unit).split("_"))
    return " ".join((first[0].upper() + first[1:] if first.islower() else first, *rest)) + UNITS.get(unit, "")


def _class_title(model: type) -> str:
    """``TextDifficultyConfig`` → "Text difficulty"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", model.__name__.removesuffix("Config")).capitalize()


def _places_tabs_and_choices(schema: dict[str, Any]) -> None:
    for place, field in enumerate(schema.get("properties", {}).values()):
        field["position"] = place
        if "const" in field:
            field["enum"] = [field["const"]]
        options = field.get("anyOf", [])
        if NULL in options:
            for option in options:
                option.setdefault("title", "not set" if option == NULL else "set")


class Config(BaseModel):
    """Base of every configuration class: frozen; unknown keys, infinite and undefined numbers are refused."""

    model_config = ConfigDict(
        extra="forbid",
        allow_inf_nan=False,
        frozen=True,
        field_title_generator=_field_title,
        model_title_generator=_class_title,
        json_schema_extra=_places_tabs_and_choices,
    )
