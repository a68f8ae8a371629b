"""The public check, reduced: CodeT's recorded samples on eight HumanEval problems give the cells that the whole reproduction gave.

The golden file holds pass bits of the full run (README, "The public check"), whose pass@k agree with the published ones. Eight
problems, the first 20 solutions of each; HumanEval/68 has a recorded test with ``import *``, which breaks CodeT's own script.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from flows.__main__ import run

TASKS = tuple(f"HumanEval/{i}" for i in (2, 23, 47, 68, 99, 120, 140, 161))
SOLUTIONS = 20
NEAR_LIMIT_SHARE = 0.001
"""A time limit of 0.1 s on a shared machine: so many cells may fall on the other side of it."""

pytestmark = [pytest.mark.public_data, pytest.mark.slow]


@pytest.fixture
def imported(public_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    samples = "HumanEval_codegen16B_temp0.8_topp0.95_num100_max300"
    names = {
        "problems": "HumanEval_for_code_generation",
        "solutions": f"{samples}_code_solution",
        "test-problems": "HumanEval_for_test_case_generation",
        "tests": f"{samples}_test_case",
    }
    options = [part for option, name in names.items() for part in (f"--{option}", str(public_data / "codet" / f"{name}.jsonl"))]
    assert run(["import", "codet", *options, "--out", "all"]) == 0
    for name in ("problems", "solutions", "tests"):
        lines = [json.loads(line) for line in Path(f"all/{name}.jsonl").read_text().splitlines()]
        kept = [line for line in lines if line["task_id"] in TASKS]
        for line in kept if name == "solutions" else ():
            line["solutions"] = line["solutions"][:SOLUTIONS]
        Path(f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in kept))
    return tmp_path


@pytest.mark.parametrize("sandbox", ["process", pytest.param("docker", marks=pytest.mark.docker)])
def test_recorded_samples_give_the_recorded_verdicts(
    imported: Path, sandbox: str, repo_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ["--problems", "problems.jsonl", "--solutions", "solutions.jsonl"]
    argv = ["execute", *files, "--tests", "tests.jsonl", "--out", "M.jsonl", "--timeout-s", "0.1", "--sandbox", sandbox]
    assert run(argv) == 0
    assert run(["label", *files, "--out", "L.jsonl", "--sandbox", sandbox]) == 0
    golden = json.loads((repo_root / "tests/golden/codet_reduced.json").read_text())
    cells = wrong = 0
    for line in map(json.loads, Path("M.jsonl").read_text().splitlines()):
        for row, bits in zip(line["verdicts"], golden[line["task_id"]]["passes"], strict=True):
            assert len(row) == len(bits)
            cells += len(row)
            wrong += sum((verdict == "passed") != (bit == "1") for verdict, bit in zip(row, bits, strict=True))
    assert cells == sum(len(bits) for task in golden.values() for bits in task["passes"])
    assert wrong <= NEAR_LIMIT_SHARE * cells
    for line in map(json.loads, Path("L.jsonl").read_text().splitlines()):
        assert "".join("01"[bool(c)] for c in line["correct"]) == golden[line["task_id"]]["correct"]

    capsys.readouterr()
    select = ["select", "--matrix", "M.jsonl", "--labels", "L.jsonl", "--selector", "random,codet", "--k", "1", "--format", "json"]
    assert run(select) == 0
    table = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    right = [sum(map(int, task["correct"])) / SOLUTIONS for task in golden.values()]
    assert table["random"]["1"] == pytest.approx(sum(right) / len(right))
    expected = [codet_pass_1(task["passes"], task["correct"]) for task in golden.values()]
    assert table["codet"]["1"] == pytest.approx(sum(expected) / len(expected), abs=0.02)


def codet_pass_1(passes: list[str], correct: str) -> float:
    """CodeT's rule written down once more, slowly: agreement classes by root of size times tests passed; ties merged."""
    score = {row: row.count("1") * math.sqrt(passes.count(row)) for row in passes if "1" in row}
    best = [i for i, row in enumerate(passes) if not score or math.isclose(score.get(row, -1.0), max(score.values()))]
    return sum(int(correct[i]) for i in best) / len(best)
