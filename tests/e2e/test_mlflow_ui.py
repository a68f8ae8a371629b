"""MLflow's own pages as a person reads them: two compared versions side by side, what changed and both choices, who is champion."""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tasks.run_summary import mlflow_link
from tests.browser import PATIENCE_MS, open_page, picture
from tests.prefect_clients import talking_to

pytest_plugins = ["tests.servers"]
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.filterwarnings("default")]

PROBLEMS = 6
DEMO = Path(__file__).resolve().parents[2] / "infra" / "demo" / "demo.toml"
SOLUTIONS = DEMO.with_name("solutions.jsonl")


class Compared:
    """What ``coderm compare --format json`` said of two registered versions, and a page on MLflow."""

    def __init__(self, mlflow: str, said: dict[str, Any], page: Page) -> None:
        """``mlflow``: URL of the server."""
        from mlflow import MlflowClient

        self.mlflow, self.said, self.page = mlflow, said, page
        self.a, self.b = (MlflowClient(mlflow).get_run(run_id) for run_id in said["mlflow_runs"])
        self.experiment = self.a.info.experiment_id

    def open(self, route: str, sign: str) -> Page:
        """A page of MLflow once it shows ``sign``; the chat assistant beside it is put aside."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.mlflow}/#/{route}")
        expect(self.page.get_by_text(sign).first).to_be_visible(timeout=PATIENCE_MS)
        aside = self.page.get_by_role("button", name="Close", exact=True)
        if aside.count():
            aside.first.click()
        return self.page

    def open_comparison(self) -> Page:
        """The two runs side by side."""
        runs = json.dumps([self.a.info.run_id, self.b.info.run_id])
        return self.open(f'compare-runs?runs={runs}&experiments=["{self.experiment}"]', "accuracy/quintile_1")


def command(*words: str) -> Any:
    """Run one command of the product in this process; the JSON of its last line."""
    from flows.__main__ import run

    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert run(list(words)) == 0, out.getvalue()
    return json.loads(out.getvalue().strip().splitlines()[-1])


def a_run(n_tests: int) -> str:
    """A small run of the demo; its id."""
    values = (f"n_tests={n_tests}", f"benchmark.limit={PROBLEMS}", "sandbox.runtime=process")
    return str(command("run", str(DEMO), *(word for value in values for word in ("--set", value)))["run_id"])


@pytest.fixture(scope="module")
def compared(mlflow_server: str, prefect_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compared]:
    """The champion takes two tests and the majority rule, the challenger sixteen and the default rule."""
    from mlflow import MlflowClient

    for model in MlflowClient(mlflow_server).search_registered_models():
        MlflowClient(mlflow_server).delete_registered_model(model.name)
    with pytest.MonkeyPatch.context() as patch, talking_to(prefect_server):
        patch.setenv("CODERM_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("CODERM_MLFLOW_TRACKING_URI", mlflow_server)
        few, many = a_run(2), a_run(16)
        command("models", "register", few, "--selector", "majority")
        command("models", "promote", "challenger")
        command("models", "register", many)
        said = command("compare", "champion", "challenger", "--format", "json")
    with open_page(1280, 1000) as page:
        yield Compared(mlflow_server, said, page)


def side_by_side(page: Page) -> dict[str, tuple[str, str]]:
    """Parameters and tags as the comparison page shows them: name → (A, B)."""
    rows = [row.locator("th, td").all_inner_texts() for row in page.get_by_role("main").locator("tr").all()]
    return {row[0].strip(): (row[1].strip(), row[2].strip()) for row in rows if len(row) == 3}


def test_metrics_stand_side_by_side_under_the_same_names(compared: Compared) -> None:
    page = compared.open_comparison()
    names = page.get_by_role("main").locator("a[href^='#/metric?']").all_inner_texts()
    assert set(names) == set(compared.a.data.metrics) == set(compared.b.data.metrics)
    shown = [float(value) for value in page.get_by_role("grid").last.inner_text().split()]
    wanted = [run.data.metrics[name] for name in names for run in (compared.a, compared.b)]
    assert shown == pytest.approx(wanted, rel=1e-3, abs=6e-4)


def test_parameters_and_tags_say_what_was_compared(compared: Compared) -> None:
    page = compared.open_comparison()
    rows = side_by_side(page)
    assert (rows["generator.tests"], rows["selector"]) == (("2", "16"), ("majority", "b4-outputs"))
    assert (rows["side"], rows["version"], rows["benchmark"]) == (("a", "b"), ("1", "2"), ("demo", "demo"))
    candidates = rows["candidates_run"]
    assert candidates[0] == candidates[1] == compared.a.data.tags["candidates_run"]
    page.get_by_role("switch", name="Parameters - Show diff only").click()
    assert "limits.timeout_s" not in side_by_side(page)
    page.get_by_role("button", name="Visualizations", exact=True).click()
    picture(page, "mlflow-compare")


def test_both_runs_have_the_same_data_and_say_what_came_out(compared: Compared) -> None:
    seen = []
    for run in (compared.a, compared.b):
        (link,) = re.findall(r"#/(\S+)\)", mlflow_link(compared.mlflow, run.info.run_id))
        page = compared.open(link, "demo-problems")
        seen.append(page.get_by_text(re.compile(r"^demo-problems \([0-9a-f]+\)$")).first.inner_text())
        whole = compared.said["slices"][0]
        expect(page.get_by_text(f"B against A: {100 * whole['B - A']:+.1f}").first).to_be_visible(timeout=PATIENCE_MS)
    assert seen[0] == seen[1]


def test_the_table_of_changed_problems_shows_both_choices(compared: Compared) -> None:
    route = f"experiments/{compared.experiment}/runs/{compared.b.info.run_id}/artifacts/changed.json"
    page = compared.open(route, "demo/05-balanced-star")
    solutions = {line["task_id"]: line["solutions"] for line in map(json.loads, SOLUTIONS.read_text().splitlines())}
    head = [text.strip() for text in page.get_by_role("columnheader").all_inner_texts()]
    rows = [dict(zip(head, row.get_by_role("cell").all(), strict=True)) for row in page.get_by_role("row").all()[1:]]
    assert [row["task_id"].inner_text() for row in rows] == [row["task_id"] for row in compared.said["changed"]]
    for row, said in zip(rows, compared.said["changed"], strict=True):
        for side in ("a", "b"):
            assert row[f"{side}_choice"].inner_text() == said[f"{side}_choice"]
            code = solutions[said["task_id"]][said[f"{side}_picked"]]
            assert (row[f"{side}_code"].text_content() or "").split() == code.split()


def test_the_registry_shows_who_is_champion_and_why(compared: Compared) -> None:
    page = compared.open("models/coderm-reward", "@ challenger")
    for number, alias, what in (("1", "champion", "hand-written x2 · majority"), ("2", "challenger", "hand-written x16 · b4-outp")):
        row = page.get_by_role("row").filter(has=page.get_by_role("link", name=f"Version {number}"))
        expect(row.get_by_text(f"@ {alias}")).to_be_visible()
        assert what in (row.get_by_role("cell").last.text_content() or "")
    expect(page.get_by_text("coderm compare champion challenger")).to_be_visible()
    page = compared.open("models/coderm-reward/versions/2", "16 tests a problem")
    expect(page.get_by_text("@ challenger").first).to_be_visible()
    expect(page.get_by_text(re.compile(rf"pass@1 0\.8333 .* on demo, {PROBLEMS} problems"))).to_be_visible()
