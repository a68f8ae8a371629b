"""A figure that rounds to nothing has no sign: in lines, tables, JSON and the report."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flows.cli.decide import _span
from flows.cli.show import print_json, print_table
from flows.cli.versions import _slice
from models.comparison import Slice, _points
from tasks.judge_regression import verdict_line
from tasks.publish_comparison import slice_row
from tasks.report_text import interval, number, percent, points, points_between

TINY = -1e-9
ROW = Slice("all", 3, 0.5, (0.1, 0.9), 0.5, (0.1, 0.9), TINY, TINY, -TINY, 0, 0, 1.0)


def judged() -> dict[str, Any]:
    words = {"benchmark": "b", "baseline_run": "r", "problems": 3, "look": 1, "regression": False}
    return {**words, "drop": 0.0, "lo": -TINY, "hi": 0.0, "p_value": 1.0, "level": 0.1, "margin": 0.01}


@pytest.mark.parametrize(
    "shown",
    [
        verdict_line(judged()),
        _points(ROW),
        json.dumps(slice_row(ROW)),
        " ".join(map(str, _slice(slice_row(ROW)))),
        _span({"gain": TINY, "gain_lo": TINY, "gain_hi": TINY}, "gain"),
        *(interval(TINY, TINY), number(-0.0), percent(TINY), points(TINY), points_between(TINY, -TINY)),
    ],
)
def test_what_is_shown_has_no_negative_zero(shown: str) -> None:
    assert "0" in shown
    assert not any(f"{minus}0{end}" in shown for minus in "-\u2212" for end in (".0", ",", "]", "\u00a0"))


def test_nor_has_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": -0.0, "b": [-0.0, -1.5]})
    assert capsys.readouterr().out == '{"a": 0.0, "b": [0.0, -1.5]}\n'
    print_table("t", ("x",), [(-0.0,)])
    assert "-0" not in capsys.readouterr().out
