"""Names of benchmarks and stages as Prefect takes them in keys of artifacts and ids of resources."""

from __future__ import annotations

import re


def artifact_key(name: str) -> str:
    """Lower-case letters, digits and dashes only; ``run`` where nothing is left."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "run"
