"""One MLflow run a benchmark run: what reward-model versions are compared by. SQL stays the truth; this can be made again from it.

Everything goes through ``MlflowClient`` with an explicit run id: MLflow's active run is thread-local, and one that is opened in a
flow is not seen in its task threads. Tracking the same run twice updates the one that carries its tag.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

from models.errors import InputError
from models.run_record import RunRecord
from tasks import tracking_payload
from tasks.mlflow_store import connected, experiment_id, one_line
from tasks.plots import write_plots

if TYPE_CHECKING:
    from mlflow import MlflowClient

LOG = logging.getLogger(__name__)
T = TypeVar("T")

PARAMS_A_BATCH, METRICS_A_BATCH = 100, 1000
"""MLflow's limits for one log_batch."""
TABLE_FILE = "problems.json"


def track_run(
    run: RunRecord, report_path: Path | None, *, tracking_uri: str, artifact_root: Path, plots_dir: Path | None = None
) -> str:
    """Log ``run`` with its report and plots; the id of the MLflow run.

    ``artifact_root``: where files go when MLflow has no server to decide; ``plots_dir``: a folder where the plots stay too.
    The MLflow run ends FINISHED, or FAILED when this raises.

    Raises:
        UnavailableError: the store cannot be reached, or the experiment was deleted there.
        InputError: ``report_path`` is no file.
    """
    if report_path is not None and not report_path.is_file():
        raise InputError(f"report {report_path}: no such file; expected the page of run {run.run_id}")
    with connected(tracking_uri) as client:
        experiment = experiment_id(client, tracking_uri, tracking_payload.experiment_name(run), artifact_root)
        logged = TrackedRun.open(client, experiment, run)
        with logged.ending():
            logged.log_values(run)
            logged.log_files(run, report_path, plots_dir)
    return logged.run_id


class TrackedRun:
    """One MLflow run by its id. Every method may be called again: it updates."""

    def __init__(self, client: MlflowClient, run_id: str) -> None:
        """``run_id`` is MLflow's, not ours."""
        self._client, self.run_id = client, run_id

    @classmethod
    def open(cls, client: MlflowClient, experiment_id: str, run: RunRecord) -> TrackedRun:
        """The run that carries our run id as a tag, or a new one."""
        query = f"tags.`{tracking_payload.RUN_TAG}` = '{run.run_id}'"
        found = client.search_runs([experiment_id], filter_string=query, max_results=1)
        if found:
            return cls(client, found[0].info.run_id)
        began = int(datetime.fromisoformat(run.created_at).timestamp() * 1000)
        created = client.create_run(
            experiment_id, start_time=began, tags={tracking_payload.RUN_TAG: run.run_id}, run_name=run.run_id
        )
        return cls(client, created.info.run_id)

    @contextmanager
    def ending(self) -> Iterator[None]:
        """FINISHED when the block ends, FAILED when it raises; the block's error is the one that is reported."""
        try:
            yield
        except BaseException:
            self._fail()
            raise
        self._client.set_terminated(self.run_id, "FINISHED")

    def _fail(self) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._client.set_terminated(self.run_id, "FAILED")
        except MlflowException as error:
            LOG.warning("MLflow run %s could not be marked FAILED: %s", self.run_id, one_line(error))

    def log_values(self, run: RunRecord) -> None:
        """Parameters, metrics, tags and dataset digests."""
        from mlflow.entities import Metric, Param, RunTag

        points, undefined = tracking_payload.metric_points(run)
        params = [Param(key, value) for key, value in tracking_payload.parameters(run.config).items()]
        now = int(time.time() * 1000)
        metrics = [Metric(name, value, now, step) for name, step, value in self._changed(points)]
        for some_params in _batches(params, PARAMS_A_BATCH):
            self._client.log_batch(self.run_id, params=some_params)
        for some_metrics in _batches(metrics, METRICS_A_BATCH):
            self._client.log_batch(self.run_id, metrics=some_metrics)
        self._client.log_batch(self.run_id, tags=[RunTag(k, v) for k, v in tracking_payload.tags(run, undefined).items()])
        self._log_datasets(_dataset_inputs(run))

    def _log_datasets(self, inputs: list[Any]) -> None:
        """MLflow looks a dataset up and inserts it in two steps, so of two runs at once on one benchmark the slower is refused."""
        from mlflow.exceptions import MlflowException

        try:
            self._client.log_inputs(self.run_id, inputs)
        except MlflowException as error:
            if "unique constraint" not in str(error).lower():
                raise
            self._client.log_inputs(self.run_id, inputs)

    def _changed(self, points: Sequence[tracking_payload.Point]) -> list[tracking_payload.Point]:
        """Points that MLflow does not hold yet: it keeps every value ever logged, so a repeated one would show up twice."""
        known = set(self._client.get_run(self.run_id).data.metrics)
        history = [m for name in {p[0] for p in points} & known for m in self._client.get_metric_history(self.run_id, name)]
        latest = {(m.key, m.step): m.value for m in sorted(history, key=lambda m: m.timestamp)}
        return [p for p in points if latest.get((p[0], p[1])) != p[2]]

    def log_files(self, run: RunRecord, report_path: Path | None, plots_dir: Path | None) -> None:
        """The table of problems (as ``log_table`` writes it, which would append on a second call), the report, the plots."""
        table = json.dumps(tracking_payload.problem_table(run), ensure_ascii=True, allow_nan=False)
        self._client.log_text(self.run_id, table, TABLE_FILE)
        # the tag by which MLflow's evaluation view finds tables
        self._client.set_tag(self.run_id, "mlflow.loggedArtifacts", json.dumps([{"path": TABLE_FILE, "type": "table"}]))
        if report_path is not None:
            self._client.log_artifact(self.run_id, str(report_path), "report")
        with TemporaryDirectory(prefix="coderm-plots-") as scratch:
            for plot in write_plots(run, plots_dir or Path(scratch)):
                self._client.log_artifact(self.run_id, str(plot), "plots")


def _dataset_inputs(run: RunRecord) -> list[Any]:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    return [
        DatasetInput(
            Dataset(name=name, digest=digest, source_type="local", source=json.dumps({"uri": origin})),
            [InputTag("mlflow.data.context", "evaluation")],
        )
        for name, digest, origin in tracking_payload.datasets(run)
    ]


def _batches(items: Sequence[T], size: int) -> Iterator[list[T]]:
    return (list(items[start : start + size]) for start in range(0, len(items), size))
