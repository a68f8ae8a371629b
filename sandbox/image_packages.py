"""Packages that a benchmark's programs may import, laid out for the image here: a build needs no network and runs none of them.

pip, with the index that this machine is configured for, unpacks wheels for the image's interpreter into a folder that the image
copies to ``/opt/packages``. Only wheels: nothing of a package runs here, it is only compiled. What was resolved, versions and
all, becomes a label, so the image's digest, and with it the context of every verdict, changes when a package does.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from models.errors import InputError, SandboxUnavailable

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9,._-]+\])?((==|~=|>=|<=|<|>)[A-Za-z0-9.*+!_-]+)?")
INSTALLED = "/opt/packages"
"""Where the image has them (infra/docker/sandbox.Dockerfile)."""
PLATFORMS = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014")
"""Of C libraries up to that of Debian bookworm (2.36)."""


def package_names(text: str) -> tuple[str, ...]:
    """``numpy,scipy==1.15.2`` → names. Raises InputError for what is no requirement of an index."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    wrong = next((name for name in names if not NAME.fullmatch(name)), None)
    if wrong is not None:
        raise InputError(f"--packages: {wrong!r}: expected names joined by commas, with a version or without: numpy,scipy==1.15.2")
    return names


def unpack(packages: Sequence[str], folder: Path, python: str, machine: str) -> tuple[str, ...]:
    """Fill ``folder``; what was resolved, as ``name==version``. ``python``: the image's version, 3.11; ``machine``: x86_64.

    Raises SandboxUnavailable when pip cannot have them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not packages:
        return ()
    platforms = [part for name in PLATFORMS for part in ("--platform", f"{name}_{machine}")]
    target = ["--target", str(folder), "--only-binary", ":all:", "--implementation", "cp", "--python-version", python, *platforms]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile", *target, *packages]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        errors = [line for line in ended.stderr.splitlines() if line.startswith("ERROR")] or ["pip failed"]
        raise SandboxUnavailable(f"packages {', '.join(packages)}: {errors[-1][:300]}; check the names and pip's index")
    if python == f"{sys.version_info[0]}.{sys.version_info[1]}":
        _compile(folder)
    return tuple(sorted(_resolved(info) for info in folder.glob("*.dist-info")))


def _compile(folder: Path) -> None:
    """Byte code beside the sources, which cells cannot write: an import of numpy that compiles takes a second, not 0.1.

    Sources that this Python does not know (templates, other versions) stay as they are.
    """
    places = ["-s", str(folder), "-p", INSTALLED, "--invalidation-mode", "unchecked-hash"]
    subprocess.run([sys.executable, "-m", "compileall", "-q", *places, str(folder)], capture_output=True, check=False)


def _resolved(info: Path) -> str:
    name, _, version = info.name.removesuffix(".dist-info").partition("-")
    return f"{name.replace('_', '-').lower()}=={version}"
