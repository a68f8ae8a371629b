"""Runs from the Prefect UI as a person starts them: the form, a mistake in it, a run to its end, its artifacts, a run that fails.

A real server, `coderm serve` as a process of a user, headless Chromium. Whatever is read on a page is compared with the database.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser import PATIENCE_MS, open_page, picture
from tests.prefect_clients import ROOM
from tests.prefect_pages import Served, rows_of
from tests.processes import running, wait_for_line

pytest_plugins = ["tests.servers"]
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.filterwarnings("default")]

PROBLEMS, TESTS = 3, 8
RUN_NAME = "three problems first"
DEMO = Path(__file__).resolve().parents[2] / "infra" / "demo" / "solutions.jsonl"


@pytest.fixture(scope="module")
def served(prefect_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("user")
    environment = {
        "CODERM_HOME": str(folder / "home"),
        "PREFECT_API_URL": prefect_server,
        "PREFECT_RUNNER_POLL_FREQUENCY": "1",
        **ROOM,
    }
    with ExitStack() as stack:
        serving = running([sys.executable, "-m", "flows", "serve", "--only", "benchmark"], folder, environment=environment)
        wait_for_line(stack.enter_context(serving), "serving   1 deployments")
        yield Served(prefect_server, folder / "home", stack.enter_context(open_page()))


@pytest.fixture(scope="module")
def started(served: Served) -> tuple[str, str]:
    """Two runs from the form, beside each other: a good one, and one whose recordings mostly hold no code; their flow runs' ids."""
    served.open_form()
    served.choose_small(RUN_NAME, PROBLEMS)
    served.field("Tests a problem").get_by_role("spinbutton").fill(str(TESTS))
    served.page.get_by_text("Parameters", exact=True).scroll_into_view_if_needed()
    picture(served.page, "prefect-form")
    good = served.start()

    recordings = served.home.parent / "broken.jsonl"
    lines = [json.loads(line) for line in DEMO.read_text().splitlines()]
    broken = [{**line, "solutions": [*[""] * 15, line["solutions"][0]]} for line in lines]
    recordings.write_text("".join(json.dumps(line) + "\n" for line in broken))
    served.open_form()
    served.choose_small("broken recordings", PROBLEMS)
    served.field("File").get_by_role("textbox").fill(str(recordings))
    return good, served.start()


@pytest.fixture(scope="module")
def good(started: tuple[str, str]) -> str:
    """The flow run that ends well."""
    return started[0]


@pytest.fixture(scope="module")
def bad(started: tuple[str, str]) -> str:
    """The flow run that a gate stops."""
    return started[1]


def test_what_was_typed_is_what_runs(served: Served, good: str) -> None:
    made = served.ask(f"flow_runs/{good}")
    config = made["parameters"]["config"]
    assert (made["name"], config["benchmark"]["limit"], config["n_tests"]) == (RUN_NAME, PROBLEMS, TESTS)
    assert (config["sandbox"]["runtime"], config["policy"]["type"], config["n_solutions"]) == ("process", "replay", 16)


def test_a_run_is_watched_to_its_end(served: Served, good: str) -> None:
    served.open_log(good, "Completed", "run stored")
    page = served.page
    page.get_by_role("tab", name="Task Runs").click()
    for task in ("publish-artifacts", "track-metrics"):
        expect(page.get_by_role("link", name=re.compile(f"^{task}")).first).to_be_visible(timeout=PATIENCE_MS)
    served.open_run(good, "Completed")  # its graph drawn anew, of a run that is over
    expect(page.get_by_text(re.compile(r"^\d+ Task runs$"))).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("tab", name="Artifacts").click()
    for key in ("run", "selectors", "problems"):
        expect(page.locator(f"a[href$='/artifacts/key/demo-{key}']").first).to_be_visible(timeout=PATIENCE_MS)
    picture(page, "prefect-run")


def test_the_artifacts_say_what_the_database_says(served: Served, good: str) -> None:
    served.open_run(good, "Completed")
    run = served.stored(good)
    selectors = rows_of(served.open_artifact(good, "demo-selectors").get_by_role("table").first)
    assert [*selectors[0]][:4] == ["selector", "pass@1", "95 % from", "to"]
    shown = {row["selector"]: float(row["pass@1"]) for row in selectors}
    assert shown == {name: round(run.metrics[f"selector/{name}/pass_1"], 4) for name in run.config["selectors"]}

    served.open_run(good, "Completed")
    problems = rows_of(served.open_artifact(good, "demo-problems").get_by_role("table").first)
    assert len(problems) == PROBLEMS
    for row in problems:
        matrix, order = run.matrices[row["problem"]], run.rankings["b4-outputs"][row["problem"]].order
        assert (row["chosen"], row["tied"]) == (str(order[0][0]), str(len(order[0])))
        assert (row["tests"], row["cells passed"]) == (str(TESTS), str(int(matrix.passes.sum())))

    served.open_run(good, "Completed")
    page_of_run = served.open_artifact(good, "demo-run")
    text = page_of_run.inner_text()
    assert f"{PROBLEMS} problems, {PROBLEMS * 16 * TESTS} cells in sandbox process" in text
    assert f"coderm runs show {run.run_id}" in text
    (report,) = re.findall(r"/\S+/reports/\S+\.html", text)
    (docs,) = re.findall(r"/\S+/index\.html", text)
    assert Path(report).name == f"{run.run_id}.html"
    served.page.goto(Path(docs).as_uri())
    expect(served.page.get_by_text("Validation Results").first).to_be_visible()


def test_a_value_that_cannot_be_is_refused_where_it_stands(served: Served) -> None:
    served.open_form()
    page = served.page
    served.field("Limit").get_by_role("tab", name="set", exact=True).click()
    limit = served.field("Limit").get_by_role("spinbutton")
    limit.fill("0")
    page.get_by_role("button", name="Submit").click()
    assert limit.evaluate("field => field.validationMessage") == "Value must be greater than or equal to 1."
    limit.fill("1")
    served.field("Policy model").get_by_role("tab", name="OpenAI server").click()
    model = served.field("Policy model").get_by_role("textbox").first
    model.fill("a")
    model.fill("")
    status, answer = served.press_submit()
    assert status == 409
    assert "Validation failed for field 'config.policy'" in answer["detail"], answer
    expect(page.get_by_text("Error creating flow run").first).to_be_visible()


def test_a_run_on_bad_data_says_so_in_a_line_and_lists_what_is_bad(served: Served, bad: str) -> None:
    served.open_log(bad, "Failed", "gate=problems")
    page = served.page
    main = page.get_by_role("main")
    assert "Traceback" not in main.inner_text()
    page.get_by_role("tab", name="Details").click()  # the log's last lines are lost where the server's SQLite is locked just then
    expect(page.get_by_text("GateFailed: gate samples").first).to_be_visible(timeout=PATIENCE_MS)
    assert "Traceback" not in main.inner_text()
    assert "at least 50% of the responses hold" in served.ask(f"flow_runs/{bad}")["state"]["message"]
    rows = rows_of(served.open_artifact(bad, "gate-samples").get_by_role("table").first)
    assert any("at least 50%" in row["expected"] and row["severity"] == "critical" for row in rows)
