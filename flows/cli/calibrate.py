"""coderm calibrate: fit what decides, from problems whose truth is known."""

from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli.show import Format, print_json, print_table

app = typer.Typer(help="Fit predictors from stored runs or files.", no_args_is_help=True)
File = Path | None


@app.command("difficulty")
def difficulty(
    type_: Annotated[str, typer.Option("--type", help="probe, nll or text")],
    run: Annotated[str | None, typer.Option("--run", help="a stored run with labels; or the three files:")] = None,
    problems: Annotated[File, typer.Option("--problems", help="problems (P file)")] = None,
    solutions: Annotated[File, typer.Option("--solutions", help="solutions (S file)")] = None,
    labels: Annotated[File, typer.Option("--labels", help="labels, which solutions are right (L file)")] = None,
    states: Annotated[File, typer.Option("--states", help="hidden states (safetensors), for probe")] = None,
    nll: Annotated[File, typer.Option("--nll", help="likelihoods of samples, for nll")] = None,
    out: Annotated[File, typer.Option("--out", help="weights (safetensors)", show_default="under the state")] = None,
    folds: Annotated[int, typer.Option("--folds", min=2, help="parts of the problems; each is judged by the others")] = 5,
    seed: Annotated[int, typer.Option("--seed", min=0, help="of every random draw: the same seed, the same figures")] = 0,
    format_: Format = "table",
) -> None:
    """Fit a predictor of the share of right solutions; figures are of problems that it did not see.

    Example: coderm calibrate difficulty --type text --problems P.jsonl --solutions S.jsonl --labels L.jsonl
    """
    from pydantic import ValidationError

    from flows.cli.local_prefect import open_prefect
    from models.calibrate_config import DifficultyCalibration
    from models.errors import InputError
    from tasks.read_config import first_error

    data = {"run": run, "problems": problems, "solutions": solutions, "labels": labels}
    given = {"type": type_, "data": data, "states": states, "nll": nll, "out": out, "folds": folds, "seed": seed}
    try:
        config = DifficultyCalibration.model_validate(given)
    except ValidationError as error:
        raise InputError(first_error(error)) from None
    open_prefect()
    from flows.calibrate import calibrate_difficulty
    from tasks.wait_for_records import wait_for_records

    done = calibrate_difficulty(config)
    wait_for_records(done.pop("prefect_flow_run_id"))
    if format_ == "json":
        print_json(done)
        return
    rows = [(name, _span(done["held_out"], name), _span(done["base"], name)) for name in ("brier", "ece", "loss", "spearman")]
    print_table(f"{done['problems']} problems, {folds} folds, 95 % bootstrap", ("held out", f"{type_}", "mean rate"), rows)
    typer.echo(f"weights   {done['weights']}   (trained on {done['trained_on']})\nMLflow    run {done['mlflow_run_id']}")


def _span(figures: dict[str, Any], name: str) -> str:
    value, lo, hi = (figures[key] for key in (name, f"{name}_lo", f"{name}_hi"))
    return "undefined" if value != value else f"{value:z.3f} [{lo:z.3f}, {hi:z.3f}]"  # noqa: PLR0124 - NaN
