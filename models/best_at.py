"""Best@K: what the selected solution is worth when only K candidates were drawn (Agentic Verifier, arXiv 2602.04254).

The mean over random subsets of K candidates, without replacement, of the expected correctness of the selector's choice among them:
an unbiased estimate, where taking the first K candidates is one draw. All tests vote. pass@K of the same candidates is the ceiling,
pass@1 the floor. A problem with fewer than K candidates takes all it has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from models.matrix import PassMatrix
from models.metrics_bootstrap import interval
from models.metrics_ranking import random_pass_at_k
from models.scaling import scaling_curve
from models.types import Labels

KS = (1, 2, 4, 8, 16)
"""K of the published tables."""


def best_at(
    matrices: Mapping[str, PassMatrix],
    labels: Mapping[str, Labels],
    selectors: Sequence[str],
    *,
    ks: Sequence[int] = KS,
    draws: int = 100,
    seed: int = 0,
) -> dict[str, dict[str, dict[str, float]]]:
    """{selector: {K: {"accuracy", "lo", "hi"}}}, with ``ceiling`` (pass@K) as the last; 95 % intervals over problems.

    Raises InputError as ``scaling_curve`` does: for a selector that is no score on the matrix, and where nothing is judged.
    """
    every = max((matrix.verdicts.shape[1] for matrix in matrices.values()), default=0)
    table: dict[str, dict[str, dict[str, float]]] = {}
    for name in selectors:
        curve = scaling_curve(matrices, labels, name, ns=ks, ms=[max(every, 1)], orders=draws, seed=seed)
        points: list[dict[str, float]] = curve["points"]  # type: ignore[assignment]
        table[str(curve["selector"])] = {str(p["n"]): {key: p[key] for key in ("accuracy", "lo", "hi")} for p in points}
    table["ceiling"] = {str(k): _ceiling(labels, matrices, k) for k in ks}
    return table


def _ceiling(labels: Mapping[str, Labels], matrices: Mapping[str, PassMatrix], k: int) -> dict[str, float]:
    judged = [labels[task].correct for task in matrices if task in labels and set(labels[task].correct) - {None}]
    values = [random_pass_at_k(correct, k) for correct in judged]
    lo, hi = interval(values)
    return {"accuracy": sum(values) / len(values), "lo": lo, "hi": hi}
