"""Tests that the problem's author wrote: the examples of a statement as columns with the origin ``statement``.

Decides what counts as the same example (the same call and the same answer, whatever the spelling) and that two examples which
contradict each other are both left out. Refuses to look at the reference or the ground truth: whether an example holds for the
reference, and whether it also stands among the hidden tests, is measured beside it and changes nothing.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models.matrix import PassMatrix
from models.python_source import parsed
from models.statement_calls import Example, is_literal, read_calls
from models.statement_samples import read_samples
from models.types import AssertsTruth, CheckTruth, InputsTruth, Problem, StdinTruth, TestSet, UnitTest


def statement_tests(problem: Problem) -> tuple[UnitTest, ...]:
    """The examples of the statement, in its order, each once."""
    if problem.style == "stdin":
        cases = dict.fromkeys((case.stdin, case.stdout) for case in read_samples(problem.prompt))
        return tuple(UnitTest(stdin=stdin, stdout=stdout, origin="statement") for stdin, stdout in cases)
    assert problem.entry_point is not None
    answers: dict[str, dict[str, Example]] = defaultdict(dict)
    for example in read_calls(problem.prompt, problem.entry_point):
        answers[example.call].setdefault(example.answer, example)
    agreed = (next(iter(known.values())) for known in answers.values() if len(known) == 1)
    return tuple(UnitTest(source=example.test, origin="statement") for example in agreed)


def with_examples(examples: tuple[UnitTest, ...], tests: TestSet) -> TestSet:
    """The examples first, then the tests as they were: a generated twin of an example stays a column of its own."""
    return tests.model_copy(update={"tests": (*examples, *tests.tests)})


def generated_part(matrix: PassMatrix, tests: Sequence[UnitTest]) -> PassMatrix:
    """The matrix without the columns from the statement: what figures about generated tests stand on."""
    kept = np.array([test.origin == "generated" for test in tests], dtype=np.bool_)
    if kept.all():
        return matrix
    places = np.flatnonzero(kept)
    rank = {int(j): k for k, j in enumerate(places)}
    return replace(
        matrix,
        verdicts=matrix.verdicts[:, places],
        duration_ms=matrix.duration_ms[:, places],
        test_digests=tuple(matrix.test_digests[int(j)] for j in places),
        flags={(i, rank[j]): names for (i, j), names in matrix.flags.items() if j in rank},
        outputs=matrix.output_table.columns(places),
    )


def hidden_twins(problem: Problem, examples: tuple[UnitTest, ...]) -> int:
    """How many of the examples also stand among the problem's hidden tests: the same call with the same answer."""
    hidden = _hidden(problem)
    return sum(_key(test) in hidden for test in examples)


def _hidden(problem: Problem) -> set[tuple[str, str]]:
    match problem.ground_truth:
        case StdinTruth(cases=cases):
            return {(case.stdin.strip(), case.stdout.strip()) for case in cases}
        case AssertsTruth(asserts=asserts):
            sources = list(asserts)
        case CheckTruth(source=source):
            sources = [source]
        case InputsTruth(check=check):
            sources = [check or ""]
    trees = (parsed(source) for source in sources)
    found = (node.test for tree in trees if tree for node in ast.walk(tree) if isinstance(node, ast.Assert))
    return {key for test in found if (key := _equality_key(test, problem.entry_point or "")) is not None}


def _key(test: UnitTest) -> tuple[str, str] | None:
    if test.source is None:
        return (test.stdin or "").strip(), (test.stdout or "").strip()
    tree = parsed(test.source)
    assert isinstance(tree, ast.Module)
    statement = tree.body[0]
    assert isinstance(statement, ast.Assert)
    return _equality_key(statement.test, "")


def _equality_key(test: ast.expr, entry_point: str) -> tuple[str, str] | None:
    """(call, answer) without spelling; ``candidate`` is the entry point, and a bare call means True, a ``not`` False."""
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq | ast.Is):
        call, answer = test.left, test.comparators[0]
    elif isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        call, answer = test.operand, ast.Constant(value=False)
    else:
        call, answer = test, ast.Constant(value=True)
    if not is_literal(answer):
        return None
    for node in ast.walk(call):
        if isinstance(node, ast.Name) and node.id == "candidate":
            node.id = entry_point
    return ast.unparse(call), repr(ast.literal_eval(answer))
