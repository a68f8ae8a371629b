"""coderm models, coderm compare: reward-model versions in the MLflow registry, and two of them side by side."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.show import Format, print_json, print_table

if TYPE_CHECKING:
    from tasks.model_registry import Registered

app = typer.Typer(help="Reward-model versions in the MLflow registry.", no_args_is_help=True)
Reference = Annotated[str, typer.Argument(metavar="VERSION", help="champion, challenger, or a number")]


@app.command("list")
def list_(format_: Format = "table") -> None:
    """List versions, newest first.

    Example: coderm models list
    """
    from tasks.model_registry import all_versions

    found = all_versions()
    if format_ == "json":
        print_json({"versions": [_as_json(v) for v in found]})
        return
    rows = [
        (v.number, ", ".join(v.aliases), v.version.name, v.tags.get("benchmark"), len(v.runs), v.version.digest[:12]) for v in found
    ]
    print_table(f"{len(found)} versions", ("version", "aliases", "what it is", "first benchmark", "runs", "digest"), rows)


@app.command("register")
def register(
    run: Annotated[str, typer.Argument(metavar="RUN", help="run id, or a unique beginning of it")],
    selector: Annotated[
        str | None, typer.Option("--selector", help="one of the run's rules", show_default="b4-outputs, else its first")
    ] = None,
    probe: Annotated[Path | None, typer.Option("--probe", help="weights of the difficulty probe")] = None,
) -> None:
    """Make the version that a run evaluated; the same version again only gains a run. The newest one becomes challenger.

    Example: coderm models register 20261123-0045 --selector codet
    """
    from tasks.register_version import register_run

    version, new = register_run(run, selector, probe)
    typer.echo(f"{'registered' if new else 'known as'} version {version.number}: {version.version.name}", err=True)
    print_json(_as_json(version))


@app.command("show")
def show(version: Reference, format_: Format = "table") -> None:
    """Show a version: what it is made of, its runs, its tags.

    Example: coderm models show champion
    """
    from tasks.model_registry import show_version

    found = show_version(version)
    if format_ == "json":
        print_json(_as_json(found))
        return
    from tasks.tracking_payload import parameters

    parts = parameters(found.version.model_dump(mode="json", exclude_none=True))
    print_table(f"{found.uri}  {', '.join(found.aliases)}", ("part", "value"), parts.items())
    print_table("evaluated by", ("run",), [(run,) for run in found.runs])
    print_table("tags", ("tag", "value"), sorted((k, v) for k, v in found.tags.items() if not k.startswith("coderm.version")))


@app.command("promote")
def promote(
    version: Reference,
    margin: Annotated[float, typer.Option("--margin", min=0, help="share of problems that still counts as not worse")] = 0.01,
    force: Annotated[bool, typer.Option("--force", help="promote against the comparison; needs --reason")] = False,
    reason: Annotated[str, typer.Option("--reason", help="why; recorded with the version")] = "",
) -> None:
    """Make a version champion; refused with exit 1 unless a comparison with the champion shows that it is not worse.

    Example: coderm models promote challenger
    """
    from flows.cli.local_prefect import open_prefect

    open_prefect()
    from flows.promote import promote as promote_flow

    done = promote_flow(version, margin, force, reason)
    if done["evidence"].get("slices"):
        show_comparison(done["evidence"])
    print_json({key: done[key] for key in ("version", "uri", "aliases")})


def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="champion, challenger, a version's number, RUN, or RUN:SELECTOR")],
    b: Annotated[str, typer.Argument(metavar="B", help="the same")],
    benchmark: Annotated[
        list[str] | None, typer.Option("--benchmark", help="only this one, repeatable", show_default="all of both")
    ] = None,
    margin: Annotated[float, typer.Option("--margin", min=0, help="share of problems that still counts as not worse")] = 0.01,
    format_: Format = "table",
) -> None:
    """Two reward-model versions on the same candidates and the same cells: paired statistics and cost.

    Example: coderm compare champion challenger
    """
    from flows.cli.local_prefect import open_prefect

    open_prefect()
    from flows.compare import compare as compare_flow

    done = compare_flow(a, b, benchmark or [], margin)
    if format_ == "json":
        print_json(done)
    else:
        show_comparison(done)


def show_comparison(done: dict[str, Any]) -> None:
    """The tables of a comparison."""
    for letter in ("a", "b"):
        typer.echo(f"{letter.upper()}  {done[letter]['label']}: {done[letter]['what']}")
    columns = ("problems of", "n", "A", "B", "B - A", "95 %", "only A", "only B", "p")
    print_table(
        "expected accuracy of the selected solution; right picks of one side only, McNemar", columns, map(_slice, done["slices"])
    )
    spent = [(letter.upper(), *done["cost"][letter].values()) for letter in ("a", "b")]
    print_table("cost", ("", *done["cost"]["a"]), spent)
    keys = ("task_id", "right_candidates", "a_choice", "a_right", "b_choice", "b_right")
    changed = [tuple(row[k] for k in keys) for row in done["changed"]]
    titles = ("task", "base", "A chose", "right", "B chose", "right")
    print_table(f"{len(changed)} problems whose outcome changed; base: right candidates", titles, changed[:20])
    cells = done["cells"]
    typer.echo(f"{cells['asked']} cells: {cells['reused']} from the store, {cells['executed']} executed")
    shown = "B is not worse than A" if done["not_worse"] else f"B may not take A's place: {'; '.join(done['why_not'])}"
    typer.echo(f"margin {100 * done['margin']:g} points: {shown}")


def _slice(row: dict[str, Any]) -> tuple[Any, ...]:
    bounds = f"{row['95 % from']:+z.3f} {row['to']:+z.3f}"
    difference = f"{row['B - A']:+z.4f}"
    return (
        row["problems of"],
        row["n"],
        row["A"],
        row["B"],
        difference,
        bounds,
        row["only A right"],
        row["only B right"],
        row["McNemar p"],
    )


def _as_json(found: "Registered") -> dict[str, object]:
    named = {"version": found.number, "uri": found.uri, "aliases": list(found.aliases), "digest": found.version.digest}
    return {**named, "runs": list(found.runs), "content": found.version.model_dump(mode="json", exclude_none=True)}
