"""The only reader of the environment. What a machine is, as against what a run asks for (models/config.py).

Every variable starts with ``CODERM_``; an ``.env`` file in the working directory is read too. Secrets are masked in ``repr``.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, DotEnvSettingsSource, SettingsConfigDict

from models.errors import InputError, UnavailableError
from models.first_fault import first_fault
from models.nearest_name import did_you_mean, nearest_name

ENV_FILE = ".env"
PREFIX = "CODERM_"
ELSEWHERE = (
    *("CHECKOUT", "POSTGRES_PASSWORD", "PREFECT_LOGIN", "MLFLOW_PASSWORD", "MLFLOW_SECRET_KEY"),  # infra/: deployments, compose
    *("ENGINE", "TEST_REQUIRE", "TEST_SCREENSHOTS"),  # the mark of an engine's process; our tests
)
"""Known names, less the prefix, that are no setting."""
PREFECT_BYTES = 16 << 20
"""Room below which no Prefect server of ours is started."""
KEY = re.compile(r"[A-Z][A-Z0-9_]*_API_KEY")

TaskRunnerName = Literal["none", "threads", "processes", "dask", "ray"]


class Settings(BaseSettings):
    """Where state lives and which servers are used. ``CODERM_HOME`` default: ``.coderm`` in the working directory."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=ENV_FILE, extra="ignore", frozen=True)

    home: Path = Field(Path(".coderm"), description="state: database, MLflow store, reports, logs")
    database_url: SecretStr | None = Field(None, description="SQLAlchemy URL; default SQLite under home")
    mlflow_tracking_uri: str | None = Field(None, description="MLflow server or store; default SQLite under home")
    docker_host: str | None = Field(None, description="engine socket; default DOCKER_HOST, then the usual places")
    sandbox_image: str = Field("coderm-sandbox:latest", description="image that untrusted code runs in")
    sandbox_base: str | None = Field(None, description="base image for `coderm sandbox build`; pin it by digest")
    sandbox_packages: str = Field("", description="packages that programs may import, joined by commas, for `coderm sandbox build`")
    containers_only: bool = Field(False, description="never run cells as local processes here: a machine, or image, with secrets")
    executor: Literal["docker", "process"] | None = Field(
        None, description="sandbox of a served reward model; none: it runs no code"
    )
    private: bool = Field(False, description="keep prompts and code out of MLflow: no report there, which shows sources")
    gpu_slots: int = Field(1, ge=1, description="stages that may use a GPU at once, over all runs of a Prefect server")
    sandbox_slots: int = Field(1, ge=1, description="stages that may run cells at once, over all runs of a Prefect server")
    sandbox_workers: int | None = Field(
        None, ge=1, le=256, description="slots of a sandbox on this machine, at most; for workers that share its cores"
    )
    task_runner: TaskRunnerName = Field("none", description="where shards of problems run; none: one after another in this process")
    task_workers: int = Field(2, ge=1, le=256, description="shards at once on this machine's own workers, which divide the slots")
    task_runner_address: str | None = Field(
        None, min_length=1, description="a Dask or Ray cluster that runs already, as tcp://HOST:8786"
    )
    shard_deployment: str | None = Field(
        None,
        pattern=r"^[^/]+/[^/]+$",
        description="a run of this deployment a shard, on its pool's workers: benchmark-shard/shard",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @property
    def root(self) -> Path:
        """Absolute home directory."""
        return self.home.expanduser().resolve()

    @property
    def database(self) -> str:
        """SQLAlchemy URL with its secret; PostgreSQL always spelled ``postgresql+psycopg://``."""
        if self.database_url is None:
            return f"sqlite:///{self.root / 'coderm.db'}"
        url = self.database_url.get_secret_value()
        for short in ("postgresql://", "postgres://"):
            if url.startswith(short):
                return "postgresql+psycopg://" + url.removeprefix(short)
        return url

    @property
    def shown_database(self) -> str:
        """For people: the path of a SQLite file, or the URL without its password."""
        if self.database.startswith("sqlite:///"):
            return self.database.removeprefix("sqlite:///")
        return re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", self.database)

    @property
    def mlflow_uri(self) -> str:
        """Absolute tracking URI."""
        return self.mlflow_tracking_uri or f"sqlite:///{self.root / 'mlflow.db'}"


def api_key(name: str) -> SecretStr | None:
    """The key of that name: the variable ``CODERM_<NAME>_API_KEY``, from the environment or ``.env``; None where it is not set."""
    variable = f"{PREFIX}{name}_api_key".lower()
    value = {k.lower(): v for k, v in os.environ.items()}.get(variable) or _env_file().get(variable)
    return SecretStr(value) if value else None


def unknown_variables() -> list[str]:
    """One line for each variable of the environment or of ``.env`` with our prefix that nobody reads: a slip, most likely."""
    known = {name.upper() for name in Settings.model_fields} | {*ELSEWHERE, "OPENAI_API_KEY"}
    lines = []
    for where, names in (("environment", os.environ), (ENV_FILE, _env_file())):
        for name in sorted(variable[len(PREFIX) :] for variable in map(str.upper, names) if variable.startswith(PREFIX)):
            if name not in known and not KEY.fullmatch(name):
                near = nearest_name(name, known)  # without the prefix, which makes all of them alike
                meant = did_you_mean(near and PREFIX + near)
                lines.append(f"{where}: {PREFIX}{name} is no variable of coderm and has no effect{meant}")
    return lines


def _env_file() -> Mapping[str, str | None]:
    """Names in small letters. Raises InputError for a file in another encoding."""
    try:
        return DotEnvSettingsSource(Settings, env_file=ENV_FILE).env_vars
    except UnicodeDecodeError as error:
        raise _not_utf8(error) from None


def _not_utf8(error: UnicodeDecodeError) -> InputError:
    return InputError(f"{ENV_FILE}: expected UTF-8, found byte 0x{error.object[error.start]:02x} at offset {error.start}")


def load_settings() -> Settings:
    """Read the environment. Raises InputError that names the variable, or the ``.env`` that cannot be read."""
    try:
        settings = Settings()
    except UnicodeDecodeError as error:
        raise _not_utf8(error) from None
    except ValidationError as error:
        fault = first_fault(error)
        raise InputError(f"environment variable {PREFIX}{str(fault.place[0]).upper()}: {fault.expected}") from None
    if wrong := next((p for p in (settings.root, *settings.root.parents) if p.exists() and not p.is_dir()), None):
        raise InputError(f"environment variable {PREFIX}HOME: {wrong} is a file; expected a folder")
    return settings


def default_environment(variables: Mapping[str, str]) -> None:
    """Set a library's own variables where the user has not; some libraries can be told in no other way, and only before import."""
    for name, value in variables.items():
        os.environ.setdefault(name, value)


def prefect_home(settings: Settings) -> Path:
    """Where Prefect keeps its state: the user's own place where there is one, else under ours. Set before Prefect is imported.

    Raises UnavailableError where its disk is full.
    """
    own = Path.home() / ".prefect"
    if not (own / "profiles.toml").exists() and "PREFECT_API_URL" not in os.environ:
        default_environment({"PREFECT_HOME": str(settings.root / "prefect")})
    home = Path(os.environ.get("PREFECT_HOME", own))
    home.mkdir(parents=True, exist_ok=True)  # Prefect makes the last folder only, and its server does not start without
    if (free := shutil.disk_usage(home).free) < PREFECT_BYTES:  # it would be tried for two minutes, and say nothing
        raise UnavailableError(
            f"{home}: {free / 2**20:.1f} MiB free, Prefect's database needs {PREFECT_BYTES >> 20}; make room, or set PREFECT_HOME"
        )
    return home


def demo_dir() -> Path:
    """The benchmark that ships with the project: in a checkout ``infra/demo``, in an installed wheel beside the tasks."""
    here = Path(__file__).resolve().parent
    candidates = (here.parent / "infra" / "demo", here / "_demo")
    return next((c for c in candidates if c.is_dir()), candidates[0])
