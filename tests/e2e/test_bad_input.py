"""Bad input through the command line: a verdict, or one line and the exit code of whoever is at fault; never a lost neighbour."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flows.__main__ import run

GOOD = "def f(x):\n    return x + 1\n"
BAD = ["x = '\0'", "x = '\ud800'", "(" * 5000, "", "while True: pass", "raise SystemExit(0)"]
RUNTIMES = ["process", pytest.param("docker", marks=pytest.mark.docker)]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(name: str, *lines: dict[str, Any]) -> None:
    Path(name).write_text("".join(json.dumps(line) + "\n" for line in lines))


def execute(runtime: str, *extra: str) -> int:
    files = ["--solutions", "S.jsonl", "--tests", "T.jsonl", "--out", "M.jsonl"]
    return run(["execute", *files, "--sandbox", runtime, "--timeout-s", "0.3", "--no-cache", *extra])


def matrices() -> dict[str, Any]:
    return {line["task_id"]: line for line in map(json.loads, Path("M.jsonl").read_text().splitlines())}


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_bad_sources_are_verdicts_and_lose_no_neighbour(runtime: str) -> None:
    tests = ["assert f(1) == 2", "assert f('\0\ud800')", "assert (", "#\0", {"source": "assert f(2) == 3", "origin": "statement"}]
    write("S.jsonl", {"task_id": "a", "solutions": [GOOD, *BAD, GOOD]}, {"task_id": "b", "solutions": [GOOD]})
    write("T.jsonl", {"task_id": "a", "tests": tests}, {"task_id": "b", "tests": ["assert f(1) == 2"]})
    assert execute(runtime) == 0
    found = matrices()
    invalid = ["invalid_test"] * 3
    assert found["a"]["verdicts"][0] == found["a"]["verdicts"][-1] == ["passed", *invalid, "passed"]
    assert [row[0] for row in found["a"]["verdicts"][1:-1]] == [*["invalid_solution"] * 3, "error", "timeout", "error"]
    assert found["b"]["verdicts"] == [["passed"]]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_bad_text_for_programs(runtime: str) -> None:
    echo = "import sys\nsys.stdout.buffer.write(sys.stdin.buffer.read())\n"
    texts = ["\0", "\ud800", "a" * 5_000_000, "", "\r\n \t"]
    write("S.jsonl", {"task_id": "a", "solutions": [echo, "print('\ud800')", "print('a' * 10**9)"]})
    write("T.jsonl", {"task_id": "a", "tests": [{"stdin": text, "stdout": text} for text in texts]})
    assert execute(runtime, "--timeout-s", "2") == 0
    rows = matrices()["a"]["verdicts"]
    assert rows[0] == ["passed"] * 5
    assert set(rows[1]) == {"invalid_solution"}
    assert "passed" not in rows[2]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_empty_sets(runtime: str, capsys: pytest.CaptureFixture[str]) -> None:
    write("S.jsonl", {"task_id": "none", "solutions": []}, {"task_id": "rows", "solutions": [GOOD]})
    write("T.jsonl", {"task_id": "none", "tests": ["assert f(1) == 2"]})
    assert execute(runtime) == 0
    assert "tasks without a test: 1;" in capsys.readouterr().err
    assert {task: line["verdicts"] for task, line in matrices().items()} == {"none": [], "rows": [[]]}
    Path("S.jsonl").write_text("")
    Path("T.jsonl").write_text("\n")
    assert execute(runtime) == 0
    assert matrices() == {}


@pytest.mark.parametrize(
    ("limits", "extra", "said"),
    [
        ({"timeout_s": 0, "memory_mib": 256}, [], ("T.jsonl:1", "limits.timeout_s")),
        ({"timeout_s": 1, "memory_mib": 0}, [], ("T.jsonl:1", "limits.memory_mib")),
        (None, ["--timeout-s", "0"], ("timeout",)),
        (None, ["--memory-mib", "0"], ("memory",)),
        (None, ["--workers", "0"], ("workers",)),
        (None, ["--timeout-s", "nan"], ("timeout",)),
    ],
)
def test_a_limit_of_zero_is_one_line(
    capsys: pytest.CaptureFixture[str], limits: Any, extra: list[str], said: tuple[str, ...]
) -> None:
    write("S.jsonl", {"task_id": "a", "solutions": [GOOD]})
    write("T.jsonl", {"task_id": "a", "tests": ["assert f(1) == 2"], **({"limits": limits} if limits else {})})
    assert execute("process", *extra) == 2
    error = capsys.readouterr().err.strip()
    assert len(error.splitlines()) == 1
    assert all(part in error for part in said)
    assert not Path("M.jsonl").exists()


@pytest.mark.docker
def test_a_missing_image_is_exit_code_3(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("CODERM_SANDBOX_IMAGE", "no-such-image:none")
    write("S.jsonl", {"task_id": "a", "solutions": [GOOD]})
    write("T.jsonl", {"task_id": "a", "tests": ["assert f(1) == 2"]})
    assert execute("docker") == 3
    error = capsys.readouterr().err.strip()
    assert len(error.splitlines()) == 1
    assert "no-such-image:none" in error
    assert "coderm sandbox build" in error
    assert not Path("M.jsonl").exists()


MEASURED = """
import re, sys
from flows.__main__ import run
code = run(sys.argv[1:])
with open("/proc/self/status") as status:  # not ru_maxrss, which a child inherits from whoever forked it
    print(int(re.search(r"VmHWM:\\s+(\\d+)", status.read())[1]) // 1024)
sys.exit(code)
"""


@pytest.mark.slow
def test_a_million_cells_stream(repo_root: Path) -> None:
    """100 tasks of 100 x 100 cells, four distinct ones each: bounded memory, one line a task."""
    solutions = [f"def f(x): return x + {at % 2}" for at in range(100)]
    tests = [f"assert f({at % 2}) == {at % 2 + 1}" for at in range(100)]
    write("S.jsonl", *({"task_id": f"t{at}", "solutions": solutions} for at in range(100)))
    write("T.jsonl", *({"task_id": f"t{at}", "tests": tests} for at in range(100)))
    command = ["execute", "--solutions", "S.jsonl", "--tests", "T.jsonl", "--out", "M.jsonl", "--sandbox", "process", "--no-cache"]
    environment = {**os.environ, "PYTHONPATH": str(repo_root)}
    ended = subprocess.run([sys.executable, "-c", MEASURED, *command], env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    *_, done, mib = ended.stdout.strip().splitlines()
    counts = json.loads(done)
    assert (counts["cells"], counts["executed"]) == (1_000_000, 400)
    assert counts["verdicts"] == {"passed": 500_000, "failed": 500_000}
    assert int(mib) < 600
    with Path("M.jsonl").open() as lines:
        assert sum(1 for _ in lines) == 100
