"""How many cells ``--only-winner`` leaves out, replayed on a full matrix: no cell is run.

    python tests/benchmarks/bench_winner.py --matrix M.jsonl      M: of `coderm execute` (README, "The public check")

Distinct cells count, since copies run once; time is the sum of their recorded durations. ``clairvoyant`` is majority's floor: who
knows every verdict beforehand still has to run the winners whole, and as many failures of each other solution as put it out.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from models.config import WINNER_SELECTORS
from models.matrix import PassMatrix
from models.reward.registry import bound_of, resolve
from models.reward.selector import view_of
from models.reward.winner import Known, next_cells
from models.types import BoolMatrix, Verdict
from tasks.select_and_score import read_matrices


@dataclass
class Tally:
    """Over problems."""

    cells: int = 0
    asked: int = 0
    ms: float = 0.0
    asked_ms: float = 0.0
    floor: int = 0
    rounds: list[int] = field(default_factory=list)
    wrong: int = 0


def replay(matrix: PassMatrix, selector: str, tally: Tally) -> None:
    """Search one problem and compare its winners with those of the full matrix."""
    first_row, row_of = np.unique(matrix.solution_digests, return_index=True, return_inverse=True)[1:]
    first_column, column_of = np.unique(matrix.test_digests, return_index=True, return_inverse=True)[1:]
    verdicts = matrix.verdicts[np.ix_(first_row, first_column)]
    ms = np.nan_to_num(matrix.duration_ms[np.ix_(first_row, first_column)])
    copies = np.bincount(row_of).astype(float), np.bincount(column_of).astype(float)
    known = np.zeros(verdicts.shape, dtype=bool)
    rounds = 0
    while (ask := next_cells(bound_of(selector), Known((verdicts == Verdict.PASSED) & known, known, *copies))).any():
        known, rounds = known | ask, rounds + 1
    partial = np.where(known, verdicts, np.uint8(Verdict.NOT_ASKED))[np.ix_(row_of, column_of)]
    [rule] = resolve([selector])
    found = [next(iter(rule.rank(view_of(m))), ()) for m in (matrix, _with(matrix, partial))]
    tally.cells += known.size
    tally.asked += int(known.sum())
    tally.ms += float(ms.sum())
    tally.asked_ms += float(ms[known].sum())
    tally.floor += _clairvoyant(verdicts == Verdict.PASSED, copies[1])
    tally.rounds.append(rounds)
    tally.wrong += found[0] != found[1]


def _with(matrix: PassMatrix, verdicts: np.ndarray) -> PassMatrix:
    return PassMatrix(**{**vars(matrix), "verdicts": verdicts, "outputs": {}})


def _clairvoyant(passes: BoolMatrix, cols: np.ndarray) -> int:
    votes = passes @ cols
    lost = np.cumsum(-np.sort(-np.where(passes, 0.0, cols), axis=1), axis=1)
    enough = (lost <= cols.sum() - votes.max()).sum(axis=1) + 1
    return int(np.where(votes == votes.max(), passes.shape[1], enough).sum())


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--matrix", type=Path, required=True)
    parser.add_argument("--selector", default=",".join(WINNER_SELECTORS))
    options = parser.parse_args()
    matrices = [m for m in read_matrices(options.matrix).values() if m.verdicts.size]
    for selector in options.selector.split(","):
        tally = Tally()
        for matrix in matrices:
            replay(matrix, selector, tally)
        floor = f", clairvoyant {1 - tally.floor / tally.cells:.1%}" if selector == "majority" else ""
        saved = f"{1 - tally.asked / tally.cells:.1%} of cells and {1 - tally.asked_ms / tally.ms:.1%} of time saved{floor}"
        print(
            f"{selector:9} {len(matrices)} problems, {tally.cells} distinct cells, {tally.asked} asked: {saved}; "
            f"rounds {np.mean(tally.rounds):.1f} on average, {max(tally.rounds)} at most; other winners in {tally.wrong} problems"
        )


if __name__ == "__main__":
    main()
