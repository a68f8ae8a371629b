"""The page as a whole and the choices that it explains, on small hand-made runs."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import math
import re
import zlib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.errors import InputError
from models.matrix import ExecutionContext, PassMatrix
from models.run_record import Allocation, GateResult, RunRecord
from models.types import CheckTruth, Labels, Problem, Ranking, SolutionSet, StdinCase, StdinTruth, TestSet, UnitTest
from tasks import report_pack
from tasks.report import render_report, write_report
from tasks.report_choices import beside, best_wins, choose, explain, wrong_choices
from tasks.report_pack import packed_problem, packed_problems
from tasks.report_tables import default_selector, pass_ks, selector_rows, undefined_metrics

HOSTILE = "</script><script>window.pwned=1</script><img src=x onerror=alert(1)>\u202e\x00\ud800"
CONTEXT = ExecutionContext(sandbox="process", image=None, version="1", timeout_s=1.0, memory_mib=512)
P, F, N = 10, 8, 0


def a_run(
    task_id: str,
    verdicts: list[list[int]],
    correct: list[bool | None] | None,
    order: tuple[tuple[int, ...], ...],
    stdin: bool = False,
) -> RunRecord:
    """One problem; hostile sources everywhere."""
    codes = np.array(verdicts, dtype=np.uint8).reshape(len(verdicts), -1)
    truth = StdinTruth(cases=(StdinCase(stdin="1", stdout="1"),)) if stdin else CheckTruth(source="def check(f): pass")
    problem = Problem(
        task_id=task_id,
        prompt=HOSTILE[:40],
        entry_point=None if stdin else "f",
        style="stdin" if stdin else "function",
        ground_truth=truth,
    )
    solutions = SolutionSet(task_id=task_id, solutions=tuple(f"def f():\n    return {i}\n# {HOSTILE}" for i in range(len(codes))))
    columns = range(codes.shape[1])
    tests = TestSet(
        task_id=task_id,
        tests=tuple(
            UnitTest(stdin=f"{j} <b>", stdout=HOSTILE) if stdin else UnitTest(source=f"assert f() == {j}  # {HOSTILE}")
            for j in columns
        ),
    )
    matrix = PassMatrix(
        task_id, codes, np.where(codes == N, np.nan, 5).astype(np.float32), CONTEXT, solutions.digests, tests.digests
    )
    labels = (
        {} if correct is None else {task_id: Labels(task_id=task_id, correct=tuple(correct), solution_digests=solutions.digests)}
    )
    return RunRecord(
        run_id="r1",
        benchmark=f"bench {HOSTILE[:30]}",
        config={"note": HOSTILE[:60]},
        created_at="2026-01-01T00:00:00+00:00",
        problems={task_id: problem},
        solutions={task_id: solutions},
        tests={task_id: tests},
        matrices={task_id: matrix},
        labels=labels,
        rankings={"majority": {task_id: Ranking(task_id=task_id, selector="majority", order=order)}},
        allocation=None,
        metrics={},
        generators={},
        prompt_digests={},
    )


def wrong_run(stdin: bool = False) -> RunRecord:
    """Solution 0 wins by tests 0 and 1; solutions 1 and 2 are correct, 2 has more votes."""
    return a_run("t/<1>", [[P, P, F, N], [F, F, P, P], [F, P, P, F]], [False, True, True], ((0,), (1, 2)), stdin)


class Page(HTMLParser):
    """Tags, attributes and scripts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text: list[str] = []
        self.inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside == "script":
            self.scripts[-1] += data
        elif self.inside != "style":
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def inflated(problem: dict[str, Any]) -> dict[str, Any]:
    """What the page's script inflates."""
    return dict(json.loads(zlib.decompress(base64.b64decode(problem["z"]))))


def test_hostile_sources_stay_text() -> None:
    text = render_report(wrong_run(), "majority")
    page = Page(text)
    assert [tag for tag, _ in page.tags].count("script") == 3
    assert "img" not in {tag for tag, _ in page.tags}
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert "window.pwned" in page.words
    assert "⟨U+202E⟩" in text
    text.encode("utf-8")


def test_the_policy_names_exactly_the_two_scripts_that_run() -> None:
    page = Page(render_report(wrong_run(), "majority"))
    policy = next(a["content"] for tag, a in page.tags if tag == "meta" and a.get("http-equiv") == "Content-Security-Policy")
    running = [
        body
        for body, (_, a) in zip(page.scripts, [t for t in page.tags if t[0] == "script"], strict=True)
        if a.get("type") != "application/json"
    ]
    hashes = {base64.b64encode(hashlib.sha256(body.encode()).digest()).decode() for body in running}
    assert policy is not None
    assert set(re.findall(r"'sha256-([^']+)'", policy)) == hashes
    for closed in ("default-src 'none'", "connect-src 'none'", "base-uri 'none'", "form-action 'none'", "img-src data: blob:;"):
        assert closed in policy


def test_nothing_is_loaded_from_elsewhere() -> None:
    page = Page(render_report(wrong_run(), "majority"))
    addresses = [v for _, a in page.tags for k, v in a.items() if k in {"src", "href", "action", "data"} and v]
    assert addresses
    assert all(address.startswith(("#", "data:")) for address in addresses)


def test_the_data_block_is_json_with_every_cell() -> None:
    page = Page(render_report(wrong_run(), "majority"))
    data = json.loads(next(s for s in page.scripts if s.startswith('{"figures"')))
    (problem,) = data["problems"]
    inside = inflated(problem)
    assert (problem["n"], problem["m"], inside["y"], inside["first"]) == (3, 4, "011", [0])
    assert [ord(c) - ord("a") for c in inside["v"]] == [P, P, F, N, F, F, P, P, F, P, P, F]
    assert problem["plot"] == "t/&lt;1&gt;"
    assert inside["pairs"] == [["the runner-up", 0, 1], ["the correct solution with the most votes", 0, 1]]
    assert [inside["solutions"]["items"][k][0].splitlines()[1] for k in inside["solutions"]["at"]] == [
        f"    return {i}" for i in range(3)
    ]
    assert inside["tests"]["at"] == [0, 1, 2, 3]
    assert "\u202e" not in json.dumps(inside, ensure_ascii=False), "hidden characters are spelled out"
    assert inside["origins"] == "gggg"


def test_equal_sources_stand_once_and_tests_of_the_statement_are_marked() -> None:
    run = wrong_run()
    own = UnitTest(source="assert f()", origin="statement")
    twice = TestSet(task_id="t/<1>", tests=(own, own, UnitTest(source="assert f()"), UnitTest(source="assert 1")))
    run = dataclasses.replace(run, tests={"t/<1>": twice})
    inside = inflated(packed_problem(run, choose(run, "majority", "t/<1>"), every_source=True))
    assert inside["origins"] == "sssg"[:2] + "gg"
    assert inside["tests"]["at"] == [0, 0, 0, 1]


def test_a_page_that_would_grow_too_large_keeps_what_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    verdicts = [[P, P, F, P], [P, F, F, P], *([[P, F, F, P]] * 6)]
    run = a_run("t", verdicts, [True, False, *([False] * 6)], ((0,), (1, 2, 3, 4, 5, 6, 7)))
    noisy = tuple(f"x = {np.random.default_rng(i).bytes(900).hex()}" for i in range(8))
    run = dataclasses.replace(run, solutions={"t": SolutionSet(task_id="t", solutions=noisy)})
    choices = [choose(run, "majority", "t")]
    (whole,), every_source = packed_problems(run, choices)
    assert every_source
    monkeypatch.setattr(report_pack, "PAGE_BYTES", len(whole["z"]) - 1)
    (part,), every_source = packed_problems(run, choices)
    assert not every_source
    inside = inflated(part)
    assert [k >= 0 for k in inside["solutions"]["at"]] == [True, True] + [False] * 6
    assert [k >= 0 for k in inside["tests"]["at"]] == [False, True, False, False], "the one that only the choice passes"
    assert "holds only the sources of the compared solutions" in Page(render_report(run, "majority")).words


def test_a_wrong_choice_is_explained_by_the_tests_that_decided() -> None:
    run = wrong_run()
    found = explain(run, choose(run, "majority", "t/<1>"))
    assert (found.choice.chosen, found.rival) == (0, 1)
    assert [(t.index, t.verdict) for t in found.deciding] == [(0, "failed"), (1, "failed")]
    assert (found.n_deciding, found.n_opposite) == (2, 1), "a cell that was not asked decides nothing"
    words = Page(render_report(run, "majority")).words
    assert "Chosen, wrong: solution 0, 2 votes" in words
    assert "Correct: solution 1, 2 votes" in words


def test_a_stdin_test_shows_input_and_expected_output() -> None:
    run = wrong_run(stdin=True)
    (found,) = wrong_choices(run, [choose(run, "majority", "t/<1>")], 5)
    assert [head for head, _, _ in found.deciding[0].parts] == ["stdin", "expected stdout"]
    assert "expected stdout" in Page(render_report(run, "majority")).words


@pytest.mark.parametrize(
    ("correct", "order", "outcome", "chosen"),
    [
        ([True, False], ((0, 1),), "right", 0),
        ([False, False], ((1,),), "hopeless", 1),
        ([None, True], ((0,),), "unjudged", 0),
        ([True, False], (), "none", None),
        (None, ((1,),), "unjudged", 1),
    ],
)
def test_outcomes(correct: list[bool | None] | None, order: tuple[tuple[int, ...], ...], outcome: str, chosen: int | None) -> None:
    choice = choose(a_run("t", [[P], [F]], correct, order), "majority", "t")
    assert (choice.outcome, choice.chosen) == (outcome, chosen)


def test_only_a_wrong_choice_can_be_explained() -> None:
    run = a_run("t", [[P], [F]], [True, False], ((0,),))
    with pytest.raises(ValueError, match="outcome is right"):
        explain(run, choose(run, "majority", "t"))


def test_a_win_is_measured_over_the_tie_and_against_a_random_pick() -> None:
    run = a_run("t", [[P], [P], [F], [F]], [True, False, False, None], ((0, 1),))
    (win,) = best_wins([choose(run, "majority", "t")], 3)
    assert (win.share, win.tied_share) == (pytest.approx(1 / 3), 0.5)


def test_lines_of_one_side_only_are_marked() -> None:
    left, right = beside("a\nb\nc", "a\nc\nd")
    assert left.lines == (("a", False), ("b", True), ("c", False))
    assert right.lines == (("a", False), ("c", False), ("d", True))


def test_measures_are_read_and_missing_ones_are_undefined() -> None:
    metrics = {
        "selector/majority/pass_1": 0.5,
        "selector/majority/pass_10": 0.75,
        "selector/oracle/pass_1": math.nan,
        "tests/individual/fpr": 0.25,
        "tests/individual/odd": 3.0,
    }
    run = dataclasses.replace(wrong_run(), metrics=metrics)
    assert pass_ks(run) == (1, 10)
    assert [row.name for row in selector_rows(run, "majority")] == ["majority", "oracle"]
    assert undefined_metrics(run) == ["selector/oracle/pass_1"]
    words = Page(render_report(run, "majority")).words
    assert "50.0 %" in words
    assert "1 of 5 stored metrics are undefined: selector/oracle/pass_1" in words
    assert "FPR, classical accepted among wrong 25.0 % undefined" in words


@pytest.mark.parametrize("tests", [0, 2])
def test_a_run_without_labels_curves_or_tests_still_has_its_page(tests: int) -> None:
    run = dataclasses.replace(a_run("t", [[P] * tests, [F] * tests], None, ()), rankings={})
    words = Page(render_report(run, default_selector(run))).words
    assert "accuracies are undefined" in words
    assert "No scaling curve was stored with this run" in words
    assert ("No cell was executed" in words) == (tests == 0)
    assert "0.0 %" not in words or tests


def test_a_run_of_nothing_has_its_page() -> None:
    run = dataclasses.replace(wrong_run(), problems={}, solutions={}, tests={}, matrices={}, labels={}, rankings={})
    assert "No pass matrix is stored with this run" in Page(render_report(run, "majority")).words


def test_curves_gates_and_the_source_of_the_rates_are_named() -> None:
    point = {"mean_tests": 2, "accuracy": 0.4, "lo": 0.3, "hi": 0.5}
    curves = {
        "scaling": {"majority": [{"tests": 1, "accuracy": 0.4, "lo": 0.3, "hi": 0.5}]},
        "all": {"selector": "majority", **point},
        "equal": [point],
        "greedy": [point],
    }
    gates = (
        GateResult("matrices", False, 3, ({"expectation": "in_set", "column": "verdict", "unexpected": 2, "sample": ["<b>"]},)),
    )
    run = dataclasses.replace(
        wrong_run(),
        budget_curves=curves,
        gates=gates,
        allocation=Allocation("greedy", {"t/<1>": 4}, {"t/<1>": 0.5}, "the recorded labels"),
    )
    page = Page(render_report(run, "majority"))
    assert "Pass-rate estimates come from: the recorded labels" in page.words
    assert "in_set on verdict: 2 unexpected, for example ['<b>']" in page.words
    assert "its figures may be wrong, and nothing is judged by them" in page.words
    figures = json.loads(next(s for s in page.scripts if s.startswith('{"figures"')))["figures"]
    assert {t["name"] for t in figures["budget"]["data"]} == {"all tests", "equal", "greedy"}


def test_matrices_beyond_the_budget_are_left_out_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_pack, "PAGE_BYTES", 11)
    words = Page(render_report(wrong_run(), "majority")).words
    assert "No pass matrix is in this page" in words
    assert "1 matrix is not in this page" in words


def test_the_largest_usual_run_stays_under_fifteen_megabytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    one = wrong_run()
    names = [f"HumanEval/{k}" for k in range(164)]
    verdicts, durations = rng.integers(0, 11, (100, 100)).astype(np.uint8), rng.lognormal(size=(100, 100)).astype(np.float32)
    source = SolutionSet(task_id="x", solutions=tuple(f"def f():\n    return {i}\n" * 100 for i in range(100)))
    tests = TestSet(task_id="x", tests=tuple(UnitTest(source=f"assert f() == {j}\n" * 100) for j in range(100)))
    matrices = {t: PassMatrix(t, verdicts, durations, CONTEXT, source.digests, tests.digests) for t in names}
    labels = {t: Labels(task_id=t, correct=(True, False) * 50, solution_digests=source.digests) for t in names}
    ranked = {"majority": {t: Ranking(task_id=t, selector="majority", order=((1,),)) for t in names}}
    parts = {
        "problems": dict.fromkeys(names, one.problems["t/<1>"]),
        "solutions": dict.fromkeys(names, source),
        "tests": dict.fromkeys(names, tests),
    }
    run = dataclasses.replace(one, matrices=matrices, labels=labels, rankings=ranked, **parts)
    page = write_report(run, tmp_path / "report.html")
    assert 5_000_000 < page.stat().st_size < 15_000_000


def test_writing_replaces_the_page_at_once_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "report.html"
    assert write_report(wrong_run(), out) == out
    write_report(wrong_run(), out)
    assert [p.name for p in out.parent.iterdir()] == ["report.html"]


def test_a_failed_write_keeps_the_old_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "report.html"
    out.write_text("old")

    def refuse(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match=r"No space left on device: .*report\.html"):
        write_report(wrong_run(), out)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("report.html", "old")]


def test_a_directory_or_an_unknown_selector_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a directory"):
        write_report(wrong_run(), tmp_path)
    with pytest.raises(InputError, match="'b4' ranked nothing; expected one of: majority"):
        write_report(wrong_run(), tmp_path / "report.html", selector="b4")


def test_confidence_difficulty_and_differences_are_shown() -> None:
    point = {"group": 1.0, "problems": 3.0, "rate_lo": 0.1, "rate_hi": 0.25, "accuracy": 0.5, "lo": 0.25, "hi": 1.0}
    bins = [{"confidence": 0.7, "accuracy": 0.5, "lo": 0.2, "hi": 0.8, "problems": 4.0}]
    curve = [
        {"threshold": 0.3, "coverage": 1.0, "accuracy": 0.5, "lo": 0.4, "hi": 0.6},
        {**bins[0], "threshold": 0.7, "coverage": 0.5},
    ]
    said = {"source": "calibrator 0123", "threshold": 0.6, "reliability": bins, "coverage": curve}
    measured = {"brier": 0.2, "ece": 0.125, "auroc": math.nan, "coverage": 0.5, "selective_pass_1": 0.75}
    metrics = {f"confidence/majority/{k}{end}": v for k, v in measured.items() for end in ("", "_lo", "_hi")}
    for name, value in (("majority", 0.0), ("codet", -0.125)):
        metrics |= {f"selector/{name}/pass_1": 0.5, f"paired/b4/{name}/difference": value}
        metrics |= {f"paired/b4/{name}/difference_lo": value - 0.1, f"paired/b4/{name}/difference_hi": value + 0.1}
    run = wrong_run()
    sure = {t: r.model_copy(update={"confidence": 0.625}) for t, r in run.rankings["majority"].items()}
    curves = {"quintiles": {"majority": [point], "oracle": [point]}, "confidence": {"majority": said}}
    run = dataclasses.replace(run, metrics=metrics, rankings={"majority": sure}, budget_curves=curves)
    page = Page(render_report(run, "majority"))
    assert "For majority: calibrator 0123; selections below 0.6 are withheld" in page.words
    assert "calibration error mean distance between confidence and accuracy over ten bins of equal width 0.125" in page.words
    assert "undefined" in page.words.split("AUROC")[1][:120]
    assert "against b4 interval" in page.words
    assert "\u221212.5 [\u221222.5, \u22122.5]" in page.words
    assert "0.62" in page.words, "the confidence of the problem"
    figures = json.loads(next(s for s in page.scripts if s.startswith('{"figures"')))["figures"]
    assert [t["name"] for t in figures["quintiles"]["data"]] == ["majority"], "the oracle is right by construction"
    assert figures["reliability"]["data"][1]["y"] == [0.5]
    assert figures["coverage"]["data"][1]["x"] == [0.5, 1.0]
