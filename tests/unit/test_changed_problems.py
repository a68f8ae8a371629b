"""The table of problems whose outcome changed: both choices, what is lost first, and no source where sources stay here."""

from __future__ import annotations

from models.comparison import Choice, Outcome
from models.types import SolutionSet
from tasks.changed_problems import changed_rows, changed_table


def choice(groups: tuple[int, ...], expected: float) -> Choice:
    return Choice(groups, min(groups, default=0), expected, None, tests=1, cells=1, seconds=0.0, tokens=0.0)


OUTCOMES = [
    Outcome("won", "b", 0.5, choice((1,), 0.0), choice((0, 2), 1.0)),
    Outcome("same", "b", 0.5, choice((1,), 0.5), choice((2,), 0.5)),
    Outcome("lost", "b", 0.5, choice(tuple(range(10)), 2 / 3), choice((), 0.25)),
]


def test_both_choices_are_shown_and_what_b_loses_comes_first() -> None:
    lost, won = changed_rows(OUTCOMES)
    assert (lost["task_id"], lost["a_choice"], lost["b_choice"]) == (
        "lost",
        "0, 1, 2, 3, 4, 5, 6, 7 … (10)",
        "random: nothing ranked",
    )
    assert (won["task_id"], won["a_choice"], won["b_choice"], won["a_picked"], won["b_picked"]) == ("won", "1", "0, 2", 1, 0)
    assert (lost["a_right"], lost["b_right"]) == (0.6667, 0.25)


def test_sources_go_along_only_where_they_may() -> None:
    sources = {t: SolutionSet(task_id=t, solutions=tuple(f"{t} {i}" for i in range(10))) for t in ("won", "lost")}
    table = changed_table(OUTCOMES, sources)
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    assert [(row["a_code"], row["b_code"]) for row in rows] == [("lost 0", "lost 0"), ("won 1", "won 0")]
    kept = changed_table(OUTCOMES, None)
    assert not any(column.endswith("_code") for column in kept["columns"])
    assert changed_table([OUTCOMES[1]], None) == {"columns": ["task_id"], "data": []}
