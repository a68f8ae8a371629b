"""What every executor promises, whichever runtime it drives: the meaning of a cell, limits, order, duplicates, faults, no leaks."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from models.config import SandboxConfig
from models.errors import SandboxUnavailable
from models.matrix import MatrixJob, PassMatrix
from models.types import Limits, UnitTest, Verdict
from sandbox import docker_runtime, process_runtime
from sandbox.executor import PooledExecutor, docker_executor, process_executor

IMAGE = "coderm-sandbox:latest"
FAST = Limits(timeout_s=0.5, memory_mib=256)


def _make(runtime: str, workers: int = 2) -> PooledExecutor:
    config = SandboxConfig(runtime=runtime, workers=workers)
    if runtime == "process":
        return process_executor(config)
    return docker_executor(config, image=IMAGE, docker_host=None)


@pytest.fixture(scope="module", params=["process", pytest.param("docker", marks=pytest.mark.docker)])
def runtime(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def executor(runtime: str) -> Iterator[PooledExecutor]:
    with _make(runtime) as executor:
        yield executor


def job(solutions: list[str], tests: list[str] | list[dict[str, str]], **fields: object) -> MatrixJob:
    """A job with sensible defaults."""
    known: dict[str, object] = {"style": "function", "entry_point": "f", "limits": FAST, **fields}
    return MatrixJob(
        task_id=str(known.pop("task_id", "t")),
        solutions=tuple(solutions),
        solution_digests=tuple(f"s{i}" for i in range(len(solutions))),
        tests=tuple(UnitTest.model_validate(test) for test in tests),
        **known,  # type: ignore[arg-type]
    )


def labels(matrix: PassMatrix) -> list[list[str]]:
    return [[Verdict(int(code)).label for code in row] for row in matrix.verdicts]


def cell(executor: PooledExecutor, solution: str, test: str | dict[str, str], **fields: object) -> str:
    """The verdict of a job of one cell."""
    [matrix] = executor.execute([job([solution], [test], **fields)])  # type: ignore[list-item]
    return labels(matrix)[0][0]


GOOD = "def f(x):\n    return x + 1\n"
CASE = "import unittest\nclass T(unittest.TestCase):\n    "

VERDICTS = {
    "assert passes": (GOOD, "assert f(1) == 2", "passed"),
    "assert fails": (GOOD, "assert f(1) == 3", "failed"),
    "assert in a loop": (GOOD, "for i in range(3):\n    assert f(i) == i + 1", "passed"),
    "assert never reached": (GOOD, "if f(1) == 3:\n    assert True", "invalid_test"),
    "no test at all": (GOOD, "x = f(1)", "invalid_test"),
    "uncalled pytest function": (GOOD, "def test_f():\n    assert f(1) == 2", "invalid_test"),
    "empty test": (GOOD, "", "invalid_test"),
    "class passes": (GOOD, CASE + "def test_a(self): self.assertEqual(f(1), 2)", "passed"),
    "class fails": (GOOD, CASE + "def test_a(self): self.assertEqual(f(1), 3)", "failed"),
    "class errs": (GOOD, CASE + "def test_a(self): f()", "error"),
    "class fails and errs": (GOOD, CASE + "def test_a(self): f()\n    def test_b(self): self.fail()", "failed"),
    "class without tests": (GOOD, CASE + "pass", "invalid_test"),
    "all skipped": (GOOD, CASE + "@unittest.skip('x')\n    def test_a(self): pass", "invalid_test"),
    "one of two skipped": (
        GOOD,
        CASE + "@unittest.skip('x')\n    def test_a(self): pass\n    def test_b(self): assert f(1) == 2",
        "passed",
    ),
    "setUp and tearDown": (GOOD, CASE + "def setUp(self): self.v = 1\n    def test_a(self): assert f(self.v) == 2", "passed"),
    "setUp fails": (GOOD, CASE + "def setUp(self): 1 / 0\n    def test_a(self): pass", "error"),
    "setUpClass": (
        GOOD,
        CASE + "@classmethod\n    def setUpClass(cls): cls.v = 1\n    def test_a(self): assert f(self.v) == 2",
        "passed",
    ),
    "subTest fails": (
        GOOD,
        CASE + "def test_a(self):\n        for i in (1, 2):\n            with self.subTest(i=i): assert f(i) == 2",
        "failed",
    ),
    "subTest passes": (
        GOOD,
        CASE + "def test_a(self):\n        for i in (1, 2):\n            with self.subTest(i=i): assert f(i) == i + 1",
        "passed",
    ),
    "expected failure": (GOOD, CASE + "@unittest.expectedFailure\n    def test_a(self): assert f(1) == 3", "passed"),
    "unexpected success": (GOOD, CASE + "@unittest.expectedFailure\n    def test_a(self): assert f(1) == 2", "failed"),
    "async case": (
        GOOD,
        "import unittest\nclass T(unittest.IsolatedAsyncioTestCase):\n    async def test_a(self): assert f(1) == 2",
        "passed",
    ),
    "two classes, second fails": (
        GOOD,
        CASE + "def test_a(self): pass\nclass U(unittest.TestCase):\n    def test_b(self): assert f(1) == 3",
        "failed",
    ),
    "main guard": (GOOD, CASE + "def test_a(self): assert f(1) == 2\nif __name__ == '__main__':\n    unittest.main()", "passed"),
    "main without a guard": (GOOD, CASE + "def test_a(self): assert f(1) == 2\nunittest.main()", "passed"),
    "main without a guard, fails": (GOOD, CASE + "def test_a(self): assert f(1) == 3\nunittest.main()", "failed"),
    "private name of the module": ("def _g(x): return 1\n" + GOOD, "from solution import _g\nassert _g(1) == 1", "passed"),
    "module data that changes": ("n = []\ndef f(x): n.append(x)", "from solution import n\nf(1)\nassert n == [1]", "passed"),
    "rows that are one object": ("def f(x): return [[0]] * 2", "g = f(1)\ng[0][0] = 1\nassert g == [[1], [1]]", "passed"),
    "an argument inside of the result": (
        "def f(x): return x, 1",
        "a = [0]\nb, _ = f(a)\nb.append(5)\nassert a == [0, 5]",
        "passed",
    ),
    "nodes of LeetCode": (
        "class Solution:\n    def f(self, head: Optional[ListNode]):\n        head.next = ListNode(2)\n        return head",
        "assert f(ListNode(1)).next.val == 2",
        "passed",
    ),
    "nodes of the test": (
        "class Solution:\n    def f(self, head):\n        head.next, head.val = None, 3\n        return head",
        "class ListNode:\n    def __init__(self, val): self.val = self.next = val\nassert f(ListNode(1)).val == 3",
        "passed",
    ),
    "raises": (GOOD, CASE + "def test_a(self):\n        with self.assertRaises(TypeError): f('a')", "passed"),
    "case of the solution": (
        "import unittest\nclass S(unittest.TestCase):\n    def test_x(self): pass\n" + GOOD,
        "x = 1",
        "invalid_test",
    ),
    "check passes": (GOOD, "def check(candidate):\n    assert candidate(1) == 2", "passed"),
    "check fails": (GOOD, "def check(candidate):\n    assert candidate(1) == 3", "failed"),
    "check is vacuous": (GOOD, "def check(candidate):\n    pass", "invalid_test"),
    "check raises": (GOOD, "def check(candidate):\n    if candidate(1) != 2: raise ValueError", "passed"),
    "check without entry point": ("def g(): pass", "def check(candidate):\n    assert candidate(1) == 2", "error"),
    "name is missing": ("def g(): pass", "assert f(1) == 2", "error"),
    "test does not compile": (GOOD, "assert f(1) ==", "invalid_test"),
    "solution does not compile": ("def f(:", "assert f(1) == 2", "invalid_solution"),
    "both do not compile": ("def f(:", "assert (", "invalid_solution"),
    "solution raises at import": ("1 / 0", "assert True", "error"),
    "solution asserts at import": ("assert False", "assert True", "error"),
    "solution exits at import": ("exit(0)", "assert True", "error"),
    "solution exits in a call": ("import sys\ndef f(x): sys.exit(0)", "assert f(1) == 2", "error"),
    "leaves without answering": ("import os\ndef f(x): os._exit(0)", "assert f(1) == 2", "crashed"),
    "kills itself": ("import os, signal\ndef f(x): os.kill(os.getpid(), signal.SIGKILL)", "assert f(1) == 2", "crashed"),
    "segfault": ("import ctypes\ndef f(x): ctypes.string_at(0)", "assert f(1) == 2", "crashed"),
    "loops": ("def f(x):\n    while True: pass", "assert f(1) == 2", "timeout"),
    "loops at import": ("while True: pass", "assert True", "timeout"),
    "sleeps": ("import time\ndef f(x): time.sleep(60)", "assert f(1) == 2", "timeout"),
    "too much memory": ("def f(x): return len([0] * 10**9)", "assert f(1)", "out_of_memory"),
    "MemoryError in a class": ("def f(x): raise MemoryError", CASE + "def test_a(self): f(1)", "out_of_memory"),
    "recursion": ("def f(x): return f(x)", "assert f(1)", "error"),
    "KeyboardInterrupt": ("def f(x): raise KeyboardInterrupt", "assert f(1)", "error"),
    "module solution": (GOOD, "from solution import f as g\nassert g(1) == 2", "passed"),
    "module your_module": (GOOD, "import your_module\nassert your_module.f(1) == 2", "passed"),
    "star import": (GOOD, "from your_module import *\nassert f(1) == 2", "passed"),
    "private name": ("def _g(x): return 1\n" + GOOD, "assert _g(1) == 1", "error"),
    "builtin is not hidden": ("def len(x): return 3\n" + GOOD, "assert len([1]) == 1 and f(1) == 2", "passed"),
    "name is not main": ("n = __name__\n" + GOOD, "assert n != '__main__' != __name__", "passed"),
    "stdin is empty": ("import sys\nv = sys.stdin.read()\n" + GOOD, "assert v == ''", "passed"),
    "LeetCode class": ("class Solution:\n    def f(self, x): return x + 1", "assert f(1) == 2", "passed"),
    "LeetCode check": ("class Solution:\n    def f(self, x): return x + 1", "def check(c):\n    assert c(1) == 2", "passed"),
    "LeetCode without its imports": (
        "class Solution:\n    def f(self, x: List[int], y: Optional[int] = None) -> Dict[str, int]: return {'a': x[0]}",
        "assert f([1]) == {'a': 1}",
        "passed",
    ),
    "typing is not imported for others": ("def f(x: List[int]): return x", "assert f([1]) == [1]", "error"),
    "top-level name before class": ("class Solution:\n    def f(self, x): return 0\n" + GOOD, "assert f(1) == 2", "passed"),
    "dataclass in the solution": (
        "import dataclasses\n@dataclasses.dataclass\nclass P:\n    x: int\n" + GOOD,
        "assert P(1) == P(1)",
        "passed",
    ),
    "future switch stays": (
        "from __future__ import annotations\n" + GOOD,
        "def g(x: print('a')): pass\nassert f(1) == 2",
        "passed",
    ),
    "NUL": ("x = '\0'\n", "assert True", "invalid_solution"),
    "lone surrogate": ("x = '\ud800'\n" + GOOD, "assert f(1) == 2", "invalid_solution"),
    "surrogate in a test": (GOOD, "assert f(1) == 2 # \udfff", "invalid_test"),
    "nested brackets": ("x = " + "(" * 5000, "assert True", "invalid_solution"),
    "unary bomb": ("x = " + "-" * 200_000 + "1", "assert True", "invalid_solution"),
    "prints a lot": ("def f(x):\n    print('a' * 10**7)\n    return x + 1", "assert f(1) == 2", "passed"),
    "threads left running": (
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()\n" + GOOD,
        "assert f(1) == 2",
        "passed",
    ),
    "async method that nobody awaits": (GOOD, CASE + "async def test_a(self): self.assertEqual(f(1), 2)", "invalid_test"),
    "method that is a generator": (GOOD, CASE + "def test_a(self): yield self.assertEqual(f(1), 2)", "invalid_test"),
    "assertion caught by the test itself": (
        GOOD,
        "try:\n    assert f(1) == 3\nexcept AssertionError:\n    pass\nassert f(1) == 2",
        "passed",
    ),
    "callback that asserts, and holds": (
        "def f(g): return g(1)",
        "def g(x):\n    assert x == 1\n    return 2\nassert f(g) == 2",
        "passed",
    ),
    "callback whose exception is expected": (
        "def f(g):\n    try:\n        return g()\n    except ValueError:\n        return 0",
        "def g():\n    raise ValueError\nassert f(g) == 0",
        "passed",
    ),
    "callback whose assertion is caught": (
        "def f(g):\n    try:\n        return g(1)\n    except Exception:\n        return 0",
        "def g(x):\n    assert x == 7\nassert f(g) == 0",
        "tampered",
    ),
    "expected failure beside a class": (
        "class P: pass\n" + GOOD,
        "import unittest\nclass T(unittest.TestCase):\n    @unittest.expectedFailure\n    def test_a(self): self.assertEqual(P, 3)",
        "passed",
    ),
    "memory that a test takes for its exception": (
        "def f(x): return 'x' * (1 << 30)",
        CASE + "def test_a(self):\n        with self.assertRaises(Exception): f(1)",
        "out_of_memory",
    ),
    "many open files": ("def f(x): return [open('/dev/null') for _ in range(10**5)]", "assert f(1)", "error"),
}


@pytest.mark.parametrize("name", list(VERDICTS))
def test_verdict(executor: PooledExecutor, name: str) -> None:
    solution, test, expected = VERDICTS[name]
    assert cell(executor, solution, test) == expected


STDIN = {
    "right": ("print(int(input()) * 2)", "4\n", "8\n", "passed"),
    "trailing blanks and lines": ("print('8  \\n\\n')", "", "8", "passed"),
    "leading blank counts": ("print(' 8')", "", "8", "failed"),
    "wrong": ("print(7)", "", "8", "failed"),
    "is main": ("if __name__ == '__main__': print(8)", "", "8", "passed"),
    "raises after output": ("print(8)\n1 / 0", "", "8", "error"),
    "exit status": ("print(8)\nimport sys\nsys.exit(3)", "", "8", "error"),
    "exit zero": ("print(8)\nimport sys\nsys.exit(0)", "", "8", "passed"),
    "exit text": ("print(8)\nexit('no')", "", "8", "error"),
    "reads past the end": ("input()", "", "", "error"),
    "not compiled": ("print(", "", "", "invalid_solution"),
    "killed": ("import os\nprint(8, flush=True)\nos.kill(os.getpid(), 9)", "", "8", "crashed"),
    "memory": ("print(len([0] * 10**9))", "", "", "out_of_memory"),
    "buffer": ("import sys\nsys.stdout.buffer.write(sys.stdin.buffer.read())", "a\nb", "a\nb", "passed"),
    "raw descriptor": ("import os\nos.write(1, os.read(0, 100))", "hello", "hello", "passed"),
    "endless output": ("while True: print('a' * 1000)", "", "8", "timeout"),
    "exit handler prints": ("import atexit\natexit.register(print, 8)", "", "8", "passed"),
    "exit of site": ("print(8)\nexit()", "", "8", "passed"),
    "quit of site": ("print(8)\nquit(0)\nprint(9)", "", "8", "passed"),
    "names of a script": ("print(__builtins__.len(__file__) > 0, copyright is not None)", "", "True True", "passed"),
    "a large stack": (
        "import threading\nthreading.stack_size(1 << 29)\nt = threading.Thread(target=print, args=(8,))\nt.start()\nt.join()",
        "",
        "8",
        "passed",
    ),
    "carriage return": ("print(ascii(input()))", "x\r\n", "'x\\r'", "passed"),
    "closes stdout": ("import sys\nprint(8)\nsys.stdout.close()", "", "8", "passed"),
    "expected output is nowhere": (
        "import gc\nprint([x for x in gc.get_objects() if isinstance(x, (list, dict)) and 'needle' + '42' in str(x)])",
        "",
        "needle42",
        "failed",
    ),
}


@pytest.mark.parametrize("name", list(STDIN))
def test_stdin_program(executor: PooledExecutor, name: str) -> None:
    source, stdin, stdout, expected = STDIN[name]
    assert cell(executor, source, {"stdin": stdin, "stdout": stdout}, style="stdin", entry_point=None) == expected


CHECKER = "def check(stdin, expected, actual):\n    return abs(float(actual) - float(expected)) < 0.1\n"


@pytest.mark.parametrize(
    ("program", "checker", "expected"),
    [
        ("print(1.05)", CHECKER, "passed"),
        ("print(2)", CHECKER, "failed"),
        ("print('x')", CHECKER, "error"),
        ("1 / 0", CHECKER, "error"),
        ("print(1)", "def check(", "invalid_test"),
        ("print(1)", "x = 1", "invalid_test"),
        ("print(1)", "def check(a, b, c):\n    while True: pass", "timeout"),
    ],
)
def test_checker(executor: PooledExecutor, program: str, checker: str, expected: str) -> None:
    case = {"stdin": "", "stdout": "1"}
    assert cell(executor, program, case, style="stdin", entry_point=None, checker=checker) == expected


def test_duplicates_run_once_and_count_each_time(executor: PooledExecutor) -> None:
    """A marker would show a second run: each run draws another number from the kernel."""
    work = job([GOOD, GOOD, "def f(x): return 0", GOOD], ["assert f(1) == 2", "assert f(1) == 0", "assert f(1) == 2"])
    [matrix] = executor.execute([work])
    good, bad = ["passed", "failed", "passed"], ["failed", "passed", "failed"]
    assert labels(matrix) == [good, good, bad, good]
    assert len({float(x) for x in matrix.duration_ms.ravel()}) <= 4


def test_only_asked_cells_run(executor: PooledExecutor) -> None:
    asked = np.array([[True, False], [False, False], [False, True]])
    work = job([GOOD, GOOD, GOOD + "#"], ["assert f(1) == 2", "assert f(1) == 2 #"], asked=asked)
    counted: list[int] = []
    [matrix] = executor.execute([work], on_cells=counted.append)
    assert labels(matrix) == [["passed", "not_asked"], ["not_asked", "not_asked"], ["not_asked", "passed"]]
    assert sum(counted) == 2
    assert np.array_equal(np.isnan(matrix.duration_ms), ~asked)


def test_order_of_jobs_is_kept_and_input_is_lazy(executor: PooledExecutor) -> None:
    drawn = []

    def jobs() -> Iterator[MatrixJob]:
        for number in itertools.count():
            drawn.append(number)
            slow = "import time\ntime.sleep(0.2)\n" if number == 0 else ""
            yield job([slow + GOOD], ["assert f(1) == 2"], task_id=str(number))

    stream = executor.execute(jobs())
    assert [next(stream).task_id for _ in range(5)] == ["0", "1", "2", "3", "4"]
    stream.close()  # type: ignore[attr-defined]
    assert len(drawn) < 60


def test_empty_axes(executor: PooledExecutor) -> None:
    matrices = list(executor.execute([job([], ["assert True"]), job([GOOD], []), job([], [])]))
    assert [m.verdicts.shape for m in matrices] == [(0, 1), (1, 0), (0, 0)]


def test_neighbours_of_hostile_cells_are_unharmed(executor: PooledExecutor) -> None:
    hostile = [
        "import os\nfor _ in range(200):\n    os.fork()\nwhile True: pass",
        "import os\nos.kill(-1, 9)",
        "import os, signal\nos.kill(1, signal.SIGKILL); os.kill(1, signal.SIGSTOP)",
        "import os\nfor i in range(1000): open(f'/tmp/{i}', 'w').write('x' * 10**5)",
        "import os\nfor _ in range(600):\n    os.mkdir('d'); os.chdir('d')\nos.chmod('.', 0)",
        "import os\nfor fd in range(64):\n    try: os.write(fd, b'\\xff' * 4096)\n    except OSError: pass",
        "import os\nif os.fork() == 0:\n    os.setsid()\n    import time\n    time.sleep(60)",
    ]
    clean = "import os\ndef f(x):\n    return x + 1 + len(os.listdir('.'))\n"
    [matrix] = executor.execute([job([*hostile, clean, GOOD], ["assert f(1) == 2", "assert f(2) == 3"])])
    assert labels(matrix)[-2:] == [["passed", "passed"]] * 2
    assert not matrix.passes[:-2].any()


def test_a_slot_that_dies_costs_nothing(runtime: str) -> None:
    """Kill slots in the middle of a run: every cell is answered, and rightly."""
    slow = "import time\ntime.sleep(0.02)\n"
    work = job([slow + GOOD + "#" * i for i in range(30)], ["assert f(1) == 2", "assert f(1) == 3"])
    with _make(runtime) as executor:
        seen = 0
        killed = threading.Event()

        def count(cells: int) -> None:
            nonlocal seen
            seen += cells
            if seen > 5 and not killed.is_set():
                killed.set()
                _kill_slots(executor)

        [matrix] = executor.execute([work], on_cells=count)
    assert killed.is_set()
    assert labels(matrix) == [["passed", "failed"]] * 30


def _kill_slots(executor: PooledExecutor) -> None:
    for slot in list(executor._slots.values()):
        slot.channel.close()


def test_interrupt_leaves_nothing(runtime: str) -> None:
    before = _alive(runtime)
    with pytest.raises(KeyboardInterrupt), _make(runtime) as executor:  # noqa: PT012 - the loop is the point
        for _ in executor.execute(
            [job([GOOD], ["assert f(1) == 2"]), job(["while True: pass"], ["assert 1"], limits=Limits(timeout_s=30))]
        ):
            raise KeyboardInterrupt
    assert _alive(runtime) <= before
    assert not [t for t in threading.enumerate() if t.name.startswith("sandbox-") and not t.daemon]


def _alive(runtime: str) -> set[str]:
    if runtime == "docker":
        client = docker_runtime.connect(None)
        try:
            mine = {"label": f"{docker_runtime.LABEL}={docker_runtime.SESSION}"}
            return {c["Id"] for c in client.api.containers(filters=mine)}
        finally:
            client.close()
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text()
    return set(children.split())


def test_context_names_runtime_limits_and_version(executor: PooledExecutor, runtime: str) -> None:
    context = executor.context(FAST)
    assert (context.sandbox, context.timeout_s, context.memory_mib) == (runtime, 0.5, 256)
    assert (context.image is None) == (runtime == "process")
    assert context.version


def test_missing_protections_are_named() -> None:
    assert all(isinstance(line, str) and line for line in process_runtime.missing_protections())


@pytest.mark.docker
def test_a_missing_image_is_one_clear_line() -> None:
    with pytest.raises(SandboxUnavailable, match="coderm sandbox build"):
        docker_executor(SandboxConfig(), image="no-such-image:none", docker_host=None)


def test_an_engine_that_is_not_there_is_one_clear_line() -> None:
    with pytest.raises(SandboxUnavailable, match="--sandbox process"):
        docker_executor(SandboxConfig(), image=IMAGE, docker_host="unix:///nonexistent/docker.sock")
