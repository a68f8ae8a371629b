"""coderm regression, power, serve: scheduled runs, what their alarms are worth, and the process that runs them."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.show import Format, print_json, print_table


def regression(
    config: Annotated[Path, typer.Argument(help="TOML file, as for `coderm run`")],
    version: Annotated[str, typer.Option("--version", help="whose last good run is the baseline")] = "champion",
    margin: Annotated[float, typer.Option("--margin", min=0, help="smallest drop that is worth an alarm, as a share")] = 0.01,
    alpha: Annotated[float, typer.Option("--alpha", min=0, max=1, help="probability of ever raising a false alarm")] = 0.05,
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="KEY.SUB=VALUE", help="override one value, repeatable")] = None,
) -> None:
    """Run a benchmark and judge it against the champion's last good run; exit 1 when it fell by more than noise and the margin.

    Example: coderm regression nightly.toml
    """
    from flows.cli.local_prefect import open_prefect
    from tasks.check_recordings import check_recordings
    from tasks.read_config import read_config

    parsed = read_config(config, set_ or [])
    check_recordings(parsed)
    open_prefect()
    from flows.regression import regression as regression_flow
    from tasks.judge_regression import verdict_line

    judged = regression_flow(parsed, version, margin, alpha)
    typer.echo(verdict_line(judged), err=True)
    print_json({key: value for key, value in judged.items() if key != "changed"})


def power(
    matrix: Annotated[Path, typer.Option("--matrix", help="pass matrix (M file)")],
    labels: Annotated[Path, typer.Option("--labels", help="labels, which solutions are right (L file)")],
    selector: Annotated[str, typer.Option("--selector", help="auto, or one name")] = "auto",
    drops: Annotated[str, typer.Option("--drops", help="points of accuracy, joined by commas")] = "1,2,5,10",
    nights: Annotated[int, typer.Option("--nights", min=1, help="looks at one baseline")] = 100,
    sequences: Annotated[int, typer.Option("--sequences", min=1, help="fake baselines, each with its nights")] = 2000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="of every random draw: the same seed, the same figures")] = 0,
    format_: Format = "table",
) -> None:
    """How often noise raises an alarm, and how many problems show a drop: fake nights resampled from a recorded matrix.

    Example: coderm power --matrix M.jsonl --labels L.jsonl
    """
    from flows.cli.decide import numbers
    from tasks.night_power import night_figures

    points = numbers(drops, "--drops")
    done = night_figures(matrix, labels, selector, [p / 100 for p in points], sequences, nights, seed=seed)
    if format_ == "json":
        print_json(done)
        return
    known = done["recorded"]
    about = (
        f"{known['problems']} problems, accuracy {known['accuracy']:.4f}, one night's standard deviation {known['night_sd']:.4f}"
    )
    print_table(f"{about}: any false alarm in {nights} nights", ("judged by", "share of baselines"), done["false_alarms"].items())
    rows = [(f"{100 * p['drop']:g}", p["problems"], *p["by_night"].values()) for p in done["power"]]
    print_table(
        "probability that a lasting drop is found; margin 1 point, or half of the drop",
        ("drop, points", "problems", "night 1", "by 7", "by 30"),
        rows,
    )
    needed = [(f"{100 * drop:g}", n) for drop, n in done["problems_needed"].items()]
    print_table("problems that show it on the first night with probability 0.8", ("drop, points", "problems"), needed)


def serve(
    file: Annotated[Path | None, typer.Option("--file", help="deployments", show_default="infra/prefect.yaml")] = None,
    only: Annotated[list[str] | None, typer.Option("--only", help="names of deployments, repeatable", show_default="all")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="runs at once in this process")] = 2,
    prepare: Annotated[
        bool, typer.Option("--prepare", help="make limits, work pools and automations for workers, then leave")
    ] = False,
) -> None:
    """Every deployment, schedules included, in one process; Ctrl-C pauses the schedules and ends what it started.

    Without PREFECT_API_URL a Prefect server of its own is started beside it, since an ephemeral one never schedules anything.
    Example: coderm serve
    """
    from tasks.settings import load_settings, prefect_home

    prefect_home(load_settings())
    from flows.serving import serve_all

    serve_all(file, only or [], limit, prepare_only=prepare)
