"""Ground truth as jobs, and verdicts as labels. The runner here executes trusted text of this file in this process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InputError
from models.fingerprint import digest_text
from models.input_truth import GROUP, SLOW_MS, agree, input_plan
from models.labelling import complete_source, judge, label_job, labels_from, precheck_job, truth_tests
from models.matrix import ExecutionContext, MatrixJob, PassMatrix
from models.types import AssertsTruth, CheckTruth, InputsTruth, Limits, Problem, SolutionSet, StdinCase, StdinTruth, Verdict

CONTEXT = ExecutionContext(sandbox="process", image=None, version="1", timeout_s=1.0, memory_mib=512)
CHECK = "def check(candidate):\n    assert candidate(0) == 0\n"


def problem(truth: Any, **changes: Any) -> Problem:
    style = "stdin" if isinstance(truth, StdinTruth) else "function"
    values = {"task_id": "t", "prompt": "p", "entry_point": "f", "style": style, "ground_truth": truth, **changes}
    return Problem.model_validate(values)


def matrix(verdicts: list[list[Verdict]], took_ms: float = 1.0, task_id: str = "t") -> PassMatrix:
    codes = np.array(verdicts, dtype=np.uint8).reshape(len(verdicts), -1)
    rows, columns = (tuple(f"{axis}{i}" for i in range(size)) for axis, size in zip("st", codes.shape, strict=True))
    return PassMatrix(task_id, codes, np.full(codes.shape, took_ms, dtype=np.float32), CONTEXT, rows, columns)


def verdict_of(solution: str, test: str, entry_point: str) -> Verdict:
    names: dict[str, Any] = {"__name__": "solution"}
    try:
        exec(compile(solution, "<solution>", "exec", dont_inherit=True), names)
        exec(compile(test, "<test>", "exec", dont_inherit=True), seen := {k: v for k, v in names.items() if not k.startswith("_")})
        if "def check" in test:
            seen["check"](names[entry_point])
    except AssertionError:
        return Verdict.FAILED
    except Exception:
        return Verdict.ERROR
    return Verdict.PASSED


def run(jobs: Iterable[MatrixJob]) -> Iterator[PassMatrix]:
    for job in jobs:
        cells = [[verdict_of(s, t.source or "", job.entry_point or "") for t in job.tests] for s in job.solutions]
        codes = np.array(cells, dtype=np.uint8).reshape(len(job.solutions), len(job.tests))
        digests = tuple(t.digest for t in job.tests)
        yield PassMatrix(job.task_id, codes, np.ones(codes.shape, dtype=np.float32), CONTEXT, job.solution_digests, digests)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = 1", "import math\n\nx = 1"),
        ("import math\nx = 1", "import math\nx = 1"),
        ("import mathutils\n", "import math\n\nimport mathutils\n"),
        ("from __future__ import annotations\nx = 1", "from __future__ import annotations\nimport math\n\nx = 1"),
    ],
)
def test_a_source_stands_after_its_preamble_once(source: str, expected: str) -> None:
    assert complete_source(problem(CheckTruth(source=CHECK), preamble="import math\n"), source) == expected
    assert complete_source(problem(CheckTruth(source=CHECK)), source) == source


ROOT_OF = CheckTruth(source="def check(candidate):\n    assert value_at([-4, 2], candidate([-4, 2])) == 0\n")
VALUE_AT = "def value_at(coefficients, x):\n    return sum(c * x**i for i, c in enumerate(coefficients))\n"
FORGED = "def value_at(coefficients, x):\n    return 0\n\ndef f(coefficients):\n    return 7\n"


@pytest.mark.parametrize("kind", ["check", "asserts"])
def test_a_solution_does_not_answer_for_a_helper_of_the_statement(kind: str) -> None:
    truth = ROOT_OF if kind == "check" else AssertsTruth(asserts=("assert value_at([-4, 2], f([-4, 2])) == 0",))
    asked = problem(truth, preamble=VALUE_AT)
    sources = ("def f(coefficients):\n    return -coefficients[0] / coefficients[1]\n", FORGED)
    (matrix,) = run([label_job(asked, SolutionSet(task_id="t", solutions=sources), Limits())])
    assert labels_from(asked, matrix).correct == (True, False)


CLASSES = "class P:\n    pass\n\ndef value_at():\n    return P()\n"


@pytest.mark.parametrize("preamble", ["", "import math\n", "def helper():\n    return 1\n", CLASSES, "x = ("])
def test_a_truth_stands_alone_where_it_needs_no_helper(preamble: str) -> None:
    (test,) = truth_tests(problem(ROOT_OF, preamble=preamble))
    assert test.source == ROOT_OF.source


def test_each_truth_has_its_columns() -> None:
    solutions = SolutionSet(task_id="t", solutions=("a", "b"))
    cases = (StdinCase(stdin="1", stdout="2"),)
    check = label_job(problem(CheckTruth(source=CHECK), preamble="import os\n"), solutions, Limits(timeout_s=3))
    asserts = label_job(problem(AssertsTruth(asserts=("assert f(1)", "assert f(2)"))), solutions, Limits())
    stdin = label_job(problem(StdinTruth(cases=cases, checker="ok"), limits=Limits(timeout_s=9)), solutions, Limits())
    assert [t.source for t in check.tests] == [CHECK]
    assert check.solutions == ("import os\n\na", "import os\n\nb")
    assert check.solution_digests == (digest_text("a"), digest_text("b"))
    assert check.limits.timeout_s == 3
    assert [t.source for t in asserts.tests] == ["assert f(1)", "assert f(2)"]
    assert [(t.stdin, t.stdout) for t in stdin.tests] == [("1", "2")]
    assert (stdin.style, stdin.checker, stdin.limits.timeout_s) == ("stdin", "ok", 9)


@given(rows=st.lists(st.lists(st.sampled_from(list(Verdict)), min_size=3, max_size=3), max_size=6))
def test_a_label_is_true_false_or_unknown(rows: list[list[Verdict]]) -> None:
    labels = labels_from(problem(CheckTruth(source=CHECK)), matrix(rows)) if rows else None
    for row, correct in zip(rows, labels.correct if labels else (), strict=True):
        unknown = {Verdict.NOT_RUN, Verdict.NOT_ASKED}
        if set(row) - unknown - {Verdict.PASSED}:
            assert correct is False
        else:
            assert correct is (None if set(row) & unknown else True)


def test_a_row_that_failed_is_asked_nothing_more() -> None:
    asserts = AssertsTruth(asserts=tuple(f"assert f({i})" for i in range(6)))
    asked: list[list[int]] = []

    def run(jobs: Iterable[MatrixJob]) -> Iterator[PassMatrix]:
        for job in jobs:
            assert job.asked is not None
            asked.append(job.asked.sum(axis=1).tolist())
            verdict = np.where(job.asked, Verdict.PASSED, Verdict.NOT_ASKED).astype(np.uint8)
            verdict[0] = np.where(job.asked[0], Verdict.TIMEOUT, Verdict.NOT_ASKED)
            yield matrix(verdict.tolist())

    (found,) = judge({"t": problem(asserts)}, [SolutionSet(task_id="t", solutions=("a", "b"))], run, Limits())
    assert found.labels.correct == (False, True)
    assert asked == [[1, 1], [0, 2], [0, 3]]


@given(st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=1, max_size=6), st.integers(1, 5))
def test_every_solution_is_counted_as_judged_once(rights: list[list[bool]], columns: int) -> None:
    """Whether it fails at once, at the end, or never, and however many columns there are."""
    asserts = AssertsTruth(asserts=tuple(f"assert f() == {j}" for j in range(columns)))

    def ask(jobs: Iterable[MatrixJob]) -> Iterator[PassMatrix]:
        for job in jobs:
            ran = np.where(np.array(rights)[:, :columns], Verdict.PASSED, Verdict.FAILED)
            asked = np.ones_like(ran, bool) if job.asked is None else job.asked
            yield matrix(np.where(asked, ran, Verdict.NOT_ASKED).tolist())

    counted: list[int] = []
    solutions = SolutionSet(task_id="t", solutions=tuple(f"s{i}" for i in range(len(rights))))
    (found,) = judge({"t": problem(asserts)}, [solutions], ask, Limits(), counted.append)
    assert sum(counted) == len(rights)
    assert found.labels.correct == tuple(all(row[:columns]) for row in rights)


def test_no_column_is_no_label_and_another_problem_is_refused() -> None:
    assert labels_from(problem(CheckTruth(source=CHECK)), matrix([[], []])).correct == (None, None)
    with pytest.raises(ValueError, match="says nothing about 't'"):
        labels_from(problem(CheckTruth(source=CHECK)), matrix([[Verdict.PASSED]], task_id="u"))


INPUTS = ((4,), ([1, 2],), ("raises",), (0.5,), (float("inf"),), (None,))
REFERENCE = """\
def f(x):
    if isinstance(x, list):
        x.append(3)
        return tuple(x)
    return None if x is None else x * 3.0
"""


def by_inputs(**changes: Any) -> Problem:
    return problem(InputsTruth(inputs=INPUTS, atol=1e-6, check=CHECK), reference=REFERENCE, **changes)


def judged(*sources: str) -> tuple[tuple[bool | None, ...], int]:
    (found,) = judge({"t": by_inputs()}, [SolutionSet(task_id="t", solutions=sources)], run, Limits())
    return found.labels.correct, found.dropped_inputs


def test_inputs_compare_with_the_reference_and_drop_what_it_cannot_answer() -> None:
    same_sum = REFERENCE.replace("x * 3.0", "x + x + x")
    list_for_tuple = REFERENCE.replace("tuple(x)", "list(x)")
    liar = "class Yes:\n    def __eq__(self, other):\n        return True\ndef f(x):\n    return Yes()\n"
    only_own_tests = "def f(x):\n    return 0\n"
    correct, dropped = judged(REFERENCE, same_sum, list_for_tuple, liar, only_own_tests, "def g(): ...", "no python")
    assert correct == (True, True, False, False, False, False, False)
    assert dropped == 1


def test_the_benchmarks_own_check_must_hold_too() -> None:
    plan = input_plan(next(run([precheck_job(by_inputs(), Limits())])))
    job = label_job(by_inputs(), SolutionSet(task_id="t", solutions=()), Limits(), plan)
    assert job.tests[0].source == CHECK
    wrong_at_zero = REFERENCE.replace("x * 3.0", "x * 3.0 if x else 1")
    assert judged(wrong_at_zero)[0] == (False,)


def test_a_precheck_runs_the_reference_alone_with_twice_its_limit() -> None:
    job = precheck_job(by_inputs(limits=Limits(timeout_s=9, memory_mib=64)), Limits())
    assert (len(job.solutions), len(job.tests)) == (1, len(INPUTS))
    assert (job.limits.timeout_s, job.limits.memory_mib) == (2.0, 64)


def test_a_plan_groups_fast_inputs_and_leaves_slow_ones_alone() -> None:
    found = matrix([[Verdict.PASSED] * (GROUP + 3) + [Verdict.TIMEOUT, Verdict.ERROR]])
    found.duration_ms[0, 1] = SLOW_MS + 1
    plan = input_plan(found)
    assert [len(g) for g in plan.groups] == [GROUP, 2, 1]
    assert plan.groups[-1] == (1,)
    assert (plan.dropped, plan.unknown) == (2, 0)


def test_a_precheck_that_did_not_run_labels_nothing() -> None:
    def broken(jobs: Iterable[MatrixJob]) -> Iterator[PassMatrix]:
        for job in jobs:
            found = next(run([job]))
            found.verdicts[:, 0] = Verdict.NOT_RUN
            yield found

    (found,) = judge({"t": by_inputs()}, [SolutionSet(task_id="t", solutions=(REFERENCE,))], broken, Limits())
    assert found.labels.correct == (None,)
    assert found.unknown_inputs == 1


def test_what_cannot_be_judged_is_an_input_error() -> None:
    with pytest.raises(InputError, match="'u' have no problem"):
        list(judge({"t": by_inputs()}, [SolutionSet(task_id="u", solutions=())], run, Limits()))
    with pytest.raises(InputError, match="field 'reference'"):
        precheck_job(problem(InputsTruth(inputs=INPUTS)), Limits())
    with pytest.raises(ValueError, match="needs the plan"):
        label_job(by_inputs(), SolutionSet(task_id="t", solutions=()), Limits())


class Lying(float):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = float.__hash__


@pytest.mark.parametrize(
    ("out", "expected", "same"),
    [
        (1, 1.0, True), (True, 1, True), (1.0000005, 1.0, True), (1.00001, 1.0, False), (1, 2, False), ("1", 1, False),
        (float("nan"), float("nan"), True), (float("inf"), float("inf"), True),
        (5.0, float("inf"), False), (10**400, 10**400, True),
        ([1, [2.0000001]], [1, [2]], True), ((1,), [1], False), ([1], [1, 2], False), ("a", "a", True), ("a", "b", False),
        ({"a": 1}, {"a": 1.0}, True), ({"a": 1}, {"b": 1}, False), ({"a": 1, "b": 2}, {"a": 1}, False),
        ({1}, {1}, True), ({1}, {2}, False),
        (None, None, True), (0, None, False), (None, 0, False), (b"a", b"a", True),
        (Lying(2.0), 1.0, False), ([Lying(2.0)], [1.0], False),
    ],
)  # fmt: skip
def test_what_agrees_with_the_reference(out: object, expected: object, same: bool) -> None:
    assert agree(out, expected, 1e-6) is same


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3) | st.tuples(inner, inner),
    max_leaves=8,
)


@given(value=PLAIN)
def test_everything_plain_agrees_with_itself(value: object) -> None:
    assert agree(value, value, 0.0) is True
