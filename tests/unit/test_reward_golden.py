"""A stored matrix and what every selector said about it: another ranking is a new reward-model version, never an accident."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from models.config import SelectorName
from models.reward.registry import SELECTORS, resolve
from models.reward.selector import MatrixView

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "reward_rankings.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", SELECTORS)
def test_rankings_are_those_that_were_stored(name: str) -> None:
    passes = np.array([[c == "1" for c in row] for row in GOLDEN["passes"]])
    n, m = passes.shape
    digests = tuple(f"s{i}" for i in range(n)), tuple(f"u{j}" for j in range(m))
    view = MatrixView("golden", passes, np.arange(m), *digests, correct=tuple(GOLDEN["correct"]))
    (selector,) = resolve([name])
    assert [list(group) for group in selector.rank(view)] == GOLDEN["rankings"][name]


def test_configurations_know_exactly_the_selectors_that_exist() -> None:
    assert set(get_args(SelectorName)) == set(SELECTORS)
