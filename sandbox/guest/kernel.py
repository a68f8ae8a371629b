"""The few kernel calls that Python 3.9 to 3.11 does not wrap. Called through ctypes, from the supervisor only.

What is decided here: how a supervisor shields itself and what a slot's processes may never regain. Each call says what it is
for; a call that fails returns False and the runtime reports the protection as missing rather than going on in silence.
"""

# ruff: noqa: PTH123
# No pathlib in the supervisor: every page that it maps is paid for in each fork.
from __future__ import annotations

import ctypes
import os
import struct

PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 4, 24, 36, 38
PR_SET_PDEATHSIG, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 1, 22, 2
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REC, MS_PRIVATE = 1, 2, 4, 16384, 1 << 18
MOUNT_ATTR_RDONLY, AT_RECURSIVE, SYS_MOUNT_SETATTR, AT_FDCWD = 1, 0x8000, 442, -100
_LIBC = ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int) -> bool:
    return bool(_LIBC.prctl(option, ctypes.c_ulong(value), 0, 0, 0) == 0)


def hide_memory() -> bool:
    """Undumpable: a process of the same uid can neither trace this one nor open its memory or descriptors."""
    return _prctl(PR_SET_DUMPABLE, 0)


def adopt_orphans() -> bool:
    """Become the parent of every descendant that loses its own, so that none escapes the reaper."""
    return _prctl(PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> bool:
    """SIGKILL for this process when the one that started it ends."""
    return _prctl(PR_SET_PDEATHSIG, 9)


def no_new_privileges() -> bool:
    """No exec gains anything from now on."""
    return _prctl(PR_SET_NO_NEW_PRIVS, 1)


def drop_capabilities() -> bool:
    """Give every capability away, in all sets, for ever."""
    for number in range(64):
        _prctl(PR_CAPBSET_DROP, number)
    header = struct.pack("=Ii", 0x20080522, 0)
    return bool(_LIBC.capset(ctypes.c_char_p(header), ctypes.c_char_p(bytes(24))) == 0)


def mount_tmpfs(target: str, size_mib: int) -> bool:
    """A scratch file system of this mount namespace alone, bounded in bytes and inodes."""
    options = f"size={size_mib}m,nr_inodes=4096,mode=1777".encode()
    return bool(_LIBC.mount(b"tmpfs", target.encode(), b"tmpfs", MS_NOSUID | MS_NODEV, options) == 0)


def read_only_root() -> bool:
    """Every mount of this namespace read-only, in one call (Linux 5.12 and later)."""
    _LIBC.mount(None, b"/", None, MS_REC | MS_PRIVATE, None)
    attributes = struct.pack("=QQQQ", MOUNT_ATTR_RDONLY, 0, 0, 0)
    return bool(_LIBC.syscall(SYS_MOUNT_SETATTR, AT_FDCWD, b"/", AT_RECURSIVE, attributes, len(attributes)) == 0)


def set_filter(header: bytes) -> bool:
    """Install a seccomp filter (struct sock_fprog) for this process and its children."""
    return bool(_LIBC.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.c_char_p(header), 0, 0) == 0)


def remove_ipc() -> None:
    """System V segments, semaphores and queues outlive their makers: remove those of this namespace."""
    for kind, control, arguments in (("shm", "shmctl", 3), ("sem", "semctl", 4), ("msg", "msgctl", 3)):
        try:
            with open("/proc/sysvipc/" + kind) as table:
                rows = table.read().split("\n")[1:-1]
        except OSError:
            continue
        for row in rows:
            remove = getattr(_LIBC, control)
            identifier = int(row.split()[1])
            remove(identifier, 0, 0) if arguments == 3 else remove(identifier, 0, 0, 0)


def thread_group_cpu_s(pid: int) -> float:
    """CPU seconds of a live process, all its threads, to the nanosecond; 0.0 when it is gone."""
    import time

    try:
        return time.clock_gettime((~pid << 3) | 2)
    except (OSError, OverflowError):
        return 0.0


PAGE = os.sysconf("SC_PAGE_SIZE")
