"""Sources that no honest model writes: each gets a verdict, on every runtime, and the cells beside it get theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from models.config import SandboxConfig
from models.matrix import MatrixJob, PassMatrix
from models.types import Limits, UnitTest, Verdict
from sandbox.executor import PooledExecutor, docker_executor, process_executor

GOOD = "def f(x): return x + 1\n"
REFUSED, HEAVY = {"invalid"}, {"invalid", "timeout", "out_of_memory"}
SLOW = HEAVY | {"passed"}
"""``invalid`` stands for invalid_solution in a row and invalid_test in a column. HEAVY, SLOW: it depends on the machine which."""
SOURCES: dict[str, tuple[Callable[[], str], set[str]]] = {
    "NUL": (lambda: "x = '\0'\n", REFUSED),
    "lone surrogate": (lambda: "x = '\ud800'\n", REFUSED),
    "lone surrogate in a comment": (lambda: "# \udfff\n", REFUSED),
    "a comment of 5 MB": (lambda: "#" + "a" * 5_000_000 + "\n", {"passed"}),
    "a string of 5 MB": (lambda: "x = '" + "a" * 5_000_000 + "'\n", SLOW),
    "5 MB of statements": (lambda: "x = 1\n" * 800_000, SLOW),
    "200,000 asserts": (lambda: "assert 1 == 1\n" * 200_000, SLOW),
    "brackets": (lambda: "x = " + "(" * 100_000 + "1" + ")" * 100_000 + "\n", HEAVY),
    "a sum": (lambda: "x = " + "1+" * 100_000 + "1\n", HEAVY),
    "attributes": (lambda: "def g(x): return x" + ".a" * 100_000 + "\n", HEAVY),
    "calls": (lambda: "def g(x): return x" + "()" * 100_000 + "\n", HEAVY),
    "signs": (lambda: "x = " + "-" * 100_000 + "1\n", HEAVY),
    "lambdas": (lambda: "x = " + "lambda:" * 50_000 + "1\n", HEAVY),
    "branches": (lambda: "if 0: pass\n" + "elif 0: pass\n" * 50_000, HEAVY),
    "blocks": (lambda: "".join(" " * i + "if 1:\n" for i in range(99)) + " " * 99 + "pass\n", {"passed"}),
    "powers that run": (lambda: "x = 9**9**9\n", {"timeout"}),
    "powers that are folded": (lambda: "def g(): return 2**10**9, 'a' * 10**10, 1 << 10**10\n", {"passed"}),
    "tuples that are folded": (lambda: "def g(): return (((((1,)*100,)*100,)*100,)*100,)*100\n", {"passed"}),
    "a number of a million digits": (lambda: "x = " + "1" * 1_000_000 + "\n", HEAVY),
    "a number of two million hexadecimal digits": (lambda: "x = 0x" + "f" * 2_000_000 + "\n", SLOW),
    "assignments": (lambda: "a = " * 100_000 + "1\n", SLOW),
    "dicts": (lambda: "x = " + "{**" * 1000 + "{}" + "}" * 1000 + "\n", REFUSED),
    "a coding that is none": (lambda: "# coding: nonsense\n", {"passed"}),
    "carriage returns": (lambda: "x = 1\ry = 2\r", {"passed"}),
}


@pytest.fixture(scope="module", params=["process", pytest.param("docker", marks=pytest.mark.docker)])
def executor(request: pytest.FixtureRequest) -> Iterator[PooledExecutor]:
    config = SandboxConfig(runtime=request.param, workers=2)
    image = "coderm-sandbox:latest"
    made = process_executor(config) if request.param == "process" else docker_executor(config, image=image, docker_host=None)
    with made as opened:
        yield opened


def run(executor: PooledExecutor, solutions: list[str], tests: list[str]) -> list[list[str]]:
    names = tuple(str(at) for at in range(len(solutions)))
    columns = tuple(UnitTest(source=test) for test in tests)
    limits = Limits(timeout_s=0.5, memory_mib=512)
    [matrix] = executor.execute([MatrixJob("t", "function", "f", tuple(solutions), names, columns, limits)])
    assert isinstance(matrix, PassMatrix)
    return [[Verdict(int(code)).label for code in row] for row in matrix.verdicts]


def test_solutions_that_nobody_writes(executor: PooledExecutor) -> None:
    rows = [GOOD, *(make() + GOOD for make, _ in SOURCES.values()), GOOD + "#"]
    found = run(executor, rows, ["assert f(1) == 2"])
    assert found[0] == found[-1] == ["passed"]
    seen = dict(zip(SOURCES, (row[0].replace("invalid_solution", "invalid") for row in found[1:-1]), strict=True))
    assert {name: verdict for name, verdict in seen.items() if verdict not in SOURCES[name][1]} == {}


def test_tests_that_nobody_writes(executor: PooledExecutor) -> None:
    good = ["assert f(1) == 2", "assert f(2) == 3"]
    columns = [good[0], *(make() + "assert f(1) == 2" for make, _ in SOURCES.values()), good[1]]
    [found] = run(executor, [GOOD], columns)
    assert found[0] == found[-1] == "passed"
    seen = dict(zip(SOURCES, (verdict.replace("invalid_test", "invalid") for verdict in found[1:-1]), strict=True))
    assert {name: verdict for name, verdict in seen.items() if verdict not in SOURCES[name][1]} == {}
