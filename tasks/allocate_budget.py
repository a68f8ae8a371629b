"""How many tests a problem gets, and from which estimate. ``all`` asks every test, ``equal`` splits, ``greedy`` is the paper's.

``greedy`` needs a pass rate a problem before it spends: each problem's first test is asked of every candidate (the probe, paid
from the same budget), and the share that passes is the estimate. Labels are never seen.
"""

from __future__ import annotations

from prefect import task

from models.budget import ESTIMATE_SOURCE, allocate_equal, allocate_greedy, estimate_rates
from models.config import RunConfig
from models.run_record import Allocation
from tasks.caching import ONCE
from tasks.shard import Shard

PROBE_TESTS = 1
"""One test is the least that tells anything; at an average of 2 a second one would be half of the budget."""


def probe_counts(config: RunConfig, whole: Shard) -> dict[str, int] | None:
    """task id → tests to ask before allocating; None when the policy needs no probe."""
    if config.budget.policy != "greedy":
        return None
    return {t: min(PROBE_TESTS, len(tests.tests)) for t, tests in whole.tests.items()}


@task(name="allocate-budget", **ONCE)
def allocate_budget(config: RunConfig, whole: Shard) -> Allocation:
    """Tests a problem, in distinct tests: a duplicate costs nothing. Raises InputError where the minimum exceeds the budget."""
    available = {t: len(set(tests.digests)) for t, tests in whole.tests.items()}
    budget = config.budget
    if budget.policy == "all":
        return Allocation("all", available, {}, "none: every test is asked")
    if budget.policy == "equal":
        return allocate_equal(available, budget.mean_tests, budget.min_tests, budget.max_tests)
    rates = estimate_rates(whole.matrices, PROBE_TESTS)
    floor = max(budget.min_tests, PROBE_TESTS)
    source = ESTIMATE_SOURCE.format(first=PROBE_TESTS)
    return allocate_greedy(available, rates, budget.mean_tests, floor, budget.max_tests, source=source)
