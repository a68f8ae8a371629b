"""The stack of infra/compose.yaml: valid, closed to strangers, runs a benchmark, and restores."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from db.store import open_store
from tests.contracts.store_records import plain

if TYPE_CHECKING:
    from tests.integration.servers import Stack

pytest_plugins = ["tests.integration.servers"]
ROOT = Path(__file__).resolve().parents[2]
SECRETS = {
    "CODERM_POSTGRES_PASSWORD": "p",
    "CODERM_PREFECT_LOGIN": "a:b",
    "CODERM_MLFLOW_PASSWORD": "m",
    "CODERM_MLFLOW_SECRET_KEY": "k",
}


def compose_config(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """``docker compose config``, or the same of the older separate program."""
    has_plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0
    command = ["docker", "compose"] if has_plugin else ["docker-compose"]
    path = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    words = [*command, "-f", str(ROOT / "infra" / "compose.yaml"), "config"]
    return subprocess.run(words, env={**path, **environment}, capture_output=True, text=True, check=False)


@pytest.mark.compose
def test_the_compose_file_is_valid_and_every_secret_must_be_given() -> None:
    done = compose_config(SECRETS)
    assert done.returncode == 0, done.stderr
    for missing in SECRETS:
        done = compose_config({k: v for k, v in SECRETS.items() if k != missing})
        assert done.returncode != 0
        assert "env.example" in done.stderr


def test_nothing_is_published_beyond_loopback_and_the_hosts_socket_is_given_to_nobody() -> None:
    text = (ROOT / "infra" / "compose.yaml").read_text()
    published = [port for line in re.findall(r"ports: \[(.*)\]", text) for port in re.findall(r'"([^"]+)"', line)]
    assert len(published) == 2
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert "docker.sock" not in text
    example = (ROOT / "infra" / "servers" / "env.example").read_text()
    asked = set(re.findall(r"\$\{(\w+)", text))
    assert asked == set(re.findall(r"^(\w+)=$", example, re.MULTILINE))


@pytest.mark.postgres
def test_both_servers_ask_who_it_is(stack: Stack) -> None:
    for server in (stack.prefect, stack.mlflow):
        assert server.healthy()
        assert not server.healthy(login="")
        assert not server.healthy(login="admin:wrong")


@pytest.mark.postgres
def test_a_benchmark_runs_on_the_servers_and_a_backup_of_it_restores(stack: Stack, tmp_path: Path) -> None:
    from tests.postgres_server import program

    config = ROOT / "infra" / "demo" / "demo.toml"
    run = stack.coderm("run", str(config), "--set", "benchmark.limit=2", "--set", "sandbox.runtime=process")
    out, err = run.communicate(timeout=300)
    assert run.returncode == 0, err
    summary = json.loads(out.strip().splitlines()[-1])
    for secret in (stack.secrets["mlflow"], stack.secrets["prefect"]):
        assert secret not in out + err
    with open_store(_url(stack, "coderm")) as store:
        before = store.load_run(summary["run_id"])
    dump, restore, psql = (program(name) or name for name in ("pg_dump", "pg_restore", "psql"))
    connection = ["-h", str(stack.socket), "-U", "coderm"]
    subprocess.run([dump, *connection, "-Fc", "-f", str(tmp_path / "coderm.dump"), "coderm"], check=True, timeout=60)
    subprocess.run([psql, *connection, "-d", "postgres", "-qc", "CREATE DATABASE restored"], check=True, timeout=60)
    subprocess.run([restore, *connection, "-d", "restored", str(tmp_path / "coderm.dump")], check=True, timeout=60)
    with open_store(_url(stack, "restored")) as store:
        assert plain(store.load_run(summary["run_id"])) == plain(before)
    with psycopg.connect(host=str(stack.socket), user="coderm", dbname="coderm") as database:
        found = database.execute("SELECT config::text || provenance::text FROM run").fetchall()
    assert found
    assert not [row for row in found if stack.secrets["mlflow"] in row[0] or stack.secrets["prefect"] in row[0]]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.postgres
@pytest.mark.parametrize("name", ["mlflow", "postgres"])
def test_a_store_that_is_killed_in_mid_run_costs_one_line_and_nothing_that_was_done(stack: Stack, name: str) -> None:
    run, known = _killed_in_mid_run(stack, name)
    try:
        _out, err = run.communicate(timeout=300)
    finally:
        getattr(stack, name).start()
    assert run.returncode == 3, err
    assert "Traceback" not in err
    assert ("MLflow store" if name == "mlflow" else "database") in err.strip().splitlines()[-1]
    assert _known(stack) >= known
    _resumed_once(stack)


def _resumed_once(stack: Stack) -> None:
    """The one run that was broken off goes on, and stands once in SQL and once in MLflow."""
    ours = {"host": str(stack.socket), "user": "coderm"}
    with psycopg.connect(**ours, dbname="coderm") as database:
        ((run_id,),) = database.execute("SELECT run_id FROM started_run").fetchall()
    resumed = stack.coderm("runs", "resume", run_id)
    _out, err = resumed.communicate(timeout=300)
    assert resumed.returncode == 0, err
    with psycopg.connect(**ours, dbname="coderm") as database:
        assert database.execute("SELECT gates FROM run WHERE run_id = %s", [run_id]).fetchall()
        assert database.execute("SELECT count(*) FROM started_run").fetchone() == (0,)
    with psycopg.connect(**ours, dbname="mlflow") as database:
        tagged = "SELECT status FROM tags JOIN runs USING (run_uuid) WHERE key = 'coderm.run_id' AND value = %s"
        assert database.execute(tagged, [run_id]).fetchall() == [("FINISHED",)]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.postgres
def test_a_run_outlives_a_restart_of_the_prefect_server(stack: Stack) -> None:
    run, _known_then = _killed_in_mid_run(stack, "prefect")
    stack.prefect.start()
    out, err = run.communicate(timeout=300)
    assert run.returncode == 0, err
    run_id = json.loads(out.strip().splitlines()[-1])["run_id"]
    with psycopg.connect(host=str(stack.socket), user="coderm", dbname="coderm") as database:
        assert database.execute("SELECT count(*) FROM run WHERE run_id = %s", [run_id]).fetchone() == (1,)


def _killed_in_mid_run(stack: Stack, name: str) -> tuple[subprocess.Popen[str], int]:
    """A run whose server was killed when its first cells were known, and how many rows were known then."""
    own = {"mlflow": 201, "postgres": 202, "prefect": 203}[name]  # limits of its own: nothing is known yet
    changes = ("sandbox.runtime=process", f"sandbox.limits.memory_mib={own}", "benchmark.limit=4", "shard_problems=1")
    words = "run", str(ROOT / "infra" / "demo" / "demo.toml"), *(word for change in changes for word in ("--set", change))
    before = _known(stack)
    run = stack.coderm(*words, PREFECT_CLIENT_MAX_RETRIES="7")
    deadline = time.monotonic() + 240
    while _known(stack) == before and time.monotonic() < deadline and run.poll() is None:
        time.sleep(0.05)
    known = _known(stack)
    assert known > before, run.communicate()
    getattr(stack, name).kill()
    return run, known


def _known(stack: Stack) -> int:
    """Rows of known verdicts: they grow while cells run."""
    with psycopg.connect(host=str(stack.socket), user="coderm", dbname="coderm") as database:
        has = database.execute("SELECT to_regclass('verdict_row')").fetchone()
        found = database.execute("SELECT count(*) FROM verdict_row").fetchone() if has and has[0] else None
        return int(found[0]) if found else 0


def _url(stack: Stack, name: str) -> str:
    return f"postgresql+psycopg://coderm@/{name}?host={stack.socket}"
