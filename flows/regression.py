"""What runs every night: the benchmark, then a verdict against the champion's last good run. A regression fails the flow run."""

from typing import Any

from prefect import flow

from flows.benchmark import benchmark
from models.config import RunConfig
from models.errors import RegressionFound
from tasks.judge_regression import announce, find_baseline, judge_regression, verdict_line
from tasks.progress import without_known_tracebacks


@flow(name="regression", validate_parameters=True)
def regression(config: RunConfig, version: str = "champion", margin: float = 0.01, alpha: float = 0.05) -> dict[str, Any]:
    """Run a benchmark and judge it against a version's last good run.

    Args:
        config: What is run, by whom, where, and on what budget.
        version: Whose last good run is the baseline: an alias or a version's number.
        margin: Smallest drop that is worth an alarm, as a share of problems.
        alpha: Probability of ever raising a false alarm against one baseline.

    Raises RegressionFound after everything is stored, tagged and announced; InputError when there is nothing to judge against.
    """
    without_known_tracebacks()
    baseline = find_baseline(version, config.benchmark.name)
    summary = benchmark(config)
    judged = judge_regression(summary["run_id"], baseline, version, margin, alpha)
    announce(judged)
    if judged["regression"]:
        raise RegressionFound(verdict_line(judged))
    return {**judged, "report": summary["report"], "mlflow_run_id": summary["mlflow_run_id"]}
