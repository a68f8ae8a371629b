"""What a budget would have bought: stored matrices replayed under every policy, over many orders of the tests.

A replay executes nothing. In every order each problem gets its first b distinct tests, the selector chooses among all its
solutions, and the accuracy is the mean over orders, then over problems; the interval is a bootstrap over problems. ``mean_tests``
is what was really spent, duplicates free; a problem with fewer tests than its share leaves the rest unspent under ``equal``. A
test that ran on a part of the solutions only costs that part (``adaptive``).

The policies are in ``models.budget_policies``; ``all`` is every test of every problem: the ceiling of the selector, of no budget.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from models.budget_curves import Replay, accuracy_and_cost
from models.budget_policies import policy_of
from models.budget_savings import areas, differences, savings
from models.errors import InputError
from models.matrix import PassMatrix
from models.metrics_bootstrap import interval
from models.reward.choice import expected_correct, orders_of, replay_problems
from models.reward.registry import resolve
from models.reward.selector import ScoreSelector
from models.types import FloatArray, Labels

BUDGETS = (1, 2, 4, 8, 16, 32, 64)
"""Average tests a problem: the axis of the paper's Fig. 6."""


def replay_budget(
    matrices: Mapping[str, PassMatrix],
    labels: Mapping[str, Labels],
    policies: Iterable[str] = ("equal", "greedy", "greedy-gold"),
    *,
    budgets: Sequence[float] = BUDGETS,
    orders: int = 100,
    seed: int = 0,
    selector: str = "auto",
) -> dict[str, object]:
    """The JSON of ``coderm budget``: "all" and one list of points a policy, each with budget, mean_tests, accuracy, lo, hi.

    "area" in "all" is the area under each curve, "notes" what a policy chose by itself. With ``equal`` among the policies, "saved"
    in "all" holds what each other one saves against it, and each point its paired "difference" (models.budget_savings).

    Raises InputError for an unknown policy, a selector that does not read tests, and inputs as ``replay_problems`` does.
    """
    chosen = scoring_selector(selector)
    wanted = {name: policy_of(name) for name in dict.fromkeys(policies)}
    problems = replay_problems(matrices, labels)
    measured = replay_problems(matrices, labels, outputs=True) if chosen.reads_outputs else None
    rng = np.random.default_rng(seed)
    places = [orders_of(problem.units, orders, rng) for problem in problems]
    replay = Replay(problems, places, [round(budget * len(problems)) for budget in budgets], chosen, measured)
    spent = {name: policy(replay) for name, policy in wanted.items()}
    curves = {name: accuracy_and_cost(replay, spending) for name, spending in spent.items()}
    points = {
        name: [{"budget": float(b), **_point(a, t)} for b, a, t in zip(budgets, c.accuracy, c.tests, strict=True)]
        for name, c in curves.items()
    }
    whole: dict[str, object] = {"selector": chosen.name, **_everything(replay), "problems": len(problems), "area": areas(curves)}
    whole["notes"] = {name: spending.note for name, spending in spent.items() if spending.note}
    if "equal" not in curves:
        return {"all": whole, **points}
    others = [name for name in curves if name != "equal"]
    for name in others:
        for point, against in zip(points[name], differences(curves[name], curves["equal"]), strict=True):
            point.update(against)
    return {"all": {**whole, "saved": {name: savings(curves[name], curves["equal"]) for name in others}}, **points}


def scoring_selector(name: str) -> ScoreSelector:
    """The selector by name, if replays can run it. Raises InputError otherwise."""
    (selector,) = resolve([name])
    if not isinstance(selector, ScoreSelector):
        raise InputError(
            f"selector {name!r} cannot be replayed under a test budget: its choice does not follow from the asked tests alone"
        )
    return selector


def _everything(replay: Replay) -> dict[str, float]:
    accuracy = np.array(
        [expected_correct(problem, replay.selector, problem.classes.cols) for problem in replay.measured or replay.problems]
    )
    return _point(accuracy, replay.caps.astype(np.float64))


def _point(accuracy: FloatArray, tests: FloatArray) -> dict[str, float]:
    lo, hi = interval(accuracy)
    return {"mean_tests": float(tests.mean()), "accuracy": float(accuracy.mean()), "lo": lo, "hi": hi}
