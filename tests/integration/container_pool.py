"""What a machine of the work pool coderm-docker has: an engine for untrusted code, and the folders that the template mounts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from models.errors import SandboxUnavailable
from sandbox.docker_runtime import connect
from tasks.prefect_server import CONTAINER_POOL, TEMPLATE
from tests.processes import ROOT, running, wait_until

SANDBOX_IMAGE = "coderm-sandbox:latest"
OWNER = 10001
"""The user of the image of flow runs, who is also the one of the engine's socket and of the folders."""


@contextmanager
def sandbox_engine() -> Iterator[Path]:
    """A second engine, without any network, that has the sandbox image of the first; yields the folder of its socket."""
    home = Path(tempfile.mkdtemp(prefix="coderm-engine-"))  # short: a socket's path may have 107 characters
    home.chmod(0o711)
    host = f"unix://{home}/docker.sock"
    # a network of its own: without a bridge an engine removes docker0, which is the first one's
    command = ["unshare", "--net", "dockerd", "--host", host, "--group", str(OWNER), "--bridge", "none", "--iptables=false"]
    command += ["--data-root", f"{home}/data", "--exec-root", f"{home}/exec", "--pidfile", f"{home}/pid"]
    try:
        with running(command, home) as log:
            wait_until(lambda: _answers(host), f"the engine for the sandbox did not start: {log.read_text()[-2000:]}", 60)
            with closing(connect(None)) as first, closing(connect(host)) as second:
                second.images.load(first.images.get(SANDBOX_IMAGE).save(named=True))
            yield home
    finally:
        shutil.rmtree(home)


def _answers(host: str) -> bool:
    try:
        connect(host).close()
    except SandboxUnavailable:
        return False
    return True


@contextmanager
def database(socket: Path, name: str) -> Iterator[str]:
    """URL, as a container that mounts the socket's folder under /pg sees it; the empty database goes with the block."""
    socket.chmod(0o711)
    with psycopg.connect(host=str(socket), user="coderm", dbname="postgres", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        try:
            yield f"postgresql+psycopg://coderm@/{name}?host=/pg"
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def template(secrets: Path, engine: Path, state: Path, socket: Path, files: Path) -> dict[str, Any]:
    """The template that ships, with this test's folders in the places of a machine's.

    Beside them, as an operator adds what a run needs: PostgreSQL's socket, and the benchmark's files under one path everywhere.
    """
    shipped: dict[str, Any] = json.loads(TEMPLATE.read_text())
    places = {"/etc/coderm": secrets, "/run/user/10001": engine, "/var/lib/coderm": state}
    job = shipped["job_configuration"]
    mounts = [mount.split(":", 1) for mount in job["volumes"]]
    assert [source for source, _target in mounts] == list(places)
    job["volumes"] = [*(f"{places[source]}:{target}" for source, target in mounts), f"{socket}:/pg", f"{files}:{files}:ro"]
    return shipped


def folder_of_owner(path: Path, **files: str) -> Path:
    """A folder that only the image's user can read, with files that only they can read."""
    path.mkdir()
    for name, text in files.items():
        (path / name).write_text(text)
        (path / name).chmod(0o400)
    for entry in (path, *path.iterdir()):
        os.chown(entry, OWNER, OWNER)
    path.chmod(0o700)
    return path


def prefect(server: Mapping[str, str], *words: str) -> str:
    """A command of Prefect's; its output. Raises AssertionError with what it said when it failed."""
    command = [sys.executable, "-m", *words]
    base = {**os.environ, "PYTHONPATH": str(ROOT), **server}
    done = subprocess.run(command, env=base, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def deploy(server: Mapping[str, str], pool: Mapping[str, Any], folder: Path) -> None:
    """The pool with a template of its own, and two deployments of infra/prefect.yaml that run there."""
    (folder / "pool.json").write_text(json.dumps(pool))
    prefect(server, "flows", "serve", "--prepare")
    prefect(server, "prefect", "work-pool", "update", CONTAINER_POOL, "--base-job-template", str(folder / "pool.json"))
    file = ("--prefect-file", "infra/prefect.yaml")
    prefect(server, "prefect", "--no-prompt", "deploy", "--name", "container", *file)
    prefect(server, "prefect", "--no-prompt", "deploy", "--name", "shard", "--pool", CONTAINER_POOL, *file)
