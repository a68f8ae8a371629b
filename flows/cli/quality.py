"""coderm quality: how good the tests of a stored matrix are as judges of solutions."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.cells import Memory, NoCache, Runtime, Workers, sandbox_config
from flows.cli.decide import Matrix
from flows.cli.show import Format, print_json, print_table


def quality(
    matrix: Matrix,
    labels: Annotated[Path, typer.Option("--labels", help="labels, which solutions are right (L file)")],
    problems: Annotated[
        Path | None, typer.Option("--problems", help="problems (P file): runs the tests on the references in it")
    ] = None,
    tests: Annotated[Path | None, typer.Option("--tests", help="tests (T file) of the matrix; goes with --problems")] = None,
    mutants: Annotated[int, typer.Option("--mutants", min=0, help="small wrong versions of each reference, to be killed")] = 0,
    sandbox: Runtime = "auto",
    workers: Workers = None,
    timeout_s: Annotated[float, typer.Option("--timeout-s", help="CPU seconds of a cell on a reference")] = 1.0,
    memory_mib: Memory = 512,
    no_cache: NoCache = False,
    format_: Format = "table",
) -> None:
    """Measure how good the tests are as judges of solutions: false alarms, misses, errors, mutants killed.

    Accuracy, F1, FAR and FRR in both conventions (README.md), fidelity, Top-1, shares of good and bad tests.

    Example: coderm quality --matrix M.jsonl --labels L.jsonl --problems P.jsonl --tests T.jsonl --mutants 20
    """
    from models.config import QualityConfig
    from tasks.probe_tests import quality_files

    config = sandbox_config(sandbox, workers, timeout_s, memory_mib, not no_cache)
    found = quality_files(matrix, labels, problems, tests, config, QualityConfig(mutants=mutants))
    if format_ == "json":
        groups = dict.fromkeys(name.split("/")[1] for name in found)
        print_json({g: {n.split("/", 2)[2]: v for n, v in found.items() if n.split("/")[1] == g} for g in groups})
        return
    print_table("test quality", ("metric", "value"), found.items())
