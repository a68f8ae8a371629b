"""The scaling study against a straightforward loop over cells: same numbers, how much faster, how much memory.

Run ``python tests/benchmarks/bench_reward.py [--problems 164] [--selector majority]``. The matrices are drawn here, in the size of
CodeT's recorded samples (100 solutions, 10 to 100 distinct asserts, a few dozen different rows). The loop is the selector as the
paper's repository writes it, with sets and dictionaries, one sub-sample at a time; it runs on ``--loop-problems`` problems and its
time is scaled up. Both draw the same sub-samples, and the script fails when an accuracy differs.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time

import numpy as np
import numpy.typing as npt

from models.budget_replay import replay_budget, scoring_selector
from models.matrix import ExecutionContext, PassMatrix
from models.reward.choice import ReplayProblem, replay_problems
from models.scaling import GRID, draws_of, scaling_curve, surface_of
from models.types import Labels, Verdict

CONTEXT = ExecutionContext(sandbox="process", image=None, version="bench", timeout_s=1.0, memory_mib=512)


def synthetic(index: int, solutions: int = 100) -> tuple[PassMatrix, Labels]:
    """One problem: a few dozen behaviours, right ones passing most of the right tests."""
    rng = np.random.default_rng(index)
    tests, behaviours = int(rng.integers(10, 101)), int(rng.integers(5, 50))
    rate = rng.beta(0.6, 1.2)
    right = rng.random(behaviours) < rate
    passes = rng.random((behaviours, tests)) < np.where(right, 0.7, 0.2)[:, None]
    behaviour = np.minimum(rng.geometric(0.1, solutions) - 1, behaviours - 1)
    codes = np.where(passes[behaviour], Verdict.PASSED, Verdict.FAILED).astype(np.uint8)
    digests = tuple(f"s{i}" for i in range(solutions))
    duration = np.zeros(codes.shape, dtype=np.float32)
    matrix = PassMatrix(f"p{index}", codes, duration, CONTEXT, digests, tuple(f"u{j}" for j in range(tests)))
    return matrix, Labels(task_id=f"p{index}", correct=tuple(bool(right[b]) for b in behaviour), solution_digests=digests)


def loop_majority(passed: dict[tuple[int, int], bool], rows: list[int], columns: list[int], correct: list[bool]) -> float:
    """CodeRM's calculate_result.py on one sub-sample: votes by cell, then identical sets among the top."""
    by_solution = {i: {j for j in columns if passed[i, j]} for i in rows}
    most = max(len(tests) for tests in by_solution.values())
    top = [i for i in rows if len(by_solution[i]) == most]
    alike = {i: sum(1 for k in top if by_solution[k] == by_solution[i]) for i in top}
    kept = [i for i in top if alike[i] == max(alike.values())]
    return sum(correct[i] for i in kept) / len(kept)


def loop_codet(passed: dict[tuple[int, int], bool], rows: list[int], columns: list[int], correct: list[bool]) -> float:
    """CodeT's dual agreement on one sub-sample."""
    classes: dict[frozenset[int], list[int]] = {}
    for i in rows:
        tests = frozenset(j for j in columns if passed[i, j])
        if tests:
            classes.setdefault(tests, []).append(i)
    scores = {tests: len(members) * len(tests) ** 2 for tests, members in classes.items()}
    kept = [i for tests, members in classes.items() if scores[tests] == max(scores.values()) for i in members] or rows
    return sum(correct[i] for i in kept) / len(kept)


LOOPS = {"majority": loop_majority, "codet": loop_codet}


def loop_surface(
    matrix: PassMatrix, labels: Labels, name: str, draws: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
) -> list[list[float]]:
    """(ns, ms) mean accuracy over orders, one sub-sample at a time."""
    n, m = matrix.verdicts.shape
    passed = {(i, j): bool(matrix.verdicts[i, j] == Verdict.PASSED) for i in range(n) for j in range(m)}
    correct = [bool(right) for right in labels.correct]
    total = [[0.0] * len(GRID) for _ in GRID]
    for people, tests in zip(*draws, strict=True):
        for a, size in enumerate(GRID):
            rows = [i for i in range(n) if people[i] < size]
            for b, asked in enumerate(GRID):
                total[a][b] += LOOPS[name](passed, rows, [j for j in range(m) if tests[j] < asked], correct)
    return [[value / len(draws[0]) for value in row] for row in total]


def compare(pairs: list[tuple[PassMatrix, Labels]], problems: list[ReplayProblem], name: str, orders: int) -> float:
    """Seconds the loop takes a problem. Exits when the two disagree."""
    spent = 0.0
    for index, ((matrix, labels), problem) in enumerate(zip(pairs, problems, strict=True)):
        draws = draws_of(problem, orders, np.random.default_rng(index))
        start = time.perf_counter()
        slow = loop_surface(matrix, labels, name, draws)
        spent += time.perf_counter() - start
        fast = surface_of(problem, scoring_selector(name), (GRID, GRID), draws)
        if not np.allclose(slow, fast, atol=1e-9):
            sys.exit(f"{problem.task_id}: the loop and the arrays disagree by {np.abs(np.array(slow) - fast).max():g}")
    return spent / len(pairs)


def main() -> None:
    """Print one line a figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=164)
    parser.add_argument("--loop-problems", type=int, default=4)
    parser.add_argument("--orders", type=int, default=100)
    parser.add_argument("--selector", default="majority", choices=sorted(LOOPS))
    options = parser.parse_args()
    pairs = [synthetic(index) for index in range(options.problems)]
    matrices, labels = {m.task_id: m for m, _ in pairs}, {line.task_id: line for _, line in pairs}
    start = time.perf_counter()
    scaling_curve(matrices, labels, options.selector, ns=GRID, ms=GRID, orders=options.orders)
    fast = time.perf_counter() - start
    few = pairs[: options.loop_problems]
    slow = options.problems * compare(few, replay_problems(matrices, labels)[: len(few)], options.selector, options.orders)
    start = time.perf_counter()
    replay_budget(matrices, labels, orders=options.orders, selector=options.selector)
    replay = time.perf_counter() - start
    write = sys.stdout.write
    write(f"scaling study, {options.problems} problems, {options.orders} orders, n and m in {GRID}: {fast:.2f} s\n")
    write(f"loop over cells, scaled up from {len(few)} problems: {slow:.1f} s, {slow / fast:.0f} times slower, same numbers\n")
    write(f"budget replay, equal + greedy + greedy-gold, 7 budgets: {replay:.2f} s\n")
    write(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB\n")


if __name__ == "__main__":
    main()
