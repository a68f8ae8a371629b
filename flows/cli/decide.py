"""coderm select, coderm budget: only the decision, on stored matrices. No sandbox, no model, no database."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.show import print_json, print_table

Matrix = Annotated[Path, typer.Option("--matrix", help="M file")]
Format = Annotated[str, typer.Option("--format", help="table or json")]


def select(
    matrix: Matrix,
    selector: Annotated[str, typer.Option("--selector", help="auto, or names joined by commas")] = "auto",
    labels: Annotated[Path | None, typer.Option("--labels", help="L file: adds pass@k")] = None,
    solutions: Annotated[Path | None, typer.Option("--solutions", help="S file, for selectors that read sources")] = None,
    tests: Annotated[Path | None, typer.Option("--tests", help="T file, for selectors that read tests")] = None,
    k: Annotated[str, typer.Option("--k", help="k of pass@k, joined by commas")] = "1,2,10",
    out: Annotated[Path | None, typer.Option("--out", help="R file to write")] = None,
    format_: Format = "table",
) -> None:
    """Rank the solutions of a pass matrix; with labels, print pass@k a selector.

    Example: coderm select --matrix M.jsonl --labels L.jsonl --selector random,majority,codet
    """
    from tasks.select_and_score import select_files

    done = select_files(matrix, selector, labels, _numbers(k, "--k"), out, solutions, tests)
    _check_format(format_)
    if format_ == "json":
        print_json(done.table)
        return
    if labels is None:
        where = f" → {out}" if out else "; --labels adds pass@k, --out the ranking"
        typer.echo(f"{done.problems} problems ranked by {', '.join(done.table)}{where}")
        return
    ks = _numbers(k, "--k")
    rows = [(name, *(row.get(str(x), float("nan")) for x in ks), done.fallbacks[name]) for name, row in done.table.items()]
    title = f"{done.problems} problems, {done.unjudged} unjudged solutions left out"
    print_table(title, ("selector", *(f"pass@{x}" for x in ks), "fallbacks"), rows)


def budget(
    matrix: Matrix,
    labels: Annotated[Path, typer.Option("--labels", help="L file")],
    selector: Annotated[str, typer.Option("--selector", help="auto, or one name")] = "auto",
    policy: Annotated[str, typer.Option("--policy", help="names joined by commas")] = "equal,greedy,greedy-gold",
    budgets: Annotated[str, typer.Option("--budgets", help="average tests a problem, joined by commas")] = "1,2,4,8,16,32,64",
    orders: Annotated[int, typer.Option("--orders", min=1, help="random orders of the tests")] = 100,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
    format_: Format = "table",
) -> None:
    """Replay a stored matrix under test budgets: accuracy against average tests for every policy.

    Example: coderm budget --matrix M.jsonl --labels L.jsonl --policy equal,greedy --budgets 1,4,16
    """
    from tasks.select_and_score import budget_files

    _check_format(format_)
    done = budget_files(matrix, labels, selector, policy.split(","), _numbers(budgets, "--budgets"), orders, seed)
    if format_ == "json":
        print_json(done)
        return
    whole = done["all"]
    rows = [("all tests", whole["mean_tests"], whole["accuracy"], whole["lo"], whole["hi"])]
    points = [(name, p) for name, line in done.items() if name != "all" for p in line]
    rows += [(name, p["mean_tests"], p["accuracy"], p["lo"], p["hi"]) for name, p in points]
    title = f"{whole['selector']}, {whole['problems']} problems, {orders} orders"
    print_table(title, ("policy", "mean tests", "accuracy", "lo", "hi"), rows)


def _numbers(text: str, option: str) -> tuple[int, ...]:
    from models.errors import InputError

    parts = [p.strip() for p in text.split(",")]
    if not all(p.isdecimal() and int(p) > 0 for p in parts):
        raise InputError(f"{option} {text!r}: expected positive whole numbers joined by commas, such as 1,2,10")
    return tuple(int(p) for p in parts)


def _check_format(format_: str) -> None:
    from models.errors import InputError

    if format_ not in {"table", "json"}:
        raise InputError(f"--format {format_!r}: expected table or json")
