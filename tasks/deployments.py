"""What is deployed, read from ``infra/prefect.yaml``: one truth for ``prefect deploy`` with workers and for ``coderm serve``.

Refuses an entry without an entrypoint of ours, or a schedule that is no cron; relative paths in a run's configuration are taken
from the folder that holds ``infra``, as a worker's are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from models.errors import InputError

FILE = Path("infra") / "prefect.yaml"
SHAPE = "expected a list of deployments, each with name and entrypoint"


@dataclass(frozen=True)
class Deployment:
    """One entry. ``module``, ``function``: where its flow is; ``description``: Markdown; ``crons``: (expression, timezone).

    ``pool``: whose workers run it.
    """

    name: str
    module: str
    function: str
    description: str = ""
    tags: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    crons: tuple[tuple[str, str], ...] = ()
    concurrency: int | None = None
    pool: str = ""


def deployments_file(given: Path | None) -> Path:
    """The file: as given, in the working directory, or in the checkout. Raises InputError where there is none."""
    checkout = Path(__file__).resolve().parent.parent
    candidates = [given] if given else [Path.cwd() / FILE, checkout / FILE]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        raise InputError(f"{given or FILE}: no such file; expected deployments, as in the checkout's {FILE}")
    return found.resolve()


def read_deployments(path: Path, only: Sequence[str] = ()) -> list[Deployment]:
    """Entries of the file, or those named. Raises InputError that names the entry and its field."""
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))["deployments"]
        found = {entry["name"]: _deployment(path, entry) for entry in entries}
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; {SHAPE}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        raise InputError(f"{path}{f':{mark.line + 1}' if mark else ''}: no YAML: {' '.join(str(error).split())}; {SHAPE}") from None
    except (KeyError, TypeError):
        raise InputError(f"{path}: {SHAPE}") from None
    if unknown := [name for name in only if name not in found]:
        raise InputError(f"{path}: no deployment {unknown[0]!r}; expected one of {', '.join(found)}")
    return [d for name, d in found.items() if not only or name in only]


def _deployment(path: Path, entry: Mapping[str, Any]) -> Deployment:
    where = f"{path}: deployment {entry['name']!r}"
    file, _, function = str(entry["entrypoint"]).partition(":")
    if not file.startswith("flows/") or not file.endswith(".py") or not function:
        raise InputError(f"{where}: field 'entrypoint': {entry['entrypoint']!r}; expected flows/FILE.py:FLOW")
    schedules = entry.get("schedules") or []
    if bad := [s for s in schedules if "cron" not in s]:
        raise InputError(f"{where}: field 'schedules': {bad[0]}; expected cron and timezone")
    limit = entry.get("concurrency_limit")
    return Deployment(
        name=entry["name"],
        module=file.removesuffix(".py").replace("/", "."),
        function=function,
        description=str(entry.get("description", "")).strip(),
        tags=tuple(entry.get("tags", ())),
        parameters=_absolute(entry.get("parameters") or {}, path.parent.parent),
        crons=tuple((s["cron"], s.get("timezone", "UTC")) for s in schedules),
        concurrency=limit.get("limit") if isinstance(limit, Mapping) else limit,
        pool=str((entry.get("work_pool") or {}).get("name", "")),
    )


def _absolute(parameters: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """Paths of a run's files made absolute, wherever the process will stand."""
    config = parameters.get("config")
    if not isinstance(config, Mapping):
        return dict(parameters)
    fixed = {name: dict(part) if isinstance(part, Mapping) else part for name, part in config.items()}
    for part, key in (("benchmark", "problems"), ("policy", "path"), ("tests", "path")):
        if isinstance(fixed.get(part), dict) and key in fixed[part]:
            fixed[part][key] = str((root / str(fixed[part][key])).resolve())
    return {**parameters, "config": fixed}
