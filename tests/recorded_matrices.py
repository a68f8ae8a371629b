"""Made matrices with labels, drawn with a fixed seed: for tests that need many problems and no sources."""

from __future__ import annotations

import numpy as np

from models.matrix import ExecutionContext, PassMatrix
from models.types import Labels

CONTEXT = ExecutionContext(sandbox="process", image=None, version="1", timeout_s=1.0, memory_mib=64)


def recorded(problems: int, seed: int = 0) -> tuple[dict[str, PassMatrix], dict[str, Labels]]:
    """Eight candidates of which some are right, six tests that mostly tell."""
    rng = np.random.default_rng(seed)
    matrices, labels = {}, {}
    for i in range(problems):
        right = rng.random(8) < 0.4
        passed = rng.random((8, 6)) < np.where(right, 0.9, 0.5)[:, None]
        digests = tuple(f"{i}-{j}" for j in range(8))
        shape = {"solution_digests": digests, "test_digests": tuple(f"t{j}" for j in range(6))}
        verdicts = np.where(passed, 10, 8).astype(np.uint8)
        matrices[f"p{i}"] = PassMatrix(
            task_id=f"p{i}", verdicts=verdicts, duration_ms=np.ones((8, 6), np.float32), context=CONTEXT, **shape
        )
        labels[f"p{i}"] = Labels(task_id=f"p{i}", correct=tuple(map(bool, right)), solution_digests=digests)
    return matrices, labels
