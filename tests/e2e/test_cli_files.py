"""The commands that scripts call, as scripts call them: files in, files out, exit codes, one line for every mistake."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.__main__ import run

PROBLEM = {
    "task_id": "add",
    "prompt": "Add two numbers.",
    "entry_point": "add",
    "style": "function",
    "preamble": "import math\n",
    "reference": "def add(a, b):\n    return a + b\n",
    "ground_truth": {
        "kind": "check",
        "source": "def check(candidate):\n    assert candidate(2, 3) == 5\n    assert candidate(-1, 1) == 0\n",
    },
}
SOLUTIONS = {
    "task_id": "add",
    "solutions": [
        "def add(a, b):\n    return a - b\n",
        "def add(a, b):\n    return a + b\n",
        "def add(a, b):\n    return b + a\n",
        "def add(:\n",
    ],
}
TESTS = {
    "task_id": "add",
    "tests": ["assert add(1, 0) == 1", "assert add(2, 2) == 4", "assert add(2, 2) == 4", "assert add(1, 1) == 3"],
}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, line in (("P", PROBLEM), ("S", SOLUTIONS), ("T", TESTS)):
        Path(f"{name}.jsonl").write_text(json.dumps(line) + "\n")
    return tmp_path


def execute(*extra: str) -> int:
    return run(["execute", "--solutions", "S.jsonl", "--tests", "T.jsonl", "--out", "M.jsonl", "--sandbox", "process", *extra])


def last_json(text: str) -> dict[str, object]:
    return dict(json.loads(text.strip().splitlines()[-1]))


def test_from_files_to_the_decision(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute() == 0
    done = last_json(capsys.readouterr().out)
    assert (done["cells"], done["executed"], done["reused"], done["sandbox"]) == (16, 12, 0, "process")
    assert done["verdicts"] == {"invalid_solution": 4, "failed": 5, "passed": 7}
    (line,) = [json.loads(x) for x in Path("M.jsonl").read_text().splitlines()]
    assert line["verdicts"][1] == ["passed", "passed", "passed", "failed"]
    assert line["verdicts"][3] == ["invalid_solution"] * 4

    label = ["label", "--problems", "P.jsonl", "--solutions", "S.jsonl", "--out", "L.jsonl", "--sandbox", "process"]
    assert run(label) == 0
    assert json.loads(Path("L.jsonl").read_text())["correct"] == [False, True, True, False]

    capsys.readouterr()
    select = ["select", "--matrix", "M.jsonl", "--labels", "L.jsonl", "--k", "1", "--format", "json", "--out", "R.jsonl"]
    assert run([*select, "--selector", "random,majority,codet,oracle"]) == 0
    table = last_json(capsys.readouterr().out)
    assert table == {"random": {"1": 0.5}, "majority": {"1": 1.0}, "codet": {"1": 1.0}, "oracle": {"1": 1.0}}
    assert json.loads(Path("R.jsonl").read_text().splitlines()[1])["order"][0] == [1, 2]

    budget = ["budget", "--matrix", "M.jsonl", "--labels", "L.jsonl", "--budgets", "1,2", "--orders", "10", "--format", "json"]
    assert run(budget) == 0
    curves = last_json(capsys.readouterr().out)
    assert set(curves) >= {"all", "equal", "greedy", "greedy-gold"}


def test_the_tests_are_measured_on_the_candidates_the_reference_and_its_mutants(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute() == 0
    assert run(["label", "--problems", "P.jsonl", "--solutions", "S.jsonl", "--out", "L.jsonl", "--sandbox", "process"]) == 0
    capsys.readouterr()
    quality = ["quality", "--matrix", "M.jsonl", "--labels", "L.jsonl", "--format", "json", "--sandbox", "process"]
    assert run(quality) == 0
    plain = last_json(capsys.readouterr().out)
    assert run([*quality, "--problems", "P.jsonl", "--tests", "T.jsonl", "--mutants", "9"]) == 0
    measured = last_json(capsys.readouterr().out)
    assert "reference" not in plain
    assert {name: measured[name] for name in plain} == plain
    assert plain["cure"] == {"accuracy": 0.75, "p01": 5 / 6, "p00": 0.0, "tests": 4.0}
    reference, mutation = measured["reference"], measured["mutation"]
    assert isinstance(reference, dict)
    assert isinstance(mutation, dict)
    assert reference == {"pass_rate": 0.75, "failure_rate": 0.25, "error_rate": 0.0, "tests": 4.0, "problems": 1.0, "without": 0.0}
    assert mutation["mutants"] == mutation["proven"] == 2, "a + b → a - b, and no result"
    assert mutation["kill_rate"] == mutation["kill_rate_proven"] == 1.0
    assert run([*quality, "--mutants", "9"]) == 2
    assert "--problems and --tests go together" in capsys.readouterr().err


def test_a_confidence_is_fitted_loaded_and_withholds(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """24 problems of two solutions: three tests agree on the right one, or one test alone prefers the wrong one."""
    context = {"sandbox": "process", "image": None, "version": "1", "timeout_s": 1.0, "memory_mib": 512}
    matrices, labels = [], []
    for k in range(24):
        rows = [["passed"] * 3, ["failed"] * 3] if k % 2 else [["failed", "failed", "passed"], ["failed"] * 3]
        names = {"task_id": f"t{k}", "solution_digests": [f"{k}a", f"{k}b"]}
        cells = {"verdicts": rows, "duration_ms": [[1.0] * 3] * 2, "flags": [[[]] * 3] * 2, "context": context}
        matrices.append({**names, **cells, "test_digests": ["x", "y", "z"]})
        labels.append({**names, "correct": [k % 2 == 1, k % 2 == 0]})
    for name, lines in (("M", matrices), ("L", labels)):
        Path(f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert run(["confidence", "--matrix", "M.jsonl", "--labels", "L.jsonl", "--out", "C.json", "--format", "json"]) == 0
    fitted = last_json(capsys.readouterr().out)
    assert (fitted["selector"], fitted["problems"], fitted["pass_1"], fitted["auroc"]) == ("b4-outputs", 24, 0.5, 1.0)

    select = ["select", "--matrix", "M.jsonl", "--selector", "b4-outputs,majority", "--format", "json", "--out", "R.jsonl"]
    assert run([*select, "--calibrator", "C.json", "--abstain-below", "0.5"]) == 0
    table = last_json(capsys.readouterr().out)
    assert table["b4-outputs"] == {"confidence": {"known": 24.0, "mean": pytest.approx(0.5), "abstained": 12.0}}
    assert table["majority"] == {}, "a calibrator speaks for its own selector"
    ranked = [json.loads(line) for line in Path("R.jsonl").read_text().splitlines()]
    assert [(line["confidence"] < 0.5, line["abstained"]) for line in ranked[:24]] == [(True, True), (False, False)] * 12
    assert set(ranked[24]) == {"task_id", "selector", "order"}

    assert run([*select, "--labels", "L.jsonl", "--k", "1", "--abstain-below", "0.5"]) == 0
    table = last_json(capsys.readouterr().out)
    found = table["majority"]
    assert isinstance(found, dict)
    assert (found["1"], found["confidence"]["coverage"], found["confidence"]["selective_pass_1"]) == (0.5, 0.5, 1.0)
    assert run([*select, "--abstain-below", "0.5"]) == 2
    assert "--abstain-below needs --calibrator, or --labels" in capsys.readouterr().err
    assert run([*select[:3], "--selector", "codet", "--calibrator", "C.json"]) == 2
    assert "calibrates selector 'b4-outputs'; expected one of: codet" in capsys.readouterr().err


def test_a_second_execution_takes_known_cells_from_the_store(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute() == 0
    first = Path("M.jsonl").read_text()
    capsys.readouterr()
    assert execute() == 0
    done = last_json(capsys.readouterr().out)
    assert (done["executed"], done["reused"]) == (0, 16)
    again = json.loads(Path("M.jsonl").read_text())
    for field in ("verdicts", "outputs", "output_values"):
        assert json.loads(first)[field] == again[field]
    digest = again["outputs"][1][1]
    assert again["output_values"][digest] == "4"
    assert again["outputs"][3] == [None] * 4


def test_srank_uses_what_the_solutions_returned(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two right ones pass as many tests as three wrong ones, and agree everywhere; the wrong ones fail in three ways."""
    wrong = [f"def add(a, b):\n    return 2 if a == 1 else {value}\n" for value in (7, 8, 9)]
    right = [
        "def add(a, b):\n    return (a, b)[0] + b if a != 1 else 0\n",
        "def add(a, b):\n    return sum((a, b)) if a - 1 else 0\n",
    ]
    Path("S.jsonl").write_text(json.dumps({"task_id": "add", "solutions": [*wrong, *right]}))
    tests = ["assert add(1, 1) == 2", "assert add(5, 5) == 10", "assert add(2, 3) == 0", "assert add(3, 3) == 0"]
    Path("T.jsonl").write_text(json.dumps({"task_id": "add", "tests": tests}))
    assert execute("--no-cache") == 0
    assert run(["select", "--matrix", "M.jsonl", "--selector", "srank,majority", "--out", "R.jsonl"]) == 0
    srank, majority = (json.loads(line)["order"] for line in Path("R.jsonl").read_text().splitlines())
    assert majority[0] == [0, 1, 2]  # the larger class of equal votes
    assert srank[0] == [3, 4]
    without = {k: v for k, v in json.loads(Path("M.jsonl").read_text()).items() if not k.startswith("output")}
    Path("N.jsonl").write_text(json.dumps(without))
    assert run(["select", "--matrix", "N.jsonl", "--selector", "srank", "--out", "Q.jsonl"]) == 0
    assert json.loads(Path("Q.jsonl").read_text())["order"][0] == [0, 1, 2]


def test_no_cache_neither_reads_nor_writes_the_store(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute("--no-cache") == 0
    assert execute() == 0
    assert last_json(capsys.readouterr().out)["reused"] == 0
    assert execute("--no-cache") == 0
    assert last_json(capsys.readouterr().out)["reused"] == 0


def test_gzip_goes_in_and_out(files: Path) -> None:
    Path("S.jsonl.gz").write_bytes(gzip.compress(Path("S.jsonl").read_bytes()))
    argv = ["execute", "--solutions", "S.jsonl.gz", "--tests", "T.jsonl", "--out", "M.jsonl.gz", "--sandbox", "process"]
    assert run(argv) == 0
    assert json.loads(gzip.decompress(Path("M.jsonl.gz").read_bytes()))["task_id"] == "add"


@pytest.mark.parametrize(
    ("broken", "content", "said"),
    [
        ("S.jsonl", '{"task_id": "add", "solutions": ["x"', ("S.jsonl:1", "cut off")),
        ("S.jsonl", '{"task_id": "add", "solutions": "x"}\n', ("S.jsonl:1", "solutions")),
        ("S.jsonl", '{"task_id": "add", "solutions": [], "extra": 1}\n', ("S.jsonl:1", "extra")),
        ("T.jsonl", '{"task_id": "other", "tests": []}\n', ("T.jsonl", "other")),
        ("T.jsonl", '{"task_id": "add", "tests": [{"stdin": "1"}]}\n', ("T.jsonl:1", "stdout")),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_written(
    files: Path, capsys: pytest.CaptureFixture[str], broken: str, content: str, said: tuple[str, ...]
) -> None:
    Path(broken).write_text(content)
    assert execute() == 2
    error = capsys.readouterr().err.strip()
    assert len(error.splitlines()) == 1
    assert all(part in error for part in said)
    assert not Path("M.jsonl").exists()


def test_labels_of_another_solution_set_are_refused(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute() == 0
    Path("L.jsonl").write_text(json.dumps({"task_id": "add", "correct": [True], "solution_digests": ["0" * 32]}) + "\n")
    assert run(["select", "--matrix", "M.jsonl", "--labels", "L.jsonl"]) == 2
    assert "another solution set" in capsys.readouterr().err


@pytest.mark.parametrize(
    "argv",
    [
        ["execute", "--solutions", "absent.jsonl", "--tests", "T.jsonl", "--out", "M.jsonl"],
        ["execute", "--solutions", "S.jsonl", "--tests", "T.jsonl", "--out", "M.jsonl", "--timeout-s", "0"],
        ["execute", "--solutions", "S.jsonl", "--tests", "T.jsonl", "--out", "M.jsonl", "--sandbox", "vm"],
        ["select", "--matrix", "absent.jsonl"],
        ["select", "--matrix", "M.jsonl", "--k", "0"],
        ["import", "nonsense", "S.jsonl", "--out", "x"],
        ["runs", "show", "nothing"],
        ["nonsense"],
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(files: Path, capsys: pytest.CaptureFixture[str], argv: list[str]) -> None:
    assert run(argv) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_a_dead_engine_is_exit_code_3(files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("CODERM_DOCKER_HOST", f"unix://{files}/no-engine.sock")
    assert run(["execute", "--solutions", "S.jsonl", "--tests", "T.jsonl", "--out", "M.jsonl", "--sandbox", "docker"]) == 3
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert not Path("M.jsonl").exists()


def test_an_unreachable_database_is_exit_code_3_and_keeps_its_secret(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CODERM_DATABASE_URL", "postgresql://user:hunter2@127.0.0.1:1/coderm")
    assert execute() == 3
    error = capsys.readouterr().err.strip()
    assert len(error.splitlines()) == 1
    assert "hunter2" not in error


def test_a_wrong_environment_variable_is_named(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CODERM_LOG_LEVEL", "LOUD")
    assert execute() == 2
    assert "CODERM_LOG_LEVEL" in capsys.readouterr().err


def test_a_configuration_with_an_unknown_key_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "run.toml"
    path.write_text(
        '[benchmark]\nname = "x"\nproblems = "P.jsonl"\ncolour = 1\n[policy]\npath = "S.jsonl"\n[tests]\npath = "T.jsonl"\n'
    )
    assert run(["run", str(path)]) == 2
    error = capsys.readouterr().err.strip()
    assert len(error.splitlines()) == 1
    assert "benchmark.colour" in error
    assert "run.toml" in error


def test_wrong_arguments_name_the_help_of_their_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["runs", "show"]) == 2
    assert "`coderm runs show --help`" in capsys.readouterr().err


def test_labels_that_could_not_be_written_are_not_judged_first(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CODERM_DOCKER_HOST", f"unix://{files}/no-engine.sock")  # judging would be exit code 3
    assert run(["label", "--problems", "P.jsonl", "--solutions", "S.jsonl", "--out", "P.jsonl/L.jsonl", "--sandbox", "docker"]) == 2
    assert "P.jsonl/L.jsonl: cannot be written" in capsys.readouterr().err


def test_a_reader_that_left_and_a_full_disk_are_no_bad_answer(repo_root: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "flows", "--help"]
    with os.fdopen(writer, "w") as gone, Path("/dev/full").open("w") as full:
        ended = [subprocess.run(command, cwd=repo_root, stdout=out, stderr=subprocess.PIPE, check=False) for out in (gone, full)]
    assert [(e.returncode, e.stderr) for e in ended] == [
        (141, b""),
        (3, b"coderm: output: No space left on device; make room or give leave, and run again\n"),
    ]


INTERRUPTED_IMPORT = """
import sys

class CtrlC:
    def find_spec(self, name, *_):
        if name == "flows.cli.app":
            raise KeyboardInterrupt

sys.meta_path.insert(0, CtrlC())
from flows.__main__ import main
main(["--help"])
"""


def test_ctrl_c_in_the_first_second_is_one_line_too(repo_root: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", INTERRUPTED_IMPORT], cwd=repo_root, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (130, "coderm: interrupted; nothing half-written was kept\n")


CAUGHT_IN_A_COLLECTION = """
import os, signal, time, weakref
import flows.__main__ as command

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs start with it ignored

class Gone:
    pass

def work(_):
    thing = Gone()
    kept = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGINT))
    del thing
    time.sleep(60)
    return 0

command.run = work
command.main()
"""


def test_ctrl_c_is_not_lost_in_a_collection(repo_root: Path) -> None:
    command = [sys.executable, "-c", CAUGHT_IN_A_COLLECTION]
    ended = subprocess.run(command, cwd=repo_root, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (130, "coderm: interrupted; nothing half-written was kept\n")
