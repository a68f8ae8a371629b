"""Two reward-model versions side by side: the same candidates, the same cells, paired statistics; in MLflow and in Prefect's UI."""

from typing import Any

from prefect import flow

from tasks.progress import without_known_tracebacks
from tasks.publish_comparison import measure_comparison, publish_comparison, summary_of_comparison
from tasks.track_comparison import track_comparison


@flow(name="compare", validate_parameters=True)
def compare(
    a: str = "champion", b: str = "challenger", benchmarks: list[str] | None = None, margin: float = 0.01
) -> dict[str, Any]:
    """Compare B against A.

    Args:
        a: The side that stands: an alias, a version's number, a run id, or RUN:SELECTOR.
        b: The side that wants its place, named in the same way.
        benchmarks: Only these; otherwise every benchmark that both sides were run on.
        margin: Share of problems that B may lose and still count as not worse.

    Raises InputError for an unknown reference or benchmark, UnavailableError when a part that is needed is missing.
    """
    without_known_tracebacks()
    done = measure_comparison(a, b, benchmarks or [])
    mlflow_runs = track_comparison(done)
    publish_comparison(done)
    return summary_of_comparison(done, margin, mlflow_runs)
