"""A selector that reads outputs, replayed: the same as ranking each sub-sample and scoring its first group."""

from __future__ import annotations

import numpy as np
import pytest

from models.budget_replay import replay_budget
from models.matrix import ExecutionContext, PassMatrix
from models.metrics_ranking import best_of_n
from models.outputs import Outputs
from models.reward.choice import columns_of, expected_correct, orders_of, replay_problem
from models.reward.registry import resolve
from models.reward.selector import ScoreSelector, view_of
from models.types import Labels, Verdict

CONTEXT = ExecutionContext(sandbox="process", image=None, version="test", timeout_s=1.0, memory_mib=512)


def problem(seed: int, n: int = 10, m: int = 9, distinct: int = 6) -> tuple[PassMatrix, Labels]:
    """Few answers, so that solutions agree; twins, a stub with one answer, duplicates of tests, cells without an output."""
    rng = np.random.default_rng(seed)
    kinds, answers = rng.integers(0, distinct, m), rng.integers(0, 3, (n, distinct))
    answers[1], answers[2] = answers[0], 1
    silent, right = rng.random((n, distinct)) < 0.1, rng.integers(0, 3, distinct)
    codes = np.where((answers == right)[:, kinds], Verdict.PASSED, Verdict.FAILED).astype(np.uint8)
    outputs = {(i, j): f"o{answers[i, k]}" for i in range(n) for j, k in enumerate(kinds) if not silent[i, k]}
    digests = tuple(f"s{i}" for i in range(n)), tuple(f"u{k}" for k in kinds)
    matrix = PassMatrix(f"t{seed}", codes, np.zeros((n, m), np.float32), CONTEXT, *digests, outputs=Outputs.of(outputs, (n, m)))
    correct = tuple(None if i == n - 1 else bool(good) for i, good in enumerate(rng.random(n) < 0.5))
    return matrix, Labels(task_id=matrix.task_id, correct=correct, solution_digests=digests[0])


def restricted(matrix: PassMatrix, rows: list[int], columns: list[int]) -> PassMatrix:
    kept = {(a, b): matrix.outputs[i, j] for a, i in enumerate(rows) for b, j in enumerate(columns) if (i, j) in matrix.outputs}
    digests = tuple(matrix.solution_digests[i] for i in rows), tuple(matrix.test_digests[j] for j in columns)
    cells = np.ix_(rows, columns)
    outputs = Outputs.of(kept, (len(rows), len(columns)))
    return PassMatrix(matrix.task_id, matrix.verdicts[cells], matrix.duration_ms[cells], CONTEXT, *digests, outputs=outputs)


@pytest.mark.parametrize("seed", range(12))
def test_a_stack_of_sub_samples_is_every_sub_sample_ranked(seed: int) -> None:
    matrix, labels = problem(seed)
    (selector,) = resolve(["auto"])
    assert isinstance(selector, ScoreSelector)
    reduced, rng = replay_problem(matrix, labels, outputs=True), np.random.default_rng(seed)
    places, people = orders_of(reduced.units, 5, rng), orders_of(reduced.solutions, 5, rng)
    distinct = list(dict.fromkeys(matrix.test_digests))
    for tests in range(reduced.units + 1):
        for n in (1, 4, 10):
            ours = expected_correct(reduced, selector, columns_of(reduced, places, np.full(5, tests)), people < n)
            for order in range(5):
                asked = {distinct[d] for d in range(reduced.units) if places[order, d] < tests}
                columns = [j for j, digest in enumerate(matrix.test_digests) if digest in asked]
                rows = [i for i in range(reduced.solutions) if people[order, i] < n]
                groups = selector.rank(view_of(restricted(matrix, rows, columns)))
                slow = best_of_n(groups, [labels.correct[i] for i in rows])
                assert ours[order] == pytest.approx(slow, nan_ok=True)


def test_budgets_are_replayed_by_what_the_default_selector_reads() -> None:
    pairs = [problem(seed) for seed in range(8)]
    matrices, labels = {m.task_id: m for m, _ in pairs}, {line.task_id: line for _, line in pairs}
    found = replay_budget(matrices, labels, policies=("equal", "adaptive"), budgets=[1, 3, 6], orders=4)
    whole: dict[str, float] = found["all"]  # type: ignore[assignment]
    (selector,) = resolve(["auto"])
    exact = [best_of_n(selector.rank(view_of(m)), line.correct) for m, line in pairs]
    assert whole["selector"] == "b4-outputs"
    assert whole["accuracy"] == pytest.approx(np.mean(exact))


def test_a_test_that_not_every_solution_ran_tells_nobody_apart() -> None:
    matrix, _labels = problem(1)
    partial = matrix.verdicts.copy()
    partial[3:, 0] = Verdict.NOT_ASKED
    ran = {cell: digest for cell, digest in matrix.outputs.items() if partial[cell] != Verdict.NOT_ASKED}
    bare = {cell: digest for cell, digest in matrix.outputs.items() if cell[1] != 0}
    (selector,) = resolve(["b4-outputs"])
    ranked = []
    for outputs in (ran, bare):
        table = Outputs.of(outputs, partial.shape)
        part = PassMatrix("t", partial, matrix.duration_ms, CONTEXT, matrix.solution_digests, matrix.test_digests, outputs=table)
        ranked.append(selector.rank(view_of(part)))
    assert ranked[0] == ranked[1]
