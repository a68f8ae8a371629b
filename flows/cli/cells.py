"""coderm execute, coderm label: only the sandbox. One fills a pass matrix, the other asks the benchmark's own tests."""

import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.show import print_json
from models.config import SandboxConfig

Solutions = Annotated[Path, typer.Option("--solutions", help="solutions (S file, JSON Lines, .gz accepted)")]
Out = Annotated[Path, typer.Option("--out", help="file to write; replaced only when everything is done")]
Runtime = Annotated[str, typer.Option("--sandbox", help="auto, docker or process")]
Workers = Annotated[int | None, typer.Option("--workers", min=1, max=256, help="sandbox slots", show_default="one a core")]
Memory = Annotated[int, typer.Option("--memory-mib", help="memory of a cell, MiB")]
OPTIONS = {name: f"--{name.replace('_', '-')}" for name in ("workers", "timeout_s", "memory_mib")} | {"runtime": "--sandbox"}
"""Field of the sandbox's configuration → the option that sets it."""
NoCache = Annotated[bool, typer.Option("--no-cache", help="neither read nor write the store")]


def execute(
    solutions: Solutions,
    tests: Annotated[Path, typer.Option("--tests", help="tests (T file)")],
    out: Out,
    problems: Annotated[Path | None, typer.Option("--problems", help="problems (P file): entry points, preambles, limits")] = None,
    sandbox: Runtime = "auto",
    workers: Workers = None,
    timeout_s: Annotated[
        float, typer.Option("--timeout-s", help="CPU seconds of a cell; on the clock twice as long, or 0.5 s more")
    ] = 1.0,
    memory_mib: Memory = 512,
    no_cache: NoCache = False,
    only_winner: Annotated[
        str | None,
        typer.Option("--only-winner", metavar="SELECTOR", help="run no cell that can no longer change this selector's winners"),
    ] = None,
    container_runtime: Annotated[
        str | None, typer.Option("--container-runtime", help="with --sandbox docker: one the engine knows, as runsc")
    ] = None,
) -> None:
    """Run every test against every solution and write the pass matrix.

    Example: coderm execute --solutions S.jsonl --tests T.jsonl --out M.jsonl.gz --timeout-s 0.1
    """
    from tasks.execute_files import execute_files

    started = time.monotonic()
    config = sandbox_config(sandbox, workers, timeout_s, memory_mib, not no_cache)
    config = config.model_copy(update={"container_runtime": container_runtime})
    done = execute_files(solutions, tests, out, config, problems, only_winner)
    wall_s = time.monotonic() - started
    if done.untested:
        typer.echo(f"warning: tasks without a test: {done.untested}; where no test votes, selectors fall back to random", err=True)
    print_json(
        {
            "cells": done.cells,
            "executed": done.executed,
            "reused": done.reused,
            "wall_s": round(wall_s, 2),
            "cells_per_s": round(done.cells / wall_s, 1),
            "sandbox": done.sandbox,
            "verdicts": dict(done.verdicts),
        }
    )


def label(
    problems: Annotated[Path, typer.Option("--problems", help="problems (P file) with ground truth")],
    solutions: Solutions,
    out: Out,
    timeout_s: Annotated[float, typer.Option("--timeout-s", help="CPU seconds of a ground-truth test")] = 3.0,
    sandbox: Runtime = "auto",
    workers: Workers = None,
    memory_mib: Memory = 512,
    no_cache: NoCache = False,
) -> None:
    """Ground truth: run the benchmark's own tests on every solution and write which are right.

    Example: coderm label --problems P.jsonl --solutions S.jsonl --out L.jsonl
    """
    from tasks.label_solutions import label_files

    started = time.monotonic()
    labels, notes = label_files(problems, solutions, out, sandbox_config(sandbox, workers, timeout_s, memory_mib, not no_cache))
    for note in notes:
        typer.echo(note, err=True)
    counts = Counter({True: "correct", False: "wrong", None: "unjudged"}[c] for row in labels for c in row.correct)
    print_json({"problems": len(labels), **counts, "wall_s": round(time.monotonic() - started, 2)})


def sandbox_config(runtime: str, workers: int | None, timeout_s: float, memory_mib: int, reuse: bool) -> SandboxConfig:
    """The sandbox that the options ask for. Raises InputError that names the option."""
    from pydantic import ValidationError

    from models.errors import InputError
    from models.first_fault import first_fault

    limits = {"timeout_s": timeout_s, "memory_mib": memory_mib}
    try:
        return SandboxConfig.model_validate({"runtime": runtime, "workers": workers, "limits": limits, "reuse": reuse})
    except ValidationError as error:
        fault = first_fault(error)
        raise InputError(f"{OPTIONS[str(fault.place[-1])]}: {fault.expected}") from None
