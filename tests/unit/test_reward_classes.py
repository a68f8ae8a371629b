"""Counting on distinct rows and columns: stacks of sub-samples against loops, past the width of one signature."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.reward.classes import SIGNATURE_BITS, classes_of, same_rows, sizes_of, votes_of


@given(st.integers(0, 6), st.integers(0, 8), st.integers(0, 2**32 - 1))
def test_classes_rebuild_the_matrix(n: int, m: int, seed: int) -> None:
    passes = np.random.default_rng(seed).random((n, m)) < 0.4
    classes = classes_of(passes)
    assert np.array_equal(classes.passes[classes.class_of][:, classes.pattern_of], passes)
    assert len(classes.passes) == len({row.tobytes() for row in passes})
    assert classes.rows.sum() == n
    assert classes.cols.sum() == m


@pytest.mark.parametrize("m", [5, SIGNATURE_BITS, SIGNATURE_BITS + 1, 130])
def test_stacks_equal_loops(m: int) -> None:
    rng = np.random.default_rng(m)
    passes = rng.random((12, m)) < 0.5
    passes[3:6] = passes[0]
    passes[4, m - 1] = ~passes[0, m - 1]
    passes = np.unique(passes, axis=0)
    K = len(passes)
    rows, cols = rng.integers(0, 4, (2, 1, K)).astype(float), rng.integers(0, 3, (1, 3, m)).astype(float)
    votes, sizes = votes_of(passes, cols), sizes_of(passes, rows, cols)
    assert votes.shape == (1, 3, K)
    assert sizes.shape == (2, 3, K)
    everything = sizes_of(passes, rows, np.ones((3, m)))
    assert everything.shape == (2, 3, K)
    assert (everything == rows).all(), "distinct rows stay apart when every test is asked"
    for b in range(3):
        asked = [j for j in range(m) if cols[0, b, j]]
        keys = [tuple(passes[i, asked]) for i in range(K)]
        assert votes[0, b].tolist() == [sum(cols[0, b, j] for j in asked if passes[i, j]) for i in range(K)]
        for a in range(2):
            assert sizes[a, b].tolist() == [sum(rows[a, 0, k] for k in range(K) if keys[k] == keys[i]) for i in range(K)]


def test_rows_that_differ_only_in_the_last_of_many_columns_are_told_apart() -> None:
    passes = np.ones((2, 200), dtype=bool)
    passes[1, 199] = False
    assert same_rows(passes, np.ones(200)).tolist() == [[True, False], [False, True]]
    passes = np.ones((2, 200), dtype=bool)
    passes[1, 0] = False
    assert not same_rows(passes, np.ones(200))[0, 1], "the lowest bit of a full signature counts"
    passes[1, 0], passes[1, 199] = True, False
    asked = np.ones(200)
    asked[199] = 0
    assert same_rows(passes, asked).all()
