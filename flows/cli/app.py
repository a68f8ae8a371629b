"""The command tree. Each group is a file beside this one; a command reads arguments, calls below, prints, and decides nothing."""

from importlib import metadata
from typing import Annotated

import typer

from flows.cli import (
    best,
    bring,
    calibrate,
    cells,
    confidence,
    database,
    decide,
    examples,
    machine,
    nightly,
    quality,
    runs,
    start,
    states,
    versions,
)

FILES = (
    "Files are JSON Lines, a line a task, .gz accepted: P problems, S solutions, T tests, M pass matrix, L labels, R ranking "
    "(README.md, Files). RUN is a run id, or a unique beginning of it: `coderm runs list`. "
    "Exit codes: 0 done, 1 the answer is bad, 2 wrong input, 3 a part is missing, 4 our error."
)
app = typer.Typer(
    name="coderm",
    help="Rewards for generated code that people can trust: sample, test, execute in a sandbox, select, measure, remember.",
    epilog=FILES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"coderm {metadata.version('coderm-flows')}")
        raise typer.Exit


@app.callback()
def coderm(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="print it and leave")] = False,
) -> None:
    """The frame of all commands: options that need none of them."""


app.command("demo", rich_help_panel="Runs")(start.demo)
app.command("run", rich_help_panel="Runs")(start.run)
app.add_typer(runs.app, name="runs", rich_help_panel="Runs")
app.command("cell", rich_help_panel="Runs")(runs.cell)
app.command("report", rich_help_panel="Runs")(runs.report)
app.add_typer(versions.app, name="models", rich_help_panel="Versions")
app.command("compare", rich_help_panel="Versions")(versions.compare)
app.command("regression", rich_help_panel="Versions")(nightly.regression)
app.command("power", rich_help_panel="Versions")(nightly.power)
app.command("serve", rich_help_panel="Versions")(nightly.serve)
app.command("import", rich_help_panel="Files")(bring.import_files)
app.command("examples", rich_help_panel="Files")(examples.examples)
app.command("execute", rich_help_panel="Files")(cells.execute)
app.command("label", rich_help_panel="Files")(cells.label)
app.command("select", rich_help_panel="Files")(decide.select)
app.command("budget", rich_help_panel="Files")(decide.budget)
app.command("best-at", rich_help_panel="Files")(best.best_at)
app.command("quality", rich_help_panel="Files")(quality.quality)
app.command("confidence", rich_help_panel="Files")(confidence.confidence)
app.command("states", rich_help_panel="Runs")(states.states)
app.add_typer(calibrate.app, name="calibrate", rich_help_panel="Runs")
app.command("doctor", rich_help_panel="This machine")(machine.doctor)
app.add_typer(machine.sandbox_app, name="sandbox", rich_help_panel="This machine")
app.add_typer(database.app, name="db", rich_help_panel="This machine")
