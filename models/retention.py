"""How long the store keeps what nobody uses. Pure: a policy, and from when on something counts as unused.

What goes can be had again, at a price that ``COSTS`` names; a begun run that stays keeps everything that it may have used since it
began, whatever the days say, so that ``coderm runs resume`` finds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field

from models.types import Record

Kind = Literal["runs", "begun", "verdicts", "responses", "files"]

COSTS: dict[Kind, str] = {
    "runs": "the runs themselves, for ever: reports, comparisons and baselines that read them",
    "begun": "`coderm runs resume` does not find them; their samples and cells stay until they are unused",
    "verdicts": "the cells are executed again when a run asks for them",
    "responses": "the model is asked again: GPU time or tokens, and other answers than before",
    "files": "the pages of these runs on this machine; copies in MLflow stay there",
}


NAMES: dict[Kind, str] = {
    "runs": "runs",
    "begun": "begun and not finished runs",
    "verdicts": "known cells, a row a solution",
    "responses": "stored answers of models, a row a prompt",
    "files": "files of runs that go: reports and Data Docs",
}
MIB = 1 << 20


@dataclass(frozen=True)
class Unused:
    """What may go, or has gone. ``size``: bytes of the packed data alone, without keys, indexes and free space."""

    kind: Kind
    rows: int
    size: int
    held_by: str | None = None
    """The begun run that keeps more than the days would."""


class Retention(Record):
    """What goes. None: it stays for ever."""

    keep_runs: int | None = Field(None, ge=0, description="newest runs that stay")
    begun_days: int | None = Field(
        None, ge=1, description="runs that began so many days ago and never finished; longer than any run takes"
    )
    verdicts_unused_days: int | None = Field(None, ge=1, description="known cells that no run asked for in so many days")
    responses_unused_days: int | None = Field(
        None, ge=1, description="stored answers of models that no run asked for in so many days"
    )


def unused_before(days: int, now: datetime, oldest_begun: datetime | None) -> datetime:
    """What was last used before this moment may go. ``oldest_begun``: when the oldest begun run that stays began, if any.

    Use is noted by the day (UTC), so that something stays for at least ``days`` and less than a day longer.
    """
    limit = now - timedelta(days=days)
    return limit if oldest_begun is None else min(limit, oldest_begun)


def retention_rows(found: Sequence[Unused]) -> list[dict[str, str | int | float]]:
    """One row a kind for a table: what, rows, MiB, and what it costs to be without it."""
    return [
        {
            "what": NAMES[u.kind],
            "rows": u.rows,
            "MiB": round(u.size / MIB, 1),
            "without it": COSTS[u.kind] + (f" (more is kept for begun run {u.held_by})" if u.held_by else ""),
        }
        for u in found
    ]
