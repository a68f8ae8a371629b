"""Does this runtime keep its promises here? Runs a corpus of hostile and honest cells and says which verdicts were wrong.

The corpus is data (``sandbox/corpus``): cells that must never pass, and cells that must. A runtime without its own namespaces is
given only the honest ones, since a cell that kills every process it can reach would reach ours.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources

from models.matrix import MatrixJob
from models.ports import Executor
from models.types import Limits, UnitTest, Verdict

LIMITS = Limits(timeout_s=1.0, memory_mib=256)


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


def corpus() -> list[dict[str, str]]:
    """Every cell: name, kind, style, entry_point, solution, test, expect."""
    folder = resources.files("sandbox").joinpath("corpus")
    files = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".jsonl")), key=lambda entry: entry.name)
    return [json.loads(line) for entry in files for line in entry.read_text(encoding="utf-8").splitlines()]


def self_check(executor: Executor, *, hostile: bool, cells: Sequence[dict[str, str]] | None = None) -> Iterator[Finding]:
    """Run the corpus, or ``cells`` of it. ``hostile`` False: only cells without side effects."""
    chosen = [cell for cell in (corpus() if cells is None else cells) if hostile or cell["kind"] == "honest"]
    matrices = executor.execute(_job(cell) for cell in chosen)
    for cell, matrix in zip(chosen, matrices, strict=True):
        verdict = Verdict(int(matrix.verdicts[0, 0])).label
        yield Finding(cell["name"], cell["kind"], cell["expect"], verdict, matrix.flags.get((0, 0), ()))


def _job(cell: dict[str, str]) -> MatrixJob:
    return MatrixJob(
        task_id=cell["name"],
        style="function",
        entry_point=cell["entry_point"],
        solutions=(cell["solution"],),
        solution_digests=(cell["name"],),
        tests=(UnitTest(source=cell["test"]),),
        limits=LIMITS,
    )
