"""Writing: a file is there whole or not at all, alone or as a group."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.errors import InputError
from models.types import CheckTruth, Problem, SolutionSet, TestSet
from tasks.jsonl import atomic_group, encode_line, write_lines

ONE = SolutionSet(task_id="a", solutions=("x",))


def breaking(error: BaseException) -> Iterator[SolutionSet]:
    yield ONE
    raise error


@pytest.mark.parametrize("error", [ValueError("bad"), KeyboardInterrupt(), OSError(28, "No space left on device")])
@pytest.mark.parametrize("name", ["s.jsonl", "s.jsonl.gz"])
def test_an_error_or_interrupt_leaves_the_old_file(tmp_path: Path, error: BaseException, name: str) -> None:
    path = tmp_path / name
    path.write_text("old")
    with pytest.raises(type(error)):
        write_lines(path, breaking(error))
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_an_error_leaves_no_new_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="bad"):
        write_lines(tmp_path / "s.jsonl", breaking(ValueError("bad")))
    assert not list(tmp_path.iterdir())


def test_the_count_comes_back_and_the_bytes_repeat(tmp_path: Path) -> None:
    assert write_lines(tmp_path / "a.jsonl.gz", [ONE, ONE]) == 2
    first = (tmp_path / "a.jsonl.gz").read_bytes()
    write_lines(tmp_path / "b.jsonl.gz", [ONE, ONE])
    assert first == (tmp_path / "b.jsonl.gz").read_bytes()
    assert write_lines(tmp_path / "none.jsonl", []) == 0
    assert (tmp_path / "none.jsonl").read_bytes() == b""


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        write_lines(Path("/proc/no/such/s.jsonl"), [ONE])
    with pytest.raises(InputError, match="is a directory"):
        write_lines(tmp_path, breaking(AssertionError("asked for a record, which may be hours of cells")))
    assert not list(tmp_path.iterdir())


def test_a_link_keeps_pointing_and_a_pipe_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "real.jsonl").write_text("old")
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "real.jsonl")
    write_lines(tmp_path / "link.jsonl", [ONE])
    assert (tmp_path / "link.jsonl").is_symlink()
    assert (tmp_path / "real.jsonl").read_bytes() == encode_line(ONE)
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_lines(tmp_path / "pipe", [ONE])
    assert os.read(reader, 1000) == encode_line(ONE)
    os.close(reader)
    assert (tmp_path / "pipe").is_fifo()
    reader, writer = os.pipe()
    write_lines(f"/dev/fd/{writer}", [ONE])  # as --out /dev/stdout in a pipeline
    assert os.read(reader, 1000) == encode_line(ONE)
    os.close(reader)
    os.close(writer)


def test_absent_fields_are_absent_and_the_others_are_null() -> None:
    problem = Problem(task_id="a", prompt="p", entry_point="f", style="function", ground_truth=CheckTruth(source="x"))
    assert list(json.loads(encode_line(problem))) == [
        "task_id", "prompt", "entry_point", "style", "preamble", "reference", "ground_truth",
    ]  # fmt: skip
    assert json.loads(encode_line(TestSet(task_id="a", tests=("assert f()",)))) == {"task_id": "a", "tests": ["assert f()"]}  # type: ignore[arg-type]


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_group_that_breaks_leaves_everything_as_it_was(tmp_path: Path, exists: bool, error: type[BaseException]) -> None:
    target = tmp_path / "out"
    if exists:
        target.mkdir()
        (target / "a").write_text("old")

    def broken() -> None:
        with atomic_group(target) as staging:
            (staging / "a").write_text("new")
            raise error

    with pytest.raises(error):
        broken()
    assert [p.name for p in tmp_path.iterdir()] == (["out"] if exists else [])
    assert not exists or (target / "a").read_text() == "old"


def test_a_group_replaces_its_files_and_keeps_others(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "out"
    for text in ("one", "two"):
        with atomic_group(target) as staging:
            (staging / "a").write_text(text)
        (target / "other").write_text("mine")
    assert {p.name: p.read_text() for p in target.iterdir()} == {"a": "two", "other": "mine"}
    assert [p.name for p in target.parent.iterdir()] == ["out"]


def test_a_group_whose_second_rename_fails_is_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("old")
    rename = Path.rename

    def refuse_c(self: Path, target: Path) -> Path:
        if self.name == "c":
            raise PermissionError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse_c)

    def publish() -> None:
        with atomic_group(tmp_path) as staging:
            for name in ("a", "b", "c"):
                (staging / name).write_text("new")

    with pytest.raises(InputError, match="cannot be written: Permission denied"):
        publish()
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"a": "old"}


def test_a_group_refuses_a_file_as_its_folder(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    with pytest.raises(InputError, match="is a file"), atomic_group(tmp_path / "f"):
        pass
    with pytest.raises(InputError, match="cannot be written"), atomic_group(tmp_path / "f" / "g"):
        pass
