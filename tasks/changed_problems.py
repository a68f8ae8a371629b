"""The problems whose outcome changed between two sides, both choices shown: rows for Prefect, a table for MLflow.

``a_right``, ``b_right``: expected correctness of the choice, uniform over ties; ``a_choice``, ``b_choice``: the tied candidates;
``a_picked``, ``b_picked``: the first of them, and its source in ``a_code``, ``b_code`` where sources may leave this machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from models.comparison import Choice, Outcome
from models.types import SolutionSet

SHOWN = 8
"""Tied candidates that are listed; of the others the number is."""


def changed_rows(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """One row a problem whose outcome changed, what B loses most first."""
    changed = sorted((o for o in outcomes if o.changed), key=lambda o: o.b.expected - o.a.expected)
    return [
        {
            "task_id": o.task_id,
            "a_right": round(o.a.expected, 4),
            "b_right": round(o.b.expected, 4),
            "a_choice": _shown(o.a),
            "b_choice": _shown(o.b),
            "a_picked": o.a.pick,
            "b_picked": o.b.pick,
            "right_candidates": round(o.base, 4),
            "benchmark": o.benchmark,
        }
        for o in changed
    ]


def changed_table(outcomes: Sequence[Outcome], solutions: Mapping[str, SolutionSet] | None) -> dict[str, Any]:
    """The rows as MLflow's table: {"columns", "data"}. ``solutions``: the candidates; None keeps their sources here."""
    rows = changed_rows(outcomes)
    if solutions is not None:
        rows = [{**row, **_code(row, solutions[row["task_id"]].solutions)} for row in rows]
    columns = [*rows[0]] if rows else ["task_id"]
    return {"columns": columns, "data": [[row[column] for column in columns] for row in rows]}


def _code(row: Mapping[str, Any], sources: Sequence[str]) -> dict[str, str]:
    return {f"{side}_code": sources[row[f"{side}_picked"]] for side in ("a", "b")}


def _shown(choice: Choice) -> str:
    if not choice.groups:
        return "random: nothing ranked"
    shown = ", ".join(map(str, choice.groups[:SHOWN]))
    return f"{shown} … ({len(choice.groups)})" if len(choice.groups) > SHOWN else shown
