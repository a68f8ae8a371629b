"""Gates: a suite over a frame, the Data Docs that show it, and the error that stops a run on bad data.

A critical expectation that does not hold fails the gate, a warning is only listed, and an empty frame fails: nothing was checked.
An expectation that could not be evaluated is a failure of its own severity, never a pass. Great Expectations keeps global state
(open issue 12209), so validations take turns in a process; every run has its own context folder, so that processes cannot damage
each other's.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.errors import GateFailed, UnavailableError
from models.run_record import GateResult
from tasks.settings import default_environment

if TYPE_CHECKING:
    import pandas as pd

SAMPLE_SIZE = 10
"""Offending rows kept a failure: enough to open some, few enough to read."""
ONE_AT_A_TIME = threading.Lock()


def run_gate(name: str, frame: pd.DataFrame, suite: Any, docs_dir: Path) -> GateResult:
    """Validate ``frame`` and write Data Docs under ``docs_dir`` (a folder of this run alone; ``docs_index`` is the page).

    Raises UnavailableError when the folder cannot be written.
    """
    if frame.empty:
        return GateResult(gate=name, passed=False, evaluated=0, failures=(_nothing_to_check(name),))
    with ONE_AT_A_TIME:
        results = _validate(name, frame, suite, docs_dir)
    return gate_result(name, results, str(frame.columns[0]), frame)


def gate_result(name: str, results: Sequence[Any], index: str, frame: pd.DataFrame | None = None) -> GateResult:
    """What Great Expectations found, as a record. ``frame``: where aggregates find the rows that drive them out of their bound."""
    failures = tuple(_failure(r, index, frame) for r in results if not r.success)
    passed = not any(f["severity"] == "critical" for f in failures)
    return GateResult(gate=name, passed=passed, evaluated=len(results), failures=failures)


def docs_index(docs_dir: Path) -> Path:
    """The first page of the Data Docs that ``run_gate`` writes."""
    return docs_dir.absolute() / "gx" / "uncommitted" / "data_docs" / "local_site" / "index.html"


def require(result: GateResult) -> GateResult:
    """Hand the result back. Raises GateFailed with the critical failures when the gate does not hold."""
    if not result.passed:
        raise GateFailed(result.gate, [f for f in result.failures if f["severity"] == "critical"])
    return result


def failures_table(result: GateResult) -> list[dict[str, str]]:
    """One row a failure, all text: for a Prefect table artifact or a terminal. Critical ones first."""
    ordered = sorted(result.failures, key=lambda f: f["severity"] != "critical")
    return [
        {
            "gate": result.gate,
            "severity": str(f["severity"]),
            "expected": str(f["meaning"]),
            "expectation": str(f["expectation"]),
            "column": str(f["column"]),
            "unexpected": f"{f['unexpected']:.4g}" if isinstance(f["unexpected"], float) else str(f["unexpected"]),
            "sample": ", ".join(f["sample"]),
            "open": "\n".join(f.get("open", ())),
        }
        for f in ordered
    ]


def _nothing_to_check(name: str) -> dict[str, Any]:
    return {
        "expectation": "expect_table_row_count_to_be_between",
        "column": "",
        "unexpected": 0,
        "sample": [],
        "severity": "critical",
        "meaning": f"there is something to check: the {name} hand-over is empty, expected at least one row",
    }


def _validate(name: str, frame: pd.DataFrame, suite: Any, docs_dir: Path) -> list[Any]:
    """The results of one checkpoint run, stored and rendered in the context of ``docs_dir``."""
    context = open_context(docs_dir)
    asset = context.data_sources.add_or_update_pandas(name="frames").add_dataframe_asset(name)
    data = asset.add_batch_definition_whole_dataframe("all")
    (results,) = run_checkpoint(context, name, {name: (data, suite)}, str(frame.columns[0]), {"dataframe": frame}).values()
    return results


def run_checkpoint(
    context: Any, name: str, checks: Mapping[str, tuple[Any, Any]], index: str, parameters: Mapping[str, Any] | None = None
) -> dict[str, list[Any]]:
    """Results by the names of ``checks``: (batch definition, suite). Renders Data Docs. ``index``: the column that names a row."""
    import great_expectations as gx
    from great_expectations.checkpoint import UpdateDataDocsAction
    from great_expectations.core.run_identifier import RunIdentifier

    definitions = [
        context.validation_definitions.add_or_update(
            gx.ValidationDefinition(name=check, data=data, suite=context.suites.add_or_update(suite))
        )
        for check, (data, suite) in checks.items()
    ]
    checkpoint = gx.Checkpoint(
        name=name,
        validation_definitions=definitions,
        actions=[UpdateDataDocsAction(name="data-docs")],
        # SUMMARY, never COMPLETE, which keeps every bad row
        result_format={"result_format": "SUMMARY", "unexpected_index_column_names": [index]},
    )
    # a bare name such as 20261123-014746-3579 would be read as a date, with an offset of 35 hours
    folder = Path(context.root_directory).parent.name
    run_id = RunIdentifier(run_name=f"run {folder}", run_time=datetime.now(UTC))
    outcome = context.checkpoints.add_or_update(checkpoint).run(batch_parameters=parameters, run_id=run_id)
    return {found.suite_name: list(found.results) for found in outcome.run_results.values()}


def open_context(docs_dir: Path, secrets: Mapping[str, str] | None = None) -> Any:
    """The context that lives in ``docs_dir``. ``secrets``: what its files name as ``${NAME}`` and never hold.

    Raises UnavailableError when the folder cannot be written.
    """
    default_environment({"GX_ANALYTICS_ENABLED": "false"})
    values = {name: unsubstituted(value) for name, value in (secrets or {}).items()}
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    try:
        docs_dir.mkdir(parents=True, exist_ok=True)
        context = gx.get_context(mode="file", project_root_dir=str(docs_dir), runtime_environment=values)
    except OSError as error:
        raise UnavailableError(
            f"Data Docs cannot be written under {docs_dir} ({error.strerror}); set CODERM_HOME to a folder that can"
        ) from error
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return context


def unsubstituted(secret: str) -> str:
    r"""What Great Expectations reads as ``secret``: it makes ``$`` of every ``\$``, also in what it has put in for a name."""
    return secret.replace("$", r"\$")


def _failure(result: Any, index: str, frame: pd.DataFrame | None) -> dict[str, Any]:
    config = result.expectation_config
    kwargs, found = config.kwargs, result.result
    column = kwargs.get("column") or " = ".join(kwargs[c] for c in ("column_A", "column_B") if c in kwargs)
    trouble = _exception_message(result.exception_info)
    aggregate = "unexpected_count" not in found
    return {
        "expectation": config.type,
        "column": column,
        "unexpected": _plain(found.get("observed_value") if aggregate else found["unexpected_count"]),
        "sample": [] if trouble else _worst_rows(column, kwargs, frame) if aggregate else _offenders(found, index),
        "severity": config.severity.value,
        "meaning": f"{config.description} (could not be evaluated: {trouble})" if trouble else config.description,
    }


def _exception_message(info: Mapping[str, Any]) -> str | None:
    """First line of what an expectation raised. One exception is reported flat, several by the metric that raised them."""
    entries = [info] if "raised_exception" in info else list(info.values())
    messages = [str(e["exception_message"]) for e in entries if e["raised_exception"]]
    return messages[0].splitlines()[0] if messages else None


def _offenders(found: Mapping[str, Any], index: str) -> list[str]:
    rows = found.get("partial_unexpected_index_list") or []
    return list(dict.fromkeys(str(row[index]) for row in rows))[:SAMPLE_SIZE]


def _worst_rows(column: str, kwargs: Mapping[str, Any], frame: pd.DataFrame | None) -> list[str]:
    """The rows that drive an aggregate out of its bound: the largest below a maximum, the smallest above a minimum."""
    if frame is None:
        return []
    ordered = frame.sort_values(column, ascending=kwargs.get("max_value") is None, kind="stable")
    return [str(name) for name in ordered[frame.columns[0]].head(SAMPLE_SIZE)]


def _plain(value: Any) -> Any:
    """A number that JSON can hold, where numpy gave one of its own."""
    return value.item() if hasattr(value, "item") else value
