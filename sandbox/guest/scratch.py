"""The scratch space is empty when a cell starts, whatever the one before it left there.

The supervisor never opens or follows what a cell made: it looks whether the directory has entries, and if so a forked child
removes them by descriptor, without following links, under limits of its own. What cannot be removed in time makes the slot
unusable, and the host replaces it.

Removing everything in a directory is dangerous where the directory is not ours, so one is claimed before the first cell: it must be
a mount of our own namespace (we are pid 1) or carry our name, and it must be empty. The supervisor cleans nothing that it could
not claim; it refuses to start.
"""

# ruff: noqa: PTH119, PTH112, PTH208, PTH101
# No pathlib in the supervisor: every page that it maps is paid for in each fork.
from __future__ import annotations

import contextlib
import os
import signal
import stat
import time

CLEANING_S = 5.0
"""Seconds for a removal: 4,096 inodes, the most a scratch space holds, take under 0.1 s."""


FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
OWN_PREFIX = "coderm-scratch-"
"""Name of a scratch directory that a runtime without a mount namespace makes for one slot."""


class NotOurs(Exception):
    """A directory that must not be emptied was named as scratch space."""


def claim(directories: list[str]) -> None:
    """Raises NotOurs unless each directory is safe to empty for ever after."""
    for directory in directories:
        own_mount = os.getpid() == 1 and os.path.ismount(directory)
        own_name = os.path.basename(directory).startswith(OWN_PREFIX)
        if not (own_mount or own_name):
            raise NotOurs(f"{directory} is neither a mount of this sandbox nor a directory that it made")
        if os.path.isdir(directory) and os.listdir(directory):
            raise NotOurs(f"{directory} is not empty: scratch space must be empty before the first cell")


def is_empty(directories: list[str]) -> bool:
    """True when no directory has an entry; one that does not exist counts as empty."""
    for directory in directories:
        try:
            if os.listdir(directory):
                return False
        except FileNotFoundError:
            continue
        except PermissionError:  # a cell may change the rights to a directory of its own uid
            return False
    return True


def empty(directories: list[str]) -> bool:
    """Remove everything in claimed directories. False when something would not go: the slot is spoilt."""
    if is_empty(directories):
        return True
    pid = os.fork()
    if pid == 0:
        try:
            for directory in directories:
                _remove_entries(directory)
        finally:
            os._exit(0)
    deadline = time.monotonic() + CLEANING_S
    while os.waitpid(pid, os.WNOHANG)[0] == 0:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            break
        time.sleep(0.001)
    return is_empty(directories)


def _remove_entries(directory: str) -> None:
    """What lies in a folder is moved up beside it, so that neither a path nor the stack grows with the depth that a cell made."""
    with contextlib.suppress(PermissionError):  # another uid's, as in a container: then no cell could change it
        os.chmod(directory, 0o700)
    top = os.open(directory, FOLDER)
    while names := os.listdir(top):
        for name in names:
            if _is_folder(name, top):
                _flatten(name, top)
            else:
                os.unlink(name, dir_fd=top)
    os.close(top)


def _flatten(name: str, top: int) -> None:
    """Empty one folder and remove it; the cell had our uid and may have taken our rights to it away."""
    os.chmod(name, 0o700, dir_fd=top)
    folder = os.open(name, FOLDER, dir_fd=top)
    for child in os.listdir(folder):
        if _is_folder(child, folder):
            os.chmod(child, 0o700, dir_fd=folder)  # a folder is moved only by who may write it
            os.rename(child, os.urandom(16).hex(), src_dir_fd=folder, dst_dir_fd=top)
        else:
            os.unlink(child, dir_fd=folder)
    os.close(folder)
    os.rmdir(name, dir_fd=top)


def _is_folder(name: str, where: int) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=where, follow_symlinks=False).st_mode)
