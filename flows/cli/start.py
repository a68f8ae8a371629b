"""coderm demo, coderm run: the whole job end to end."""

import time
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.show import print_json, print_table
from models.config import RunConfig

SandboxOption = Annotated[str, typer.Option("--sandbox", help="auto, docker or process")]


def demo(sandbox: SandboxOption = "auto") -> None:
    """Run everything once on the benchmark that ships with the project: no GPU, no server, no network.

    Example: coderm demo
    """
    from tasks.read_config import read_config
    from tasks.settings import demo_dir

    config = demo_dir() / "demo.toml"
    start(read_config(config, [f"sandbox.runtime={sandbox}"]))


def run(
    config: Annotated[Path, typer.Argument(help="TOML file; see infra/demo/demo.toml")],
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="KEY.SUB=VALUE", help="override one value, repeatable")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print cells, tokens, hours and disk; run nothing")] = False,
) -> None:
    """Run a benchmark from a TOML file: sample solutions and tests, execute, select, measure, store, report.

    Example: coderm run nightly.toml --set sandbox.workers=8 --set budget.policy=greedy
    Example: coderm run nightly.toml --set policy.type=openai --set policy.model=my/policy --dry-run
    """
    from tasks.check_recordings import check_recordings
    from tasks.read_config import read_config

    parsed = read_config(config, set_ or [])
    check_recordings(parsed)
    if (most := max(parsed.k)) > parsed.n_solutions:
        typer.echo(f"warning: pass@{most} of {parsed.n_solutions} solutions a problem draws some of them again", err=True)
    if dry_run:
        from tasks.estimate import estimate_run

        print_table(f"{parsed.benchmark.name}: what this run would take", ("quantity", "value"), estimate_run(parsed).items())
        return
    start(parsed)


def start(config: RunConfig, resume: str | None = None) -> None:
    """Run the flow and print where its results are; ``resume``: id of a begun run."""
    from flows.cli.local_prefect import open_prefect

    home = open_prefect()
    from flows.benchmark import benchmark
    from tasks.progress import without_known_tracebacks
    from tasks.wait_for_records import wait_for_records

    without_known_tracebacks()
    started = time.monotonic()
    summary = benchmark(config, resume)
    wait_for_records(summary["prefect_flow_run_id"])
    wall_s = round(time.monotonic() - started, 2)
    selectors = [s for s in config.ranked_by if f"selector/{s}/pass_{config.k[0]}" in summary["metrics"]]
    rows = [(s, *(summary["metrics"].get(f"selector/{s}/pass_{k}", float("nan")) for k in config.k)) for s in selectors]
    print_table(f"{config.benchmark.name}: share of problems solved", ("selector", *(f"pass@{k}" for k in config.k)), rows)
    typer.echo(f"report    {summary['report']}")
    typer.echo(f"database  {summary['database']}   (coderm runs show {summary['run_id']})")
    typer.echo(f"MLflow    {_mlflow_page(summary['mlflow_uri'])}")
    typer.echo(f"Prefect   {_prefect_page(home)}")
    keys = ("run_id", "report", "database", "mlflow_uri", "mlflow_run_id")
    print_json({**{key: summary[key] for key in keys}, "wall_s": wall_s})


def _mlflow_page(uri: str) -> str:
    """The server that runs, or how to start one on this machine's store."""
    return uri if uri.startswith("http") else f".venv/bin/mlflow ui --backend-store-uri {uri}   then http://127.0.0.1:5000"


def _prefect_page(home: Path) -> str:
    from prefect.settings import PREFECT_API_URL

    url = PREFECT_API_URL.value()
    return url.removesuffix("/api") if url else f"PREFECT_HOME={home} .venv/bin/prefect server start   then http://127.0.0.1:4200"
