"""A stored run becomes a version in the MLflow Model Registry: files, signature, input example, metrics, dataset digests.

The model is written to a local folder and uploaded by ``MlflowClient`` under an explicit run id, since ``log_model`` works on the
thread's active run. Its code is a file that imports this package ("models from code"), its artifacts are JSON and the probe's
weights: nothing is pickled. The newest version that is not the champion is the challenger.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version as installed_version
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from models.confidence import Calibrator
from models.errors import InputError
from models.operations import results_of
from models.reward_version import RewardVersion, probe_spec, version_of_run
from models.run_record import RunRecord, require_gates
from tasks import model_registry as registry
from tasks.mlflow_store import connected
from tasks.model_registry import CHALLENGER, CHAMPION, MODEL_NAME, Registered
from tasks.resources import open_database
from tasks.settings import Settings, load_settings
from tasks.track_mlflow import track_run
from tasks.tracking_payload import datasets
from tasks.version_page import ABOUT, describe, version_tags

if TYPE_CHECKING:
    from mlflow import MlflowClient

CODE = Path(__file__).with_name("reward_model_code.py")
EXAMPLE: tuple[dict[str, Any], ...] = (
    {"task_id": "demo/1", "verdicts": [["passed", "passed"], ["passed", "failed"], ["error", "timeout"]]},
    {"task_id": "demo/2", "verdicts": [["failed"], ["passed"]]},
)


def register_run(
    reference: str, selector: str | None = None, probe: Path | None = None, settings: Settings | None = None
) -> tuple[Registered, bool]:
    """Register the version that a run evaluated. Returns it, and whether it is new.

    Raises InputError for a run or selector that is not there and a run of which a gate failed, UnavailableError when a store
    cannot be used.
    """
    settings = settings or load_settings()
    with open_database(settings) as store:
        run = require_gates(store.load_run(reference))
    spec = probe_spec(probe) if probe else None
    version = version_of_run(run, selector, spec)
    with connected(settings.mlflow_uri) as client:
        known = next((v for v in registry.list_versions(client) if v.version.digest == version.digest), None)
        if known is not None:
            registry.add_runs(client, known, [run.run_id])
            return registry.get_version(client, str(known.number)), False
        mlflow_run = _tracked(client, run, settings)
        number = _create(client, mlflow_run, run, version, probe)
        _name_challenger(client, number)
        return registry.get_version(client, str(number)), True


def _tracked(client: MlflowClient, run: RunRecord, settings: Settings) -> Any:
    """The run in this MLflow store; made again from SQL where it is not there."""
    found = registry.mlflow_run_of(client, run.run_id)
    if found is None:
        mlflow_id = track_run(run, None, tracking_uri=settings.mlflow_uri, artifact_root=settings.root / "mlflow-artifacts")
        found = client.get_run(mlflow_id)
    return found


def _create(client: MlflowClient, mlflow_run: Any, run: RunRecord, version: RewardVersion, probe: Path | None) -> int:
    from mlflow.entities import LoggedModelOutput

    run_id, experiment = mlflow_run.info.run_id, mlflow_run.info.experiment_id
    tags = version_tags(run, version)
    model = client.create_logged_model(
        experiment, name=MODEL_NAME, source_run_id=run_id, model_type="reward", tags=tags, params=_flat(version)
    )
    with TemporaryDirectory(prefix="coderm-version-") as scratch:
        save_model(Path(scratch) / "model", version, probe, model.model_id, calibrator_of(run, version))
        client.log_model_artifacts(model.model_id, str(Path(scratch) / "model"))
    client.finalize_logged_model(model.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
    _link_metrics(client, mlflow_run, model.model_id, run)
    _ensure_registered_model(client)
    source = f"models:/{model.model_id}"
    with _global_store(client.tracking_uri):
        created = client.create_model_version(
            MODEL_NAME, source, run_id=run_id, tags=tags, model_id=model.model_id, description=describe(run, version)
        )
    return int(created.version)


@contextmanager
def _global_store(tracking_uri: str) -> Iterator[None]:
    """The registry of a database looks a ``models:/`` source up in MLflow's global store, whatever store its client has."""
    import mlflow

    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(tracking_uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)


def calibrator_of(run: RunRecord, version: RewardVersion) -> Calibrator | None:
    """Confidence of the version's rule, fitted on the run that registers it; None where it has too few judged problems."""
    sources = {t: s.solutions for t, s in run.solutions.items()}
    try:
        return Calibrator.fit(run.matrices, run.labels, version.selector, sources=sources)
    except InputError:  # fewer problems than models.confidence asks for; its raw posterior serves
        return None


def save_model(
    folder: Path,
    version: RewardVersion,
    probe: Path | None = None,
    model_id: str | None = None,
    calibrator: Calibrator | None = None,
) -> None:
    """Write the version as an MLflow pyfunc model into ``folder``, which must not exist yet."""
    import mlflow.pyfunc
    from mlflow.models import Model

    with TemporaryDirectory(prefix="coderm-version-") as scratch:
        artifacts = {"version": str(Path(scratch) / "version.json")}
        Path(artifacts["version"]).write_text(version.model_dump_json(indent=2), encoding="utf-8")
        if calibrator is not None:
            artifacts["calibrator"] = str(Path(scratch) / "calibrator.json")
            calibrator.save(Path(artifacts["calibrator"]))
        if version.probe is not None and probe is not None:
            artifacts["probe"] = str(Path(scratch) / version.probe.file)
            copyfile(probe, artifacts["probe"])
        mlflow.pyfunc.save_model(
            path=str(folder),
            python_model=str(CODE),
            artifacts=artifacts,
            signature=signature(),
            input_example=list(EXAMPLE),
            pip_requirements=[f"coderm-flows=={installed_version('coderm-flows')}"],
            mlflow_model=Model(model_id=model_id, model_uuid=model_id) if model_id else None,
        )


def signature() -> Any:
    """What a request may hold; the table is in ``tasks.reward_pyfunc``."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import Array

    text, texts = DataType.string, Array(DataType.string)
    optional: Any = {"required": False}
    given: list[Any] = [ColSpec(text, "task_id", **optional), ColSpec(Array(texts), "verdicts", **optional)]
    given += [ColSpec(texts, name, **optional) for name in ("solutions", "tests")] + [ColSpec(text, "entry_point", **optional)]
    answer: list[Any] = [
        ColSpec(text, "task_id"),
        ColSpec(Array(DataType.double), "scores"),
        ColSpec(Array(DataType.long), "choice"),
        ColSpec(DataType.double, "confidence", **optional),
    ]
    return ModelSignature(inputs=Schema(given), outputs=Schema(answer))


def _link_metrics(client: MlflowClient, mlflow_run: Any, model_id: str, run: RunRecord) -> None:
    """The run's own metrics once more under the model, with the dataset of problems: what MLflow's models page sorts by."""
    from mlflow.entities import Metric

    (name, digest, _), *_ = datasets(run)
    now, run_id = int(time.time() * 1000), mlflow_run.info.run_id
    linked = {"dataset_name": name, "dataset_digest": digest, "run_id": run_id, "model_id": model_id}
    found = results_of(mlflow_run.data.metrics)
    metrics = [Metric(key, value, now, 0, **linked) for key, value in found.items() if not key.startswith("bon")]
    client.log_batch(run_id, metrics=metrics[:1000])


def _ensure_registered_model(client: MlflowClient) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(MODEL_NAME, description=ABOUT)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _name_challenger(client: MlflowClient, number: int) -> None:
    champion = registry.find_version(client, CHAMPION)
    if champion is None or champion.number != number:
        client.set_registered_model_alias(MODEL_NAME, CHALLENGER, str(number))


def _flat(version: RewardVersion) -> dict[str, str]:
    from tasks.tracking_payload import parameters

    return parameters(version.model_dump(mode="json", exclude_none=True))
