"""What a run measured of its own work, and the metrics that it becomes. Two runs are never judged by these, and no gate reads them.

    ops/cells                cells asked for, of generated tests and of ground truth, known ones included
    ops/cells_reused         of those, taken from the store
    ops/cells_executed       distinct cells that ran
    ops/reuse_share          cells_reused of cells
    ops/cells_per_s          cells, known ones included, a second of sandbox_s
    ops/infra_error_share    cells that our side could not run (``not_run``), of the cells that were not reused
    ops/timeout_share        cells that ran into their time limit, of the cells that were not reused
    ops/retries              rows that a broken slot gave back and that ran again
    ops/slots_lost           slots that broke and were replaced
    ops/slot_busy_share      seconds of slots at work, of slots x sandbox_s
    ops/queue_mean|_max      cells handed to one sandbox that had no answer yet
    ops/waiting_sandbox_mean|_max   jobs that waited for the sandbox beside sampling (tasks/overlap.py)
    ops/waiting_model_mean|_max     problems with solutions that waited for the test generator beside sampling
    ops/sample_s, execute_s, label_s    wall seconds of each stage; beside sampling, what ran beside it is in sample_s
    ops/sandbox_s            wall seconds in which a sandbox was open for cells
    ops/total_s              wall seconds since the run, or its resumption, began

Stages of shards that ran side by side overlap: their wall seconds are those of the union. A share of nothing, and a stage that did
not run, has no metric. The probe of the tests' quality (reference and mutants) is not counted.
"""

from __future__ import annotations

import operator
import time
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, field, replace

from models.load import Level, SlotLoad, Timeline

PREFIX = "ops/"
TIMELINE = "timeline"
"""Where a run keeps its timeline, among its curves."""
Spans = tuple[tuple[float, float], ...]
"""(began, ended) in seconds of ``time.time``, in order, none touching another."""
ALARMS = {"ops/infra_error_share": 0.0, "ops/slots_lost": 0.0}
"""metric → above which value a run calls for a person (README, "What to do when"): both are our faults and never normal. Shares
that speak of the data, timeouts among them, have gates."""
SANDBOX = "sandbox"
"""The span of every open sandbox, whatever stage it was open for."""


@dataclass
class CellCounts:
    """What one execution did. ``cells``: all asked; ``reused``: of those, from the store; ``executed``: distinct ones that ran.

    ``infra``, ``timeouts``: of the cells that were not reused, those with these verdicts.
    """

    cells: int = 0
    reused: int = 0
    executed: int = 0
    infra: int = 0
    timeouts: int = 0

    def __add__(self, other: CellCounts) -> CellCounts:
        """Both executions."""
        return CellCounts(*map(operator.add, astuple(self), astuple(other)))


@dataclass(frozen=True)
class Operations:
    """One part of a run, plain data that travels with its shard; parts add up, in any order."""

    counts: CellCounts = field(default_factory=CellCounts)
    retries: int = 0
    slots_lost: int = 0
    busy_s: float = 0.0
    slot_s: float = 0.0
    """Seconds of slots, at work or not."""
    spans: Mapping[str, Spans] = field(default_factory=dict)
    """stage → when it ran"""
    levels: Mapping[str, Level] = field(default_factory=dict)
    """queue, waiting_sandbox, waiting_model"""
    timeline: Timeline = field(default_factory=Timeline)

    def __add__(self, other: Operations) -> Operations:
        """Both parts together."""
        stages, names = {**self.spans, **other.spans}, {**self.levels, **other.levels}
        return Operations(
            **{name: getattr(self, name) + getattr(other, name) for name in _SUMS},
            spans={s: united((*self.spans.get(s, ()), *other.spans.get(s, ()))) for s in stages},
            levels={n: self.levels.get(n, Level()) + other.levels.get(n, Level()) for n in names},
            timeline=self.timeline + other.timeline,
        )

    def seconds(self, stage: str) -> float:
        """Wall seconds of a stage."""
        return sum(ended - began for began, ended in self.spans.get(stage, ()))


_SUMS = ("counts", "retries", "slots_lost", "busy_s", "slot_s")


def of_stage(stage: str, began: float, levels: Mapping[str, Level] | None = None) -> Operations:
    """A stage without a sandbox that began at ``began`` and ends now."""
    return Operations(spans={stage: ((began, max(began, time.time())),)}, levels=levels or {})


def of_sandbox(stage: str, began: float, counts: CellCounts, load: SlotLoad) -> Operations:
    """A stage whose sandbox was open from ``began`` until now."""
    span = ((began, max(began, time.time())),)
    return Operations(
        counts=replace(counts),
        retries=load.retries,
        slots_lost=load.lost,
        busy_s=load.busy_s,
        slot_s=load.slots * (span[0][1] - began),
        spans={stage: span, SANDBOX: span},
        levels={"queue": load.queue.read()},
        timeline=load.timeline,
    )


def united(spans: Iterable[tuple[float, float]]) -> Spans:
    """Their union."""
    found: list[tuple[float, float]] = []
    for began, ended in sorted(spans):
        if found and began <= found[-1][1]:
            found[-1] = (found[-1][0], max(ended, found[-1][1]))
        else:
            found.append((began, ended))
    return tuple(found)


def operations_metrics(done: Operations, total_s: float) -> dict[str, float]:
    """The table above. ``total_s``: of the whole run."""
    cells, open_s = done.counts, done.seconds(SANDBOX)
    ran = cells.cells - cells.reused
    counts = {
        "cells": cells.cells,
        "cells_reused": cells.reused,
        "cells_executed": cells.executed,
        "retries": done.retries,
        "slots_lost": done.slots_lost,
    }
    shares = {
        "reuse_share": (cells.reused, cells.cells),
        "infra_error_share": (cells.infra, ran),
        "timeout_share": (cells.timeouts, ran),
        "cells_per_s": (cells.cells, open_s),
        "slot_busy_share": (done.busy_s, done.slot_s),
        **{f"{name}_mean": (level.area, level.seconds) for name, level in done.levels.items()},
    }
    figures = {
        **counts,
        **{name: part / whole for name, (part, whole) in shares.items() if whole},
        **{f"{name}_max": level.most for name, level in done.levels.items()},
        **{f"{stage}_s": done.seconds(stage) for stage in done.spans},
        "total_s": total_s,
    }
    return {PREFIX + name: float(value) for name, value in figures.items()}


def alarms_of(metrics: Mapping[str, float]) -> dict[str, float]:
    """Metrics above their bound, with their values."""
    return {name: metrics[name] for name, bound in ALARMS.items() if metrics.get(name, 0.0) > bound}


def results_of(metrics: Mapping[str, float]) -> dict[str, float]:
    """Without what the run measured of itself: what two runs of the same configuration and samples agree on."""
    return {name: value for name, value in metrics.items() if not name.startswith(PREFIX)}
