"""What sampling took and cost, as metrics of a run: tokens, seconds, tokens a second, money, money a solved problem.

    tokens_in, tokens_out   of all responses, stored ones included
    seconds                 in which a model was at work; tokens_per_s and cost count only what was drawn in this run
    busy_share              share of the time of sampling and execution in which a model was at work (the two summed, at most 1)
    switch_seconds          in which a model was started, loaded, put to sleep or woken; waves: turns of two models on one GPU
    wall_ratio              wall time of sampling and execution over the longer of GPU time, switches included, and sandbox time
    cost                    tokens x price a million + hours of work x price an hour, in the configuration's currency

A run of recordings has none of these. A share or a price of nothing is NaN: undefined, never zero.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from models.backend_config import Price
from models.run_record import SampleCounts

Counts = Mapping[str, Mapping[str, SampleCounts]]


def sampling_metrics(
    samples: Counts, times: Mapping[str, float], prices: Mapping[str, Price], solved: float = math.nan
) -> dict[str, float]:
    """Metrics by name. ``prices``: of the kinds that a live model drew; ``solved``: problems, by the run's selector."""
    found: dict[str, float] = {}
    for kind, price in prices.items():
        counts = list(samples.get(kind, {}).values())
        if counts:
            found |= {f"sampling/{kind}/{name}": value for name, value in _figures(counts, times.get(kind, 0.0)).items()}
            found[f"cost/{kind}"] = _cost(counts, times.get(kind, 0.0), price)
    if not found:
        return {}
    if times.get("wall"):
        found["sampling/busy_share"] = min(1.0, sum(times.get(kind, 0.0) for kind in prices) / times["wall"])
        longest = max(times.get("gpu", 0.0), times.get("sandbox", 0.0))
        found["sampling/wall_ratio"] = times["wall"] / longest if longest else math.nan
        found |= {"sampling/switch_seconds": times.get("switch", 0.0), "sampling/waves": times.get("waves", 0.0)}
    total = sum(value for name, value in found.items() if name.startswith("cost/"))
    return {**found, "cost/total": total, "cost/per_solved": total / solved if solved else math.nan}


def _figures(counts: list[SampleCounts], seconds: float) -> dict[str, float]:
    drawn = sum(c.drawn for c in counts)
    paid_out = sum(c.paid_out for c in counts)

    def share(number: float) -> float:
        return number / drawn if drawn else math.nan

    return {
        "drawn": float(drawn),
        "kept_share": share(sum(c.kept for c in counts)),
        "duplicate_share": share(sum(c.discarded.get("duplicate", 0) for c in counts)),
        "truncated_share": share(sum(c.discarded.get("truncated", 0) for c in counts)),
        "reused_share": share(sum(c.reused for c in counts)),
        "tokens_in": float(sum(c.tokens_in for c in counts)),
        "tokens_out": float(sum(c.tokens_out for c in counts)),
        "seconds": seconds,
        "tokens_per_s": paid_out / seconds if seconds and paid_out else math.nan,
    }


def _cost(counts: list[SampleCounts], seconds: float, price: Price) -> float:
    tokens = sum(c.paid_in for c in counts) * price.per_million_in + sum(c.paid_out for c in counts) * price.per_million_out
    return tokens / 1e6 + seconds / 3600 * price.per_hour
