"""coderm doctor, sandbox: what this machine has, the image that untrusted code runs in."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.show import print_table

sandbox_app = typer.Typer(help="The image that untrusted code runs in, and containers that were left behind.", no_args_is_help=True)


def doctor(
    sandbox: Annotated[bool, typer.Option("--sandbox", help="run the sandbox's own corpus of hostile and honest cells")] = False,
    runtime: Annotated[str, typer.Option("--runtime", help="with --sandbox: auto, docker or process")] = "auto",
) -> None:
    """What this machine has, what each missing part costs, and the command that mends it.

    Example: coderm doctor --sandbox --runtime docker
    """
    from tasks.diagnose import check_sandbox, diagnose
    from tasks.settings import unknown_variables

    for line in unknown_variables():
        typer.echo(f"warning: {line}", err=True)
    if sandbox:
        wrong, total = check_sandbox(runtime)
        print_table(
            f"sandbox self-check: {total - len(wrong)} of {total} cells as expected", ("cell", "expected", "verdict"), wrong
        )
        if wrong:
            raise typer.Exit(1)
        return
    checks = diagnose()
    print_table("this machine", ("part", "state", "what it costs", "mend"), ((c.part, c.state, c.cost, c.mend) for c in checks))
    if any(c.broken for c in checks):
        raise typer.Exit(3)


def _say(text: str) -> None:
    typer.echo(text, err=True)


@sandbox_app.command("build")
def build(
    base: Annotated[str | None, typer.Option("--base", help="base image", show_default="a local one, a pull, debootstrap")] = None,
    packages: Annotated[
        str | None, typer.Option("--packages", help="what programs may import: names joined by commas, versions allowed")
    ] = None,
    if_engine: Annotated[bool, typer.Option("--if-engine", help="do nothing, and say so, where no engine answers")] = False,
) -> None:
    """Build the sandbox image.

    Example: coderm sandbox build --packages numpy,scipy
    """
    from sandbox.image import build_image, engine_answers
    from sandbox.image_packages import package_names
    from tasks.settings import load_settings

    settings = load_settings()
    if if_engine and not engine_answers(settings.docker_host):
        typer.echo("no container engine answers: cells will run as local processes, with less protection (coderm doctor)", err=True)
        return
    names = package_names(settings.sandbox_packages if packages is None else packages)
    base = base or settings.sandbox_base
    digest = build_image(settings.sandbox_image, base=base, packages=names, docker_host=settings.docker_host, say=_say)
    typer.echo(f"{settings.sandbox_image} {digest}")


@sandbox_app.command("prune")
def prune() -> None:
    """Remove containers that a killed run left behind.

    Example: coderm sandbox prune
    """
    from contextlib import closing

    from sandbox import docker_runtime
    from tasks.settings import load_settings

    with closing(docker_runtime.connect(load_settings().docker_host)) as client:
        typer.echo(f"{docker_runtime.prune(client)} containers removed")


@sandbox_app.command("work")
def work(
    shards: Annotated[Path, typer.Option("--shards", help="file of shards (models/cell_shard.py), one JSON object a line")],
    out: Annotated[Path, typer.Option("--out", help="file of results; replaced only when everything is done")],
    sandbox: Annotated[str, typer.Option("--sandbox", help="auto, docker or process")] = "docker",
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, max=256, help="sandbox slots", show_default="one a core")
    ] = None,
) -> None:
    """Run shards of cells on this machine's own slots.

    Example: coderm sandbox work --shards part3.jsonl --out done3.jsonl
    """
    from flows.cli.cells import sandbox_config
    from models.types import Limits
    from tasks.execute_shards import execute_shards

    unused = Limits()  # a shard carries its own limits
    config = sandbox_config(sandbox, workers, unused.timeout_s, unused.memory_mib, False)
    typer.echo(f"{execute_shards(shards, out, config)} shards")
