"""coderm import: public files in, P, S and T files out; all of them or none."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, cast

import typer


def import_files(
    format_: Annotated[
        str, typer.Argument(metavar="FORMAT", help="humaneval, mbpp, evalplus-inputs, codet, coderm, livecodebench, contest")
    ],
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE…", help="the public file, or hf:OWNER/NAME[:CONFIG]/SPLIT")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="folder to write to; made when it is not there")] = Path(),
    problems: Annotated[Path | None, typer.Option("--problems", help="codet: problems; evalplus-inputs: our P file")] = None,
    solutions: Annotated[Path | None, typer.Option("--solutions", help="codet, coderm: sampled solutions")] = None,
    test_problems: Annotated[Path | None, typer.Option("--test-problems", help="codet: prompts of the test samples")] = None,
    tests: Annotated[Path | None, typer.Option("--tests", help="codet, coderm: generated tests")] = None,
    asserts_per_sample: Annotated[int, typer.Option("--asserts-per-sample", min=1, help="codet: first asserts of each sample")] = 5,
    unit: Annotated[str, typer.Option("--unit", help="codet: a column is an assert, or a whole sample")] = "assert",
    kind: Annotated[str | None, typer.Option("--kind", help="livecodebench: only function or only stdin problems")] = None,
    after: Annotated[
        datetime | None, typer.Option("--after", formats=["%Y-%m-%d"], help="livecodebench: contests from then on")
    ] = None,
    before: Annotated[
        datetime | None, typer.Option("--before", formats=["%Y-%m-%d"], help="livecodebench: contests before")
    ] = None,
) -> None:
    """Bring public files in and write problems.jsonl, solutions.jsonl and tests.jsonl, those that the format has.

    Example: coderm import humaneval HumanEval.jsonl.gz --out bench/humaneval
    Example: coderm import humaneval hf:openai/openai_humaneval/test --out bench/humaneval
    Example: coderm import livecodebench test.jsonl --kind function --after 2024-01-01 --before 2024-10-01 --out bench/lcb
    Example: coderm import coderm --solutions sol_llama3-8b_200_anno.jsonl --tests ut_coderm-8b_100.jsonl --out bench/published
    """
    from models.errors import InputError
    from tasks.importers.hub import local_files
    from tasks.importers.registry import import_format
    from tasks.importers.result import ImportRequest, write_import

    if unit not in {"assert", "sample"}:
        raise InputError(f"--unit {unit!r}: expected assert or sample")
    if kind not in {None, "function", "stdin"}:
        raise InputError(f"--kind {kind!r}: expected function or stdin")
    request = ImportRequest(
        format=format_,
        problems=problems,
        solutions=solutions,
        test_problems=test_problems,
        tests=tests,
        asserts_per_sample=asserts_per_sample,
        unit="sample" if unit == "sample" else "assert",
        kind=cast(Literal["function", "stdin"] | None, kind),
        after=after.date() if after else None,
        before=before.date() if before else None,
    )
    with local_files(tuple(files or ())) as local:
        result = import_format(replace(request, files=local))
        written = write_import(result, out)
    for name, lines in written.items():
        typer.echo(f"{out / name}  {lines} lines")
    for note, count in result.notes.items():
        typer.echo(f"{count} {note}", err=True)
