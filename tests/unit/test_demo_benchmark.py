"""The demo benchmark's promises: enough of everything, the files belong together, and no short cut finds the right solution.

Nothing is executed here: who is right stands in ``infra/demo/labels.jsonl``, which ``coderm label`` wrote. A file that is
missing fails these tests; it never skips them.
"""

from __future__ import annotations

import ast
import json
from collections import Counter
from pathlib import Path
from statistics import fmean
from typing import TypeVar

import pytest

from models.types import Labels, Problem, Record, SolutionSet, StdinTruth, TestSet

DEMO = Path(__file__).resolve().parents[2] / "infra" / "demo"
MIN_SAMPLES = 12
SHORT_CUT_LIMIT = 0.5
"""A short cut (first, most frequent, random) that reached this accuracy would leave majority voting little to show."""
DAMAGED_TESTS_LIMIT = 0.03
"""Share of function tests that may be out of form: the few that imitate a response cut off by the token limit."""

R = TypeVar("R", bound=Record)


def _read(name: str, shape: type[R]) -> list[R]:
    lines = (DEMO / name).read_text(encoding="utf-8").splitlines()
    return [shape.model_validate(json.loads(line)) for line in lines]


@pytest.fixture(scope="module")
def problems() -> list[Problem]:
    return _read("problems.jsonl", Problem)


@pytest.fixture(scope="module")
def solutions() -> list[SolutionSet]:
    return _read("solutions.jsonl", SolutionSet)


@pytest.fixture(scope="module")
def tests() -> list[TestSet]:
    return _read("tests.jsonl", TestSet)


@pytest.fixture(scope="module")
def labels() -> list[Labels]:
    return _read("labels.jsonl", Labels)


def _in_coderm_form(source: str) -> bool:
    """Exactly one class, a TestCase with at least one test method (ALGORITHMS.md section 1.5)."""
    try:
        classes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)]
    except SyntaxError:
        return False
    if len(classes) != 1 or not any("TestCase" in ast.unparse(base) for base in classes[0].bases):
        return False
    methods = [node.name for node in classes[0].body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return any(name.startswith("test") for name in methods)


def _correct_share(sources: tuple[str, ...], correct: tuple[bool | None, ...]) -> float:
    """Chance that the most frequent source is right, ties drawn uniformly."""
    counts = Counter(sources)
    most = max(counts.values())
    by_source = dict(zip(sources, correct, strict=True))
    return fmean(by_source[source] is True for source, count in counts.items() if count == most)


def test_there_are_enough_problems_of_both_styles(problems: list[Problem]) -> None:
    styles = Counter(problem.style for problem in problems)
    assert styles["function"] >= 20
    assert styles["stdin"] >= 4


def test_the_files_hold_the_same_tasks_in_the_same_order(
    problems: list[Problem], solutions: list[SolutionSet], tests: list[TestSet], labels: list[Labels]
) -> None:
    ids = [problem.task_id for problem in problems]
    assert len(set(ids)) == len(ids)
    assert [line.task_id for line in solutions] == ids
    assert [line.task_id for line in tests] == ids
    assert [line.task_id for line in labels] == ids


def test_every_problem_has_enough_solutions_and_tests(solutions: list[SolutionSet], tests: list[TestSet]) -> None:
    short = [line.task_id for line in solutions if len(line.solutions) < MIN_SAMPLES]
    short += [line.task_id for line in tests if len(line.tests) < MIN_SAMPLES]
    assert short == []


def test_references_compile_and_define_the_entry_point(problems: list[Problem]) -> None:
    for problem in problems:
        assert problem.reference is not None, problem.task_id
        tree = ast.parse(problem.preamble + "\n" + problem.reference)
        defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        assert problem.entry_point is None or problem.entry_point in defined, problem.task_id


def test_one_stdin_problem_accepts_several_outputs(problems: list[Problem]) -> None:
    truths = [problem.ground_truth for problem in problems]
    checkers = [truth.checker for truth in truths if isinstance(truth, StdinTruth) and truth.checker is not None]
    assert checkers
    for checker in checkers:
        (function,) = (node for node in ast.parse(checker).body if isinstance(node, ast.FunctionDef))
        assert (function.name, len(function.args.args)) == ("check", 3)


def test_tests_are_of_the_problems_style(problems: list[Problem], tests: list[TestSet]) -> None:
    for problem, line in zip(problems, tests, strict=True):
        assert {test.source is None for test in line.tests} == {problem.style == "stdin"}, problem.task_id


def test_function_tests_are_in_coderm_form_but_for_a_few_cut_off_ones(tests: list[TestSet]) -> None:
    sources = [test.source for line in tests for test in line.tests if test.source is not None]
    damaged = [source for source in sources if not _in_coderm_form(source)]
    assert len(damaged) <= DAMAGED_TESTS_LIMIT * len(sources), damaged


def test_labels_are_of_these_solutions_and_every_problem_has_right_and_wrong_ones(
    solutions: list[SolutionSet], labels: list[Labels]
) -> None:
    for line, label in zip(solutions, labels, strict=True):
        assert label.solution_digests == line.digests, line.task_id
        assert set(label.correct) == {True, False}, line.task_id


def test_no_short_cut_finds_the_right_solution(solutions: list[SolutionSet], labels: list[Labels]) -> None:
    random = fmean(fmean(flag is True for flag in label.correct) for label in labels)
    first = fmean(label.correct[0] is True for label in labels)
    frequent = fmean(_correct_share(line.solutions, label.correct) for line, label in zip(solutions, labels, strict=True))
    assert max(random, first, frequent) < SHORT_CUT_LIMIT, {"random": random, "first": first, "most frequent": frequent}


def test_the_readme_says_that_it_is_hand_written() -> None:
    text = (DEMO / "README.md").read_text(encoding="utf-8")
    assert "written by hand for this project" in text
    assert "sampled from a model" in text
