"""What sampling took and cost: only what was drawn in this run is paid, and nothing is undefined as zero."""

from __future__ import annotations

import math

import pytest

from models.backend_config import Price
from models.costs import sampling_metrics
from models.run_record import SampleCounts

COUNTS = {
    "solution": {
        "a": SampleCounts(
            task_id="a", drawn=4, kept=2, discarded={"truncated": 2}, tokens_in=10, tokens_out=400, paid_in=10, paid_out=400
        ),
        "b": SampleCounts(task_id="b", drawn=4, kept=4, reused=4, tokens_in=10, tokens_out=600),
    },
    "test": {"a": SampleCounts(task_id="a", drawn=2, kept=1, discarded={"duplicate": 1}, tokens_out=100, paid_out=100)},
}
PRICES = {"solution": Price(per_million_in=1e5, per_million_out=1e4), "test": Price(per_hour=36)}


def test_tokens_are_counted_and_only_new_ones_are_paid() -> None:
    times = {"solution": 8.0, "test": 2.0, "switch": 6.0, "gpu": 16.0, "sandbox": 12.0, "wall": 20.0, "waves": 2.0}
    found = sampling_metrics(COUNTS, times, PRICES, solved=2)
    assert found["sampling/solution/tokens_out"] == 1000
    assert found["sampling/solution/tokens_per_s"] == 50
    assert found["sampling/solution/reused_share"] == 0.5
    assert found["sampling/solution/truncated_share"] == 0.25
    assert found["sampling/test/duplicate_share"] == 0.5
    assert found["sampling/busy_share"] == 0.5
    assert (found["sampling/switch_seconds"], found["sampling/waves"], found["sampling/wall_ratio"]) == (6.0, 2.0, 20 / 16)
    assert found["cost/solution"] == pytest.approx(1.0 + 4.0)
    assert found["cost/test"] == pytest.approx(0.02)
    assert found["cost/per_solved"] == pytest.approx(found["cost/total"] / 2)


@pytest.mark.parametrize("solved", [0.0, math.nan])
def test_the_price_of_nothing_is_undefined(solved: float) -> None:
    found = sampling_metrics(COUNTS, {}, PRICES, solved)
    assert math.isnan(found["cost/per_solved"])
    assert math.isnan(found["sampling/test/tokens_per_s"])
    assert "sampling/busy_share" not in found


def test_a_run_of_recordings_has_no_costs() -> None:
    assert sampling_metrics(COUNTS, {"solution": 1.0}, {}) == {}


def test_models_that_work_at_one_time_are_busy_at_most_all_the_time() -> None:
    assert sampling_metrics(COUNTS, {"solution": 9.0, "test": 8.0, "wall": 10.0}, PRICES)["sampling/busy_share"] == 1.0
