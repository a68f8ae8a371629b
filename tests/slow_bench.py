"""A benchmark of some seconds in the sandbox, so that a kill falls into the middle of it, and what its store knows so far."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from tests.processes import wait_until

SLOW = "import time\ntime.sleep(0.03)\ndef f(x):\n    return x + 1\n"
TESTS = ("assert f(1) == 2", "assert f(1) == 3", "assert f(")


def write_bench(folder: Path, rows: int) -> Path:
    """Files of one problem with ``rows`` solutions and three tests; of one, so that only its growing rows can have been stored."""
    check = {"kind": "check", "source": "def check(candidate):\n    assert candidate(1) == 2\n"}
    problem = {"task_id": "t", "prompt": "Add one.", "entry_point": "f", "style": "function", "preamble": "", "reference": SLOW}
    lines = {
        "problems": {**problem, "ground_truth": check},
        "solutions": {"task_id": "t", "solutions": [SLOW + "#" * i for i in range(rows)]},
        "tests": {"task_id": "t", "tests": TESTS},
    }
    for name, line in lines.items():
        (folder / f"{name}.jsonl").write_text(json.dumps(line) + "\n")
    return folder


def stored_cells(home: Path) -> int:
    """Cells that are safe in the store."""
    file = home / "coderm.db"
    if not file.exists():
        return 0
    with contextlib.suppress(sqlite3.OperationalError), closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        return int(connection.execute("select coalesce(sum(n_cells), 0) from verdict_row").fetchone()[0])
    return 0


def wait_for_cells(home: Path, process: subprocess.Popen[str] | None, cells: int) -> int:
    """Until that many cells are stored by a process that lives; how many there are."""

    def there() -> bool:
        assert process is None or process.poll() is None, process.communicate()
        return stored_cells(home) >= cells

    wait_until(there, "nothing was stored")
    return stored_cells(home)
