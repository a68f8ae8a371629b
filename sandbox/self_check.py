"""Does this runtime keep its promises here? Runs a corpus of hostile and honest cells and says which verdicts were wrong.

The corpus is data (``sandbox/corpus``): cells that must never pass, and cells that must. A runtime without its own namespaces is
given only the honest ones, since a cell that kills every process it can reach would reach ours; what only a container promises
(``needs``) is asked of containers alone. ``before``: a solution that plants something, run on every slot before the cell looks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from models.matrix import MatrixJob
from models.ports import Executor
from models.types import Limits, UnitTest, Verdict

LIMITS = Limits(timeout_s=1.0, memory_mib=256)
Cell = Mapping[str, Any]
"""name, kind, style, entry_point, solution, test, expect; and where it has them checker, before, needs, timeout_s."""
PLANTS = 4
"""Rows before the one that looks: rows are taken in turn, so that each of as many slots has run one."""


@dataclass(frozen=True)
class Finding:
    """One cell of the corpus: what was expected and what came."""

    name: str
    kind: str
    expected: str
    verdict: str
    flags: tuple[str, ...]

    @property
    def right(self) -> bool:
        """``expected`` is the name of a verdict, or ``not passed``; a cell that could not be run proves nothing."""
        if self.verdict == "not_run":
            return False
        return self.verdict != "passed" if self.expected == "not passed" else self.verdict == self.expected


def corpus() -> list[Cell]:
    """Every cell."""
    folder = resources.files("sandbox").joinpath("corpus")
    files = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".jsonl")), key=lambda entry: entry.name)
    return [json.loads(line) for entry in files for line in entry.read_text(encoding="utf-8").splitlines()]


def self_check(executor: Executor, *, hostile: bool, cells: Sequence[Cell] | None = None) -> Iterator[Finding]:
    """Run the corpus, or ``cells`` of it. ``hostile`` False: only cells without side effects."""
    contained = executor.context(LIMITS).sandbox == "docker"
    chosen = [cell for cell in (corpus() if cells is None else cells) if hostile or cell["kind"] == "honest"]
    chosen = [cell for cell in chosen if contained or "needs" not in cell]
    matrices = executor.execute(_job(cell) for cell in chosen)
    for cell, matrix in zip(chosen, matrices, strict=True):
        row = len(matrix.verdicts) - 1
        verdict = Verdict(int(matrix.verdicts[row, 0])).label
        yield Finding(cell["name"], cell["kind"], cell["expect"], verdict, matrix.flags.get((row, 0), ()))


def _job(cell: Cell) -> MatrixJob:
    plants = [f"{cell['before']}# {number}" for number in range(PLANTS)] if "before" in cell else []
    return MatrixJob(
        task_id=cell["name"],
        style=cell["style"],
        entry_point=cell["entry_point"],
        solutions=(*plants, cell["solution"]),
        solution_digests=(*(f"{cell['name']} {number}" for number in range(len(plants))), cell["name"]),
        tests=(UnitTest.model_validate(cell["test"]),),
        limits=LIMITS.model_copy(update={"timeout_s": cell.get("timeout_s", LIMITS.timeout_s)}),
        checker=cell.get("checker"),
    )
