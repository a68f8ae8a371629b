"""Write codet_reduced.json from the M and L files of the full reproduction: python make_codet_reduced.py M.jsonl.gz L.jsonl OUT."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

TASKS = {f"HumanEval/{i}" for i in (2, 23, 47, 68, 99, 120, 140, 161)}


def main(matrix: str, labels: str, out: str) -> None:
    """Pass bits a solution, and labels, of the first 20 solutions of eight problems."""
    golden: dict[str, dict[str, object]] = {}
    for line in map(json.loads, gzip.decompress(Path(matrix).read_bytes()).splitlines()):
        if line["task_id"] in TASKS:
            rows = line["verdicts"][:20]
            golden[line["task_id"]] = {"passes": ["".join("01"[v == "passed"] for v in row) for row in rows]}
    for line in map(json.loads, Path(labels).read_text().splitlines()):
        if line["task_id"] in TASKS:
            golden[line["task_id"]]["correct"] = "".join("01"[bool(c)] for c in line["correct"][:20])
    Path(out).write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
