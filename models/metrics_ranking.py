"""What a ranking is worth against the ground truth: pass@k of ranked groups, and of a random draw.

A ranking draws one solution from each of its first k groups, round-robin with replacement when there are fewer, and a draw
inside a group is uniform (CodeT, arXiv 2207.10397, evaluation.py): P = 1 - Π_groups (wrong share)^draws. With k = 1 this is
best-of-n with the expectation over ties. A ranking that ranks nothing falls back to a random draw. Solutions without a label are
left out of their groups; nothing is assumed about them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

Correct = Sequence[bool | None]
"""Ground truth by solution index; None: could not be judged."""


def random_pass_at_k(correct: Correct, k: int) -> float:
    """1 - C(n-c, k) / C(n, k), the unbiased estimator without replacement (arXiv 2107.03374, Eq. 1).

    With fewer than k judged solutions all of them are drawn. NaN when none is judged.
    """
    judged = [right for right in correct if right is not None]
    n, wrong = len(judged), judged.count(False)
    if n == 0:
        return math.nan
    return 1.0 - math.prod(max(0, wrong - i) / (n - i) for i in range(min(k, n)))


def pass_at_k(order: Sequence[Sequence[int]], correct: Correct, k: int) -> float:
    """pass@k of ranked groups of solution indices. NaN when no solution of the problem is judged."""
    wrong = wrong_shares(order, correct)[:k]
    if not wrong:
        return random_pass_at_k(correct, k)
    rounds, extra = divmod(k, len(wrong))
    return 1.0 - math.prod(share ** (rounds + (index < extra)) for index, share in enumerate(wrong))


def best_of_n(order: Sequence[Sequence[int]], correct: Correct) -> float:
    """Expected correctness of the selected solution, uniform over the first group."""
    return pass_at_k(order, correct, 1)


def wrong_shares(order: Sequence[Sequence[int]], correct: Correct) -> list[float]:
    """Share of wrong solutions of each group among its judged ones; groups with none are absent."""
    judged = ([correct[i] for i in group if correct[i] is not None] for group in order)
    return [group.count(False) / len(group) for group in judged if group]
