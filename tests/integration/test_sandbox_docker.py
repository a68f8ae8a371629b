"""Containers as they are: hardening seen from outside and from inside, leaks removed, a killed coordinator leaves nothing."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from models.config import SandboxConfig
from models.matrix import MatrixJob
from models.types import Limits, UnitTest, Verdict
from sandbox import docker_runtime
from sandbox.executor import PooledExecutor, docker_executor

IMAGE = "coderm-sandbox:latest"
pytestmark = pytest.mark.docker


@pytest.fixture
def client() -> Iterator[Any]:
    with contextlib.closing(docker_runtime.connect(None)) as client:
        yield client


@pytest.fixture(scope="module")
def executor() -> Iterator[PooledExecutor]:
    with docker_executor(SandboxConfig(workers=1), image=IMAGE, docker_host=None) as executor:
        yield executor


def verdict(executor: PooledExecutor, solution: str, test: str) -> tuple[str, tuple[str, ...]]:
    job = MatrixJob("t", "function", "f", (solution,), ("s",), (UnitTest(source=test),), Limits(timeout_s=2.0, memory_mib=256))
    [matrix] = executor.execute([job])
    return Verdict(int(matrix.verdicts[0, 0])).label, matrix.flags.get((0, 0), ())


def test_hardening_as_the_engine_sees_it(executor: PooledExecutor, client: Any) -> None:
    [slot] = executor._slots.values()
    seen = client.api.inspect_container(slot.channel._id)  # type: ignore[attr-defined]
    host = seen["HostConfig"]
    assert seen["Config"]["User"] == "65534:65534"
    assert (host["NetworkMode"], host["ReadonlyRootfs"], host["CapDrop"], host["Privileged"]) == ("none", True, ["ALL"], False)
    assert host["Memory"] == host["MemorySwap"] > 0
    assert (host["PidsLimit"], host["NanoCpus"], host["IpcMode"]) == (docker_runtime.PIDS, 10**9, "private")
    assert host["LogConfig"]["Type"] == "none"
    assert host["Binds"] is None
    assert "no-new-privileges" in host["SecurityOpt"]
    assert any(option.startswith("seccomp={") for option in host["SecurityOpt"])
    assert slot.missing == ()


def test_how_a_pass_was_proved_travels_with_it(executor: PooledExecutor) -> None:
    counter = "class P:\n    def __init__(self, x):\n        self.x = x\n"
    assert verdict(executor, "def f(x): return x", "assert f(1) == 1") == ("passed", ())
    reaches = counter + "def g(name):\n    return eval(name)\n"
    for source in (counter, "import os\n" + counter, reaches):
        assert verdict(executor, source, "assert P(1).x == 1") == ("passed", ("handles",))
    equal = "    def __eq__(self, other):\n        return isinstance(other, P) and self.x == other.x\n"
    assert verdict(executor, counter + equal, "assert P(1) == P(1)") == ("passed", ("believed",))
    assert verdict(executor, reaches.replace("def g", equal + "def g"), "assert P(1) == P(1)") == ("tampered", ("unproved",))
    derives = "class Q(P):\n    pass\nassert Q(1).x == 1"
    for source in (counter, reaches):
        assert verdict(executor, source, derives) == ("passed", ("handles",))


def test_containers_of_dead_sessions_are_removed(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    labels = {**docker_runtime.labels(), "coderm.pid": str(ended.pid)}
    leaked = client.api.create_container(IMAGE, ["sleep", "100"], labels=labels)["Id"]
    mine = client.api.create_container(IMAGE, ["sleep", "100"], labels=docker_runtime.labels())["Id"]
    contained = {**labels, "coderm.pids": "pid:[1]"}  # that pid is not here, but it was a container's, on the host's network
    elsewhere = client.api.create_container(IMAGE, ["sleep", "100"], labels=contained)["Id"]
    try:
        assert docker_runtime.prune(client) >= 1
        there = {container["Id"] for container in client.api.containers(all=True, filters={"label": docker_runtime.LABEL})}
        assert leaked not in there
        assert {mine, elsewhere} <= there
    finally:
        for container in (mine, elsewhere):
            client.api.remove_container(container, force=True)


DRIVER = """
import json, sys
from models.config import SandboxConfig
from models.matrix import MatrixJob
from models.types import Limits, UnitTest
from sandbox.docker_runtime import SESSION
from sandbox.executor import docker_executor
print(json.dumps(SESSION), flush=True)
limits = Limits(timeout_s=1.0)
job = MatrixJob("t", "function", "f", ("import time\\ntime.sleep(60)",), ("s",), (UnitTest(source="assert 1"),), limits)
with docker_executor(SandboxConfig(workers=2), image="coderm-sandbox:latest", docker_host=None) as executor:
    print("ready", flush=True)
    list(executor.execute([job] * 50))
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_coordinator_leaves_no_container(client: Any, how: signal.Signals, repo_root: Any) -> None:
    """Also after SIGKILL: the engine ends the stream, the supervisor reads the end and leaves, the container removes itself."""
    environment = {**os.environ, "PYTHONPATH": str(repo_root)}
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
        # a suite started in the background inherits an ignored SIGINT; a person's terminal does not
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert driver.stdout is not None
    session = json.loads(driver.stdout.readline())
    assert driver.stdout.readline().strip() == "ready"
    time.sleep(0.5)
    driver.send_signal(how)
    driver.wait(30)
    driver.stdout.close()
    mine = {"label": f"{docker_runtime.LABEL}={session}"}
    for _ in range(200):
        if not client.api.containers(all=True, filters=mine):
            return
        time.sleep(0.1)
    pytest.fail("containers of a killed session are still there after 20 s")
