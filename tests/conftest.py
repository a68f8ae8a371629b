"""What the whole suite shares: which parts this machine has. A missing part skips its tests with one line that says so.

``CODERM_TEST_REQUIRE=docker,flows_image,postgres,browser,engines`` (set by ``.ci/run``) turns such a skip into a failure.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import closing
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("coderm", deadline=None)  # no test hangs on how busy the machine is
settings.load_profile("coderm")

ROOT = Path(__file__).resolve().parent.parent
PUBLIC_DATA = ROOT.parent / "shared" / "data"


@cache
def missing(part: str) -> str | None:  # noqa: PLR0911 - one answer a part
    """Why the part is not there, or None."""
    from sandbox.docker_runtime import connect
    from sandbox.image import engine_answers, image_digest

    if part == "docker":
        if not engine_answers(None):
            return "no container engine answers; start one, or see `coderm doctor`"
        with closing(connect(None)) as client:
            found = image_digest(client, "coderm-sandbox:latest")
        return None if found else "no sandbox image; run `coderm sandbox build`"
    if part == "flows_image":
        if why := missing("docker"):
            return why
        with closing(connect(None)) as client:
            found = image_digest(client, "coderm-flows:latest")
        return (
            None if found and os.geteuid() == 0 else "no image of flow runs, or no root for a second engine; run `make flows-image`"
        )
    if part == "postgres":
        found = shutil.which("initdb") or list(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        return None if found else "no PostgreSQL programs; install PostgreSQL"
    if part == "compose":
        plugin = shutil.which("docker") and subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
        has = shutil.which("docker-compose") or (plugin and plugin.returncode == 0)
        return None if has else "no docker compose; install the plugin, or docker-compose"
    if part == "browser":
        names = ("chromium", "chromium-browser", "google-chrome")
        return None if any(shutil.which(n) for n in names) else "no Chromium; install one"
    if part == "engines":
        there = (ROOT / ".venv-vllm" / "bin" / "python").exists() and find_spec("transformers")
        return None if there else "no real engines; run `make cpu-engine-env` and `EXTRAS=dev,local make setup`"
    return None if PUBLIC_DATA.is_dir() else f"no public recordings at {PUBLIC_DATA}"


def pytest_runtest_setup(item: pytest.Item) -> None:
    for part in ("docker", "flows_image", "postgres", "browser", "compose", "engines", "public_data"):
        if item.get_closest_marker(part) and (why := missing(part)):
            if part in os.environ.get("CODERM_TEST_REQUIRE", "").split(","):
                pytest.fail(f"{part} is required here: {why}")
            pytest.skip(why)


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes this machine's own state."""
    for name in [n for n in os.environ if n.startswith("CODERM_") and n != "CODERM_TEST_REQUIRE"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CODERM_HOME", str(tmp_path / "home"))


@pytest.fixture
def public_data() -> Path:
    """The folder of public recordings beside the checkout."""
    return PUBLIC_DATA


@pytest.fixture
def repo_root() -> Path:
    """The checkout."""
    return ROOT
