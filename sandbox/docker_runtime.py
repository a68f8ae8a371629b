"""Slots in hardened containers, through the Docker SDK. One long-lived container a slot, spoken to over its attached stdin.

Never ``exec`` (it has no timeout, and what it started lives on when the socket closes), never a writable mount, never a log that
keeps what cells print. The container is labelled with who started it, and removed by the engine when its stream ends, by us when
we close, and by the reaper at the next start when neither happened. Every exception of docker or requests becomes ours in
``boundary`` and nowhere else: SandboxUnavailable before work began, InfraFault in the middle of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
import uuid
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import docker
import docker.errors
import requests.exceptions

from models.errors import SandboxUnavailable
from sandbox.slot import MEMORY, InfraFault, Slot, python_command

UID = 65534
HERE = Path(__file__).resolve().parent
DOCKERFILES = next((d for d in (HERE.parent / "infra" / "docker", HERE / "_docker") if d.is_dir()), HERE / "_docker")
"""In a checkout ``infra/docker``, in an installed wheel beside this file."""
SECCOMP = DOCKERFILES / "seccomp.json"
SCRATCH_MIB = 64
SUPERVISOR_MIB = 192
"""Memory of a container beyond a cell's own: supervisor 25, scratch 64, shared memory 16, the rest is page cache and room."""
PIDS = 64
LIMITS = {"MemoryLimit": "memory", "PidsLimit": "processes", "CpuCfsQuota": "CPU"}
"""What `docker info` says of the limits that a slot cannot do without."""
LABEL = "coderm.session"
SESSION = uuid.uuid4().hex[:12]
MEND = "start the engine and run `coderm sandbox build`, or choose --sandbox process"


@contextlib.contextmanager
def boundary(doing: str, *, running: bool = False) -> Iterator[None]:
    """Translate the SDK's exceptions: InfraFault while cells run, otherwise SandboxUnavailable."""
    try:
        yield
    except (docker.errors.DockerException, requests.exceptions.RequestException, OSError) as error:
        line = str(getattr(error, "explanation", None) or error).splitlines()[0][:300]
        if running:
            raise InfraFault(f"{doing}: {line}") from error
        raise SandboxUnavailable(f"{doing}: {line}; {MEND}") from error


def connect(docker_host: str | None) -> Any:
    """A client of the first engine that is there: ``docker_host``, DOCKER_HOST (the SDK's own), then the usual sockets.

    Raises SandboxUnavailable.
    """
    settings = {"base_url": docker_host} if docker_host else docker.utils.kwargs_from_env()
    with boundary("no container engine answers"):
        settings.setdefault("base_url", _usual_socket())
        path = str(settings["base_url"]).removeprefix("unix://")
        if path != settings["base_url"] and not Path(path).exists():
            raise FileNotFoundError(f"there is no socket {path}")
        client = docker.DockerClient(timeout=60, **settings)
        try:
            client.ping()
        except BaseException:
            client.close()
            raise
        return client


def _usual_socket() -> str:
    """Where Docker, rootless Docker and Podman listen."""
    run = Path("/run/user") / str(os.getuid())
    usual = [Path("/var/run/docker.sock"), run / "docker.sock", run / "podman" / "podman.sock"]
    return f"unix://{next((path for path in usual if path.exists()), usual[0])}"


@cache
def seccomp_profile() -> str:
    """Our own allow-list of system calls, as the engine wants it. Raises SandboxUnavailable when the file is not there."""
    try:
        return json.dumps(json.loads(SECCOMP.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise SandboxUnavailable(f"the seccomp profile {SECCOMP} cannot be read: {error}; install coderm again") from error


def hardening(memory_mib: int, runtime: str | None = None) -> dict[str, Any]:
    """The host configuration of every slot, in one place to be read and tested. ``runtime``: one the engine knows, as runsc."""
    total = f"{memory_mib + SUPERVISOR_MIB}m"
    return {
        "network_mode": "none",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges", f"seccomp={seccomp_profile()}"],
        "pids_limit": PIDS,
        "mem_limit": total,
        "memswap_limit": total,
        "nano_cpus": 1_000_000_000,
        "tmpfs": {"/tmp": f"rw,nosuid,nodev,size={SCRATCH_MIB}m,nr_inodes=4096,mode=1777"},
        "shm_size": "16m",
        "ipc_mode": "private",
        "ulimits": [
            docker.types.Ulimit(name=n, soft=v, hard=v) for n, v in (("nofile", 512), ("core", 0), ("fsize", SCRATCH_MIB << 20))
        ],
        "log_config": docker.types.LogConfig(type="none"),
        "auto_remove": True,
        **({"runtime": runtime} if runtime else {}),
    }


class Unlimited(SandboxUnavailable):
    """The engine would run containers without their limits, and say so in a warning that nobody reads."""


def check_limits(client: Any) -> None:
    """Raises Unlimited for an engine that may not use cgroups, as rootless ones may not without cgroup v2 and systemd."""
    with boundary("the engine cannot be asked for its limits"):
        info = client.info()
    lacking = [what for key, what in LIMITS.items() if info.get(key) is False]
    if lacking:
        raise Unlimited(
            f"the container engine cannot limit the {', '.join(lacking)} of a container: expected one that may use cgroups "
            "(a rootless engine: cgroup v2 with delegated controllers); or choose --sandbox process"
        )


def check_runtime(client: Any, runtime: str) -> None:
    """Raises SandboxUnavailable when the engine does not know a container runtime."""
    with boundary("the engine's runtimes cannot be listed"):
        known = sorted(client.info().get("Runtimes") or {})
    if runtime not in known:
        raise SandboxUnavailable(
            f"the container engine knows no runtime {runtime!r} (it has {', '.join(known)}); "
            "register it with the engine, or leave sandbox.container_runtime out"
        )


def labels() -> dict[str, str]:
    """Who started a container, so that a reaper can tell a leaked one from one in use."""
    return {
        LABEL: SESSION,
        "coderm.created": f"{time.time():.0f}",
        "coderm.pid": str(os.getpid()),
        "coderm.host": socket.gethostname(),
        "coderm.pids": _pid_namespace(),
    }


def _pid_namespace() -> str:
    """Whose numbers a pid is from: two coordinators in containers may both be pid 7, also under the host's name."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:  # no Linux: there is one
        return ""


class DockerChannel:
    """The attached streams of one container."""

    def __init__(self, client: Any, image: str, number: int, memory_mib: int, runtime: str | None = None) -> None:
        """Create, attach, start. Raises SandboxUnavailable."""
        self.name = f"container slot {number}"
        self._client, self._buffer = client, bytearray()
        self._stream: Any = None
        self._socket: Any = None
        with boundary(f"{self.name} does not start"):
            self._id = client.api.create_container(
                image,
                command=["python3", *python_command()],
                user=f"{UID}:{UID}",
                stdin_open=True,
                environment={"PYTHONHASHSEED": "0", "HOME": "/tmp", "LC_ALL": "C.UTF-8", **MEMORY},
                hostname="cell",
                working_dir="/tmp",
                labels=labels(),
                host_config=client.api.create_host_config(**hardening(memory_mib, runtime)),
            )["Id"]
            try:
                stream = client.api.attach_socket(self._id, {"stdin": 1, "stdout": 1, "stream": 1})
                self._stream, self._socket = stream, getattr(stream, "_sock", stream)
                client.api.start(self._id)
            except BaseException:
                self.close()
                raise

    def send(self, data: bytes) -> None:
        """Write all of it."""
        with boundary(self.name, running=True):
            self._socket.settimeout(60)
            self._socket.sendall(data)

    def receive(self, size: int, timeout_s: float) -> bytes:
        """Read exactly so much of the container's stdout, out of frames of 8 bytes of header and a body."""
        deadline = time.monotonic() + timeout_s
        while len(self._buffer) < size:
            header = self._raw(8, deadline)
            body = self._raw(int.from_bytes(header[4:], "big"), deadline)
            if header[0] == 1:
                self._buffer += body
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def _raw(self, size: int, deadline: float) -> bytes:
        data = b""
        with boundary(self.name, running=True):
            while len(data) < size:
                self._socket.settimeout(max(0.001, deadline - time.monotonic()))
                part = self._socket.recv(size - len(data))
                if not part:
                    raise InfraFault(f"{self.name}: ended")
                data += part
        return data

    def close(self) -> None:
        """Remove the container and everything in it, then the socket; a container that is gone already is fine."""
        with contextlib.suppress(docker.errors.APIError, requests.exceptions.RequestException, OSError):
            self._client.api.remove_container(self._id, force=True, v=True)
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            for end in (self._stream, self._socket):
                with contextlib.suppress(OSError):
                    end.close()


def start_slot(client: Any, image: str, number: int, memory_mib: int, runtime: str | None = None) -> Slot:
    """A started slot. Raises InfraFault or SandboxUnavailable."""
    channel = DockerChannel(client, image, number, memory_mib, runtime)
    try:
        return Slot(channel, {"scratch": ["/tmp", "/dev/shm"], "isolate": False, "nproc": None})
    except BaseException:
        channel.close()
        raise


def _is_dead(container_labels: dict[str, str]) -> bool:
    """True when the process that started a container is gone; what another host or pid namespace started cannot be told."""
    here = {"coderm.host": socket.gethostname(), "coderm.pids": _pid_namespace()}
    if any(container_labels.get(name) != value for name, value in here.items()):
        return False
    try:
        os.kill(int(container_labels.get("coderm.pid", "0")), 0)
    except ProcessLookupError:
        return True
    except (ValueError, PermissionError):
        return False
    return False


def prune(client: Any, *, everything: bool = False) -> int:
    """Remove containers of dead sessions, or with ``everything`` all of ours; how many. Raises SandboxUnavailable."""
    removed = 0
    with boundary("leaked containers cannot be listed"):
        found = client.api.containers(all=True, filters={"label": LABEL})
    for container in found:
        if everything or _is_dead(container["Labels"]):
            with contextlib.suppress(docker.errors.APIError):
                client.api.remove_container(container["Id"], force=True, v=True)
                removed += 1
    return removed
