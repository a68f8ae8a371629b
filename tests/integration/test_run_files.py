"""With a run go its page and its Data Docs, and nothing else on the disk; a kill in the middle is mended by the next prune."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from db.store import SqlStore, open_store
from models.errors import UnavailableError
from models.retention import Retention
from tasks.run_files import delete_unused, docs_dir, find_unused, remove_run_files, report_path
from tests.contracts.store_records import empty_record

KEEP_ONE = Retention(keep_runs=1)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path.resolve() / "home"


@pytest.fixture
def store(root: Path) -> Iterator[SqlStore]:
    with open_store(f"sqlite:///{root / 'coderm.db'}") as opened:
        yield opened


def stored(store: SqlStore, root: Path, *run_ids: str) -> None:
    """Runs, the last one newest, each with its files."""
    for minute, run_id in enumerate(run_ids):
        store.save_run(replace(empty_record(run_id), created_at=f"2026-01-01T00:{minute:02}:00"))
        with_files(root, run_id)


def with_files(root: Path, run_id: str) -> None:
    for path in (report_path(root, run_id), docs_dir(root, run_id) / "gx" / "index.html", docs_dir(root, run_id) / "gx" / "x.json"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(run_id)


def files(root: Path) -> set[str]:
    """What is there, beside the database."""
    return {str(p.relative_to(root)) for p in root.rglob("*") if not p.is_dir() and not p.name.startswith("coderm.db")}


def of(*run_ids: str) -> set[str]:
    names = ("reports/{0}.html", "data-docs/{0}/gx/index.html", "data-docs/{0}/gx/x.json")
    return {name.format(run_id) for run_id in run_ids for name in names}


def left(store: SqlStore) -> list[object]:
    return [row["run_id"] for row in store.list_runs()]


def test_a_run_goes_with_its_files_and_nothing_of_another(store: SqlStore, root: Path) -> None:
    stored(store, root, "run-1", "run-2", "run-22", "run-3")
    with_files(root, "of-another-database")
    store.start_run("begun", "2020-01-01T00:00:00+00:00", "demo", {})
    store.start_run("executing", datetime.now(UTC).isoformat(), "demo", {})
    with_files(root, "begun")
    with_files(root, "executing")
    report_path(root, "run-1").unlink()  # somebody has it already
    what = Retention(keep_runs=2, begun_days=1)
    found = find_unused(store, root, what)
    assert [(u.kind, u.rows, u.size) for u in found][-1] == ("files", 8, 2 * 5 + 3 * 5 + 3 * 5)
    assert delete_unused(store, root, what) == found
    assert files(root) == of("run-22", "run-3", "executing", "of-another-database")
    assert not docs_dir(root, "run-1").exists()
    assert left(store) == ["run-3", "run-22"]
    assert [u.kind for u in delete_unused(store, root, what)] == ["begun", "runs"], "nothing is left to take"


def test_nothing_outside_goes_whatever_a_run_is_called(store: SqlStore, root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    odd = ("..", ".", "../reports", "a/b", str(outside), "../../outside")
    (root / "data-docs" / "a" / "b").mkdir(parents=True)
    (root / "data-docs" / "a" / "b" / "kept").touch()
    stored(store, root, "linked", "newest")
    (docs_dir(root, "linked") / "gx" / "outside").symlink_to(outside)
    report_path(root, "linked").unlink()
    report_path(root, "linked").symlink_to(outside / "kept")
    for run_id in odd:
        store.save_run(replace(empty_record(run_id), created_at="2025-01-01T00:00:00"))
    delete_unused(store, root, KEEP_ONE)
    assert left(store) == ["newest"]
    assert files(root) == of("newest") | {"data-docs/a/b/kept"}
    assert (outside / "kept").exists()


def test_folders_that_lead_elsewhere_are_left_alone(store: SqlStore, root: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (root / "reports").symlink_to(tmp_path / "disk")
    stored(store, root, "old", "new")
    delete_unused(store, root, KEEP_ONE)
    assert report_path(root, "old").exists()
    assert not docs_dir(root, "old").exists()


def test_a_run_stays_while_its_files_cannot_go(store: SqlStore, root: Path) -> None:
    def refuse(run_id: str) -> None:
        raise UnavailableError(f"{run_id} cannot go")

    stored(store, root, "old", "new")
    with pytest.raises(UnavailableError, match="old cannot go"):
        store.delete_unused(KEEP_ONE, refuse)
    assert left(store) == ["new", "old"]


def test_a_file_that_cannot_be_removed_is_named() -> None:
    with TemporaryDirectory() as name:  # pytest's own folders let nobody else in
        root = Path(name).resolve()
        root.chmod(0o755)
        with_files(root, "old")
        report_path(root, "old").parent.chmod(0o555)
        before = os.geteuid()
        os.seteuid(before or 65534)  # root may remove everything
        try:
            with pytest.raises(UnavailableError, match=r"reports/old.html: Permission denied: run old stays until"):
                remove_run_files(root, "old")
        finally:
            os.seteuid(before)
            report_path(root, "old").parent.chmod(0o755)


KILLED = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import Engine, event
from db.store import open_store
from models.retention import Retention
from tasks.run_files import delete_unused

root, steps = Path(sys.argv[1]), [int(sys.argv[2])]

def count(counts):
    steps[0] -= counts
    if counts and not steps[0]:
        os.kill(os.getpid(), signal.SIGKILL)

@event.listens_for(Engine, "after_cursor_execute")
def statement(connection, cursor, text, *rest):
    count(text.startswith("DELETE FROM run "))

with open_store(f"sqlite:///{root / 'coderm.db'}") as store:
    sys.addaudithook(lambda event, _arguments: count(event in ("os.remove", "os.rmdir")))
    delete_unused(store, root, Retention(keep_runs=1))
"""


@pytest.mark.parametrize("step", [1, 3, 6, 7])  # a run: its page, two files, two folders, its row
def test_kill_9_in_the_middle_is_mended_by_the_next_prune(store: SqlStore, root: Path, step: int) -> None:
    stored(store, root, "a", "b", "new")
    done = subprocess.run([sys.executable, "-c", KILLED, str(root), str(step)], check=False, timeout=120)
    assert done.returncode == -signal.SIGKILL
    there = {name.split("/")[1].removesuffix(".html") for name in files(root)}
    assert there <= set(left(store)), "files whose run is gone would stay for ever"
    delete_unused(store, root, KEEP_ONE)
    assert files(root) == of("new")
    assert left(store) == ["new"]
