"""coderm best-at: Best@K, the figure of competitive-programming tables, from a stored matrix."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.show import Format, print_json, print_table


def best_at(
    matrix: Annotated[Path, typer.Option("--matrix", help="pass matrix (M file)")],
    labels: Annotated[Path, typer.Option("--labels", help="labels, which solutions are right (L file)")],
    selector: Annotated[str, typer.Option("--selector", help="auto, or names joined by commas")] = "auto",
    k: Annotated[str, typer.Option("--k", help="candidates that are drawn, joined by commas")] = "1,2,4,8,16",
    draws: Annotated[int, typer.Option("--draws", min=1, help="random subsets of each size")] = 100,
    seed: Annotated[int, typer.Option("--seed", min=0, help="of every random draw: the same seed, the same figures")] = 0,
    format_: Format = "table",
) -> None:
    """Best@K: accuracy of the selected solution among K random candidates, with pass@K as the ceiling.

    Example: coderm best-at --matrix M.jsonl --labels L.jsonl --selector majority,b4 --k 1,2,4,8,16
    """
    from flows.cli.decide import numbers
    from models.best_at import best_at as measure
    from tasks.select_and_score import read_labels, read_matrices

    ks = numbers(k, "--k")
    matrices = read_matrices(matrix)
    names = [name.strip() for name in selector.split(",")]
    table = measure(matrices, read_labels(labels, matrices), names, ks=ks, draws=draws, seed=seed)
    if format_ == "json":
        print_json(table)
        return
    rows = [(name, *(_shown(row[str(x)]) for x in ks)) for name, row in table.items()]
    print_table(f"Best@K, {draws} draws, 95 % intervals over problems", ("selector", *(f"K={x}" for x in ks)), rows)


def _shown(point: dict[str, float]) -> str:
    return f"{100 * point['accuracy']:.2f} [{100 * point['lo']:.1f}, {100 * point['hi']:.1f}]"
