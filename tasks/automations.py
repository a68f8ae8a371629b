"""The automations that ship (infra/automation-*.yaml), made on a server once; what people changed in them is left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from prefect.client.orchestration import get_client
from prefect.events.schemas.automations import AutomationCore

from models.errors import InputError

REGRESSION, SILENT_RUNS = "automation-regression.yaml", "automation-silent-runs.yaml"
INFRA = Path(__file__).resolve().parent.parent / "infra"


def automation_file(name: str, beside: Path) -> Path:
    """Beside the deployments where somebody put one of their own, else the checkout's."""
    own = beside.with_name(name)
    return own if own.is_file() else INFRA / name


def read_automation(path: Path, deployment_id: str = "") -> AutomationCore:
    """The automation with its deployment, where it names one, filled in. Raises InputError when the file is not one."""
    try:
        content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8").replace("{deployment_id}", deployment_id))
        return AutomationCore.model_validate(content)
    except (OSError, yaml.YAMLError, ValueError) as error:
        raise InputError(f"{path}: {str(error).splitlines()[0]}; expected one automation, as Prefect reads it") from None


def make_automation(path: Path, deployment_id: str = "") -> bool:
    """Create it where none of its name is there. Returns whether it was created."""
    automation = read_automation(path, deployment_id)
    with get_client(sync_client=True) as client:
        if client.read_automations_by_name(automation.name):
            return False
        client.create_automation(automation)
        return True
