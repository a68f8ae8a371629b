"""A recording that cannot serve a run is named before anything starts, in a dry run too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows.__main__ import run
from tasks.check_recordings import check_recordings
from tasks.read_config import read_config
from tasks.settings import demo_dir


def config_of(folder: Path) -> Path:
    """The demo's configuration beside one problem of it; as an editor on Windows writes it, with a byte order mark."""
    for name in ("problems", "solutions", "tests"):
        first = (demo_dir() / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()[0]
        (folder / f"{name}.jsonl").write_text(first + "\n", encoding="utf-8-sig")
    path = folder / "run.toml"
    path.write_text((demo_dir() / "demo.toml").read_text(encoding="utf-8"), encoding="utf-8-sig")
    return path


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("policy.path=none.jsonl", "none.jsonl: no such file"),
        ("tests.path=solutions.jsonl", "solutions.jsonl:1: field 'tests': is missing"),
        ("n_solutions=17", "17 solutions were asked for and 16 are recorded"),
        ("n_tests=17", "17 tests were asked for and 16 are recorded"),
    ],
)
def test_it_is_one_line_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str], override: str, said: str) -> None:
    path = config_of(tmp_path)
    assert run(["run", str(path), "--dry-run", "--set", override]) == 2
    error = capsys.readouterr().err.strip()
    assert said in error
    assert len(error.splitlines()) == 1


def test_what_is_not_asked_is_not_needed(tmp_path: Path) -> None:
    path = config_of(tmp_path)
    check_recordings(read_config(path))
    solutions = json.loads((tmp_path / "solutions.jsonl").read_text(encoding="utf-8-sig"))
    (tmp_path / "tests.jsonl").write_text(json.dumps({"task_id": solutions["task_id"], "tests": []}) + "\n")
    check_recordings(read_config(path, ["n_tests=0"]))
