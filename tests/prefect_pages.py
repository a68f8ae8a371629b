"""The Prefect UI as a person uses it: where the buttons, the form's fields and the artifacts are. Prefect 3.8, its default UI."""

from __future__ import annotations

import json
import re
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, TimeoutError, expect

from db.store import open_store
from models.run_record import RunRecord
from tests.browser import PATIENCE_MS
from tests.processes import wait_until


class Served:
    """A user's deployments, with a page on the server's UI."""

    def __init__(self, api: str, home: Path, page: Page) -> None:
        """``api``: of the server; ``home``: the user's CODERM_HOME."""
        self.api, self.ui, self.home, self.page = api, api.removesuffix("/api"), home, page

    def ask(self, path: str, **body: Any) -> Any:
        """What the server's API answers: POST with a body, else GET."""
        data = json.dumps(body).encode() if body else None
        request = urllib.request.Request(f"{self.api}/{path}", data, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)

    def open_form(self) -> None:
        """From the server's front page: Deployments, benchmark, Run, Custom run."""
        self.page.goto(self.ui)
        self.page.get_by_role("link", name="Deployments").first.click()
        self.page.locator("a[href*='/deployments/deployment/']", has_text=re.compile("^benchmark$")).click()
        choice = self.page.get_by_role("menuitem", name="Custom run")
        press_until(self.page.get_by_role("button", name="Run", exact=True), choice)
        choice.click()
        expect(self.field("Tests a problem").get_by_role("spinbutton")).to_have_value("16", timeout=PATIENCE_MS)

    def field(self, title: str) -> Locator:
        """The part of the form under a label; the first one of that name."""
        label = self.page.locator("label").filter(has_text=re.compile(rf"^{re.escape(title)}( \(Optional\))?$")).first
        return label.locator("xpath=ancestor::div[.//fieldset][1]")

    def choose_small(self, name: str, problems: int) -> None:
        """The first so many problems, in the process sandbox."""
        self.page.get_by_label("Run Name").fill(name)
        self.field("Limit").get_by_role("tab", name="set", exact=True).click()
        self.field("Limit").get_by_role("spinbutton").fill(str(problems))
        self.field("Runtime").get_by_role("button", name="Select Runtime").click()
        self.page.get_by_role("option", name="process").click()

    def press_submit(self) -> tuple[int, Any]:
        """(status, answer). A busy server on SQLite answers 503 now and then; the form stays as it was, and one presses again."""
        for _ in range(10):
            with self.page.expect_response(lambda r: r.url.endswith("/create_flow_run")) as answered:
                self.page.get_by_role("button", name="Submit").click()
            if answered.value.status != 503:
                break
        return answered.value.status, answered.value.json()

    def start(self) -> str:
        """Submit; the id of the flow run."""
        status, made = self.press_submit()
        assert status == 201, made
        return str(made["id"])

    def open_run(self, run_id: str, state: str) -> None:
        """The run's page once it shows ``state``."""
        self.page.goto(f"{self.ui}/v2/runs/flow-run/{run_id}")
        expect(self.page.get_by_text(state, exact=True).first).to_be_visible(timeout=3 * PATIENCE_MS)

    def open_log(self, run_id: str, state: str, event: str) -> None:
        """The page of a run that is over, opened anew when the server has this line: an open page asks for no more then."""
        of_run = {"logs": {"flow_run_id": {"any_": [run_id]}}}
        self.open_run(run_id, state)
        wait_until(
            lambda: any(event in line["message"] for line in self.ask("logs/filter", **of_run)), f"{event!r} is not in the log"
        )
        self.open_run(run_id, state)
        expect(self.page.get_by_text(event).first).to_be_visible(timeout=PATIENCE_MS)

    def open_artifact(self, run_id: str, key: str) -> Locator:
        """From the run's page by the tab Artifacts and the key's page to the artifact of this run; its panel."""
        self.page.get_by_role("tab", name="Artifacts").click()
        self.page.locator(f"a[href$='/artifacts/key/{key}']").first.click()
        of_run = {"flow_runs": {"id": {"any_": [run_id]}}, "artifacts": {"key": {"any_": [key]}}}
        (artifact,) = self.ask("artifacts/filter", **of_run)
        self.page.locator(f"a[href*='{artifact['id']}']").first.click()
        panel = self.page.get_by_role("tabpanel", name="Artifact")
        panel.get_by_role("table").first.wait_for()
        return panel

    def stored(self, flow_run_id: str) -> RunRecord:
        """The run in the user's database."""
        with open_store(f"sqlite:///{self.home / 'coderm.db'}") as store:
            runs = [store.load_run(row["run_id"]) for row in store.list_runs()]
        return next(run for run in runs if run.provenance["prefect_flow_run_id"] == flow_run_id)


def press_until(button: Locator, sign: Locator) -> None:
    """Press, and once more where a page that was still loading lost it."""
    for _ in range(6):
        button.click()
        with suppress(TimeoutError):
            sign.wait_for(timeout=PATIENCE_MS / 6)
            return
    expect(sign).to_be_visible(timeout=1)


def rows_of(table: Locator) -> list[dict[str, str]]:
    """A table as it is read: one mapping a row."""
    head = table.locator("thead th").all_inner_texts()
    return [dict(zip(head, row.locator("td").all_inner_texts(), strict=True)) for row in table.locator("tbody tr").all()]
