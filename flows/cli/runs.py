"""coderm runs, cell, report: what was run, one cell of it explained, its page."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import typer

from flows.cli.show import Format, print_json, print_table

PASS = re.compile(r"selector/([^/]+)/pass_(\d+)")
app = typer.Typer(help="Find runs, show one, drop old ones.", no_args_is_help=True)
RunId = Annotated[str, typer.Argument(metavar="RUN", help="run id, or a unique beginning of it")]


@app.command("list")
def list_runs(
    limit: Annotated[int, typer.Option("--limit", min=1, help="newest so many")] = 20,
    format_: Format = "table",
) -> None:
    """List runs, newest first.

    Example: coderm runs list --limit 5
    """
    from tasks.resources import open_database

    with open_database() as store:
        found, begun = store.list_runs(limit), store.started_runs()
    if format_ == "json":
        print_json({"runs": found, "begun": begun})
        return
    failed = ["failed_gates"] if any(row["failed_gates"] for row in found) else []
    columns = ("run_id", "benchmark", "created_at", "problems", "pass@1", *failed)
    title = "runs, newest first; times are UTC, pass@1 is of b4-outputs where a run computed it" if found else "no run yet"
    print_table(title, columns, (_listed(row, columns) for row in found))
    if begun:
        title = f"{len(begun)} begun and not finished (coderm runs resume RUN)"
        print_table(title, columns[:3], (_listed(row, columns[:3]) for row in begun[:limit]))


def _listed(row: Mapping[str, Any], columns: Sequence[str]) -> list[object]:
    """Times to the minute: the rest of them would fold every line of a narrow terminal."""
    solved = cast(Mapping[str, float], row.get("metrics", {})).get("selector/b4-outputs/pass_1")
    shown = {**row, "created_at": str(row["created_at"])[:16].replace("T", " "), "pass@1": solved}
    return [shown.get(c) for c in columns]


@app.command("resume")
def resume(run: RunId) -> None:
    """Go on with a run that was killed or stopped: finished samples and cells are not done again.

    Example: coderm runs resume 20261123-0045
    """
    from flows.cli.start import start
    from models.config import RunConfig
    from tasks.resources import open_database

    with open_database() as store:
        run_id, config = store.started_run(run)
    start(RunConfig.model_validate(config), run_id)


@app.command("show")
def show(
    run: RunId,
    format_: Format = "table",
    trail: Annotated[str | None, typer.Option("--trail", metavar="TASK", help="how the budget was spent on one problem")] = None,
) -> None:
    """Show a run's metrics and where they come from, or every decision of its budget on one problem.

    Example: coderm runs show 20261123-0045 --trail demo/03-roman-numeral
    """
    from tasks.resources import open_database

    with open_database() as store:
        record = store.load_run(run)
    if trail is not None:
        from tasks.spend_budget import trail_of

        steps = trail_of(record, trail)
        if format_ == "json":
            print_json({"run_id": record.run_id, "task_id": trail, "trail": steps})
            return
        columns = tuple(steps[0]) if steps else ()
        print_table(f"{trail}: {len(steps)} decisions", columns, ([_short(step[name]) for name in columns] for step in steps))
        return
    if format_ == "json":
        parts = {"config": record.config, "metrics": record.metrics, "provenance": record.provenance}
        print_json({"run_id": record.run_id, **parts, "failed_gates": record.failed_gates})
        return
    title = f"{record.run_id}: {record.benchmark}, {len(record.problems)} problems"
    print_table(title, *_solved(record.metrics))
    print_table("all metrics", ("metric", "value"), sorted(record.metrics.items()))
    print_table("provenance", ("what", "value"), record.provenance.items())
    if record.failed_gates:
        from tasks.validate_data import failures_table

        failed = [row for gate in record.gates if not gate.passed for row in failures_table(gate)]
        about = ("gate", "expected", "unexpected", "sample")
        print_table("failed gates: nothing is judged by this run", about, ([row[c] for c in about] for row in failed))


def _solved(metrics: Mapping[str, float]) -> tuple[list[str], list[list[object]]]:
    """(columns, rows) of pass@k by selector, the best first."""
    found = {(m[1], int(m[2])): value for name, value in metrics.items() if (m := PASS.fullmatch(name))}
    ks = sorted({k for _name, k in found})
    names = sorted({name for name, _k in found}, key=lambda name: (-found.get((name, ks[0]), 0.0), name))
    return ["selector", *(f"pass@{k}" for k in ks)], [[name, *(found.get((name, k)) for k in ks)] for name in names]


def _short(value: object) -> object:
    """A list of solutions takes too much room in a table."""
    return f"{value[0]} and {len(value) - 1} alike" if isinstance(value, list | tuple) and value else value


@app.command("prune")
def prune(keep: Annotated[int, typer.Option("--keep", min=0, help="newest runs that stay")]) -> None:
    """Delete all but the newest runs, with their reports and Data Docs; known cells stay.

    Example: coderm runs prune --keep 30
    """
    from models.retention import Retention
    from tasks.resources import open_database
    from tasks.run_files import delete_unused
    from tasks.settings import load_settings

    settings = load_settings()
    with open_database(settings) as store:
        gone = {unused.kind: unused.rows for unused in delete_unused(store, settings.root, Retention(keep_runs=keep))}
    typer.echo(f"{gone['runs']} runs deleted, and {gone.get('files', 0)} files of theirs")


@app.command("samples")
def samples(
    run: RunId,
    task: Annotated[str, typer.Argument(help="task id")],
    kind: Annotated[Literal["solution", "test"], typer.Option("--kind", help="whose answers")] = "solution",
) -> None:
    """Every answer for one problem of a finished or begun run: its text, and whether it was kept, or why not.

    Example: coderm runs samples 20261123-0045 demo/03-roman-numeral --kind test
    """
    from tasks.show_samples import show_samples

    for title, text in show_samples(run, task, kind):
        typer.echo(f"── {title}\n{text}\n")


def cell(
    run: RunId,
    task: Annotated[str, typer.Argument(help="task id")],
    solution: Annotated[int, typer.Argument(metavar="I", min=0, help="row")],
    test: Annotated[int, typer.Argument(metavar="J", min=0, help="column")],
    rerun: Annotated[bool, typer.Option("--rerun/--no-rerun", help="run it again, in the runtime that the run used")] = True,
) -> None:
    """Explain one cell: both sources, limits, verdict, flags, and what a rerun says now; also of a run that a gate stopped.

    Example: coderm cell 20261123-0045 demo/03-roman-numeral 4 7
    """
    from tasks.explain_cell import explain_cell

    for title, text in explain_cell(run, task, solution, test, rerun=rerun):
        typer.echo(f"── {title}\n{text}\n")


def report(
    run: RunId, out: Annotated[Path | None, typer.Option("--out", help="file", show_default="under the state")] = None
) -> None:
    """Write one self-contained HTML page of a run.

    Example: coderm report 20261123-0045 --out report.html
    """
    from tasks.report import write_report
    from tasks.resources import open_database
    from tasks.run_files import report_path
    from tasks.settings import load_settings

    settings = load_settings()
    with open_database(settings) as store:
        record = store.load_run(run)
    typer.echo(write_report(record, out or report_path(settings.root, record.run_id)))
