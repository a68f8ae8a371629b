"""How results reach a person or a script: tables on stdout, JSON on stdout, progress elsewhere."""

import json
import math
import shutil
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table

WIDE = 200
"""Columns of a table in a file or pipe, where nothing says how wide the paper is: most rows stay one line, as grep and awk want."""


Format = Annotated[Literal["table", "json"], typer.Option("--format", help="how the result is printed")]


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON object on one line; NaN becomes null, as JSON has no NaN."""
    typer.echo(json.dumps(_clean(value), ensure_ascii=False))


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on stdout, numbers to the right. Text that a model wrote is never read as markup."""
    body = [list(row) for row in rows]
    typer.echo(title)  # not the table's own title, which is folded to the table's width
    if not body:
        return
    table = Table()
    for index, column in enumerate(columns):
        number = bool(body) and all(isinstance(row[index], int | float) for row in body)
        table.add_column(column, justify="right" if number else "left", overflow="fold")
    for row in body:
        table.add_row(*(_cell(v) for v in row))
    width = shutil.get_terminal_size((WIDE, 50)).columns
    Console(width=width, markup=False, emoji=False, highlight=False).print(table)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "undefined" if math.isnan(value) else f"{value:z.4g}"
    return "" if value is None else str(value)


def _clean(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _clean(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(v) for v in value]
    if isinstance(value, float):
        return value + 0.0 if math.isfinite(value) else None  # a negative zero becomes zero
    return value
