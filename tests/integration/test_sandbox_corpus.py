"""Every hostile and honest cell that ships, on each runtime that may run it: nothing forged, nothing honest lost."""

from __future__ import annotations

import pytest

from models.config import SandboxConfig
from sandbox.executor import docker_executor, process_executor
from sandbox.process_runtime import best_start
from sandbox.self_check import corpus, self_check


def test_the_corpus_is_large_and_named() -> None:
    cells = corpus()
    names = [cell["name"] for cell in cells]
    assert len(set(names)) == len(names)
    assert sum(cell["kind"] != "honest" for cell in cells) >= 120
    assert sum(cell["kind"] == "honest" for cell in cells) >= 20


@pytest.mark.docker
@pytest.mark.slow
def test_nothing_is_forged_in_containers() -> None:
    with docker_executor(SandboxConfig(workers=2), image="coderm-sandbox:latest", docker_host=None) as executor:
        wrong = [finding for finding in self_check(executor, hostile=True) if not finding.right]
    assert wrong == []


@pytest.mark.slow
def test_nothing_is_forged_in_processes() -> None:
    """Hostile cells only where the process runtime has namespaces of its own."""
    with process_executor(SandboxConfig(runtime="process", workers=2)) as executor:
        wrong = [finding for finding in self_check(executor, hostile=bool(best_start().prefix)) if not finding.right]
    assert wrong == []
