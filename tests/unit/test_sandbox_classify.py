"""Evidence to verdict: every ending with every letter, in the order of README.md."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.types import Verdict
from sandbox.classify import Evidence, classify, flags
from sandbox.guest import report, wire

ENDINGS = ("exit", "cpu", "wall", "oom", "infra")
LETTERS = (*sorted(report.LETTERS), report.NOTHING, report.GARBLED)
STATUSES = (0, 1, -9, -11)


def seen(ending: str = "exit", letter: str = "P", status: int = 0, output: str | None = None) -> Evidence:
    return Evidence(ending, letter, status, 1.0, 2.0, output=output)


@pytest.mark.parametrize(
    ("ending", "verdict"),
    [("infra", Verdict.NOT_RUN), ("cpu", Verdict.TIMEOUT), ("wall", Verdict.TIMEOUT), ("oom", Verdict.OUT_OF_MEMORY)],
)
@pytest.mark.parametrize("letter", LETTERS)
@pytest.mark.parametrize("status", STATUSES)
def test_the_ending_comes_before_what_the_cell_says(ending: str, verdict: Verdict, letter: str, status: int) -> None:
    assert classify(seen(ending, letter, status)) is verdict
    assert classify(seen(ending, letter, status, "d"), "d") is verdict


@pytest.mark.parametrize(
    ("letter", "verdict"),
    [
        ("P", Verdict.PASSED),
        ("F", Verdict.FAILED),
        ("E", Verdict.ERROR),
        ("S", Verdict.INVALID_SOLUTION),
        ("T", Verdict.INVALID_TEST),
        ("M", Verdict.OUT_OF_MEMORY),
        ("-", Verdict.CRASHED),
        ("?", Verdict.TAMPERED),
    ],
)
def test_function_cell_with_status_zero(letter: str, verdict: Verdict) -> None:
    assert classify(seen(letter=letter)) is verdict


@pytest.mark.parametrize("status", [s for s in STATUSES if s])
@pytest.mark.parametrize("letter", LETTERS)
def test_function_cell_that_ended_badly(letter: str, status: int) -> None:
    expected = {"P": Verdict.TAMPERED, "?": Verdict.TAMPERED, "M": Verdict.OUT_OF_MEMORY}
    assert classify(seen(letter=letter, status=status)) is expected.get(letter, Verdict.CRASHED)


@pytest.mark.parametrize(
    ("letter", "status", "output", "verdict"),
    [
        ("-", 0, "right", Verdict.PASSED),
        ("-", 0, "wrong", Verdict.FAILED),
        ("-", 3, "right", Verdict.ERROR),
        ("-", -9, "right", Verdict.CRASHED),
        ("E", 1, "right", Verdict.ERROR),
        ("E", 0, "right", Verdict.ERROR),
        ("E", -11, "right", Verdict.CRASHED),
        ("S", 0, "right", Verdict.INVALID_SOLUTION),
        ("M", 1, "right", Verdict.OUT_OF_MEMORY),
        ("P", 0, "right", Verdict.TAMPERED),
        ("?", 0, "right", Verdict.TAMPERED),
    ],
)
def test_stdin_program(letter: str, status: int, output: str, verdict: Verdict) -> None:
    assert classify(seen(letter=letter, status=status, output=output), "right") is verdict


def test_a_pass_needs_everything() -> None:
    """Over the whole table only one row of evidence passes for each style."""
    table = list(itertools.product(ENDINGS, LETTERS, STATUSES))
    assert [row for row in table if classify(seen(*row)) is Verdict.PASSED] == [("exit", "P", 0)]
    programs = [row for row in table if classify(seen(*row, output="right"), "right") is Verdict.PASSED]
    assert all(row[0] == "exit" and row[2] == 0 and row[1] not in ("P", "?", "E", "M", "S") for row in programs)


@pytest.mark.parametrize(("cpu_ms", "near"), [(700.0, False), (801.0, True), (1003.0, True)])
def test_near_limit(cpu_ms: float, near: bool) -> None:
    evidence = Evidence("exit", "P", 0, cpu_ms, 5.0)
    assert (flags(evidence, Verdict.PASSED, 1.0) == ("near_limit",)) is near
    assert flags(evidence, Verdict.TIMEOUT, 1.0) == ()


@given(st.binary(max_size=200))
def test_no_bytes_without_the_nonce_are_a_message(data: bytes) -> None:
    letter, _ = report.parse(b"0123456789abcdef", data)
    assert letter == (report.NOTHING if not data else report.GARBLED)


@given(st.sampled_from(sorted(report.LETTERS)), st.text(max_size=6000))
def test_a_message_survives_and_a_second_one_spoils_it(letter: str, detail: str) -> None:
    nonce = b"0123456789abcdef"
    message = report.compose(nonce, letter, detail)
    assert len(message) <= report.MAX_MESSAGE
    assert report.parse(nonce, message)[0] == letter
    assert report.parse(nonce, message + message)[0] == report.GARBLED
    assert report.parse(nonce, message[:-1])[0] == report.GARBLED


@given(st.lists(st.text(alphabet="ab \t", max_size=5), max_size=6), st.sampled_from(["", "\n", "\n\n", " \n \t\n"]))
def test_output_ignores_trailing_blanks_and_lines(lines: list[str], tail: str) -> None:
    text = "\n".join(lines)
    padded = "\n".join(line + " \t" for line in lines) + tail
    assert wire.output_digest(text.encode()) == wire.output_digest(padded.encode())


def test_leading_blanks_and_inner_lines_count() -> None:
    assert wire.output_digest(b" 8") != wire.output_digest(b"8")
    assert wire.output_digest(b"8\n\n9") != wire.output_digest(b"8\n9")


@pytest.mark.parametrize("broken", [["exit"], ["exit", "P", "0", 1, 1, "", None, None, []], [1, "P", 0, 1, 1, "", None, None, []]])
def test_evidence_of_the_wrong_shape_is_refused(broken: list[object]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the message names nothing of ours when unpacking fails
        Evidence.from_wire(broken)
