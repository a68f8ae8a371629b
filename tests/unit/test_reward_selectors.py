"""Majority, CodeT and the baselines against slow versions written with sets and dictionaries, and by hand."""

from __future__ import annotations

from collections import defaultdict
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InputError
from models.matrix import ExecutionContext, PassMatrix
from models.reward.registry import DEFAULT, SELECTORS, rank_all, resolve
from models.reward.selector import MatrixView, group_by_score, view_of
from models.types import Labels, Verdict

CONTEXT = ExecutionContext(sandbox="process", image=None, version="test", timeout_s=1.0, memory_mib=512)


def matrix_of(
    verdicts: list[list[Verdict]], tests: tuple[str, ...] | None = None, solutions: tuple[str, ...] | None = None
) -> PassMatrix:
    codes = np.array(verdicts, dtype=np.uint8).reshape(len(verdicts), -1 if verdicts and verdicts[0] else 0)
    n, m = codes.shape
    return PassMatrix(
        task_id="t",
        verdicts=codes,
        duration_ms=np.zeros((n, m), dtype=np.float32),
        context=CONTEXT,
        solution_digests=solutions or tuple(f"s{i}" for i in range(n)),
        test_digests=tests or tuple(f"u{j}" for j in range(m)),
    )


def votes(rows: list[str]) -> PassMatrix:
    return matrix_of([[Verdict.PASSED if c == "1" else Verdict.FAILED for c in row] for row in rows])


def ranked(name: str, rows: list[str]) -> list[set[int]]:
    (selector,) = resolve([name])
    return [set(group) for group in selector.rank(view_of(votes(rows)))]


def slow_majority_first(rows: list[str]) -> set[int]:
    """CodeRM's calculate_result.py: top votes, then the largest groups with the identical set of passed tests."""
    passed = {i: {j for j, c in enumerate(row) if c == "1"} for i, row in enumerate(rows)}
    most = max(len(tests) for tests in passed.values())
    top = [i for i in passed if len(passed[i]) == most]
    alike = {i: sum(1 for k in top if passed[k] == passed[i]) for i in top}
    return {i for i in top if alike[i] == max(alike.values())}


def slow_codet(rows: list[str]) -> list[set[int]]:
    """CodeT's DualAgreement, then the merging of equal scores in its evaluation; scores rounded so that sqrt cannot split ties."""
    passed = {i: frozenset(j for j, c in enumerate(row) if c == "1") for i, row in enumerate(rows)}
    classes: dict[frozenset[int], list[int]] = defaultdict(list)
    for i, tests in passed.items():
        if tests:
            classes[tests].append(i)
    by_score: dict[float, set[int]] = defaultdict(set)
    for tests, members in classes.items():
        by_score[round(sqrt(len(members)) * len(tests), 9)].update(members)
    return [by_score[score] for score in sorted(by_score, reverse=True)]


MATRICES = st.integers(1, 7).flatmap(lambda m: st.lists(st.text(alphabet="01", min_size=m, max_size=m), min_size=1, max_size=9))


@given(MATRICES)
def test_majority_first_group_is_the_paper_codes_tie_set(rows: list[str]) -> None:
    groups = ranked("majority", rows)
    assert groups[0] == slow_majority_first(rows)
    assert sorted(i for group in groups for i in group) == list(range(len(rows)))


@given(MATRICES)
def test_codet_ranks_classes_as_the_authors_code(rows: list[str]) -> None:
    assert ranked("codet", rows) == slow_codet(rows)


@given(MATRICES, st.randoms(use_true_random=False), st.sampled_from(sorted(set(SELECTORS) - {"oracle"})))
def test_order_of_solutions_and_tests_does_not_matter(rows: list[str], rng, name: str) -> None:
    solutions, tests = list(range(len(rows))), list(range(len(rows[0])))
    rng.shuffle(solutions)
    rng.shuffle(tests)
    shuffled = ranked(name, ["".join(rows[i][j] for j in tests) for i in solutions])
    assert [{solutions[i] for i in group} for group in shuffled] == ranked(name, rows)


@given(MATRICES, st.sampled_from(["majority", "codet"]))
def test_a_twin_of_a_solution_shares_its_group(rows: list[str], name: str) -> None:
    groups = ranked(name, [*rows, rows[0]])
    assert all((0 in group) == (len(rows) in group) for group in groups)


@given(MATRICES, st.sampled_from(["majority", "codet"]))
def test_asking_every_test_twice_changes_nothing(rows: list[str], name: str) -> None:
    assert ranked(name, [row + row for row in rows]) == ranked(name, rows)


def test_majority_keeps_all_largest_groups_inside_the_top() -> None:
    assert ranked("majority", ["110", "110", "011", "011", "101", "100"]) == [{0, 1, 2, 3}, {4}, {5}]


def test_codet_weighs_consensus_against_tests_passed() -> None:
    # sqrt(4) x 1 = 2 ties with sqrt(1) x 2 = 2: one group, as CodeT's evaluation merges them; the last row passes nothing
    assert ranked("codet", ["100", "100", "100", "100", "011", "000"]) == [{0, 1, 2, 3, 4}]
    assert ranked("codet", ["100"] * 5 + ["011"]) == [{0, 1, 2, 3, 4}, {5}]


def test_duplicates_of_a_test_count_each_time() -> None:
    assert ranked("majority", ["1100", "0011"]) == [{0, 1}]
    assert ranked("majority", ["11000", "00111"]) == [{1}, {0}]


@pytest.mark.parametrize("name", sorted(set(SELECTORS) - {"oracle"}))
def test_nothing_to_look_at_ranks_nothing(name: str) -> None:
    assert ranked(name, ["", ""]) == []
    (selector,) = resolve([name])
    assert selector.rank(view_of(matrix_of([]))) == ()


def test_no_votes_at_all() -> None:
    assert ranked("majority", ["00", "00"]) == [{0, 1}]
    assert ranked("codet", ["00", "00"]) == []


def test_one_solution() -> None:
    assert ranked("majority", ["0"]) == [{0}]
    assert ranked("codet", ["1"]) == [{0}]


def test_random_ranks_nothing() -> None:
    assert ranked("random", ["11", "00"]) == []


def test_oracle_puts_right_ones_first_and_drops_unjudged() -> None:
    matrix = votes(["0", "1", "0", "1"])
    labels = Labels(task_id="t", correct=(True, False, None, True), solution_digests=matrix.solution_digests)
    (oracle,) = resolve(["oracle"])
    assert oracle.rank(view_of(matrix, labels)) == ((0, 3), (1,))
    with pytest.raises(InputError, match="needs labels"):
        oracle.rank(view_of(matrix))


def test_only_asked_columns_are_seen_and_missing_cells_are_counted() -> None:
    p, f, skipped, missing = Verdict.PASSED, Verdict.FAILED, Verdict.NOT_ASKED, Verdict.NOT_RUN
    view = view_of(matrix_of([[skipped, p, f], [skipped, missing, p]], tests=("a", "b", "a")))
    assert view.passes.tolist() == [[True, False], [False, True]]
    assert view.columns.tolist() == [1, 2]
    assert view.test_digests == ("b", "a")
    assert view.missing == 1


def test_a_cell_that_was_not_asked_inside_an_asked_column_is_no_vote() -> None:
    p, skipped = Verdict.PASSED, Verdict.NOT_ASKED
    view = view_of(matrix_of([[p, p], [skipped, p]]))
    assert view.passes.tolist() == [[True, True], [False, True]]
    assert resolve(["majority"])[0].rank(view) == ((0,), (1,))


def test_outputs_follow_their_columns() -> None:
    p, skipped = Verdict.PASSED, Verdict.NOT_ASKED
    stored = matrix_of([[skipped, p], [skipped, p]])
    matrix = PassMatrix(**{**vars(stored), "outputs": {(1, 1): "digest", (0, 0): "never asked"}})
    assert dict(view_of(matrix).outputs) == {(1, 0): "digest"}


def test_labels_and_sources_of_another_solution_set_are_refused() -> None:
    matrix = votes(["1", "0"])
    with pytest.raises(InputError, match=r"another solution set.*index 1"):
        view_of(matrix, Labels(task_id="t", correct=(True, False), solution_digests=("s0", "other")))
    with pytest.raises(InputError, match="1 sources for 2 rows"):
        view_of(matrix, sources=("def f(): pass",))


def test_names() -> None:
    assert [s.name for s in resolve(["codet", "auto", "codet"])] == list(dict.fromkeys(["codet", DEFAULT]))
    assert [resolve([name])[0].name for name in SELECTORS] == list(SELECTORS)
    with pytest.raises(InputError, match=r"unknown selector 'best'.*majority"):
        resolve(["majority", "best"])


def test_rank_all_shows_labels_to_the_oracle_only() -> None:
    class Spy:
        name = "spy"

        def rank(self, view: MatrixView) -> tuple[tuple[int, ...], ...]:
            assert view.correct is None
            return ()

    matrix = votes(["1", "0"])
    labels = Labels(task_id="t", correct=(False, True), solution_digests=matrix.solution_digests)
    rankings = rank_all({"t": matrix}, [Spy(), *resolve(["oracle", "majority"])], {"t": labels})
    assert rankings["oracle"]["t"].order == ((1,), (0,))
    assert rankings["majority"]["t"].order == ((0,), (1,))
    assert rankings["spy"]["t"].order == ()
    with pytest.raises(InputError, match="needs labels"):
        rank_all({"t": matrix}, resolve(["oracle"]))


def test_group_by_score_merges_rounding_only_within_its_tolerance() -> None:
    scores = np.array([1.0, 1.0 + 1e-12, -np.inf, 0.5])
    assert group_by_score(scores, 1e-9) == ((0, 1), (3,))
    assert group_by_score(scores) == ((1,), (0,), (3,))
    assert group_by_score(np.array([-np.inf])) == ()
