"""What a run leaves on this machine's disk beside databases: its page and its Data Docs, under ``CODERM_HOME``, named by its id.

Retention takes them just before the run's own rows (db/retention.py): killed in between, the run is still listed, and the next
prune takes the rest. The other way round nobody would know whose they are; and files of unknown runs cannot simply be swept, since
one folder may serve several databases, and one database several machines. What does not have exactly a run's name, directly in one
of the two folders, is left alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from shutil import rmtree

from db.store import SqlStore
from models.errors import UnavailableError
from models.retention import Retention, Unused


def report_path(root: Path, run_id: str) -> Path:
    """Where a run's page goes."""
    return root / "reports" / f"{run_id}.html"


def docs_dir(root: Path, run_id: str) -> Path:
    """Where its Data Docs go; a folder a run, since parallel writers damage a shared one."""
    return root / "data-docs" / run_id


def run_files(root: Path, run_id: str) -> list[Path]:
    """Those that are there. ``root``: resolved; a folder that is a link to another place is somebody's own affair."""
    if Path(run_id).name != run_id or run_id == "..":  # ids come from a database that others may write
        return []
    named = (report_path(root, run_id), docs_dir(root, run_id))
    return [path for path in named if os.path.lexists(path) and path.parent.resolve() == path.parent]


def find_unused(store: SqlStore, root: Path, what: Retention) -> list[Unused]:
    """What ``delete_unused`` would take; takes nothing. Raises StoreUnavailable."""
    paths = [path for run_id in store.unused_runs(what) for path in run_files(root, run_id)]
    return [*store.find_unused(what), *_measured(paths)]


def delete_unused(store: SqlStore, root: Path, what: Retention) -> list[Unused]:
    """Take it away, the files of a run before its rows. Returns what went, a kind.

    Raises StoreUnavailable, and UnavailableError for a file that cannot be removed; what went until then is gone.
    """
    files: list[Unused] = []
    gone = store.delete_unused(what, lambda run_id: files.extend(remove_run_files(root, run_id)))
    return [*gone, *([Unused("files", sum(f.rows for f in files), sum(f.size for f in files))] if files else [])]


def remove_run_files(root: Path, run_id: str) -> list[Unused]:
    """Remove the files of a run; what went. Raises UnavailableError for one that cannot be removed."""
    paths = run_files(root, run_id)
    gone = _measured(paths)
    for path in paths:
        try:
            with suppress(FileNotFoundError):  # another prune is at it
                rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        except OSError as error:
            raise UnavailableError(
                f"{path}: {error.strerror}: run {run_id} stays until its files can be removed; then prune again"
            ) from None
    return gone


def _measured(paths: Sequence[Path]) -> list[Unused]:
    """Files in all, and their bytes; nothing where there are none."""
    sizes = [size for path in paths for size in _sizes(path)]
    return [Unused("files", len(sizes), sum(sizes))] if paths else []


def _sizes(path: Path) -> Iterator[int]:
    """Of a file, or of those in a folder; what goes meanwhile does not count."""
    inside = [Path(base, name) for base, _, names in os.walk(path) for name in names]
    for file in inside if path.is_dir() else [path]:
        with suppress(FileNotFoundError):
            yield file.lstat().st_size
