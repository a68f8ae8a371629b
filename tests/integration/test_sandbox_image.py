"""The image and how it is hardened: reasons in the profile, packages by choice and on the label, another kernel by name."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import docker
import pytest

from flows.__main__ import run
from models.config import SandboxConfig
from models.errors import InputError, SandboxUnavailable
from models.matrix import MatrixJob, PassMatrix
from models.types import Limits, UnitTest, Verdict
from sandbox import docker_runtime
from sandbox.executor import docker_executor, open_executor
from sandbox.guest import seccomp
from sandbox.image import build_image, image_digest
from sandbox.image_packages import package_names, unpack
from tasks.resources import open_executor as open_run_executor

IMAGE, TRIAL = "coderm-sandbox:latest", "coderm-sandbox:trial"


def test_the_profile_gives_a_reason_for_each_group_and_allows_nothing_that_it_denies() -> None:
    profile = json.loads(docker_runtime.SECCOMP.read_text())
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO", "an allow-list: what is not named is refused"
    denied = [group for group in profile["syscalls"] if group["action"] == "SCMP_ACT_ERRNO"]
    allowed = {name for group in profile["syscalls"] if group["action"] == "SCMP_ACT_ALLOW" for name in group["names"]}
    assert len(denied) >= 8
    assert all(len(group["comment"]) > 10 for group in denied)
    refused = {name for group in denied for name in group["names"]}
    assert not refused & allowed
    by_guest = {name for names in seccomp.DENIED.values() for name in names.split()}
    assert by_guest <= refused, "the guest's own filter and the profile give the same reasons"


@pytest.mark.docker
@pytest.mark.parametrize("runtime", ["docker", "auto"])
def test_an_engine_that_cannot_limit_containers_is_refused(runtime: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a rootless engine without cgroups says it; local processes, which are limited less, are not taken in silence."""
    real = docker.DockerClient.info

    def rootless(client: docker.DockerClient) -> dict[str, Any]:
        return {**real(client), "MemoryLimit": False, "PidsLimit": False}

    monkeypatch.setattr(docker.DockerClient, "info", rootless)
    with pytest.raises(SandboxUnavailable, match="cannot limit the memory, processes of a container: expected"):
        open_executor(SandboxConfig(runtime=runtime), image=IMAGE, docker_host=None)


def test_a_machine_with_secrets_takes_no_local_processes_when_its_engine_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODERM_CONTAINERS_ONLY", "true")
    monkeypatch.setenv("CODERM_DOCKER_HOST", "unix:///nonexistent/docker.sock")
    with pytest.raises(SandboxUnavailable, match="no container engine answers"):
        open_run_executor(SandboxConfig(runtime="auto"))
    with pytest.raises(SandboxUnavailable, match="expected docker or auto on this machine"):
        open_run_executor(SandboxConfig(runtime="process"))


@pytest.mark.parametrize("text", ["numpy,../x", "-r file", "git+ssh", "numpy; rm", "https://x/y.whl"])
def test_a_package_is_a_name_of_an_index(text: str) -> None:
    with pytest.raises(InputError, match="expected names joined by commas"):
        package_names(text)
    assert package_names(" numpy , scipy==1.15.2,") == ("numpy", "scipy==1.15.2")


def test_a_package_that_is_not_there_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(SandboxUnavailable, match="packages six: ERROR"):
        unpack(("six",), tmp_path / "packages", "3.11", "x86_64")


def test_another_kernel_goes_with_containers_only() -> None:
    for runtime in ("auto", "process"):
        with pytest.raises(InputError, match="expected with runtime = 'docker'"):
            open_executor(SandboxConfig(runtime=runtime, container_runtime="runsc"), image=IMAGE, docker_host=None)


@pytest.mark.docker
def test_a_runtime_that_the_engine_does_not_know_is_exit_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "S.jsonl").write_text('{"task_id": "t", "solutions": ["x = 1"]}\n')
    (tmp_path / "T.jsonl").write_text('{"task_id": "t", "tests": ["assert x == 1"]}\n')
    files = ["--solutions", str(tmp_path / "S.jsonl"), "--tests", str(tmp_path / "T.jsonl"), "--out", str(tmp_path / "M.jsonl")]
    assert run(["execute", *files, "--sandbox", "docker", "--container-runtime", "no-such-runtime"]) == 3
    error = capsys.readouterr().err.strip()
    assert "knows no runtime 'no-such-runtime'" in error
    assert len(error.splitlines()) == 1


@pytest.mark.docker
def test_a_runtime_that_the_engine_knows_is_used_and_is_part_of_the_context() -> None:
    with closing(docker_runtime.connect(None)) as client:
        name = client.info()["DefaultRuntime"]
    plain = docker_executor(SandboxConfig(workers=1), image=IMAGE, docker_host=None)
    with plain, docker_executor(SandboxConfig(workers=1, container_runtime=name), image=IMAGE, docker_host=None) as executor:
        [slot] = executor._slots.values()
        with closing(docker_runtime.connect(None)) as client:
            seen = client.api.inspect_container(slot.channel._id)  # type: ignore[attr-defined]
        assert seen["HostConfig"]["Runtime"] == name
        assert executor.context(Limits()).version == plain.context(Limits()).version + f"+{name}"


@contextmanager
def with_packages() -> Iterator[tuple[Any, str]]:
    """An image with packages, and its digest; gone at the end. Skips where pip has no index, unless an engine is required."""
    with closing(docker_runtime.connect(None)) as client:
        base = next((name for name in ("coderm-base:bookworm", "python:3.11-slim-bookworm") if image_digest(client, name)), None)
        if base is None:
            pytest.skip("no base image here")
        try:
            digest = build_image(TRIAL, base=base, packages=("six==1.17.0", "numpy"), say=lambda _text: None)
        except SandboxUnavailable as error:
            if "docker" in os.environ.get("CODERM_TEST_REQUIRE", ""):
                raise
            pytest.skip(str(error))
        try:
            yield client, digest
        finally:
            client.images.remove(TRIAL, force=True)


def verdicts(image: str, solutions: Sequence[str], tests: Sequence[str]) -> tuple[list[list[str]], PassMatrix]:
    """Every test against every solution of ``f``."""
    names = tuple(f"s{i}" for i in range(len(solutions)))
    columns = tuple(UnitTest(source=test) for test in tests)
    job = MatrixJob("t", "function", "f", tuple(solutions), names, columns, Limits(timeout_s=5))
    with docker_executor(SandboxConfig(workers=1), image=image, docker_host=None) as executor:
        [matrix] = executor.execute([job])
    return [[Verdict(code).name for code in row] for row in matrix.verdicts.tolist()], matrix


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_packages_are_chosen_labelled_and_importable_and_arrays_cross() -> None:
    """One test, since an image takes its time to build."""
    with with_packages() as (client, digest):
        _labelled_and_importable(client, digest)
        _arrays_cross()
        _numpy_forges_nothing()


def _labelled_and_importable(client: Any, digest: str) -> None:
    """The image without them is another image, and its cells cannot import them."""
    labels = client.images.get(TRIAL).labels
    assert [part.split("==")[0] for part in labels["coderm.packages"].split()] == ["numpy", "six"]
    assert "sha256:" in labels["coderm.base"]
    solution = "import six\ndef f(x):\n    return [six.text_type(x), six.__version__]\n"
    for image, verdict in ((TRIAL, "PASSED"), (IMAGE, "ERROR")):
        found, matrix = verdicts(image, [solution], ["assert f(1) == ['1', '1.17.0']"])
        assert found == [[verdict]]
        assert (matrix.context.image == digest) == (image == TRIAL)


def _arrays_cross() -> None:
    solutions = [
        "import numpy as np\ndef f(x):\n    return np.array(x) * 2",
        "def f(x):\n    return [2 * v for v in x]",
        "import numpy as np\ndef f(x):\n    return np.asarray(x) * 3",
        "import numpy as np\ndef f(x):\n    return list(np.int64(2) * np.array(x))",
    ]
    tests = [
        "assert list(f([1, 2])) == [2, 4]",
        "import numpy as np\nnp.testing.assert_array_equal(f([1, 2]), np.array([2, 4]))",
        "import numpy as np\nassert np.array_equal(f(np.array([1, 2])), [2, 4])",
        "import unittest\nimport numpy as np\nclass T(unittest.TestCase):\n"
        "    def test_a(self):\n        self.assertTrue((np.array(f(np.arange(3))) == [0, 2, 4]).all())",
    ]
    found, matrix = verdicts(TRIAL, solutions, tests)
    assert found == [["PASSED"] * 4, ["PASSED"] * 4, ["FAILED"] * 4, ["PASSED"] * 4]
    assert not matrix.flags
    assert len(set(matrix.outputs.values())) > 1


def _numpy_forges_nothing() -> None:
    lying = "class A(np.ndarray):\n    def __eq__(self, other): return np.bool_(True)\n    def all(self, *a, **k): return True\n"
    fake = "import sys\nclass L(list):\n    dtype = str = kind = 'f'\n    def __eq__(self, o): return True\n"
    solutions = [
        f"import numpy as np\n{lying}def f(x):\n    return np.zeros(2).view(A)",
        f"import numpy as np\n{lying}def f(x):\n    return np.array([A((1,)), A((1,))], dtype=object)",
        "import numpy as np\nnp.testing.assert_array_equal = lambda *a, **k: None\nnp.array_equal = lambda *a: True\n"
        "def f(x):\n    return np.zeros(2)",
        f"{fake}class M: ndarray = L; generic = L\nsys.modules['numpy'] = M\ndef f(x):\n    return L([0, 0])",
        "import numpy as np\nclass B(np.ndarray): pass\nnp.ndarray = B\ndef f(x):\n    return np.zeros(2).view(B)",
    ]
    tests = [
        "import numpy as np\nnp.testing.assert_array_equal(f([1, 2]), np.array([2, 4]))",
        "import numpy as np\nassert np.array_equal(f([1, 2]), [2, 4])",
        "import numpy as np\nassert (f([1, 2]) == np.array([2, 4])).all()",
    ]
    found, _ = verdicts(TRIAL, solutions, tests)
    assert not [row for row in found if "PASSED" in row], found
