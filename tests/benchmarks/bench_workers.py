"""What task runners cost on one machine: ``coderm run`` of the demo in one process and over two workers, each from nothing.

    python -m tests.benchmarks.bench_workers [--ways threads,processes,dask] [--rounds 3] [--limit 12] [--shard 3]

Prints the median wall time of each way and its ratio to one process of the same round. All runs report to one Prefect server, so
that none pays for a server of its own; the very first run also makes the MLflow store, hence medians. One process keeps all cores
busy already: a ratio above 1 is the price of the workers.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests.integration.many_workers import run_demo
from tests.processes import free_port, running


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ways", default="threads,processes,dask")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=int, default=12)
    parser.add_argument("--shard", type=int, default=3)
    given = parser.parse_args()
    ways = ["none", *given.ways.split(",")]
    size = (f"benchmark.limit={given.limit}", f"shard_problems={given.shard}", "n_solutions=16", "n_tests=16", "budget.policy=all")
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
        server = f"http://127.0.0.1:{port}/api"
        with running(command, Path(folder), f"{server}/health", {"PREFECT_HOME": f"{folder}/prefect"}):
            mlflow = {"CODERM_MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
            for round_ in range(given.rounds):
                for way in ways:
                    seconds[way].append(timed(Path(folder) / f"{way}-{round_}", server, size, CODERM_TASK_RUNNER=way, **mlflow))
                    print(f"round {round_ + 1}  {way:>10}  {seconds[way][-1]:7.1f} s", flush=True)
    print(f"{given.limit} problems in shards of {given.shard}, medians of {given.rounds} rounds")
    for way in ways:
        ratio = statistics.median(own / one for own, one in zip(seconds[way], seconds["none"], strict=True))
        print(f"{way:>10}  {statistics.median(seconds[way]):7.1f} s  {ratio:5.2f} x one process")


def timed(home: Path, server: str, size: tuple[str, ...], **settings: str) -> float:
    """Seconds of one run. Raises RuntimeError with what it said when it failed."""
    began = time.monotonic()
    done = run_demo(home, server, *size, **settings)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return time.monotonic() - began


if __name__ == "__main__":
    main()
