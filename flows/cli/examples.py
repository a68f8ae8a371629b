"""coderm examples: the tests that a problem's author wrote into the statement."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.cells import Memory, Out, Runtime, Workers, sandbox_config
from flows.cli.show import print_json


def examples(
    problems: Annotated[Path, typer.Option("--problems", help="problems (P file)")],
    out: Out,
    tests: Annotated[
        Path | None, typer.Option("--tests", help="tests (T file) of generated tests, which then follow the examples")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="run them on the references too, and name those that fail")] = False,
    sandbox: Runtime = "auto",
    workers: Workers = None,
    timeout_s: Annotated[float, typer.Option("--timeout-s", help="with --check: CPU seconds a cell")] = 3.0,
    memory_mib: Memory = 512,
) -> None:
    """Read doctests, Input/Output examples and asserts from the statements and write them as tests of origin "statement".

    Example: coderm examples --problems P.jsonl --tests T.jsonl --out T-with-examples.jsonl --check
    """
    from tasks.statement_files import write_examples

    config = sandbox_config(sandbox, workers, timeout_s, memory_mib, reuse=False) if check else None
    done = write_examples(problems, out, tests, config)
    for task_id, test in done.refuted or ():
        typer.echo(f"the reference fails {task_id}: {test}", err=True)
    references = {"checked": done.checked, "refuted": len(done.refuted)} if done.refuted is not None else {}
    names = ("problems", "with_examples", "examples", "also_hidden")
    print_json({**{name: getattr(done, name) for name in names}, **references})
