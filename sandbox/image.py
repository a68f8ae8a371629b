"""The image that untrusted code runs in: where it comes from, and which one it is.

An image holds an interpreter and nothing of ours (the guest travels over stdin). The base is, in this order: the one that was
asked for, a local ``coderm-base:bookworm``, the public ``python:3.11-slim-bookworm``, and where no registry can be reached a
Debian that ``infra/docker/build_base.sh`` bootstraps and imports.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker.errors

from models.errors import SandboxUnavailable
from sandbox.docker_runtime import boundary, connect

LOCAL_BASE = "coderm-base:bookworm"
PUBLIC_BASE = "python:3.11-slim-bookworm"
DOCKERFILES = Path(__file__).resolve().parent.parent / "infra" / "docker"


def engine_answers(docker_host: str | None) -> bool:
    """True when a container engine can be reached."""
    try:
        connect(docker_host).close()
    except SandboxUnavailable:
        return False
    return True


def image_digest(client: Any, image: str) -> str | None:
    """The image's content id, or None when the engine does not have it."""
    with boundary(f"image {image} cannot be inspected"):
        try:
            return str(client.images.get(image).id)
        except docker.errors.ImageNotFound:
            return None


def build_image(image: str, *, base: str | None = None, docker_host: str | None = None, say: Callable[[str], None] = print) -> str:
    """Build the sandbox image and return its digest. Raises SandboxUnavailable with what is missing."""
    client = connect(docker_host)
    try:
        chosen = base or _choose_base(client, say)
        say(f"building {image} from {chosen}")
        with boundary(f"image {image} does not build"):
            client.images.build(
                path=str(DOCKERFILES), dockerfile="sandbox.Dockerfile", tag=image, buildargs={"BASE": chosen}, rm=True
            )
        digest = image_digest(client, image)
    finally:
        client.close()
    if digest is None:
        raise SandboxUnavailable(f"the engine built {image} and does not have it; run `coderm sandbox build` again")
    return digest


def _choose_base(client: Any, say: Callable[[str], None]) -> str:
    for candidate in (LOCAL_BASE, PUBLIC_BASE):
        if image_digest(client, candidate):
            return candidate
    say(f"pulling {PUBLIC_BASE}")
    try:
        with boundary(f"{PUBLIC_BASE} cannot be pulled"):
            client.images.pull(PUBLIC_BASE)
    except SandboxUnavailable as error:
        say(f"{error}; bootstrapping a Debian instead")
        _bootstrap_base(say)
        return LOCAL_BASE
    return PUBLIC_BASE


def _bootstrap_base(say: Callable[[str], None]) -> None:
    script = DOCKERFILES / "build_base.sh"
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        raise SandboxUnavailable(f"no registry answers, and bootstrapping a base needs root and debootstrap: run `sudo {script}`")
    say("bootstrapping Debian bookworm with python3 (about a minute)")
    ended = subprocess.run(["sh", str(script), LOCAL_BASE], capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise SandboxUnavailable(f"{script} failed: {(ended.stderr.strip().splitlines() or ['no message'])[-1]}")
