"""coderm select, coderm budget: only the decision, on stored matrices. No sandbox, no model, no database."""

import math
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.show import Format, print_json, print_table

Matrix = Annotated[Path, typer.Option("--matrix", help="pass matrix (M file)")]


def select(
    matrix: Matrix,
    selector: Annotated[str, typer.Option("--selector", help="auto, or names joined by commas")] = "auto",
    labels: Annotated[Path | None, typer.Option("--labels", help="labels (L file): adds pass@k")] = None,
    solutions: Annotated[
        Path | None, typer.Option("--solutions", help="solutions (S file), for selectors that read sources")
    ] = None,
    tests: Annotated[Path | None, typer.Option("--tests", help="tests (T file), for selectors that read tests")] = None,
    k: Annotated[str, typer.Option("--k", help="k of pass@k, joined by commas")] = "1,2,10",
    compare: Annotated[
        str | None, typer.Option("--compare", help="one name: intervals, and paired differences of pass@1 to it")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="ranking to write (R file)")] = None,
    calibrator: Annotated[Path | None, typer.Option("--calibrator", help="of `coderm confidence`: how sure to be")] = None,
    abstain_below: Annotated[float, typer.Option("--abstain-below", min=0, max=1, help="withhold less sure selections")] = 0,
    format_: Format = "table",
) -> None:
    """Rank the solutions of a pass matrix; with labels, print pass@k a selector.

    Example: coderm select --matrix M.jsonl --labels L.jsonl --selector random,majority,codet --compare b4
    """
    from tasks.select_and_score import select_files

    done = select_files(matrix, selector, labels, numbers(k, "--k"), out, solutions, tests, calibrator, abstain_below, compare)
    if format_ == "json":
        sure = {name: {"confidence": found} for name, found in done.confidence.items() if found}
        print_json({name: {**row, **sure.get(name, {}), **done.compared.get(name, {})} for name, row in done.table.items()})
        return
    if labels is None:
        where = f" → {out}" if out else "; --labels adds pass@k, --out the ranking"
        typer.echo(f"{done.problems} problems ranked by {', '.join(done.table)}{where}")
        return
    ks = numbers(k, "--k")
    rows = [(name, *(row.get(str(x), float("nan")) for x in ks), done.fallbacks[name]) for name, row in done.table.items()]
    title = f"{done.problems} problems, {done.unjudged} unjudged solutions left out"
    print_table(title, ("selector", *(f"pass@{x}" for x in ks), "fallbacks"), rows)
    for name, found in done.confidence.items():
        if found:
            print_table(f"{name}: confidence, withheld below {abstain_below:g}", ("figure", "value"), found.items())
    if compare:
        names = ("lo", "hi", "difference", "difference_lo", "difference_hi")
        rows = [(name, *(row[x] for x in names)) for name, row in done.compared.items()]
        title = f"pass@1, and its paired difference to {next(iter(done.compared))}: 95 % bootstrap over {done.problems} problems"
        print_table(title, ("selector", "lo", "hi", "difference", "lo", "hi"), rows)


def budget(
    matrix: Matrix,
    labels: Annotated[Path, typer.Option("--labels", help="labels, which solutions are right (L file)")],
    selector: Annotated[str, typer.Option("--selector", help="auto, or one name")] = "auto",
    policy: Annotated[str, typer.Option("--policy", help="names joined by commas")] = "equal,greedy,greedy-gold",
    budgets: Annotated[str, typer.Option("--budgets", help="average tests a problem, joined by commas")] = "1,2,4,8,16,32,64",
    orders: Annotated[int, typer.Option("--orders", min=1, help="random orders of the tests")] = 100,
    seed: Annotated[int, typer.Option("--seed", min=0, help="of every random draw: the same seed, the same figures")] = 0,
    format_: Format = "table",
) -> None:
    """Replay a stored matrix under test budgets: accuracy against average tests for every policy.

    Example: coderm budget --matrix M.jsonl --labels L.jsonl --policy equal,greedy --budgets 1,4,16
    """
    from tasks.select_and_score import budget_files

    done = budget_files(matrix, labels, selector, policy.split(","), numbers(budgets, "--budgets"), orders, seed)
    if format_ == "json":
        print_json(done)
        return
    whole = done["all"]
    rows = [("all tests", whole["mean_tests"], *_figures(whole), "")]
    points = [(name, p) for name, line in done.items() if name != "all" for p in line]
    rows += [(name, p["mean_tests"], *_figures(p), _span(p, "difference")) for name, p in points]
    title = f"{whole['selector']}, {whole['problems']} problems, {orders} orders"
    print_table(title, ("policy", "mean tests", "accuracy", "lo", "hi", "against equal, paired"), rows)
    saved, area = whole.get("saved", {}), whole["area"]
    spans = {name: [_span(saved.get(name, {}), what) for what in ("share", "gain")] for name in area}
    rows = [(name, _span(area[name], "area", ""), *spans[name]) for name in area]
    print_table("over all budgets, 95 % bootstrap", ("policy", "area under the curve", "tests saved", "accuracy gained"), rows)


def _figures(point: dict[str, float]) -> tuple[float, float, float]:
    return point["accuracy"], point["lo"], point["hi"]


def _span(point: dict[str, float], name: str, stem: str | None = None) -> str:
    """``value [lo, hi]`` in hundredths; empty where there is none."""
    stem = f"{name}_" if stem is None else stem
    if name not in point:
        return ""
    value, lo, hi = (100 * point[key] for key in (name, f"{stem}lo", f"{stem}hi"))
    return "undefined" if math.isnan(value) else f"{value:z.1f} [{lo:z.1f}, {hi:z.1f}]"


def numbers(text: str, option: str) -> tuple[int, ...]:
    """Positive whole numbers joined by commas. Raises InputError that names the option."""
    from models.errors import InputError

    parts = [p.strip() for p in text.split(",")]
    if not all(p.isdecimal() and int(p) > 0 for p in parts):
        raise InputError(f"{option} {text!r}: expected positive whole numbers joined by commas, such as 1,2,10")
    return tuple(int(p) for p in parts)
