"""A run in a real MLflow store: SQLite in process, and a real server by its URL."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from models.errors import InputError, UnavailableError
from tasks.track_mlflow import TrackedRun, track_run
from tests.recorded_run import recorded_run


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One schema for all tests here: it takes seconds to create. Experiments are told apart by benchmark."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/state/mlflow.db"


@pytest.fixture
def track(store: str, tmp_path: Path, request: pytest.FixtureRequest) -> Any:
    page = tmp_path / "report.html"
    page.write_text("<html>report</html>")

    def call(**changes: Any) -> Any:
        run = recorded_run(**{"benchmark": request.node.name, **changes})
        run_id = track_run(run, page, tracking_uri=store, artifact_root=tmp_path / "mlflow artifacts")
        return client_of(store).get_run(run_id)

    return call


def client_of(uri: str) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(uri)


def test_a_run_is_all_there(track: Any, store: str, tmp_path: Path) -> None:
    run = track()
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "20261123-000000-abcd"
    assert run.data.params["sandbox.limits.timeout_s"] == "1.0"
    assert run.data.metrics["selector/majority/pass_1"] == 0.75
    assert "selector/majority/pass_1_lo" not in run.data.metrics
    assert run.data.tags["undefined_metrics"] == "3"
    history = client_of(store).get_metric_history(run.info.run_id, "bon/accuracy")
    assert [(m.step, m.value) for m in history] == [(1, 0.25), (2, 0.5)]
    assert [d.dataset.name.rsplit("-", 1)[1] for d in run.inputs.dataset_inputs] == ["problems", "solutions", "tests"]
    assert {d.tags[0].value for d in run.inputs.dataset_inputs} == {"evaluation"}
    files = tmp_path / "mlflow artifacts" / run.info.run_id / "artifacts"
    assert (files / "report" / "report.html").read_text() == "<html>report</html>"
    assert sorted(p.name for p in (files / "plots").iterdir()) == ["scaling_curve.png", "verdict_shares.png"]
    assert [row[0] for row in json.loads((files / "problems.json").read_text())["data"]] == ["a", "b"]


def test_the_table_is_one_that_mlflow_can_load(track: Any, store: str, request: pytest.FixtureRequest) -> None:
    import mlflow

    before = mlflow.get_tracking_uri()
    request.addfinalizer(lambda: mlflow.set_tracking_uri(before))
    mlflow.set_tracking_uri(store)  # load_table searches by the global one, and another test may have set it
    run = track()
    assert json.loads(run.data.tags["mlflow.loggedArtifacts"]) == [{"path": "problems.json", "type": "table"}]
    table = client_of(store).load_table(run.info.experiment_id, artifact_file="problems.json", run_ids=[run.info.run_id])
    assert table["task_id"].tolist() == ["a", "b"]


def test_tracking_twice_updates(track: Any, store: str, tmp_path: Path) -> None:
    first, again = track(), track()
    assert first.info.run_id == again.info.run_id
    assert (first.data.metrics, first.data.params, first.data.tags) == (again.data.metrics, again.data.params, again.data.tags)
    client = client_of(store)
    assert len(client.search_runs([first.info.experiment_id])) == 1
    assert len(client.get_metric_history(first.info.run_id, "bon/accuracy")) == 2
    assert len(again.inputs.dataset_inputs) == 3
    rows = json.loads((tmp_path / "mlflow artifacts" / first.info.run_id / "artifacts" / "problems.json").read_text())["data"]
    assert len(rows) == 2


def test_a_changed_metric_replaces_the_old_one(track: Any) -> None:
    before = track(metrics={"cells/passed": 0.9})
    after = track(metrics={"cells/passed": 0.1})
    assert before.info.run_id == after.info.run_id
    assert after.data.metrics["cells/passed"] == 0.1


def test_runs_of_one_benchmark_share_an_experiment(track: Any) -> None:
    one, two = track(run_id="one"), track(run_id="two")
    assert one.info.run_id != two.info.run_id
    assert one.info.experiment_id == two.info.experiment_id


def test_more_metrics_and_parameters_than_one_batch_takes(track: Any) -> None:
    run = track(config={f"key{i}": i for i in range(150)}, metrics={f"m/{i}": i / 1500 for i in range(1500)}, budget_curves={})
    assert (len(run.data.params), len(run.data.metrics)) == (150, 1500)


def test_plots_stay_where_asked(store: str, tmp_path: Path) -> None:
    track_run(recorded_run(), None, tracking_uri=store, artifact_root=tmp_path, plots_dir=tmp_path / "plots")
    assert len(list((tmp_path / "plots").iterdir())) == 2


def test_a_run_that_raises_can_be_tracked_again(track: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any) -> None:
        raise KeyError("a defect of ours")

    with monkeypatch.context() as patch:
        patch.setattr(TrackedRun, "log_files", broken)
        with pytest.raises(KeyError, match="a defect of ours"):
            track()
    assert track().info.status == "FINISHED"  # the same run, mended


def test_a_failed_run_says_so(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(TrackedRun, "log_files", interrupted)
    with pytest.raises(KeyboardInterrupt):
        track_run(recorded_run(benchmark="stopped"), None, tracking_uri=store, artifact_root=tmp_path)
    client = client_of(store)
    (run,) = client.search_runs([client.get_experiment_by_name("stopped · policy-7b").experiment_id])
    assert run.info.status == "FAILED"


def test_threads_log_to_their_own_runs(store: str, tmp_path: Path) -> None:
    found: dict[str, str] = {}

    def work(name: str) -> None:
        found[name] = track_run(recorded_run(name, benchmark="threads"), None, tracking_uri=store, artifact_root=tmp_path)

    threads = [threading.Thread(target=work, args=(f"run-{i}",)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client = client_of(store)
    assert {client.get_run(i).data.tags["coderm.run_id"]: i for i in found.values()} == found
    assert len(found) == 3


def test_a_dataset_that_another_run_inserts_meanwhile(track: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    real, refusals = MlflowClient.log_inputs, [MlflowException("UNIQUE constraint failed: datasets.digest")]

    def log_inputs(self: Any, *args: Any) -> None:
        if refusals:
            raise refusals.pop()
        real(self, *args)

    monkeypatch.setattr(MlflowClient, "log_inputs", log_inputs)
    assert len(track().inputs.dataset_inputs) == 3


def test_a_deleted_experiment_is_named(track: Any, store: str) -> None:
    client_of(store).delete_experiment(track().info.experiment_id)
    with pytest.raises(UnavailableError, match="is deleted; restore it: mlflow experiments restore -x"):
        track()


@pytest.mark.parametrize("scheme", ["http", "postgresql", "postgresql+psycopg"])
def test_nobody_listens(scheme: str, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        uri = f"{scheme}://user:hush@127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(UnavailableError, match=r"MLflow store .* cannot be used: .*refused.*; start it") as caught:
            track_run(recorded_run(), None, tracking_uri=uri, artifact_root=tmp_path)
    assert "hush" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_server_that_hangs_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = threading.Event()

        def hang_up() -> None:
            server.settimeout(0.1)
            while not done.is_set():
                try:
                    server.accept()[0].close()
                except TimeoutError:
                    continue

        thread = threading.Thread(target=hang_up)
        thread.start()
        try:
            with pytest.raises(UnavailableError, match="MLflow store http://127"):
                track_run(recorded_run(), None, tracking_uri=f"http://127.0.0.1:{server.getsockname()[1]}", artifact_root=tmp_path)
        finally:
            done.set()
            thread.join()


def test_a_store_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("this is no database, " * 100)
    with pytest.raises(UnavailableError, match="file is not a database"):
        track_run(recorded_run(), None, tracking_uri=f"sqlite:///{tmp_path}/mlflow.db", artifact_root=tmp_path)


@pytest.mark.parametrize("uri", ["./mlruns", "file:///tmp/mlruns", "http:///nowhere"])
def test_a_store_of_no_known_kind(uri: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected http"):
        track_run(recorded_run(), None, tracking_uri=uri, artifact_root=tmp_path)


def test_a_report_that_is_not_there(store: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        track_run(recorded_run(), tmp_path / "gone.html", tracking_uri=store, artifact_root=tmp_path)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A real ``mlflow server`` on a free port of this machine; its whole process group ends with the test."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{tmp_path}/server.db", "--artifacts-destination", str(tmp_path / "served")]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (tmp_path / "server.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=log, stderr=log, start_new_session=True)
    try:
        for _ in range(240):
            if process.poll() is not None:
                pytest.fail(f"mlflow server left: {(tmp_path / 'server.log').read_text()[-2000:]}")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.slow
def test_a_server_by_its_url_decides_where_files_go(server: str, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text("<html>served</html>")
    run_id = track_run(recorded_run(), page, tracking_uri=server, artifact_root=tmp_path / "not-here")
    assert track_run(recorded_run(), page, tracking_uri=server, artifact_root=tmp_path / "not-here") == run_id
    run = client_of(server).get_run(run_id)
    assert (run.info.status, run.data.tags["image_digest"]) == ("FINISHED", "sha256:feed")
    assert run.info.artifact_uri.startswith("mlflow-artifacts:")
    assert [p.read_text() for p in (tmp_path / "served").rglob("report.html")] == ["<html>served</html>"]
    assert not (tmp_path / "not-here").exists()


@pytest.mark.parametrize("private", [True, False])
def test_a_private_machine_keeps_prompts_and_code_out_of_mlflow(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, private: bool
) -> None:
    from tasks.publish_docs import share_docs
    from tasks.publish_run import render_report, track_metrics
    from tasks.run_header import RunHeader
    from tasks.settings import load_settings
    from tasks.validate_data import docs_index

    monkeypatch.setenv("CODERM_PRIVATE", str(private).lower())
    monkeypatch.setenv("CODERM_MLFLOW_TRACKING_URI", store)
    header = RunHeader(load_settings(), "")
    run = recorded_run(run_id=header.run_id, benchmark=f"private-{private}")
    logged = track_metrics.fn(header, run, render_report.fn(header, run))
    docs = docs_index(header.docs_dir)
    (docs.parent / "static" / "images").mkdir(parents=True)
    docs.write_text('what the gates found <img src="https://somebody.example/logo.png?d=1&dataContextId=2">')
    (docs.parent / "static" / "images" / "film.gif").write_bytes(b"")
    assert share_docs(header, logged) == docs.as_uri()
    files = [path for path in (tmp_path / "home").rglob("mlflow-artifacts/**/*") if path.is_file()]
    assert {path.name for path in files if path.suffix == ".html"} == (
        set() if private else {header.report_path.name, "index.html"}
    )
    assert not [path for path in files if path.suffix == ".gif" or b"somebody.example" in path.read_bytes()]
    assert not [path for path in files if path.suffix != ".html" and b"assert 1" in path.read_bytes()]
    assert client_of(store).get_run(logged).data.metrics["selector/majority/pass_1"] == 0.75
