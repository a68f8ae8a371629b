"""What every executor says about the outputs of its cells: which cells have one, and when two are equal."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from models.config import SandboxConfig
from models.matrix import MatrixJob, PassMatrix
from models.ports import CachedCell
from models.types import Limits, UnitTest, Verdict
from sandbox.executor import PooledExecutor, docker_executor, process_executor
from sandbox.guest.outcomes import SHORT
from tasks.execute_matrix import execute_jobs

IMAGE = "coderm-sandbox:latest"
GOOD = "def f(x):\n    return x + 1\n"
CASE = "import unittest\nclass T(unittest.TestCase):\n"


@pytest.fixture(scope="module", params=["process", pytest.param("docker", marks=pytest.mark.docker)])
def executor(request: pytest.FixtureRequest) -> Iterator[PooledExecutor]:
    config = SandboxConfig(runtime=request.param, workers=1)
    made = process_executor(config) if request.param == "process" else docker_executor(config, image=IMAGE, docker_host=None)
    with made as opened:
        yield opened


def job(solutions: list[str], tests: list[object], **fields: object) -> MatrixJob:
    known: dict[str, object] = {"style": "function", "entry_point": "f", "limits": Limits(timeout_s=0.5), **fields}
    names = tuple(f"s{i}" for i in range(len(solutions)))
    columns = tuple(UnitTest.model_validate(test) for test in tests)
    return MatrixJob("t", solutions=tuple(solutions), solution_digests=names, tests=columns, **known)  # type: ignore[arg-type]


def run(executor: PooledExecutor, *args: list[object], **fields: object) -> PassMatrix:
    [matrix] = executor.execute([job(*args, **fields)])  # type: ignore[arg-type]
    return matrix


def texts(matrix: PassMatrix) -> list[list[str | None]]:
    rows, columns = matrix.verdicts.shape
    return [[matrix.output_table.text((i, j)) for j in range(columns)] for i in range(rows)]


SEQUENCE = {
    "assert that holds": ("assert f(1) == 2", "2"),
    "assert that fails": ("assert f(1) == 3", "2"),
    "loop": ("for i in range(3):\n    assert f(i) == i + 1", "1; 2; 3"),
    "up to the first failure": ("def check(c):\n    assert c(1) == 2\n    assert c(2) == 0\n    assert c(3) == 4", "2; 3"),
    "check": ("def check(c):\n    assert c(1) == 2\n    assert c(2) == 3", "2; 3"),
    "class, each method to its end": (
        CASE + "    def test_a(self): self.assertEqual(f(1), 0)\n    def test_b(self): self.assertEqual(f(2), 3)",
        "2; 3",
    ),
    "exception": (
        CASE + "    def test_a(self):\n        with self.assertRaises(TypeError): f('a')\n        assert f(1)",
        "raises TypeError; 2",
    ),
    "no call": ("assert True", None),
    "does not compile": ("assert (", None),
}  # fmt: skip


@pytest.mark.parametrize("name", list(SEQUENCE))
def test_the_outcomes_of_the_calls_in_their_order(executor: PooledExecutor, name: str) -> None:
    test, text = SEQUENCE[name]
    assert texts(run(executor, [GOOD], [test])) == [[text]]


def test_equal_behaviour_has_equal_digests_whatever_the_verdict(executor: PooledExecutor) -> None:
    solutions = [GOOD, "def f(x):\n    return 1 + x\n", "def f(x): return float(x + 1)", "def f(x): return x"]
    matrix = run(executor, solutions, ["assert f(1) == 2", "assert f(1) == 3"])
    codes = matrix.output_table.codes
    assert codes[0].tolist() == codes[1].tolist() == [codes[0, 0]] * 2
    assert len({*codes[:, 0].tolist()}) == 3  # 2, 2.0 and 1


NONE = {
    "timeout": ("def f(x):\n    while True: pass", "assert f(1) == 2", "timeout"),
    "crash": ("import os\ndef f(x): os._exit(0)", "assert f(1) == 2", "crashed"),
    "memory": ("def f(x): return [0] * 10**9", "assert f(1)", "out_of_memory"),
    "object of its own": ("class A: pass\ndef f(x): return A()", "assert f(1)", "passed"),
    "solution does not compile": ("def f(:", "assert f(1) == 2", "invalid_solution"),
    "solution does not load": ("1 / 0", "assert f(1) == 2", "error"),
    "too long": ("def f(x): return 'a' * (1 << 20)", "assert len(f(1)) == 1 << 20", "passed"),
}


@pytest.mark.parametrize("name", list(NONE))
def test_cells_without_an_output(executor: PooledExecutor, name: str) -> None:
    solution, test, verdict = NONE[name]
    matrix = run(executor, [solution], [test])
    assert Verdict(int(matrix.verdicts[0, 0])).label == verdict
    assert dict(matrix.outputs) == {}


def test_a_long_output_has_a_digest_and_no_text(executor: PooledExecutor) -> None:
    matrix = run(executor, ["def f(x): return list(range(x))"], [f"assert len(f({SHORT})) == {SHORT}"])
    assert len(matrix.outputs) == 1
    assert dict(matrix.output_table.texts) == {}


def test_in_place_changes_are_the_output_of_a_function_that_returns_none(executor: PooledExecutor) -> None:
    solutions = ["def f(x): x.sort()", "def f(x): x[:] = sorted(x)", "def f(x): x.reverse()", "def f(x): pass"]
    matrix = run(executor, solutions, ["v = [1, 3, 2]\nf(v)\nassert v == [1, 2, 3]"])
    codes = matrix.output_table.codes[:, 0].tolist()
    assert codes[0] == codes[1]
    assert len({*codes}) == 3


def test_many_and_huge_outputs_do_not_grow_the_coordinator(executor: PooledExecutor) -> None:
    flood = "import itertools\nseen = itertools.count()\ndef f(x): return str(next(seen)) + 'b' * x\n"
    matrix = run(executor, [flood], ["for i in range(300):\n    f(4000)\nassert f(1)"], limits=Limits(timeout_s=2))
    assert matrix.passes.all()
    assert sum(map(len, matrix.output_table.texts.values())) <= SHORT


PROGRAMS = {
    "right": ("print(int(input()) * 2)", "8"),
    "wrong": ("print('9  ')\nprint()", "9"),
    "nothing": ("pass", ""),
    "raises": ("print(8)\n1 / 0", None),
    "status": ("print(8)\nraise SystemExit(3)", None),
    "loops": ("while True: pass", None),
}


def test_a_program_has_what_it_wrote(executor: PooledExecutor) -> None:
    fields = {"style": "stdin", "entry_point": None}
    programs = [source for source, _ in PROGRAMS.values()]
    matrix = run(executor, programs, [{"stdin": "4\n", "stdout": "8\n"}], **fields)
    assert texts(matrix) == [[text] for _, text in PROGRAMS.values()]
    checker = "def check(stdin, expected, actual):\n    return int(actual) == 8\n"
    checked = run(executor, programs, [{"stdin": "4\n", "stdout": "8\n"}], checker=checker, **fields)
    assert dict(checked.outputs) == dict(matrix.outputs)


def test_duplicates_and_cells_that_were_not_asked(executor: PooledExecutor) -> None:
    work = job([GOOD, GOOD], ["assert f(1) == 2", "assert f(1) == 2"])
    [matrix] = executor.execute([dataclasses.replace(work, asked=[[True, False], [False, True]])])  # type: ignore[arg-type]
    assert sorted(matrix.outputs) == [(0, 0), (1, 1)]
    assert len(matrix.output_table.digests) == 1


class Memory:
    """Verdicts kept in a dict."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, CachedCell]] = {}

    def lookup(self, _key: str, solutions: object) -> dict[str, dict[str, CachedCell]]:
        return self.rows

    def store(self, _key: str, rows: dict[str, dict[str, CachedCell]]) -> None:
        for solution, cells in rows.items():
            self.rows.setdefault(solution, {}).update(cells)


def test_known_cells_give_the_outputs_that_fresh_ones_gave(executor: PooledExecutor) -> None:
    first = job([GOOD, "def f(x): return [x] * 100"], ["assert f(1) == 2", "assert f(2) == 3"])
    more = job(
        [GOOD, "def f(x): return [x] * 100", "def f(x): return 2"], ["assert f(2) == 3", "assert f(3) == 4", "assert f(1) == 2"]
    )
    cache = Memory()
    list(execute_jobs(executor, [first], cache))
    [mixed] = execute_jobs(executor, [more], cache)
    [fresh] = execute_jobs(executor, [more])
    assert dict(mixed.outputs) == dict(fresh.outputs)
    assert dict(mixed.output_table.texts) == dict(fresh.output_table.texts)
    assert len(fresh.outputs) == 9
