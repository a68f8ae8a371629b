"""A run on one page of Markdown, as people meet it in the Prefect UI: what was decided, how well, and where the rest is.

Names come from configurations and file names, so they stand in code spans. A link is given only where a browser can follow it: to
MLflow when it is a server; a file of the machine that executed the run is a path.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from models.reward.registry import DEFAULT
from models.run_record import RunRecord
from tasks.tracking_payload import joined
from tasks.validate_data import docs_index


def run_summary(run: RunRecord, report: Path, docs: Path, mlflow_uri: str, mlflow_run_id: str) -> str:
    """Markdown. ``docs``: folder of the run's Data Docs; ``mlflow_uri``: tracking URI."""
    index = docs_index(docs)
    places = [
        ("MLflow run", mlflow_link(mlflow_uri, mlflow_run_id)),
        ("report", code(report)),
        *([("Data Docs of the gates", code(index))] if index.is_file() else []),
        ("in a terminal", code(f"coderm runs show {run.run_id}")),
    ]
    parts = (f"## {code(run.benchmark)}, run {code(run.run_id)}", _sizes(run), _rules(run), _table(("what", "where"), places))
    return "\n\n".join(parts)


def mlflow_link(tracking_uri: str, mlflow_run_id: str) -> str:
    """A link to the run's page where MLflow is a server, without a password in it; else the run's id."""
    parts = urlsplit(tracking_uri)
    if parts.scheme not in ("http", "https"):
        return code(mlflow_run_id)
    host = parts.netloc.rpartition("@")[2]
    return f"[{mlflow_run_id}]({parts.scheme}://{host}{parts.path.rstrip('/')}/#/runs/{mlflow_run_id})"


def code(text: object) -> str:
    """A code span that neither ends early nor breaks a table."""
    return "`" + str(text).replace("`", "'").replace("|", "¦").replace("\n", " ") + "`"


def default_rule(run: RunRecord) -> str | None:
    """The rule that stands for the run: ``auto``'s, else its first; None where it ranked nothing."""
    return next((name for name in (DEFAULT, *run.rankings) if name in run.rankings), None)


def _sizes(run: RunRecord) -> str:
    cells = sum(int(matrix.asked.sum()) for matrix in run.matrices.values())
    places = joined(matrix.context.sandbox for matrix in run.matrices.values())
    gates = f"gates failed: {', '.join(run.failed_gates)}" if run.failed_gates else f"{len(run.gates)} gates passed"
    return f"{len(run.matrices)} problems, {cells} cells in sandbox {places}, {gates}."


def _rules(run: RunRecord) -> str:
    chosen = default_rule(run)
    names = sorted(
        dict.fromkeys(name.split("/")[1] for name in run.metrics if name.startswith("selector/")), key=lambda n: n != chosen
    )
    rows = [(f"**{name}**" if name == chosen else name, *(_figure(run, name, f) for f in ("", "_lo", "_hi"))) for name in names]
    return _table(("rule", "pass@1", "95 % from", "to"), rows)


def _figure(run: RunRecord, name: str, suffix: str) -> str:
    value = run.metrics.get(f"selector/{name}/pass_1{suffix}", math.nan)
    return "" if math.isnan(value) else f"{value:z.4f}"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ("---",) * len(head), *rows))
