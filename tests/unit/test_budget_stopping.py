"""Stop rules against slow versions over sets of tests, what they may look at, and their audit trail."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from models.budget_curves import Replay
from models.budget_policies import COUNTS
from models.matrix import ExecutionContext, PassMatrix
from models.reward.choice import ReplayProblem, orders_of, replay_problems
from models.reward.registry import resolve
from models.reward.selector import ScoreSelector
from models.stopping import RULES, BetaStop, Evidence, FutilityStop, LeadStop, RacingStop, audit_trail, evidence_of, stopping_times
from models.types import BoolMatrix, Labels, Verdict

CONTEXT = ExecutionContext(sandbox="process", image=None, version="test", timeout_s=1.0, memory_mib=512)


def majority() -> ScoreSelector:
    (selector,) = resolve(["majority"])
    assert isinstance(selector, ScoreSelector)
    return selector


def problem_of(passes: BoolMatrix, tests: tuple[str, ...] | None = None) -> ReplayProblem:
    n, m = passes.shape
    codes = np.where(passes, Verdict.PASSED, Verdict.FAILED).astype(np.uint8)
    digests = tuple(f"s{i}" for i in range(n))
    matrix = PassMatrix("t", codes, np.zeros((n, m), dtype=np.float32), CONTEXT, digests, tests or tuple(f"u{j}" for j in range(m)))
    labels = Labels(task_id="t", correct=tuple(i % 2 == 0 for i in range(n)), solution_digests=digests)
    return replay_problems({"t": matrix}, {"t": labels})[0]


def slow_evidence(passes: BoolMatrix, asked: list[int]) -> tuple[tuple[bool, ...], list[tuple[int, int]]]:
    """(the leader's row, (D, R) of each distinct rival row) of majority over asked columns; the leader by CodeRM's tie rule."""
    rows = [tuple(bool(passes[i, j]) for j in asked) for i in range(len(passes))]
    best = max(sum(row) for row in rows)
    top = [row for row in rows if sum(row) == best]
    largest = max(top.count(row) for row in top)
    (leader, *others) = sorted({row for row in top if top.count(row) == largest}, reverse=True)
    if others:
        raise LookupError("a tie: any of these rows may lead")
    rivals = set(rows) - {leader}

    def tell(rival: tuple[bool, ...]) -> tuple[int, int]:
        pairs = list(zip(leader, rival, strict=True))
        return pairs.count((True, False)), pairs.count((False, True))

    return leader, [tell(c) for c in rivals]


@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 2**31))
@settings(max_examples=60)
def test_evidence_counts_discordant_tests_of_distinct_rival_rows(n: int, m: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    passes = rng.random((n, m)) < 0.5
    asked = [j for j in range(m) if rng.random() < 0.6]
    evidence = evidence_of(problem_of(passes), majority(), np.isin(np.arange(m), asked))
    assert evidence.tests == len(asked)
    try:
        leader, rivals = slow_evidence(passes, asked)
    except LookupError:
        return
    assert evidence.votes == sum(leader)
    assert evidence.rivals.sum() == pytest.approx(len(rivals))
    if asked:
        bound = sum(beta.cdf(0.5, d + 1, r + 1) for d, r in rivals)
        assert BetaStop().error(evidence) == pytest.approx(bound)
        assert bool(LeadStop(least=0).stops(evidence)) == all(d - r >= 3 for d, r in rivals)


def test_duplicates_of_a_test_are_no_further_evidence() -> None:
    passes = np.array([[1, 1, 1, 1], [0, 0, 0, 1]], dtype=bool)
    evidence = evidence_of(problem_of(passes, ("a", "a", "a", "b")), majority(), np.array([True, True]))
    assert evidence.tests == 2
    assert evidence.ahead.max() == 1
    assert evidence.votes == 2


def evidence(tests: int, ahead: list[int], behind: list[int], votes: int = 9) -> Evidence:
    """A leader (class 0) and one rival row for each pair."""
    rivals = np.array([0.0] + [1.0] * len(ahead))
    d, r = (np.array([0, *counts], dtype=float) for counts in (ahead, behind))
    return Evidence(tests, np.array(0), np.array(True), d, r, rivals, np.array(float(votes)))


def test_rules_by_hand() -> None:
    clear, close = evidence(9, [5, 6], [0, 1]), evidence(9, [5, 2], [0, 1])
    # I_1/2(6, 1) = 2^-6 and I_1/2(7, 2) = 9/256
    assert float(BetaStop().error(clear)) == pytest.approx(1 / 64 + 9 / 256)
    assert [bool(BetaStop().stops(e)) for e in (clear, close)] == [True, False]
    assert [bool(LeadStop().stops(e)) for e in (clear, close)] == [True, False]
    assert not BetaStop().stops(evidence(4, [5], [0])), "not before the least number of tests"
    assert bool(FutilityStop().stops(evidence(5, [], [])))
    assert not FutilityStop().stops(evidence(4, [], []))
    assert [bool(FutilityStop().stops(evidence(t, [1], [0], votes=0))) for t in (9, 10)] == [False, True]


def test_racing_is_the_printed_bound() -> None:
    def bound(t: int, d: int, r: int, rows: int) -> bool:
        mean = (d - r) / t
        log = math.log(3 * rows * t * (t + 1) / 0.05)
        return mean > math.sqrt(2 * ((d + r) / t - mean**2) * log / t) + 6 * log / t

    for t, d, r in ((50, 50, 0), (90, 90, 0), (100, 100, 0), (200, 150, 10), (400, 160, 20), (400, 300, 0)):
        assert bool(RacingStop().stops(evidence(t, [d, t], [r, 0]))) == (bound(t, d, r, 2) and bound(t, t, 0, 2))
    assert bool(RacingStop().stops(evidence(400, [300], [0])))
    assert not RacingStop().stops(evidence(10, [10], [0])), "a guarantee needs many tests"


def test_racing_keeps_its_promise_on_equal_classes() -> None:
    """Two classes of equal quality: a race that calls one better is wrong, and may be in 5 % of the orders at most."""
    rng = np.random.default_rng(4)
    coin = rng.random((2, 150)) < 0.5
    problem = problem_of(coin[:, np.argsort(rng.random(150))])
    place = orders_of(problem.units, 200, rng)
    times = stopping_times(problem, majority(), (RacingStop(),), place, 150)
    assert (times < 150).mean() <= 0.05


def test_a_rule_never_sees_what_was_not_asked() -> None:
    rng = np.random.default_rng(8)
    passes = rng.random((10, 20)) < np.linspace(0.1, 0.9, 10)[:, None]
    other = passes.copy()
    other[:, 12:] = rng.random((10, 8)) < 0.5
    place = np.arange(20)[None, :]
    for rules in RULES.values():
        first, second = (stopping_times(problem_of(p), majority(), rules, place, 20)[0] for p in (passes, other))
        assert first == second or min(first, second) > 12


@pytest.mark.parametrize("name", sorted(RULES))
def test_policies_stop_where_the_audit_trail_says(name: str) -> None:
    rng = np.random.default_rng(2)
    problem = problem_of(rng.random((12, 30)) < np.linspace(0.05, 0.95, 12)[:, None])
    place = orders_of(problem.units, 5, rng)
    counts = COUNTS[name](Replay([problem], [place], [4, 12, 30], majority()))
    for order in range(5):
        trail = audit_trail(problem, majority(), RULES[name], place[order])
        assert [step.tests for step in trail] == list(range(1, len(trail) + 1))
        assert all(step.decision == "go on" for step in trail[:-1])
        assert trail[-1].decision in {*(rule.name for rule in RULES[name]), "no test left"}
        assert counts[order, :, 0].tolist() == [min(share, len(trail)) for share in (4, 12, 30)]


def test_audit_names_the_leader() -> None:
    passes = np.array([[1] * 8, [1] * 8, [0] * 8, [1] + [0] * 7], dtype=bool)
    trail = audit_trail(problem_of(passes), majority(), RULES["lead"], np.arange(8))
    assert trail[0].leader == (0, 1, 3)
    assert trail[-1].decision == "lead"
    assert (trail[-1].leader, trail[-1].votes, trail[-1].rival_rows, trail[-1].least_lead, trail[-1].tests) == ((0, 1), 5, 2, 4, 5)
    assert trail[-1].error == pytest.approx(2**-6 + 2**-5)
    assert audit_trail(problem_of(np.zeros((2, 0), dtype=bool)), majority(), RULES["beta"], np.arange(0)) == ()
