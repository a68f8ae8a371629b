"""Best@K against the mean over every subset of K candidates, its ceiling, and its ends."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from models.best_at import best_at
from models.matrix import ExecutionContext, PassMatrix
from models.metrics_ranking import best_of_n
from models.reward.registry import resolve
from models.reward.selector import view_of
from models.types import Labels, Verdict

CONTEXT = ExecutionContext(sandbox="process", image=None, version="test", timeout_s=1.0, memory_mib=512)


def problem(seed: int, n: int = 6, m: int = 5) -> tuple[PassMatrix, Labels]:
    rng = np.random.default_rng(seed)
    codes = np.where(rng.random((n, m)) < 0.5, Verdict.PASSED, Verdict.FAILED).astype(np.uint8)
    digests = tuple(f"s{i}" for i in range(n))
    matrix = PassMatrix(f"t{seed}", codes, np.zeros((n, m), dtype=np.float32), CONTEXT, digests, tuple(f"u{j}" for j in range(m)))
    correct = tuple(bool(right) for right in rng.random(n) < 0.5)
    return matrix, Labels(task_id=matrix.task_id, correct=correct, solution_digests=digests)


def chosen(matrix: PassMatrix, labels: Labels, rows: tuple[int, ...]) -> float:
    (selector,) = resolve(["majority"])
    names = tuple(matrix.solution_digests[i] for i in rows)
    part = PassMatrix(
        matrix.task_id, matrix.verdicts[list(rows)], matrix.duration_ms[list(rows)], CONTEXT, names, matrix.test_digests
    )
    return best_of_n(selector.rank(view_of(part)), [labels.correct[i] for i in rows])


@pytest.mark.parametrize("k", [1, 2, 3, 6, 16])
def test_best_at_k_is_the_mean_over_all_subsets(k: int) -> None:
    matrix, labels = problem(3)
    table = best_at({"t3": matrix}, {"t3": labels}, ["majority"], ks=[k], draws=4000)
    exact = np.mean([chosen(matrix, labels, rows) for rows in combinations(range(6), min(k, 6))])
    tolerance = 1e-12 if k in (6, 16) else 4 * 0.5 / 4000**0.5
    assert table["majority"][str(k)]["accuracy"] == pytest.approx(exact, abs=tolerance)
    anyone = np.mean([any(labels.correct[i] for i in rows) for rows in combinations(range(6), min(k, 6))])
    assert table["ceiling"][str(k)]["accuracy"] == pytest.approx(anyone)


def test_no_choice_beats_the_ceiling_and_one_candidate_leaves_no_choice() -> None:
    pairs = {f"t{seed}": problem(seed) for seed in range(20)}
    matrices, labels = ({task: pair[i] for task, pair in pairs.items()} for i in (0, 1))
    table = best_at(matrices, labels, ["majority", "b4", "auto"], ks=[1, 2, 4], draws=300)  # type: ignore[arg-type]
    assert list(table) == ["majority", "b4", "b4-outputs", "ceiling"]
    for name in ("majority", "b4", "b4-outputs"):
        assert table[name]["1"]["accuracy"] == pytest.approx(table["ceiling"]["1"]["accuracy"], abs=0.05)
        for k in ("2", "4"):
            assert table[name][k]["accuracy"] <= table["ceiling"][k]["accuracy"]
            assert table[name][k]["lo"] <= table[name][k]["accuracy"] <= table[name][k]["hi"]
