"""What a newcomer does first: ``coderm demo`` in a process of its own, with an engine and without; and Ctrl-C in the middle."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

COMMAND = [sys.executable, "-m", "flows", "demo"]


@pytest.fixture
def environment(tmp_path: Path, repo_root: Path) -> dict[str, str]:
    """A machine that knows nothing of earlier runs: own state, own Prefect home."""
    return {
        **os.environ,
        "CODERM_HOME": str(tmp_path / "state"),
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PYTHONPATH": str(repo_root),
    }


def finish(environment: dict[str, str], folder: Path, *options: str) -> tuple[dict[str, str], str]:
    """The last line of stdout, and stderr."""
    done = subprocess.run([*COMMAND, *options], env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.strip().splitlines()[-1])), done.stderr


def check(summary: dict[str, str]) -> None:
    assert set(summary) == {"run_id", "report", "database", "mlflow_uri", "mlflow_run_id", "wall_s"}
    assert all(Path(summary[name]).is_absolute() for name in ("report", "database"))
    assert "<html" in Path(summary["report"]).read_text()[:2000]
    with closing(sqlite3.connect(summary["database"])) as database:
        names = {row[0] for row in database.execute("select name from sqlite_master where type = 'table'")}
    assert "alembic_version" not in names  # Prefect's and MLflow's own, in databases of their own
    from db.store import open_store

    with open_store(f"sqlite:///{summary['database']}") as store:
        run = store.load_run(summary["run_id"])
    metrics = run.metrics
    assert len(run.problems) >= 24
    assert metrics["cells/missing"] == 0
    assert metrics["selector/majority/pass_1"] > metrics["selector/random/pass_1"] + 0.2
    points = {p["tests"]: p["accuracy"] for p in run.budget_curves["scaling"]["majority"]}
    assert points[16] > points[4] + 0.05 > points[1] + 0.1


def test_the_demo_without_an_engine(environment: dict[str, str], tmp_path: Path) -> None:
    nowhere = {**environment, "DOCKER_HOST": f"unix://{tmp_path}/no-engine.sock"}
    summary, said = finish(nowhere, tmp_path, "--sandbox", "auto")
    check(summary)
    assert said.count("warning: no container engine answers") == 1
    assert "running cells as local processes, without:" in said


@pytest.mark.docker
def test_the_demo_with_an_engine_leaves_no_container(environment: dict[str, str], tmp_path: Path) -> None:
    summary, _ = finish(environment, tmp_path, "--sandbox", "docker")
    check(summary)
    from db.store import open_store

    with open_store(f"sqlite:///{summary['database']}") as store:
        run = store.load_run(summary["run_id"])
    assert {m.context.sandbox for m in run.matrices.values()} == {"docker"}
    assert all((m.context.image or "").startswith("sha256:") for m in run.matrices.values())


@pytest.mark.parametrize("runtime", ["process", pytest.param("docker", marks=pytest.mark.docker)])
def test_ctrl_c_leaves_no_run_and_no_cell_behind(
    runtime: str, environment: dict[str, str], tmp_path: Path, repo_root: Path
) -> None:
    loops = {"task_id": "loop", "solutions": [f"while True:\n    pass  # {i}\n" for i in range(64)]}
    (tmp_path / "S.jsonl").write_text(json.dumps(loops) + "\n")
    (tmp_path / "T.jsonl").write_text(json.dumps({"task_id": "loop", "tests": ["assert True"]}) + "\n")
    argv = [sys.executable, "-m", "flows", "execute", "--solutions", "S.jsonl", "--tests", "T.jsonl", "--out", "M.jsonl"]
    job = subprocess.Popen(
        [*argv, "--sandbox", runtime, "--timeout-s", "10", "--workers", "2"],
        env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=hear_ctrl_c,
    )  # fmt: skip
    time.sleep(6)
    assert job.poll() is None
    mine = {job.pid, *descendants(job.pid)}
    job.send_signal(signal.SIGINT)
    _, errors = job.communicate(timeout=60)
    assert job.returncode == 130, errors
    assert not (tmp_path / "M.jsonl").exists()
    deadline = time.monotonic() + 10
    while (left := {pid for pid in mine if Path(f"/proc/{pid}").exists()}) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not left
    if runtime == "docker":
        assert not containers_of(job.pid)


def hear_ctrl_c() -> None:
    """A suite that was started in the background inherits an ignored SIGINT; a person's terminal does not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def descendants(pid: int) -> set[int]:
    """Every process below ``pid``, by the kernel's own list."""
    below: set[int] = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            below |= {int(child), *descendants(int(child))}
    return below


def containers_of(pid: int) -> list[str]:
    from sandbox.docker_runtime import connect

    with closing(connect(None)) as client:
        return [c.id for c in client.containers.list(all=True) if c.labels.get("coderm.pid") == str(pid)]
