"""coderm import: public files in, P, S and T files out; all of them or none."""

from pathlib import Path
from typing import Annotated

import typer


def import_files(
    format_: Annotated[str, typer.Argument(metavar="FORMAT", help="humaneval, mbpp, evalplus-inputs, codet")],
    files: Annotated[list[Path] | None, typer.Argument(metavar="FILE…", help="the public file, where the format has one")] = None,
    out: Annotated[Path, typer.Option("--out", help="folder to write to; made when it is not there")] = Path(),
    problems: Annotated[Path | None, typer.Option("--problems", help="codet: problems; evalplus-inputs: our P file")] = None,
    solutions: Annotated[Path | None, typer.Option("--solutions", help="codet: sampled solutions")] = None,
    test_problems: Annotated[Path | None, typer.Option("--test-problems", help="codet: prompts of the test samples")] = None,
    tests: Annotated[Path | None, typer.Option("--tests", help="codet: sampled tests")] = None,
    asserts_per_sample: Annotated[int, typer.Option("--asserts-per-sample", min=1, help="codet: first asserts of each sample")] = 5,
    unit: Annotated[str, typer.Option("--unit", help="codet: a column is an assert, or a whole sample")] = "assert",
) -> None:
    """Bring public files in and write problems.jsonl, solutions.jsonl and tests.jsonl, those that the format has.

    Example: coderm import humaneval HumanEval.jsonl.gz --out bench/humaneval
    """
    from models.errors import InputError
    from tasks.importers.registry import import_format
    from tasks.importers.result import ImportRequest, write_import

    if unit not in {"assert", "sample"}:
        raise InputError(f"--unit {unit!r}: expected assert or sample")
    request = ImportRequest(
        format=format_,
        files=tuple(files or ()),
        problems=problems,
        solutions=solutions,
        test_problems=test_problems,
        tests=tests,
        asserts_per_sample=asserts_per_sample,
        unit="sample" if unit == "sample" else "assert",
    )
    result = import_format(request)
    for name, lines in write_import(result, out).items():
        typer.echo(f"{out / name}  {lines} lines")
    for note, count in result.notes.items():
        typer.echo(f"{count} {note}", err=True)
