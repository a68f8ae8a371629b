"""The report in a real browser: it draws, it answers, it asks nobody for anything, and hostile code in it stays text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
from playwright.sync_api import Page, sync_playwright

from models.matrix import ExecutionContext, PassMatrix
from models.run_record import RunRecord
from models.types import CheckTruth, Labels, Problem, Ranking, SolutionSet, TestSet, UnitTest, Verdict
from tasks.report import write_report
from tests.browser import CHROMIUM, FLAGS

pytestmark = pytest.mark.browser

HOSTILE = "</script><script>window.pwned=1</script><img src=x onerror=\"window.pwned=2\"><svg onload='window.pwned=3'>"
CONTEXT = ExecutionContext(sandbox="docker", image="sha256:0", version="1", timeout_s=1.0, memory_mib=512)
TASKS = (f"demo/1 {HOSTILE}", "demo/2", "demo/3 no tests")


@dataclass
class Heard:
    """What the browser reported while the page was open."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on(
            "console", lambda message: self.complaints.append(message.text) if message.type in {"error", "warning"} else None
        )
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))


def a_test(j: int) -> UnitTest:
    """Test 0 stands in the statement."""
    return UnitTest(source=f"assert {j}\n{HOSTILE}", origin="generated" if j else "statement")


def a_run() -> RunRecord:
    """Three problems: a wrong choice among hostile code, a right one, one without tests."""
    verdicts = {
        TASKS[0]: np.array([[10, 10, 8], [8, 8, 10], [8, 2, 10], [9, 7, 0]], dtype=np.uint8),
        TASKS[1]: np.array([[8, 10], [10, 10]], dtype=np.uint8),
        TASKS[2]: np.zeros((2, 0), dtype=np.uint8),
    }
    correct = {TASKS[0]: (False, True, True, None), TASKS[1]: (False, True), TASKS[2]: (True, False)}
    first = {TASKS[0]: ((0,), (1, 2)), TASKS[1]: ((1,), (0,)), TASKS[2]: ()}
    solutions = {
        t: SolutionSet(task_id=t, solutions=tuple(f"x = {i}\n{HOSTILE}\n" for i in range(len(v)))) for t, v in verdicts.items()
    }
    tests = {t: TestSet(task_id=t, tests=tuple(a_test(j) for j in range(v.shape[1]))) for t, v in verdicts.items()}
    curve = [{"tests": m, "mean_tests": m, "accuracy": 0.4 + m / 20, "lo": 0.3, "hi": 0.8} for m in (1, 2, 3)]
    group = {"accuracy": 0.5, "lo": 0.2, "hi": 0.9, "problems": 6, "rate_lo": 0.38, "rate_hi": 0.44}
    groups = {name: [group | {"group": at} for at in range(1, 6)] for name in ("random", "majority", "codet", "b4", "b4-outputs")}
    return RunRecord(
        run_id="r1",
        benchmark=HOSTILE,
        config={"note": HOSTILE},
        created_at="2026-01-01T00:00:00+00:00",
        problems={
            t: Problem(task_id=t, prompt=HOSTILE, entry_point="f", style="function", ground_truth=CheckTruth(source=""))
            for t in TASKS
        },
        solutions=solutions,
        tests=tests,
        matrices={
            t: PassMatrix(
                t,
                v,
                np.where(v == Verdict.NOT_ASKED, np.nan, 12.5).astype(np.float32),
                CONTEXT,
                solutions[t].digests,
                tests[t].digests,
            )
            for t, v in verdicts.items()
        },
        labels={t: Labels(task_id=t, correct=correct[t], solution_digests=solutions[t].digests) for t in TASKS},
        rankings={"majority": {t: Ranking(task_id=t, selector="majority", order=first[t]) for t in TASKS}},
        allocation=None,
        metrics={"selector/majority/pass_1": 0.5, "selector/majority/pass_1_lo": 0.3, "selector/majority/pass_1_hi": 0.7},
        generators={},
        prompt_digests={},
        budget_curves={"scaling": {HOSTILE: curve}, "equal": curve, "quintiles": groups},
    )


@pytest.fixture(scope="module")
def browser_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Heard]:
    """The report, open in a headless browser."""
    path = write_report(a_run(), tmp_path_factory.mktemp("report") / "report.html")
    with sync_playwright() as play, play.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS) as browser:
        heard = Heard(browser.new_context(viewport={"width": 1280, "height": 900}).new_page())
        heard.page.goto(path.as_uri())
        heard.page.wait_for_selector("#heatmap .main-svg")
        yield heard


def show(heard: Heard, index: int) -> str:
    """Pick a problem; the summary under the picker."""
    heard.page.select_option("#picker", str(index))
    return shown(heard, index)


def shown(heard: Heard, index: int) -> str:
    """Wait for a problem, which is inflated first; the summary under the picker."""
    heard.page.wait_for_selector(f"body[data-shown='{index}']")
    return heard.page.inner_text("#matrix-summary")


def test_figures_are_drawn(browser_page: Heard) -> None:
    for name in ("scaling", "budget", "quintiles", "verdicts"):
        assert browser_page.page.locator(f"#figure-{name} svg.main-svg").count() > 0, name
        assert browser_page.page.locator(f"#figure-{name} .trace").count() > 0, name
    assert show(browser_page, 0)
    assert browser_page.page.locator("#heatmap .hm").count() == 1


def test_plotly_offers_nothing_that_sends_data_away(browser_page: Heard) -> None:
    names = browser_page.page.eval_on_selector_all(
        ".modebar-btn", "buttons => buttons.map((b) => b.dataset.title || b.dataset.attr)"
    )
    assert set(names) == {"Download plot as a PNG", "Zoom", "Pan", "Reset axes"}
    assert browser_page.page.locator(".plot a[href]").count() == 0


def test_the_picker_switches_the_problem(browser_page: Heard) -> None:
    assert "4 solutions, 3 tests, 2 of 3 judged solutions correct. Chosen: solution 0 (wrong)" in show(browser_page, 0)
    assert "2 solutions, 2 tests" in show(browser_page, 1)
    assert "2 solutions, 0 tests" in show(browser_page, 2)
    assert "no tests" in browser_page.page.inner_text("#heatmap")
    browser_page.page.click("#next")
    assert "4 solutions" in shown(browser_page, 0)
    browser_page.page.wait_for_selector("#heatmap .main-svg")
    browser_page.page.click("#previous")
    assert "2 solutions, 0 tests" in shown(browser_page, 2)


def test_a_person_sees_which_tests_decided(browser_page: Heard) -> None:
    page = browser_page.page
    show(browser_page, 0)
    assert page.locator("#pair option").all_inner_texts() == [
        "the runner-up, solution 1 (correct)",
        "the correct solution with the most votes, solution 1 (correct)",
    ]
    assert "Of 3 tests asked of both, 2 only the choice passes, 1 only the other one" in page.inner_text("#verdict-of-pair")
    assert "1 of these 3 stand in the problem's statement" in page.inner_text("#verdict-of-pair")
    assert page.locator("#discordant tbody tr th").all_inner_texts() == ["0from the statement", "1", "2"]
    assert page.locator("#duel .line.differs").all_inner_texts() == ["x = 0\n", "x = 1\n"]
    assert "assert 2" in page.inner_text("#discordant")
    show(browser_page, 1)
    assert "Of 2 tests asked of both, 1 only the choice passes, 0 only" in page.inner_text("#verdict-of-pair")
    show(browser_page, 2)
    assert page.locator("#decision").is_hidden()


def test_problems_are_found_filtered_and_sorted(browser_page: Heard) -> None:
    page = browser_page.page
    names = page.locator("#problems tbody tr:not([hidden]) th")
    page.fill("#search", "DEMO/2")
    assert (names.all_inner_texts(), page.inner_text("#found")) == (["demo/2"], "1 of 3 problems")
    show(browser_page, 0)
    page.click("#next")
    assert "2 solutions, 2 tests" in shown(browser_page, 1), "next walks through what is listed"
    page.fill("#search", "")
    page.select_option("#outcome", label="no choice, falls back to random")
    assert names.all_inner_texts() == ["demo/3 no tests"]
    page.select_option("#outcome", label="all")
    page.click("#problems button.sort:has-text('its votes')")
    assert [text[:6] for text in names.all_inner_texts()] == ["demo/3", "demo/1", "demo/2"]
    page.click("#problems button.sort:has-text('problem')")
    assert [text[:6] for text in names.all_inner_texts()] == ["demo/1", "demo/2", "demo/3"]
    page.click("#problems tbody tr:nth-child(2) td:nth-child(5)")
    assert "2 solutions, 2 tests" in shown(browser_page, 1)


def test_a_cell_shows_its_sources_when_it_is_pointed_at(browser_page: Heard) -> None:
    page = browser_page.page
    show(browser_page, 0)
    page.evaluate(
        """() => document.getElementById('heatmap').emit('plotly_click',
             { points: [{ text: 'solution 3', customdata: document.getElementById('heatmap').data[0].customdata[3][1] }] })"""
    )
    assert page.locator("#cell-sources summary").all_inner_texts() == ["Solution 3", "Test 0from the statement"]
    page.click("#cell-sources summary >> nth=0")
    assert "x = 3" in page.inner_text("#cell-sources")


def test_rows_and_columns_are_sorted_and_a_cell_tells_its_story(browser_page: Heard) -> None:
    show(browser_page, 0)
    heat = browser_page.page.evaluate("() => { const t = document.getElementById('heatmap').data[0]; return [t.z, t.text]; }")
    assert heat[0] == [[8, 10, 10], [10, 8, 8], [10, 8, 2], [0, 9, 7]], (
        "expected columns 2, 0, 1: two solutions pass test 2, one each the others"
    )
    assert heat[1][2][2] == "solution 2 (correct), votes: 1<br>test 1, passed by 1 of 4<br>timeout, 12.5 ms"
    assert heat[1][3][0].endswith("not asked, no duration")


def test_hostile_code_is_text_and_does_not_run(browser_page: Heard) -> None:
    for details in browser_page.page.locator("details").all():
        details.evaluate("d => { d.open = true; }")
    assert browser_page.page.evaluate("() => window.pwned") is None
    assert browser_page.page.locator("main img, header img").count() == 0
    assert "window.pwned=1" in browser_page.page.inner_text("article.wrong")
    assert "window.pwned=1" in browser_page.page.inner_text("h1")


def test_the_policy_stops_a_script_that_is_not_ours(browser_page: Heard) -> None:
    page = browser_page.page.context.new_page()
    page.goto(browser_page.page.url)
    page.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = 'window.pwned = 4'; document.body.append(s); }"
    )
    asked = page.evaluate("() => fetch('http://127.0.0.1:9/').then(() => 'went', () => 'stopped')")
    assert (page.evaluate("() => window.pwned"), asked) == (None, "stopped")
    page.close()


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_colours_follow_the_scheme(browser_page: Heard, scheme: str) -> None:
    browser_page.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    show(browser_page, 0)
    ink, drawn = browser_page.page.evaluate(
        """() => [getComputedStyle(document.documentElement).getPropertyValue('--ink').trim(),
                  document.getElementById('heatmap').layout.font.color]"""
    )
    assert ink == drawn == {"dark": "#e4e8ec", "light": "#1b2128"}[scheme]


def test_a_narrow_screen_does_not_scroll_sideways(browser_page: Heard) -> None:
    browser_page.page.set_viewport_size({"width": 360, "height": 800})
    browser_page.page.wait_for_function("() => document.documentElement.scrollWidth === 360")
    words = browser_page.page.evaluate("() => Array.from(document.querySelectorAll('td.soft:not(.n)'), cell => cell.offsetWidth)")
    assert words, "what a measure means"
    assert min(words) > 180, "a sentence needs more than a word a line: such a table scrolls in its own frame"
    browser_page.page.set_viewport_size({"width": 1280, "height": 900})


SETTLED = """() => [...document.querySelectorAll('[id^=figure-]')].every(
    (plot) => Math.abs(plot.querySelector('.main-svg').clientWidth - plot.clientWidth) < 2)"""
LAID_OUT = """(name) => {
    const plot = document.getElementById(`figure-${name}`), frame = plot.getBoundingClientRect();
    const parts = plot.querySelectorAll('.legend, .xtitle, .ytitle, .xtick, .ytick');
    const boxes = [...parts].map((node) => node.getBoundingClientRect());
    const apart = (a, b) => a.right <= b.left + 1 || b.right <= a.left + 1 || a.bottom <= b.top + 1 || b.bottom <= a.top + 1;
    const across = (a) => a.left >= frame.left - 1 && a.right <= frame.right + 1;
    const inside = (a) => across(a) && a.top >= frame.top - 1 && a.bottom <= frame.bottom + 1;
    const wrong = boxes.filter((a, at) => !inside(a) || boxes.some((b, place) => place > at && !apart(a, b)));
    return [boxes.length > 4, wrong.length];
}"""


@pytest.mark.parametrize("width", [400, 800, 1280])
def test_no_legend_title_or_tick_covers_another_or_is_cut(browser_page: Heard, width: int) -> None:
    page = browser_page.page
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_function(SETTLED)
    figures = ("budget", "quintiles", "verdicts")  # the name in the other legend is longer than any screen is wide
    assert [page.evaluate(LAID_OUT, name) for name in figures] == [[True, 0]] * len(figures)
    page.set_viewport_size({"width": 1280, "height": 900})


def test_the_page_is_silent_and_asks_nobody(browser_page: Heard) -> None:
    show(browser_page, 1)
    show(browser_page, 0)
    assert browser_page.complaints == []
    assert [url for url in browser_page.requests if not url.startswith(("file:", "data:", "blob:"))] == []


def test_the_heat_map_keeps_its_place_when_the_window_changes(browser_page: Heard) -> None:
    show(browser_page, 0)
    for width in (700, 1280):
        browser_page.page.set_viewport_size({"width": width, "height": 900})
        browser_page.page.wait_for_function(  # the page redraws a moment after the window changed; one that never fits times out
            """width => {
                const plot = document.getElementById('heatmap'), drawn = plot.querySelector('.main-svg');
                const fits = drawn.getBoundingClientRect().bottom <= plot.getBoundingClientRect().bottom + 1;
                return innerWidth === width && Math.abs(drawn.clientWidth - plot.clientWidth) < 2 && fits;
            }""",
            arg=width,
        )
