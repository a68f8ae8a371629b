"""Only the winner: the partial matrix has the same first group as the full one, whatever the cells turn out to be."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.config import WINNER_SELECTORS
from models.errors import InputError
from models.matrix import ExecutionContext, PassMatrix
from models.reward.registry import SELECTORS, bound_of, resolve
from models.reward.selector import ScoreSelector, view_of
from models.reward.winner import cells_to_ask
from models.types import BoolMatrix, Verdict

CONTEXT = ExecutionContext(sandbox="process", image=None, version="test", timeout_s=1.0, memory_mib=512)
RAN = [v for v in Verdict if v != Verdict.NOT_ASKED]


def matrix_of(verdicts: np.ndarray, solutions: list[str], tests: list[str]) -> PassMatrix:
    durations = np.zeros(verdicts.shape, np.float32)
    return PassMatrix("t", verdicts.astype(np.uint8), durations, CONTEXT, tuple(solutions), tuple(tests))


@st.composite
def full_matrices(draw: st.DrawFn) -> PassMatrix:
    """Up to 8 x 7 distinct cells, then copies of rows and columns in any order; passes, failures, time-outs, cells of our fault."""
    k, m = draw(st.integers(1, 8)), draw(st.integers(1, 7))
    kinds = draw(st.sampled_from([[Verdict.PASSED, Verdict.FAILED], [Verdict.PASSED, Verdict.PASSED, Verdict.TIMEOUT], RAN]))
    cells = np.array(draw(st.lists(st.lists(st.sampled_from(kinds), min_size=m, max_size=m), min_size=k, max_size=k)))
    rows = draw(st.permutations([*range(k), *draw(st.lists(st.integers(0, k - 1), max_size=6))]))
    columns = draw(st.permutations([*range(m), *draw(st.lists(st.integers(0, m - 1), max_size=6))]))
    return matrix_of(cells[np.ix_(rows, columns)], [f"s{i}" for i in rows], [f"t{j}" for j in columns])


def searched(full: PassMatrix, name: str, wanted: BoolMatrix) -> tuple[PassMatrix, int]:
    """The partial matrix that the search ends with, and how many rounds it took."""
    partial = replace(full, verdicts=np.zeros_like(full.verdicts))
    for rounds in itertools.count():
        ask = cells_to_ask(bound_of(name), partial.verdicts, full.solution_digests, full.test_digests, wanted)
        if not ask.any():
            return partial, rounds
        assert not partial.asked[ask].any(), "a known cell is asked again"
        partial = replace(partial, verdicts=np.where(ask, full.verdicts, partial.verdicts))
    raise AssertionError


def first_group(name: str, matrix: PassMatrix) -> tuple[int, ...]:
    (selector,) = resolve([name])
    return next(iter(selector.rank(view_of(matrix))), ())


@given(full_matrices(), st.sampled_from(WINNER_SELECTORS), st.data())
def test_same_winners_as_the_full_matrix(full: PassMatrix, name: str, data: st.DataObject) -> None:
    wanted = np.array(data.draw(st.lists(st.booleans(), min_size=len(full.test_digests), max_size=len(full.test_digests))))
    kept = {d for d, w in zip(full.test_digests, wanted, strict=True) if w}
    wanted = np.array([d in kept for d in full.test_digests])  # copies of a test are wanted together, as a budget wants them
    whole = replace(full, verdicts=np.where(wanted, full.verdicts, np.uint8(Verdict.NOT_ASKED)))
    partial, _ = searched(full, name, wanted)
    assert not partial.asked[:, ~wanted].any()
    assert first_group(name, partial) == first_group(name, whole)


@given(full_matrices(), st.sampled_from(WINNER_SELECTORS), st.randoms(use_true_random=False))
def test_cells_that_were_not_asked_cannot_change_the_winners(full: PassMatrix, name: str, rng) -> None:
    """Any other outcome of the cells left out gives the same winners: nothing was guessed."""
    partial, _ = searched(full, name, np.ones(len(full.test_digests), bool))
    fate: dict[tuple[str, str], int] = {}
    other = full.verdicts.copy()
    for i, j in np.argwhere(~partial.asked).tolist():
        cell = (full.solution_digests[i], full.test_digests[j])
        other[i, j] = fate.setdefault(cell, rng.choice([Verdict.PASSED, Verdict.FAILED]))
    assert first_group(name, replace(full, verdicts=other)) == first_group(name, full)


@given(full_matrices(), st.sampled_from(WINNER_SELECTORS))
def test_copies_are_asked_together(full: PassMatrix, name: str) -> None:
    partial, _ = searched(full, name, np.ones(len(full.test_digests), bool))
    for i, j in itertools.combinations(range(len(full.solution_digests)), 2):
        if full.solution_digests[i] == full.solution_digests[j]:
            assert (partial.asked[i] == partial.asked[j]).all()


def test_a_clear_winner_costs_few_cells() -> None:
    """One solution passes all 40 tests, 29 fail every test: few cells for the others."""
    verdicts = np.full((30, 40), Verdict.FAILED)
    verdicts[7] = Verdict.PASSED
    full = matrix_of(verdicts, [f"s{i}" for i in range(30)], [f"t{j}" for j in range(40)])
    partial, rounds = searched(full, "majority", np.ones(40, bool))
    assert first_group("majority", partial) == (7,)
    assert int(partial.asked.sum()) <= 40 + 5 * 29  # five tests for everybody, then the winner whole
    assert rounds < 10


def test_empty_axes_are_decided() -> None:
    nothing = matrix_of(np.zeros((0, 3)), [], ["a", "b", "c"])
    assert not searched(nothing, "majority", np.ones(3, bool))[0].asked.any()
    columns = matrix_of(np.zeros((2, 0)), ["a", "b"], [])
    assert not searched(columns, "majority", np.ones(0, bool))[0].asked.any()


VOTES = st.integers(0, 40)


@given(st.sampled_from(WINNER_SELECTORS), VOTES, VOTES, st.integers(1, 30), st.integers(0, 10))
def test_declared_bounds_never_fall(name: str, votes: int, more: int, size: int, larger: int) -> None:
    bound, n = bound_of(name), float(size + larger)
    low = bound(np.array([float(votes)]), np.array([float(size)]), n)
    high = bound(np.array([float(votes + more)]), np.array([float(size + larger)]), n)
    assert (high >= low).all()


def test_the_configuration_names_the_selectors_that_declare_a_bound() -> None:
    made = {name: make() for name, make in SELECTORS.items()}
    assert {n for n, s in made.items() if getattr(s, "bound", None)} == set(WINNER_SELECTORS)
    assert all(s.tolerance == 0 for s in made.values() if isinstance(s, ScoreSelector) and s.bound), "a bound is exact"


@pytest.mark.parametrize("name", sorted(set(SELECTORS) - set(WINNER_SELECTORS)))
def test_a_selector_without_a_bound_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="declares no upper bound"):
        bound_of(name)
