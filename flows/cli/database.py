"""coderm db: the schema, what is in the database and how large it is, exports, and what goes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.show import print_table
from models.retention import MIB, Retention, Unused, retention_rows

app = typer.Typer(help="Schema, sizes and data of the database.", no_args_is_help=True)


@app.command("upgrade")
def upgrade(
    all_: Annotated[bool, typer.Option("--all", help="also Prefect's and MLflow's, so that no first run waits for them")] = False,
) -> None:
    """Bring the schema to the one that this version writes.

    Example: coderm db upgrade --all
    """
    from db.schema import upgrade as upgrade_schema
    from tasks.settings import load_settings

    settings = load_settings()
    upgrade_schema(settings.database)
    if all_:
        from tasks.foreign_schemas import create_mlflow_schema, create_prefect_schema

        create_prefect_schema(settings)
        create_mlflow_schema(settings)
    _print_schema()


@app.command("status")
def status(
    days: Annotated[int, typer.Option("--unused-days", min=1, help="what `coderm db prune` would take after so many")] = 90,
) -> None:
    """The schema's revision and the newest one, every table's size, and what nobody uses.

    Example: coderm db status
    """
    if not _print_schema():
        return
    from tasks.resources import open_database
    from tasks.run_files import find_unused
    from tasks.settings import load_settings

    what = Retention(begun_days=days, verdicts_unused_days=days, responses_unused_days=days)
    with open_database(migrate=False) as store:
        sizes = store.sizes()
        unused = find_unused(store, load_settings().root, what)
    free = f", {sizes.free / MIB:.1f} of them free (coderm db prune --vacuum --yes)" if sizes.free else ""
    rows = ((t.name, t.rows, None if t.size is None else round(t.size / MIB, 1)) for t in sizes.tables)
    print_table(f"{sizes.total / MIB:.1f} MiB on disk{free}", ("table", "rows", "MiB"), rows)
    _print_unused(f"not used for {days} days", unused)


@app.command("prune")
def prune(
    verdicts: Annotated[
        int | None,
        typer.Option("--verdicts-unused-days", min=1, metavar="DAYS", help="known cells that no run asked for in so long"),
    ] = None,
    responses: Annotated[
        int | None,
        typer.Option("--responses-unused-days", min=1, metavar="DAYS", help="models' answers that no run asked for in so long"),
    ] = None,
    begun: Annotated[
        int | None, typer.Option("--begun-days", min=1, metavar="DAYS", help="runs that began so long ago and never finished")
    ] = None,
    keep_runs: Annotated[int | None, typer.Option("--keep-runs", min=0, help="newest runs that stay")] = None,
    vacuum: Annotated[bool, typer.Option("--vacuum", help="give free space back; with SQLite, writers wait meanwhile")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="delete; without it the table is all that happens")] = False,
) -> None:
    """Delete what nobody uses any more, in small steps: runs may execute meanwhile. Without --yes nothing goes.

    With a run go its report and its Data Docs on this machine. What a begun run may need to go on stays, however old it is, for as
    long as the begun run does.

    Example: coderm db prune --verdicts-unused-days 90 --responses-unused-days 365 --begun-days 30 --yes
    """
    from models.errors import InputError
    from tasks.resources import open_database
    from tasks.run_files import delete_unused, find_unused, run_files
    from tasks.settings import load_settings

    what = Retention(verdicts_unused_days=verdicts, responses_unused_days=responses, begun_days=begun, keep_runs=keep_runs)
    if what == Retention() and not vacuum:
        raise InputError(
            "db prune: expected at least one of --verdicts-unused-days, --responses-unused-days, --begun-days, --keep-runs"
        )
    settings = load_settings()
    with open_database(settings) as store:
        if not yes:
            _print_unused("would go", find_unused(store, settings.root, what))
            for path in (path for run_id in store.unused_runs(what) for path in run_files(settings.root, run_id)):
                typer.echo(path)
            typer.echo("nothing was deleted: add --yes", err=True)
            return
        before = store.sizes()
        _print_unused("gone", delete_unused(store, settings.root, what))
        if vacuum:
            store.vacuum()
        after = store.sizes()
    typer.echo(f"{before.total / MIB:.1f} MiB on disk before, {after.total / MIB:.1f} after")
    if after.free:
        typer.echo(
            f"{after.free / MIB:.1f} MiB of the file are free for new rows; `coderm db prune --vacuum --yes` gives them back"
        )


@app.command("check")
def check(
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="run id, or a unique beginning of it", show_default="all")
    ] = None,
) -> None:
    """Ask the database whether what it holds is whole: checksums, counts, references. Exit 1 with a table of what is not.

    Example: coderm db check 20261123-0045
    """
    from tasks.openable import stored_opener, with_openers
    from tasks.resources import open_database
    from tasks.run_files import docs_dir
    from tasks.settings import load_settings
    from tasks.validate_data import docs_index, failures_table
    from tasks.validate_database import check_database

    settings = load_settings()
    with open_database(settings) as store:
        run_id = None if run is None else store.find_run(run)
    docs = docs_dir(settings.root, run_id or "database")
    found = [with_openers(result, stored_opener) for result in check_database(settings, docs, run_id)]
    columns = ("severity", "expected", "unexpected", "sample", "open")
    rows = [[row[column] for column in columns] for result in found for row in failures_table(result)]
    print_table(f"{len(rows)} of {sum(r.evaluated for r in found)} expectations failed", columns, rows)
    typer.echo(f"Data Docs {docs_index(docs)}", err=True)
    if not all(result.passed for result in found):
        raise typer.Exit(1)


@app.command("export")
def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="run id, or a unique beginning of it")],
    out: Annotated[Path, typer.Option("--out", help="folder for the Parquet files")],
) -> None:
    """Write a run as Parquet, one row a cell.

    Example: coderm db export 20261123-0045 --out cells/
    """
    from tasks.resources import open_database

    with open_database() as store:
        for path in store.export_parquet(run, out):
            typer.echo(path)


def _print_schema() -> bool:
    """Whether the schema is the newest."""
    from db.schema import schema_status
    from tasks.settings import load_settings

    current, head = schema_status(load_settings().database)
    typer.echo(f"schema {current or 'none'}, newest {head}" + ("" if current == head else ": run `coderm db upgrade`"))
    return current == head


def _print_unused(title: str, found: Sequence[Unused]) -> None:
    rows = retention_rows(found)
    print_table(title, tuple(rows[0]) if rows else (), ([*row.values()] for row in rows))
