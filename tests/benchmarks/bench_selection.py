"""Is the default selector better than B4, or was it chosen on the problems that it is judged on? Run on a matrix with outputs:

    python tests/benchmarks/bench_selection.py --matrix M.jsonl.gz --labels L.jsonl [--tests T.jsonl]

1. Every variant: β₀ of the B4 paper (10^4, 10^5, 10^6), classes by passes or by outputs, and solutions
   with one answer for everything, or that pass no test, behind the others or not.
2. Cross-fitting: each half of the problems (a fixed split, by digest of the task id) is judged by the variant that was best
   on the other half; and the same over 200 random splits, since one split can be lucky.
3. Fewer solutions and fewer tests, drawn without replacement: does the difference to B4 hold away from the one matrix?

Differences are paired by problem, intervals are 95 % bootstrap over problems. ``--tests`` takes the statement's examples away.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Mapping
from itertools import product
from pathlib import Path

import numpy as np
from scipy.special import betaln

from models.matrix import PassMatrix
from models.metrics_bootstrap import interval, paired_difference
from models.metrics_ranking import best_of_n
from models.outputs import Outputs
from models.reward import b4
from models.reward.b4_outputs import behaviour_scores, behind_others
from models.reward.selector import TIE_TOLERANCE, group_by_score
from models.reward.srank import output_codes
from models.statement_examples import generated_part
from models.types import BoolMatrix, FloatArray, Labels
from tasks.select_and_score import read_labels, read_matrices, read_tests

BETAS = (1e4, 1e5, 1e6)
SPLITS = 200
PAPER = (1e4, False, False)
OURS = (1e4, True, True)
Variant = tuple[float, bool, bool]
say = sys.stdout.write


class Problem:
    """Passes (n, m), codes of outputs (n, m) and labels of one problem; ``sample`` takes rows and columns of it."""

    def __init__(self, passes: BoolMatrix, codes: np.ndarray, correct: tuple[bool | None, ...]) -> None:
        self.passes, self.codes, self.correct = passes, codes, correct

    def sample(self, rows: np.ndarray, columns: np.ndarray) -> Problem:
        passes, codes = self.passes[np.ix_(rows, columns)], self.codes[np.ix_(rows, columns)]
        return Problem(passes, codes, tuple(self.correct[i] for i in rows))

    def value(self, variant: Variant) -> float:
        """Expected correctness of the choice; a random draw where there is no test."""
        beta, by_outputs, demote = variant
        if not self.passes.shape[1]:
            return best_of_n((), self.correct)
        codes = self.codes if by_outputs else np.zeros_like(self.codes)
        scores = behaviour_scores(self.passes, codes) + _other_beta(self.passes, codes, beta)
        behind = behind_others(self.passes, self.codes) & demote
        front = np.where(behind, -np.inf, scores) if not behind.all() else scores
        return best_of_n(group_by_score(front, TIE_TOLERANCE), self.correct)


def _other_beta(passes: BoolMatrix, codes: np.ndarray, beta: float) -> FloatArray:
    """What another β₀ adds to each solution's B4 score."""
    if beta == b4.BETA_0:
        return np.zeros(len(passes))
    _, kind, sizes = np.unique(np.hstack([codes, passes]), axis=0, return_inverse=True, return_counts=True)
    size, votes, passers = sizes[kind.reshape(-1)], passes.sum(axis=1), passes.sum(axis=0)
    e0 = passers.sum() - passes @ passers
    n0 = (len(passes) - size) * (passes.shape[1] - votes)
    return np.asarray(betaln(e0 + 1, n0 - e0 + beta) - betaln(e0 + 1, n0 - e0 + b4.BETA_0))


def load(matrix: Path, labels: Path, tests: Path | None) -> tuple[list[str], list[Problem]]:
    """Problems with a judged solution."""
    matrices: Mapping[str, PassMatrix] = read_matrices(matrix)
    known: Mapping[str, Labels] = read_labels(labels, matrices)
    columns = read_tests(tests, matrices) if tests else {}
    kept = {t: generated_part(m, columns[t]) if t in columns else m for t, m in matrices.items() if set(known[t].correct) - {None}}
    if not any(m.output_table.digests for m in kept.values()):
        sys.exit(f"{matrix}: no outputs in it; expected a matrix that coderm execute wrote with outputs")
    tables = {t: output_codes(Outputs.of(m.outputs, m.verdicts.shape), m.verdicts.shape) for t, m in kept.items()}
    return list(kept), [Problem(m.passes, tables[t], known[t].correct) for t, m in kept.items()]


def crossed(values: Mapping[Variant, FloatArray], half: np.ndarray) -> tuple[FloatArray, list[Variant]]:
    """Each problem's value by the variant that is best on the other half."""
    chosen = [max(values, key=lambda v: float(values[v][half != side].mean())) for side in (0, 1)]
    return np.where(half == 0, values[chosen[0]], values[chosen[1]]), chosen


def line(name: str, ours: FloatArray, theirs: FloatArray) -> None:
    """pass@1 with interval, and the paired difference."""
    lo, hi = interval(ours)
    difference, low, high = paired_difference(list(ours), list(theirs))
    say(f"{name:44s} {100 * ours.mean():6.2f} [{100 * lo:.1f}, {100 * hi:.1f}]")
    say(f"   against B4 {100 * difference:+.2f} [{100 * low:+.2f}, {100 * high:+.2f}]\n")


def named(variant: Variant) -> str:
    """A variant in words."""
    beta, by_outputs, demote = variant
    return f"β₀ = {beta:.0e}, {'outputs' if by_outputs else 'passes'}{', one answer or no test behind' if demote else ''}"


def sub_samples(problems: list[Problem], solutions: float, tests: float, draws: int) -> tuple[FloatArray, FloatArray]:
    """(P,) mean value over draws of ours and of B4 on shares of solutions and tests."""
    rng = np.random.default_rng(0)
    total = np.zeros((2, len(problems)))
    for index, problem in enumerate(problems):
        n, m = problem.passes.shape
        for _ in range(draws):
            rows = np.sort(rng.choice(n, max(1, round(solutions * n)), replace=False))
            columns = np.sort(rng.choice(m, max(min(m, 1), round(tests * m)), replace=False))
            small = problem.sample(rows, columns)
            total[:, index] += [small.value(OURS), small.value(PAPER)]
    return total[0] / draws, total[1] / draws


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--matrix", type=Path, required=True)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--tests", type=Path)
    parser.add_argument("--draws", type=int, default=10)
    options = parser.parse_args()
    tasks, problems = load(options.matrix, options.labels, options.tests)
    values = {v: np.array([p.value(v) for p in problems]) for v in product(BETAS, (False, True), (False, True))}
    base = values[PAPER]
    say(f"{len(problems)} problems\n1. every variant on all problems (the first is B4 as published)\n")
    for variant, found in values.items():
        line(named(variant), found, base)
    half = np.array([hashlib.sha256(task.encode()).digest()[-1] % 2 for task in tasks])
    found, chosen = crossed(values, half)
    say(f"2. cross-fitted: halves of {int((half == 0).sum())} and {int((half == 1).sum())} problems\n")
    say(f"   first half judged by {named(chosen[0])}; second by {named(chosen[1])}\n")
    line("fixed split", found, base)
    rng = np.random.default_rng(0)
    others = [crossed(values, rng.permutation(len(tasks)) % 2)[0].mean() for _ in range(SPLITS)]
    low, high = np.quantile(others, [0.05, 0.95])
    say(f"{SPLITS} random splits: mean {100 * np.mean(others):.2f}, 5 % to 95 % of them {100 * low:.2f} to {100 * high:.2f}\n")
    say(f"3. shares of the solutions and of the tests, mean over {options.draws} draws\n")
    for solutions, tests in ((1.0, 0.5), (1.0, 0.2), (0.5, 1.0), (0.2, 1.0), (0.5, 0.5)):
        line(f"{solutions:.0%} of the solutions, {tests:.0%} of the tests", *sub_samples(problems, solutions, tests, options.draws))


if __name__ == "__main__":
    main()
