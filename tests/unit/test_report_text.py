"""Text of the report: nothing hidden, nothing that breaks out, nothing undefined that reads as zero."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from tasks.report_text import (
    MAX_CHARS,
    MAX_LINES,
    UNDEFINED,
    clip,
    finalize,
    interval,
    label,
    number,
    percent,
    plot_label,
    script_json,
    visible,
)

ANY_TEXT = st.text(st.characters(codec=None, categories=None), max_size=200)


@given(ANY_TEXT)
def test_visible_text_encodes_and_hides_nothing(text: str) -> None:
    shown = visible(text)
    assert shown.encode("utf-8").decode("utf-8") == shown
    assert not set(shown) & set("\x00\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\u200b\ufeff\x1b")


def test_visible_spells_out_a_bidirectional_override_and_keeps_layout() -> None:
    assert visible("a\u202eb\n\tc") == "a⟨U+202E⟩b\n\tc"
    assert visible("\ud800") == "⟨U+D800⟩"


def test_finalize_leaves_markup_and_numbers_alone() -> None:
    trusted = Markup("<b>\u202e</b>")
    assert finalize(trusted) is trusted
    assert finalize(3) == 3
    assert finalize("\x00") == "⟨U+0000⟩"


@given(
    st.recursive(
        ANY_TEXT | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner), max_leaves=8
    )
)
def test_script_json_cannot_close_its_tag_and_reads_back(value: object) -> None:
    body = str(script_json(value))
    assert not set(body) & set("<>&\u2028\u2029")
    assert body.isascii()
    assert json.loads(body) == value


def test_script_json_refuses_nan() -> None:
    with pytest.raises(ValueError, match="Out of range"):
        script_json([math.nan])


@given(ANY_TEXT)
def test_plot_label_holds_no_tag_and_is_short(text: str) -> None:
    assert not set(plot_label(text)) & set("<>\n")
    assert 0 < len(label(text)) <= 80


def test_clip_says_what_it_hides() -> None:
    assert clip("a\nb") == ("a\nb", "")
    shown, note = clip("x\n" * (MAX_LINES + 5))
    assert shown.count("\n") == MAX_LINES - 1
    assert "are not shown" in note
    shown, note = clip("y" * (MAX_CHARS + 1))
    assert len(shown) == MAX_CHARS
    assert note == f"1 of {MAX_CHARS + 1:,} characters are not shown"


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.372, "37.2\u00a0%"), (0.0, "0.0\u00a0%"), (0.0001, "< 0.1\u00a0%"), (1.0, "100.0\u00a0%"), (math.nan, UNDEFINED)],
)
def test_percent(value: float, expected: str) -> None:
    assert percent(value) == expected


def test_numbers_and_intervals() -> None:
    assert (number(164.0), number(1.5), number(math.nan)) == ("164", "1.5", UNDEFINED)
    assert interval(0.301, 0.442) == "[30.1, 44.2]"
    assert interval(0.3, math.nan) == UNDEFINED
