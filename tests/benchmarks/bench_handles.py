"""What an object across costs: cells that call methods, callbacks and functions, on one slot of processes.

    python -m tests.benchmarks.bench_handles [--rounds 9]

The cells take turns; the table has the median of each and its ratio to as many calls of a plain function. Some 30 ms of a cell are
what a matrix of its own costs. The same file runs on versions that had no handles (one process for both), for a comparison.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

from models.config import SandboxConfig
from sandbox.executor import process_executor
from sandbox.self_check import self_check

COUNTER = """class Counter:
    def __init__(self): self.total, self.all = 0, []
    def add(self, n):
        self.total += n
        self.all.append(n)
        return self.total
"""
APPLY = "def apply(f, xs):\n    return [f(x) for x in xs]\n"
CELLS = {
    "a plain function, 1,000 calls": (
        "def f(x): return x + 1\n",
        "for i in range(1000): assert f(i) == i + 1\n",
    ),
    "a method, 200 calls": (
        COUNTER,
        "c = Counter()\nfor i in range(200):\n    assert c.add(1) == i + 1\nassert len(c.all) == 200\n",
    ),
    "50 objects, a call and a field each": (
        COUNTER,
        "for i in range(50):\n    c = Counter()\n    c.add(i)\n    assert c.total == i\n",
    ),
    "a callback, 1,000 calls": (
        APPLY,
        "assert apply(lambda x: x * 2, range(1000)) == [2 * i for i in range(1000)]\n",
    ),
    "a callback over 500 dicts": (
        APPLY,
        "xs = [{'k': i, 'v': [i] * 5} for i in range(500)]\nassert apply(lambda d: d['v'][0], xs) == list(range(500))\n",
    ),
}


def _cell(name: str) -> dict[str, Any]:
    solution, test = CELLS[name]
    entry_point = "apply" if solution == APPLY else "f"
    fixed = {"kind": "honest", "style": "function", "expect": "passed"}
    return {"name": name, "entry_point": entry_point, "solution": solution, "test": test, **fixed}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    taken: dict[str, list[float]] = {name: [] for name in CELLS}
    with process_executor(SandboxConfig(runtime="process", workers=1)) as executor:
        list(self_check(executor, hostile=False, cells=[_cell(next(iter(CELLS)))]))
        for _ in range(rounds):
            for name in CELLS:
                began = time.perf_counter()
                [found] = self_check(executor, hostile=False, cells=[_cell(name)])
                taken[name].append((time.perf_counter() - began) * 1e3)
                if not found.right:
                    raise SystemExit(f"{name}: {found.verdict} {found.flags}")
    plain = statistics.median(taken[next(iter(CELLS))])
    print(f"median of {rounds} rounds in turn")
    for name, times in taken.items():
        median = statistics.median(times)
        print(f"{name:38} {median:8.1f} ms  {median / plain:5.2f} x a plain function, 1,000 calls")


if __name__ == "__main__":
    main()
