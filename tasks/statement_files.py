"""Examples of statements on files: ``coderm examples``. P in, a T file out, and what is known about the examples in figures.

How many also stand among the hidden tests is counted, since such a test gives a part of the answer away; how many the problem's
own reference fails is measured in the sandbox where asked. Neither changes the file: a selector must not profit from a reference.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from models.config import SandboxConfig
from models.errors import InputError
from models.statement_examples import hidden_twins, statement_tests, with_examples
from models.types import Problem, SolutionSet, TestSet, UnitTest
from tasks.execute_matrix import execute_jobs, matrix_job
from tasks.jsonl import read_lines, write_lines
from tasks.resources import open_executor


@dataclass
class ExamplesDone:
    """``checked``: examples that ran on a reference; ``refuted``: (task id, test) pairs that it fails, None where none ran."""

    problems: int = 0
    with_examples: int = 0
    examples: int = 0
    also_hidden: int = 0
    checked: int = 0
    refuted: list[tuple[str, str]] | None = field(default=None)


def write_examples(problems: Path, out: Path, tests: Path | None = None, references: SandboxConfig | None = None) -> ExamplesDone:
    """Write T: the examples of every problem, before the tests of ``tests``. ``references``: run them on the references, here.

    Raises InputError, also for tests of an unknown problem, and SandboxUnavailable.
    """
    known = {problem.task_id: problem for problem in read_lines(problems, Problem)}
    examples = {task_id: statement_tests(problem) for task_id, problem in known.items()}
    sets = {t: TestSet(task_id=t, tests=()) for t in known}
    for line in read_lines(tests, TestSet, known, problems) if tests else ():
        if any(test.origin == "statement" for test in line.tests):
            raise InputError(f"{tests}: task_id {line.task_id!r}: field 'tests': holds examples already; expected generated tests")
        sets[line.task_id] = line
    write_lines(out, (with_examples(examples[t], sets[t]) for t in known))
    done = ExamplesDone(
        problems=len(known),
        with_examples=sum(bool(found) for found in examples.values()),
        examples=sum(map(len, examples.values())),
        also_hidden=sum(hidden_twins(known[t], found) for t, found in examples.items()),
    )
    if references is not None:
        _check_references(known, examples, references, done)
    return done


def _check_references(
    problems: dict[str, Problem], examples: dict[str, tuple[UnitTest, ...]], sandbox: SandboxConfig, done: ExamplesDone
) -> None:
    """Run each reference on its statement's examples."""
    refuted = []
    sets = {
        t: SolutionSet(task_id=t, solutions=(p.reference,)) for t, p in problems.items() if p.reference is not None and examples[t]
    }
    tests = {t: TestSet(task_id=t, tests=examples[t]) for t in sets}
    with open_executor(sandbox) as executor:
        for matrix in execute_jobs(executor, (matrix_job(sets[t], tests[t], sandbox.limits, problems[t]) for t in sets)):
            found = examples[matrix.task_id]
            done.checked += len(found)
            refuted += [(matrix.task_id, _shown(t)) for t, passed in zip(found, matrix.passes[0], strict=True) if not passed]
    done.refuted = refuted


def _shown(test: UnitTest) -> str:
    return test.source if test.source is not None else f"{test.stdin!r} → {test.stdout!r}"
