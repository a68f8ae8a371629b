"""coderm confidence: fit how sure to be of a selector's choices, on labelled problems, into a file that later runs load."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from flows.cli.decide import Matrix
from flows.cli.show import Format, print_json, print_table


def confidence(
    matrix: Matrix,
    labels: Annotated[Path, typer.Option("--labels", help="labels, which solutions are right (L file)")],
    selector: Annotated[str, typer.Option("--selector", help="auto, or one name")] = "auto",
    out: Annotated[Path | None, typer.Option("--out", help="calibrator to write, JSON")] = None,
    method: Annotated[
        Literal["posterior", "features"] | None, typer.Option("--method", help="raw score", show_default="the better measured")
    ] = None,
    solutions: Annotated[
        Path | None, typer.Option("--solutions", help="solutions (S file), for selectors that read sources")
    ] = None,
    format_: Format = "table",
) -> None:
    """Calibrate the probability that the selected solution is right; printed figures are of problems that each fit had not seen.

    Example: coderm confidence --matrix M.jsonl --labels L.jsonl --selector b4 --out b4.calibrator.json
    """
    from models.confidence import METHOD
    from tasks.calibrate_confidence import calibrate_files

    found = calibrate_files(matrix, labels, selector, out, method or METHOD, solutions)
    if format_ == "json":
        print_json(found)
        return
    title = f"{found['selector']}, {found['problems']} problems, held out in turn"
    print_table(title, ("figure", "value"), ((k, v) for k, v in found.items() if not isinstance(v, list)))
    for name in ("reliability", "coverage"):
        points = found[name]
        print_table(name, list(points[0]) if points else (), (list(p.values()) for p in points))
