"""How often honest code gets another vote here than from ``python -m unittest``, on right solutions of public data.

    python -m tests.benchmarks.bench_fidelity --data DIR [--sandbox docker] [--inputs 30]      DIR: the folder of public data

Solutions are HumanEval's own; tests are its ``check`` functions and one ``TestCase`` for each of the first inputs of EvalPlus,
whose expected value is what the solution returns (every fifth is made wrong, so that failures are compared too). The truth comes
from one ``python -m unittest`` a problem. These sources are the benchmark's authors', not a model's: they may run outside too.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from models.config import SandboxConfig
from models.matrix import MatrixJob
from models.types import CheckTruth, Limits, Problem, UnitTest, Verdict
from sandbox.executor import docker_executor, process_executor
from tasks.importers.registry import import_format
from tasks.importers.result import ImportRequest
from tasks.jsonl import read_objects

CASE = """import unittest
class T{at}(unittest.TestCase):
    def test_it(self):
        self.assertEqual({name}(*{args}), {value})
"""
EXPECT = """import json, sys
from solution import {name}
for args in json.load(sys.stdin):
    try:
        print(repr({name}(*args)))
    except BaseException:
        print('')
"""
TIMEOUT_S = 30


def python(folder: Path, *arguments: str, text: str = "") -> str:
    """What a fresh interpreter printed, errors last."""
    command = [sys.executable, *arguments]
    ended = subprocess.run(command, cwd=folder, input=text, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    return ended.stdout + ended.stderr


def tests_of(problem: Problem, inputs: list[list[Any]]) -> tuple[str, ...]:
    """The problem's own check, then a class for each input whose result can be written down."""
    assert isinstance(problem.ground_truth, CheckTruth)
    name = str(problem.entry_point)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "solution.py").write_text(source_of(problem))
        try:
            printed = python(Path(folder), "-c", EXPECT.format(name=name), text=json.dumps(inputs)).splitlines()
        except subprocess.TimeoutExpired:
            printed = []
    cases = []
    for at, (args, value) in enumerate(zip(inputs, printed, strict=False)):
        if value and not re.search(r"\b(nan|inf)\b|<", value):
            wrong = f"[{value}]" if at % 5 == 4 else value
            cases.append(CASE.format(at=at, name=name, args=repr(args), value=wrong))
    return (problem.ground_truth.source, *cases)


def source_of(problem: Problem) -> str:
    """The right solution, complete."""
    return f"{problem.preamble}\n{problem.reference}"


def truth(problem: Problem, tests: tuple[str, ...]) -> list[bool]:
    """Votes of plain Python."""
    head = "from solution import *\n"
    checks = f"import unittest\nclass Check(unittest.TestCase):\n    def test_it(self):\n        check({problem.entry_point})\n"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "solution.py").write_text(source_of(problem))
        (folder / "all_tests.py").write_text(head + "\n".join(tests) + "\n" + checks)
        said = python(folder, "-m", "unittest", "-v", "all_tests")
    passed = {cls for cls, verdict in re.findall(r"all_tests\.(\w+)[.\w]*\)[^\n]* \.\.\. (\w+)", said) if verdict == "ok"}
    return ["Check" in passed, *(re.search(r"class (T\d+)", test).group(1) in passed for test in tests[1:])]  # type: ignore[union-attr]


def main() -> None:
    """Print the counts and every difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sandbox", choices=["docker", "process"], default="process")
    parser.add_argument("--inputs", type=int, default=30)
    options = parser.parse_args()
    found = import_format(ImportRequest(format="humaneval", files=(options.data / "human-eval" / "HumanEval.jsonl.gz",)))
    problems = list(found.problems or ())
    lines = read_objects(options.data / "evalplus" / "HumanEvalPlusInputs.jsonl")
    extra = {line["task_id"].replace("_", "/"): line["inputs"] for _, line in lines}
    with ThreadPoolExecutor(2) as pool:
        tests = list(pool.map(lambda p: tests_of(p, extra.get(p.task_id, [])[: options.inputs]), problems))
        expected = list(pool.map(truth, problems, tests))
    limits = Limits(timeout_s=5.0)
    jobs = [
        MatrixJob(p.task_id, "function", p.entry_point, (source_of(p),), ("s",), tuple(UnitTest(source=t) for t in ts), limits)
        for p, ts in zip(problems, tests, strict=True)
    ]
    config = SandboxConfig(runtime=options.sandbox, workers=2)
    image = "coderm-sandbox:latest"
    made = process_executor(config) if options.sandbox == "process" else docker_executor(config, image=image, docker_host=None)
    counts: Counter[str] = Counter()
    with made as executor:
        for matrix, votes in zip(executor.execute(jobs), expected, strict=True):
            for at, (code, vote) in enumerate(zip(matrix.verdicts[0].tolist(), votes, strict=True)):
                counts[f"plain {'pass' if vote else 'fail'}, here {Verdict(code).label}"] += 1
                if (code == Verdict.PASSED) != vote:
                    counts["differ"] += 1
                    doubts = matrix.flags.get((0, at), ())
                    print(f"{matrix.task_id}, test {at}: plain Python says {vote}, here {Verdict(code).label} {doubts}")
    cells = sum(map(len, expected))
    print(f"{len(problems)} problems, {cells} cells, {options.sandbox}: {counts.pop('differ', 0)} votes differ")
    for name, count in sorted(counts.items()):
        print(f"  {name:36}{count:7}")


if __name__ == "__main__":
    main()
