"""What a run measures of itself adds up over shards, in any order and through pickling, and stays small."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.load import POINTS, Gauge, Level, SlotLoad, Timeline
from models.operations import CellCounts, Operations, alarms_of, of_sandbox, operations_metrics, results_of, united
from tasks.shard import Shard, joined

MOMENTS = st.lists(st.tuples(st.floats(0, 1e5), st.floats(0, 50), st.integers(0, 9)), max_size=40)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def drawn(moments: list[tuple[float, float, int]]) -> Timeline:
    line = Timeline()
    for at, seconds, level in moments:
        line.waited(at, at + seconds, level)
        line.answered(at, level)
    return line


@given(MOMENTS, MOMENTS)
def test_a_timeline_loses_nothing_stays_small_and_adds_up_in_any_order(a: Any, b: Any) -> None:
    one, other = drawn(a), drawn(b)
    both = one + other
    for line, moments in ((one, a), (other, b), (both, a + b)):
        assert sum(line.cells.values()) == sum(level for *_, level in moments)
        assert sum(line.queue.values()) == pytest.approx(sum(seconds * level for _, seconds, level in moments), abs=1e-4)
        keys = [*line.cells, *line.queue]
        assert not keys or max(keys) - min(keys) < POINTS
        assert len(line.rows()) <= POINTS
    assert both.cells == (other + one).cells
    assert drawn(a).cells == one.cells, "adding changed a part"


def test_rows_are_rates_from_the_first_second_on() -> None:
    line = Timeline()
    line.answered(50.2, 3)
    line.waited(50.5, 52.0, 4)
    assert line.rows() == [(0, 3.0, 2.0), (1, 0.0, 4.0)]


def test_a_level_is_weighed_by_its_time() -> None:
    clock = Clock()
    gauge = Gauge(clock)
    for seconds, by in ((1.0, 10), (2.0, -4), (1.0, -6), (1.0, 0)):
        clock.now += seconds
        gauge.change(by)
    clock.now -= 100  # set back: stands still
    assert gauge.read() == Level(area=10 * 2 + 6 * 1, seconds=5.0, most=10)


def measured(clock: Clock, cells: int, seconds: float, lost: int = 0) -> Operations:
    load, began = SlotLoad(2, clock), clock.now
    load.queue.change(cells)
    clock.now += seconds
    for _ in range(cells):
        load.answered()
    load.busy_s, load.lost, load.retries = seconds, lost, 2 * lost
    counts = CellCounts(cells=2 * cells, reused=cells, executed=cells, infra=lost, timeouts=1)
    done = of_sandbox("execute", began, counts, load)
    span = ((began, clock.now),)
    return Operations(**{**vars(done), "spans": {"execute": span, "sandbox": span}, "slot_s": 2 * seconds})


def test_shards_add_up_and_survive_the_way_to_another_process() -> None:
    clock = Clock()
    parts = [measured(clock, 10, 2.0), measured(clock, 30, 3.0, lost=3)]
    shards = [pickle.loads(pickle.dumps(Shard(at, {}).measured(part))) for at, part in enumerate(parts)]
    found = operations_metrics(joined(shards).operations, total_s=9.0)
    assert found == {
        "ops/cells": 80.0,
        "ops/cells_reused": 40.0,
        "ops/cells_executed": 40.0,
        "ops/reuse_share": 0.5,
        "ops/cells_per_s": 16.0,
        "ops/infra_error_share": 3 / 40,
        "ops/timeout_share": 2 / 40,
        "ops/retries": 6.0,
        "ops/slots_lost": 3.0,
        "ops/slot_busy_share": 0.5,
        "ops/queue_mean": 22.0,
        "ops/queue_max": 30.0,
        "ops/execute_s": 5.0,
        "ops/sandbox_s": 5.0,
        "ops/total_s": 9.0,
    }
    assert results_of({"cells/passed": 1.0, **found}) == {"cells/passed": 1.0}
    assert alarms_of(found) == {"ops/infra_error_share": 3 / 40, "ops/slots_lost": 3.0}
    assert alarms_of({"ops/slots_lost": 0.0, "ops/cells": 9.0}) == {}


def test_a_share_of_nothing_and_a_stage_that_did_not_run_have_no_metric() -> None:
    assert operations_metrics(Operations(), 1.0) == {
        "ops/cells": 0.0,
        "ops/cells_reused": 0.0,
        "ops/cells_executed": 0.0,
        "ops/retries": 0.0,
        "ops/slots_lost": 0.0,
        "ops/total_s": 1.0,
    }


def test_stages_that_ran_side_by_side_count_once() -> None:
    assert united([(5, 6), (0, 2), (1, 4), (4, 4.5)]) == ((0, 4.5), (5, 6))
    both = Operations(spans={"label": ((0, 2),)}) + Operations(spans={"label": ((1, 4),), "sample": ((9, 10),)})
    assert (both.seconds("label"), both.seconds("sample"), both.seconds("execute")) == (4, 1, 0)
