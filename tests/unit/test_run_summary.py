"""A run's page in the Prefect UI: names stay names, links hold no password, and only what is there is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from models.run_record import GateResult
from tasks.run_summary import code, default_rule, mlflow_link, run_summary
from tests.recorded_run import recorded_run


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("sqlite:////home/mlflow.db", "`abc`"),
        ("http://127.0.0.1:5000", "[abc](http://127.0.0.1:5000/#/runs/abc)"),
        ("https://me:secret@host/mlflow/", "[abc](https://host/mlflow/#/runs/abc)"),
    ],
)
def test_a_link_leads_to_a_server_and_holds_no_password(uri: str, shown: str) -> None:
    assert mlflow_link(uri, "abc") == shown


def test_a_name_cannot_leave_its_code_span_or_its_cell() -> None:
    assert code("a`b|c\nd") == "`a'b¦c d`"


def test_the_page_says_what_was_decided_and_where_the_rest_is(tmp_path: Path) -> None:
    gates = (GateResult(gate="metrics", passed=True, evaluated=1, failures=()),)
    run = replace(recorded_run(), benchmark="x` | [y](z)", gates=gates)
    text = run_summary(run, Path("/r.html"), tmp_path, "http://h:1", "abc")
    assert text.startswith("## `x' ¦ [y](z)`, run `20261123-000000-abcd`")
    assert "2 problems, 7 cells in sandbox docker, 1 gates passed." in text
    assert "| **majority** | 0.7500 |  |  |" in text, "an undefined bound is empty"
    assert "Data Docs" not in text, "there are none"
    index = tmp_path / "gx" / "uncommitted" / "data_docs" / "local_site" / "index.html"
    index.parent.mkdir(parents=True)
    index.touch()
    assert f"| Data Docs of the gates | `{index}` |" in run_summary(run, Path("/r.html"), tmp_path, "http://h:1", "abc")
    assert default_rule(replace(run, rankings={})) is None
