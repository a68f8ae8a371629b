"""Every command's --out: a missing folder is made, an existing file is replaced whole, a failure leaves what was there."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest

from flows.__main__ import run
from models.errors import InputError
from models.lines import MatrixLine
from models.matrix import ExecutionContext, PassMatrix
from models.replaced_file import replacing
from models.types import CheckTruth, Labels, Problem, Verdict
from tasks.jsonl import write_lines

CONTEXT = ExecutionContext(sandbox="process", image=None, version="1", timeout_s=1.0, memory_mib=64)


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_missing_folder_is_made_and_a_file_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "f"
    for content in (b"first", b"second"):
        with replacing(path) as stream:
            stream.write(content)
            assert not path.exists() or path.read_bytes() == b"first"
        assert path.read_bytes() == content
    assert names(tmp_path) == ["a", "a/b", "a/b/f"]


def test_a_failure_takes_the_folders_that_it_made_along(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    with pytest.raises(OSError, match="No space") as caught, replacing(tmp_path / "kept" / "a" / "b" / "f"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert caught.value.filename == str(tmp_path / "kept" / "a" / "b" / "f")
    assert names(tmp_path) == ["kept"]


def test_a_place_that_cannot_be_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place, said in ((tmp_path, "is a directory"), (tmp_path / "file" / "f", "cannot be written: a part of its path is a file")):
        with pytest.raises(InputError, match=said), replacing(place):
            pytest.fail("begun")
    assert names(tmp_path) == ["file"]


@pytest.fixture
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty problems with two solutions each, the first one right: P.jsonl, M.jsonl, L.jsonl."""
    monkeypatch.chdir(tmp_path)
    tasks, digests = [f"t{at}" for at in range(20)], ("s0", "s1")
    verdicts = np.array([[Verdict.PASSED], [Verdict.FAILED]], np.uint8)
    matrices = (PassMatrix(t, verdicts, np.ones((2, 1), np.float32), CONTEXT, digests, ("t",)) for t in tasks)
    problem = {"prompt": "def f(x):\n", "entry_point": "f", "style": "function", "ground_truth": CheckTruth(source="")}
    write_lines("P.jsonl", (Problem.model_validate({"task_id": t, **problem}) for t in tasks))
    write_lines("M.jsonl", map(MatrixLine.from_matrix, matrices))
    write_lines("L.jsonl", (Labels(task_id=t, correct=(True, False), solution_digests=digests) for t in tasks))


COMMANDS = [
    ["select", "--matrix", "M.jsonl", "--selector", "majority"],
    ["confidence", "--matrix", "M.jsonl", "--labels", "L.jsonl", "--selector", "majority"],
    ["examples", "--problems", "P.jsonl"],
]


@pytest.mark.usefixtures("_files")
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_commands_agree_on_a_missing_folder_an_old_file_and_a_directory(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = Path("new/er/out.json")
    assert run([*command, "--out", str(out)]) == 0, capsys.readouterr().err
    whole = out.read_text()
    assert json.loads(whole.splitlines()[0]) if command[0] != "confidence" else json.loads(whole)
    out.write_text("old")
    assert run([*command, "--out", str(out)]) == 0
    assert out.read_text() == whole
    assert run([*command, "--out", "new"]) == 2
    assert capsys.readouterr().err.endswith("coderm: new: is a directory; expected a file name\n")
    assert names(Path("new")) == ["er", "er/out.json"]
