"""Fidelity, the ends of the order, good and bad tests: against slow versions that count one by one."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.matrix import ExecutionContext, PassMatrix
from models.metrics import quality_of_tests
from models.metrics_cure import cure_rates
from models.metrics_verifier import agreement, verifier_rates
from models.types import Labels, Verdict

CONTEXT = ExecutionContext(sandbox="process", image=None, version="test", timeout_s=1.0, memory_mib=512)
P, F, SKIPPED, MISSING = Verdict.PASSED, Verdict.FAILED, Verdict.NOT_ASKED, Verdict.NOT_RUN
Pair = tuple[PassMatrix, Labels]


def pair(verdicts: list[list[int]], correct: list[bool | None], task: str = "t") -> Pair:
    codes = np.array(verdicts, dtype=np.uint8).reshape(len(correct), -1)
    digests = tuple(f"s{i}" for i in range(len(correct)))
    tests = tuple(f"u{j}" for j in range(codes.shape[1]))
    matrix = PassMatrix(task, codes, np.zeros(codes.shape, dtype=np.float32), CONTEXT, digests, tests)
    return matrix, Labels(task_id=task, correct=tuple(correct), solution_digests=digests)


def drawn_pair(seed: int) -> Pair:
    """One problem: up to 7 candidates and 5 tests, whole columns asked or not, some candidates without a label."""
    rng = np.random.default_rng(seed)
    n, m = rng.integers(1, 8), rng.integers(0, 6)
    cells = rng.choice([P, F, Verdict.ERROR], size=(n, m))
    cells[:, rng.random(m) < 0.3] = SKIPPED
    known: list[bool | None] = [True, False, None]
    return pair(cells.tolist(), [known[int(k)] for k in rng.integers(0, 3, n)])


PROBLEMS = st.lists(st.integers(0, 2**20), max_size=4).map(lambda seeds: [drawn_pair(seed) for seed in seeds])


def slow_ranks(values: list[float]) -> list[float]:
    """1 + how many are smaller + half of how many others are equal."""
    return [1 + sum(o < v for o in values) + (sum(o == v for o in values) - 1) / 2 for v in values]


def slow_spearman(a: list[float], b: list[float]) -> float:
    x, y = slow_ranks(a), slow_ranks(b)
    mx, my = sum(x) / len(x), sum(y) / len(y)
    top = sum((u - mx) * (v - my) for u, v in zip(x, y, strict=True))
    below = math.sqrt(sum((u - mx) ** 2 for u in x) * sum((v - my) ** 2 for v in y))
    return top / below if below else math.nan


def slow_kendall(a: list[float], b: list[float]) -> float:
    """τ-b: concordant minus discordant, over the root of the pairs that are not tied in each."""
    agree = untied_a = untied_b = 0
    for i, j in itertools.combinations(range(len(a)), 2):
        da, db = np.sign(a[i] - a[j]), np.sign(b[i] - b[j])
        agree, untied_a, untied_b = agree + int(da * db), untied_a + int(da != 0), untied_b + int(db != 0)
    return agree / math.sqrt(untied_a * untied_b) if untied_a * untied_b else math.nan


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), min_size=1, max_size=9))
@settings(max_examples=60)
def test_correlations_and_ends_against_counting(points: list[tuple[int, int]]) -> None:
    score, truth = [float(s) for s, _ in points], [float(t) for _, t in points]
    found = agreement(np.array(score), np.array(truth))
    assert found.spearman == pytest.approx(slow_spearman(score, truth), nan_ok=True)
    assert found.kendall == pytest.approx(slow_kendall(score, truth), nan_ok=True)
    if len(set(truth)) == 1:
        assert math.isnan(found.top_1)
        assert math.isnan(found.bottom_1)
        return
    tied = [t for s, t in points if s == max(score)]
    assert found.top_1 == pytest.approx(sum(t == max(truth) for t in tied) / len(tied))
    tied = [t for s, t in points if s == min(score)]
    assert found.bottom_1 == pytest.approx(sum(t == min(truth) for t in tied) / len(tied))


def test_one_best_candidate_among_ties_is_one_over_ties() -> None:
    found = agreement(np.array([1.0, 1.0, 1.0, 0.0]), np.array([3.0, 2.0, 1.0, 0.0]))
    assert (found.top_1, found.bottom_1) == (pytest.approx(1 / 3), 1.0)


@given(PROBLEMS)
@settings(max_examples=60)
def test_fidelity_counts_the_undefined_as_zero_and_says_how_many(problems: list[Pair]) -> None:
    slow = []
    for matrix, labels in problems:
        kept = [i for i, c in enumerate(labels.correct) if c is not None]
        score = [float(sum(v == P for v in matrix.verdicts[i])) for i in kept]
        slow.append(slow_spearman(score, [float(bool(labels.correct[i])) for i in kept]) if kept else math.nan)
    rates = verifier_rates(problems)
    assert rates["fidelity/problems"] == len(problems)
    assert rates["fidelity/undefined"] == sum(map(math.isnan, slow))
    expected = sum(0 if math.isnan(v) else v for v in slow) / len(slow) if slow else math.nan
    assert rates["fidelity/spearman"] == pytest.approx(expected, nan_ok=True, abs=1e-12)
    if slow:
        assert rates["fidelity/spearman_lo"] <= rates["fidelity/spearman"] + 1e-12
        assert rates["fidelity/spearman"] <= rates["fidelity/spearman_hi"] + 1e-12


def test_a_share_of_the_asked_tests_is_the_score() -> None:
    rates = verifier_rates([pair([[P, SKIPPED, SKIPPED], [P, P, F]], [True, False])])
    assert rates["ends/top_1"] == 1.0, "one of one beats two of three"
    assert rates["fidelity/spearman"] == pytest.approx(1.0)


@given(PROBLEMS)
@settings(max_examples=60)
def test_good_and_bad_tests_one_by_one(problems: list[Pair]) -> None:
    good = tests = rejected = on_good = accepted = on_bad = 0
    for matrix, labels in problems:
        right = [i for i, c in enumerate(labels.correct) if c]
        wrong = [i for i, c in enumerate(labels.correct) if c is False]
        for j in range(matrix.verdicts.shape[1]):
            if matrix.verdicts[0, j] == SKIPPED or not right:
                continue
            tests += 1
            fine = all(matrix.verdicts[i, j] == P for i in right)
            good += fine
            for i in wrong:
                passed = matrix.verdicts[i, j] == P
                on_good, on_bad = on_good + fine, on_bad + (not fine)
                rejected, accepted = rejected + (fine and not passed), accepted + (not fine and passed)
    rates = cure_rates(problems)
    for name, part, whole in (("accuracy", good, tests), ("p01", rejected, on_good), ("p00", accepted, on_bad)):
        assert rates[name] == pytest.approx(part / whole if whole else math.nan, nan_ok=True)
    assert rates["tests"] == tests


def test_names_are_stable_and_missing_cells_make_rates_undefined() -> None:
    whole, labels = pair([[P, P, F], [P, F, F]], [True, False])
    rates = quality_of_tests({"t": whole}, {"t": labels})
    assert set(rates) >= {"tests/individual/far_paper", "tests/combined/fpr", "tests/fidelity/spearman", "tests/ends/top_1"}
    assert {name.split("/")[1] for name in rates} == {"individual", "combined", "fidelity", "ends", "cure"}
    assert not any(math.isnan(v) for v in rates.values())
    torn, labels = pair([[P, MISSING], [F, P]], [True, False])
    for name, value in quality_of_tests({"t": torn}, {"t": labels}).items():
        assert math.isnan(value) != (name.split("/")[-1] in {"decisions", "problems", "undefined", "tests"}), name


def test_without_a_judged_problem_everything_is_undefined_and_counted() -> None:
    matrix, _ = pair([[P]], [True])
    rates = quality_of_tests({"t": matrix}, {})
    counts = {name for name, value in rates.items() if value == 0}
    assert all(math.isnan(value) for name, value in rates.items() if name not in counts)
    assert "tests/fidelity/problems" in counts
    assert "tests/fidelity/spearman" not in counts
