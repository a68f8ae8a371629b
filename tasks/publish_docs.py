"""The gates where people look: a table of all of them in the Prefect UI, a link to their Data Docs, and the Data Docs in MLflow.

Data Docs hold counts, digests and names, never a source (db/frames.py); with ``CODERM_PRIVATE`` they stay on this machine all the
same. Great Expectations puts 3.4 MB of tutorial films into each site, which nothing here shows, and a logo whose address tells its
maker which site is looked at, and when: both go. Styles still come from public networks; without one the pages are plain.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from prefect import task
from prefect.artifacts import create_link_artifact, create_markdown_artifact

from models.run_record import GateResult
from tasks.caching import ONCE
from tasks.mlflow_store import connected
from tasks.run_header import RunHeader
from tasks.validate_data import docs_index

FOLDER = "data-docs"
TRACKED_LOGO = re.compile(r'src="https?://[^"]*dataContextId=[^"]*"')


@task(name="publish-docs", **ONCE)
def publish_docs(header: RunHeader, gates: Sequence[GateResult], mlflow_run_id: str) -> None:
    """Table, link, and, unless private, the pages in the MLflow run. Raises UnavailableError; the run is in SQL by then."""
    link_docs(header.docs_dir, f"gates of run {header.run_id}", share_docs(header, mlflow_run_id))
    create_markdown_artifact(gates_page(gates), key="gates", description=f"gates of run {header.run_id}")


def share_docs(header: RunHeader, mlflow_run_id: str) -> str:
    """Put the pages into the MLflow run, unless private; returns the link by which people reach them. Raises UnavailableError."""
    index, uri = docs_index(header.docs_dir), header.settings.mlflow_uri
    _tidy(index.parent)
    if header.settings.private:
        return index.as_uri()
    with connected(uri) as client:
        client.log_artifacts(mlflow_run_id, str(index.parent), FOLDER)
        experiment = client.get_run(mlflow_run_id).info.experiment_id
    if not uri.startswith("http"):
        return index.as_uri()
    return f"{uri.rstrip('/')}/#/experiments/{experiment}/runs/{mlflow_run_id}/artifacts/{FOLDER}/index.html"


def link_docs(docs_dir: Path, description: str, link: str | None = None) -> None:
    """A link to the Data Docs in the Prefect UI: ``link``, or the folder on this machine."""
    _tidy(docs_index(docs_dir).parent)
    create_link_artifact(link or docs_index(docs_dir).as_uri(), "Data Docs", key=FOLDER, description=description)


def _tidy(site: Path) -> None:
    for film in site.glob("static/images/*.gif"):
        film.unlink()
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        quiet = TRACKED_LOGO.sub('src="data:,"', text)
        if quiet != text:
            page.write_text(quiet, encoding="utf-8")


def gates_page(gates: Sequence[GateResult]) -> str:
    """Markdown: a line a gate; below, what did not hold, and how each row of it is opened."""
    lines = ["| gate | result | expectations |", "| --- | --- | --- |"]
    lines += [f"| {g.gate} | {_outcome(g)} | {g.evaluated} |" for g in gates]
    for gate in gates:
        for failure in gate.failures:
            lines += ["", f"**{gate.gate}**, {failure['severity']}: {failure['meaning']} ({failure['column']})", ""]
            lines += [f"    {way}" for way in failure.get("open", ())]
    return "\n".join(lines)


def _outcome(gate: GateResult) -> str:
    return "failed" if not gate.passed else f"passed, {len(gate.failures)} warnings" if gate.failures else "passed"
