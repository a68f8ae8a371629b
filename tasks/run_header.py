"""What is known of a run before its first cell: its name in every system, and that every part it needs is there."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from secrets import token_hex

from prefect import task

from models.config import RunConfig
from models.matrix import SandboxIdentity
from tasks.caching import ONCE
from tasks.resources import open_database, open_executor, open_generator
from tasks.run_files import docs_dir, report_path
from tasks.settings import Settings, load_settings
from tasks.structured_log import note, start_log


class RunHeader:
    """Plain class, as ``Shard`` is and for the same reason."""

    __slots__ = ("created_at", "git_sha", "prefect_flow_run_id", "run_id", "sandbox", "settings")

    def __init__(
        self, settings: Settings, prefect_flow_run_id: str, run_id: str | None = None, sandbox: SandboxIdentity | None = None
    ) -> None:
        """A run id sorts by time and is unique without asking anyone: ``20261123-004501-9f2c``. ``run_id``: to go on.

        ``sandbox``: what runs cells on this machine, where the run has any.
        """
        now = datetime.now(UTC)
        self.settings = settings
        self.prefect_flow_run_id = prefect_flow_run_id
        self.created_at = now.isoformat(timespec="milliseconds")
        self.run_id = run_id or f"{now:%Y%m%d-%H%M%S}-{token_hex(2)}"
        self.git_sha = git_sha()
        self.sandbox = sandbox

    @property
    def seconds(self) -> float:
        """Since the run, or its resumption, began."""
        return (datetime.now(UTC) - datetime.fromisoformat(self.created_at)).total_seconds()

    @property
    def report_path(self) -> Path:
        """Where the run's page goes."""
        return report_path(self.settings.root, self.run_id)

    @property
    def docs_dir(self) -> Path:
        """Where its Data Docs go."""
        return docs_dir(self.settings.root, self.run_id)

    def provenance(self) -> dict[str, str]:
        """For the books."""
        return {
            "git_sha": self.git_sha,
            "package_version": version("coderm-flows"),
            "prefect_flow_run_id": self.prefect_flow_run_id,
        }


def git_sha() -> str:
    """Commit of the checkout this code runs from, with ``-dirty`` where it differs; ``unknown`` for an installed wheel.

    The image of flow runs has no git, but the commit that it was built from (``make flows-image``).
    """
    checkout = Path(__file__).resolve().parent.parent
    built = checkout / "REVISION"
    if built.is_file():
        return built.read_text(encoding="utf-8").strip()
    command = ["git", "-C", str(checkout / "tasks"), "describe", "--always", "--abbrev=40", "--dirty"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return done.stdout.strip() or "unknown"


@task(name="preflight", **ONCE)
def preflight(config: RunConfig, prefect_flow_run_id: str, resume: str | None = None) -> RunHeader:
    """Open and close every part once, so that a missing one costs seconds and not the night. Raises UnavailableError.

    The run is remembered as begun, so that ``coderm runs resume`` can go on with it; ``resume``: the id of one that does.
    """
    settings = load_settings()
    start_log(settings.root / "log", settings.log_level)
    for backend in (config.policy, config.tests):
        open_generator(backend)  # a missing environment is known without loading anything
    with open_database(settings) as store, open_executor(config.sandbox, settings) as executor:
        header = RunHeader(settings, prefect_flow_run_id, resume, executor.context(config.sandbox.limits).identity)
        store.start_run(header.run_id, header.created_at, config.benchmark.name, config.model_dump(mode="json"))
    note("run started", run=header.run_id, benchmark=config.benchmark.name, sandbox=config.sandbox.runtime)
    return header
