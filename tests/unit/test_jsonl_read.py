"""Reading: whatever is wrong with a file is one line that names file, line and field; what is right comes back as it was."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InputError, MalformedLine
from models.types import Labels, Problem, Ranking, SolutionSet, TestSet, UnitTest
from tasks.jsonl import encode_line, read_lines, read_objects, write_lines
from tasks.load_problems import load_problems

SETS = [SolutionSet(task_id=f"t/{i}", solutions=("x = 'é'\n" * i, "\ud800")) for i in range(3)]
PLAIN = b"".join(encode_line(s) for s in SETS)
UTF8 = PLAIN.replace(rb"\u00e9", "é".encode())
PACKED = gzip.compress(PLAIN, mtime=0)
PROBLEM = {
    "task_id": "t/0", "prompt": "p", "entry_point": "f", "style": "function", "preamble": "", "reference": None,
    "ground_truth": {"kind": "check", "source": "def check(candidate): ..."},
}  # fmt: skip


def put(folder: Path, data: bytes | str, name: str = "s.jsonl") -> Path:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def malformed(path: Path, model: type = SolutionSet) -> MalformedLine:
    with pytest.raises(MalformedLine) as caught:
        list(read_lines(path, model))
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{path}:{caught.value.line}")
    return caught.value


@given(cut=st.integers(0, len(UTF8)))
def test_a_cut_at_any_byte_is_named_or_falls_between_two_lines(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    path = put(tmp_path_factory.getbasetemp(), UTF8[:cut], "cut.jsonl")
    whole = UTF8[:cut].count(b"\n")
    ends_whole = cut == 0 or UTF8[cut - 1 : cut] == b"\n" or UTF8[cut : cut + 1] == b"\n"
    if ends_whole:
        assert list(read_lines(path, SolutionSet)) == SETS[: whole + (UTF8[cut - 1 : cut] != b"\n" and cut > 0)]
    else:
        assert malformed(path).line == whole + 1


@pytest.mark.parametrize("cut", range(len(PACKED)))
def test_a_gzip_cut_at_any_byte_is_named(tmp_path: Path, cut: int) -> None:
    path = put(tmp_path, PACKED[:cut], "cut.jsonl.gz")
    assert 1 <= malformed(path).line <= len(SETS) + 1


@pytest.mark.parametrize("name", ["s.jsonl.gz", "s.jsonl"])
def test_gzip_is_known_by_its_first_bytes_too(tmp_path: Path, name: str) -> None:
    assert list(read_lines(put(tmp_path, PACKED, name), SolutionSet)) == SETS


def test_a_file_named_gz_that_is_none_is_named(tmp_path: Path) -> None:
    assert "gzip" in malformed(put(tmp_path, PLAIN, "s.jsonl.gz")).expected


@pytest.mark.parametrize(
    ("line", "field", "said"),
    [
        ('{"task_id": "a"', "", "expected one JSON object"),
        ("[1]", "", "found [1]"),
        ("3", "", "found 3"),
        ('{"task_id": "a"}', "solutions", "is missing"),
        ('{"task_id": "a", "solutions": "x"}', "solutions", 'expected a list, found "x"'),
        ('{"task_id": "a", "solutions": null}', "solutions", "expected a list, found null"),
        ('{"task_id": "a", "solutions": ["x", 5]}', "solutions[1]", "expected a string"),
        ('{"task_id": "", "solutions": []}', "task_id", "at least 1"),
        ('{"task_id": 7, "solutions": []}', "task_id", "found 7"),
        ('{"task_id": "a", "solutions": [], "extra": 1}', "extra", "no such field"),
        ("[" * 100_000, "", "expected one JSON object"),
    ],
)
def test_a_wrong_line_names_its_field(tmp_path: Path, line: str, field: str, said: str) -> None:
    error = malformed(put(tmp_path, PLAIN + b"\n" + line.encode() + b"\n"))
    assert (error.line, error.field) == (5, field)
    assert said in error.expected


def test_bytes_that_are_not_utf8_are_named(tmp_path: Path) -> None:
    assert "0xff at offset 3" in malformed(put(tmp_path, b'{"a\xff": 1}\n')).expected


def test_a_task_that_stands_twice_is_named_with_both_lines(tmp_path: Path) -> None:
    error = malformed(put(tmp_path, PLAIN + encode_line(SETS[1])))
    assert (error.line, error.field) == (4, "task_id")
    assert "line 2" in error.expected


def test_a_task_that_another_file_does_not_know_is_named_with_its_line(tmp_path: Path) -> None:
    path = put(tmp_path, PLAIN)
    with pytest.raises(MalformedLine, match=r"s\.jsonl:2: field 'task_id': 't/1' is not in P\.jsonl; expected only its tasks"):
        list(read_lines(path, SolutionSet, {"t/0": 1}, "P.jsonl"))


def test_a_ranking_may_have_one_line_a_selector(tmp_path: Path) -> None:
    rankings = [Ranking(task_id="a", selector=s, order=((0,),)) for s in ("codet", "majority")]
    write_lines(tmp_path / "r.jsonl", rankings)
    assert list(read_lines(tmp_path / "r.jsonl", Ranking)) == rankings
    write_lines(tmp_path / "r.jsonl", [*rankings, rankings[0]])
    assert malformed(tmp_path / "r.jsonl", Ranking).line == 3


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"style": "funktion"}, "style"),
        ({"ground_truth": {"kind": "asserts", "asserts": []}}, "ground_truth.asserts"),
        ({"ground_truth": {"kind": "?"}}, "ground_truth"),
        ({"limits": {"timeout_s": 0}}, "limits.timeout_s"),
        ({"entry_point": None}, ""),
    ],
)
def test_a_wrong_problem_names_the_field_inside(tmp_path: Path, change: dict[str, object], field: str) -> None:
    assert malformed(put(tmp_path, json.dumps({**PROBLEM, **change})), Problem).field == field


def test_labels_of_another_length_are_refused(tmp_path: Path) -> None:
    error = malformed(put(tmp_path, '{"task_id": "a", "correct": [true], "solution_digests": []}'), Labels)
    assert "1 labels for 0 solution_digests" in error.expected


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no such file"):
        list(read_lines(tmp_path / "none.jsonl", SolutionSet))
    with pytest.raises(InputError, match="directory"):
        list(read_lines(tmp_path, SolutionSet))
    path = put(tmp_path, PLAIN)

    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(InputError, match="Permission denied"):
        list(read_lines(path, SolutionSet))


def test_reading_is_a_stream(tmp_path: Path) -> None:
    path = put(tmp_path, PLAIN + b"not JSON\n")
    assert next(read_lines(path, SolutionSet)) == SETS[0]


def test_blank_lines_say_nothing_and_arrays_only_where_asked(tmp_path: Path) -> None:
    assert [n for n, _ in read_objects(put(tmp_path, '{"a": 1}\n\n  \r\n{"a": 2}\r\n'))] == [1, 4]
    path = put(tmp_path, '[{"a": 1}, {"a": 2}]')
    assert [v["a"] for _, v in read_objects(path, arrays=True)] == [1, 2]
    with pytest.raises(MalformedLine, match=r"found \[\{"):
        list(read_objects(path))
    with pytest.raises(MalformedLine, match=":2: expected one JSON object a line, found 2"):
        list(read_objects(put(tmp_path, '[{"a": 1}, 2]'), arrays=True))


def test_problems_are_limited_and_an_empty_benchmark_is_refused(tmp_path: Path) -> None:
    lines = "\n".join(json.dumps({**PROBLEM, "task_id": f"t/{i}"}) for i in range(3))
    assert list(load_problems(put(tmp_path, lines), 2)) == ["t/0", "t/1"]
    assert len(load_problems(put(tmp_path, lines))) == 3
    with pytest.raises(InputError, match="holds no problem"):
        load_problems(put(tmp_path, b""))


TEXT = st.text(st.characters())  # lone surrogates included
TESTS = st.one_of(
    st.builds(lambda s, o: UnitTest(source=s, origin=o), TEXT, st.sampled_from(["statement", "generated"])),
    st.builds(lambda i, o: UnitTest(stdin=i, stdout=o), TEXT, TEXT),
)


@given(sources=st.lists(TEXT, max_size=4), tests=st.lists(TESTS, max_size=4), packed=st.booleans())
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, sources: list[str], tests: list[UnitTest], packed: bool
) -> None:
    folder, suffix = tmp_path_factory.getbasetemp(), ".gz" if packed else ""
    solutions, test_set = SolutionSet(task_id="a", solutions=tuple(sources)), TestSet(task_id="a", tests=tuple(tests))
    write_lines(folder / f"rt-s.jsonl{suffix}", [solutions])
    write_lines(folder / f"rt-t.jsonl{suffix}", [test_set])
    assert list(read_lines(folder / f"rt-s.jsonl{suffix}", SolutionSet)) == [solutions]
    assert list(read_lines(folder / f"rt-t.jsonl{suffix}", TestSet)) == [test_set]
