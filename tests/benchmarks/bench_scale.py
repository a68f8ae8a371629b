"""A hundred runs of 164 x 100 x 100 cells in one PostgreSQL: sizes, and what the questions of report and comparison cost.

``.venv/bin/python -m tests.benchmarks.bench_scale [--runs 100] [--prune] [--url postgresql+psycopg://… [--filled]]``; without a URL
a server of its own is started and thrown away; ``--filled``: the runs are there already. Every fifth run has samples of its own,
whose cells also go to the table of known cells; the others are nightly runs over the same ones. Times: medians and maxima of five,
of the SQL alone (execute and fetch; and its CPU, the backend's included) and of the whole call, which also unpacks blobs and builds
records. Then one run as Parquet; with ``--prune`` a dump, and all but half of the runs pruned.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import psycopg
from pydantic import SecretStr
from sqlalchemy import select, text, update

from db.run_reader import read_metrics
from db.session import outside_transaction, writing
from db.store import SqlStore, open_store
from db.tables import Base, Metric, Run, RunProblem, Selection, VerdictRow
from models.retention import MIB, Retention
from models.run_record import RunRecord
from tasks.report import write_report
from tasks.settings import Settings
from tasks.validate_database import check_database
from tests.benchmarks.bench_store import N, known_cells, synthetic
from tests.benchmarks.sql_clock import Clock, print_times, seconds
from tests.postgres_server import PostgresServer, program

OWN_SAMPLES = 5


def records(count: int, problems: int) -> Iterator[tuple[RunRecord, bool]]:
    """(run, whether its samples are new)."""
    base = synthetic("scale-000", problems)
    for index in range(count):
        new = index % OWN_SAMPLES == 0
        if index and new:
            base = synthetic(f"scale-{index:03d}", problems, seed=index)
        yield replace(base, run_id=f"scale-{index:03d}", created_at=f"2026-01-01T00:{index // 60:02d}:{index % 60:02d}+00:00"), new


def fill(store: SqlStore, count: int, problems: int) -> dict[str, list[float]]:
    """Seconds of each write by what it was."""
    took: dict[str, list[float]] = {"save_run, new samples": [], "save_run, known samples": [], "known cells of a sample set": []}
    for at, (run, new) in enumerate(records(count, problems), 1):
        took["save_run, new samples" if new else "save_run, known samples"].append(seconds(lambda run=run: store.save_run(run)))
        if new:
            rows = list(zip(run.matrices, known_cells(run), strict=True))
            took["known cells of a sample set"].append(seconds(lambda rows=rows: [store.store(f"scale {t}", r) for t, r in rows]))
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{at} of {count} runs")
    return took


def questions(store: SqlStore, first: str, last: str, folder: Path) -> dict[str, Callable[[], object]]:
    """What the commands ask, by name."""

    def asked(query: Any) -> list[Any]:
        with store._engine.connect() as connection:
            return list(connection.execute(query))

    def metrics(run_id: str) -> object:
        with store._engine.connect() as connection:
            return read_metrics(connection, connection.execute(select(Run.id).where(Run.run_id == run_id)).scalar_one())

    history = select(Run.created_at, Metric.value).join(Metric, Metric.run_pk == Run.id).where(Metric.name == "m7")
    picks = select(RunProblem.task_id, Selection.selector, Selection.chosen, Run.run_id)
    picks = picks.join(RunProblem, RunProblem.id == Selection.run_problem_id).join(Run, Run.id == RunProblem.run_pk)
    run = store.load_run(last)
    one = next(iter(run.matrices.values()))
    known = list(dict.fromkeys(one.solution_digests))
    return {
        "runs list, 20": lambda: store.list_runs(20),
        "notebook: runs_frame, all": lambda: store.list_runs(1000),
        "metrics of a run": lambda: metrics(last),
        "one metric over all runs": lambda: asked(history.order_by(Run.created_at)),
        "selections of two runs": lambda: asked(picks.where(Run.run_id.in_([first, last]))),
        "a run (report, notebook, cell)": lambda: store.load_run(last),
        "two runs (comparison, regression)": lambda: [store.load_run(first), store.load_run(last)],
        "the report's page, once the run is there": lambda: write_report(run, folder / "report.html"),
        "known cells of a problem": lambda: store.lookup(f"scale {one.task_id}", known),
        "the same, first look-up of the day": lambda: store.lookup(f"scale {one.task_id}", known),
        "db status: sizes": store.sizes,
        "db prune: what would go": lambda: store.find_unused(
            Retention(verdicts_unused_days=90, responses_unused_days=90, begun_days=90, keep_runs=50)
        ),
    }


@contextmanager
def database(url: str | None) -> Iterator[str]:
    """The given one, or one of a server that is thrown away."""
    if url:
        yield url
        return
    with closing(PostgresServer()) as server:
        server.start()
        with psycopg.connect(host=str(server.home), user="coderm", dbname="postgres", autocommit=True) as admin:
            admin.execute("CREATE DATABASE scale")
        yield f"postgresql+psycopg://coderm@/scale?host={server.home}"


def print_sizes(title: str, store: SqlStore) -> None:
    """Tables above a MiB, with their indexes."""
    sizes = store.sizes()
    print(f"\n{title:44}{'rows':>12}{'MiB':>10}")
    for table in sizes.tables:
        if (table.size or 0) > MIB:
            print(f"{table.name:44}{table.rows:12,}{(table.size or 0) / MIB:10.1f}")
    print(f"{'the whole database':44}{'':12}{sizes.total / MIB:10.1f}", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--url")
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--problems", type=int, default=164)
    parser.add_argument("--filled", action="store_true")
    parser.add_argument("--prune", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, database(options.url) as url, open_store(url) as store:
        folder = Path(name)
        print(f"{options.runs} runs of {options.problems} x {N} x {N} cells")
        clock = Clock(store._engine)
        for what, took in ({} if options.filled else fill(store, options.runs, options.problems)).items():
            print(f"{what:44}{statistics.median(took):8.2f} s median,{max(took):7.2f} s max, {len(took)} times", flush=True)
        with outside_transaction(store._engine) as connection:
            connection.exec_driver_sql("VACUUM (ANALYZE)")
        print_sizes("table, with indexes", store)
        asks = questions(store, "scale-000", f"scale-{options.runs - 1:03d}", folder)
        print_times("question", {what: [_timed(ask, clock, store, what) for _ in range(5)] for what, ask in asks.items()})
        _check(url, folder)
        paths: list[Path] = []
        took = seconds(lambda: paths.extend(store.export_parquet("scale-000", folder / "cells")))
        print(f"\nexport of one run to Parquet: {took:.1f} s, {sum(p.stat().st_size for p in paths) / MIB:.1f} MiB", flush=True)
        if options.prune:
            _prune(store, url, folder / "dump", options.runs // 2)


def _prune(store: SqlStore, url: str, dump: Path, keep: int) -> None:
    """Dump everything, prune to ``keep`` runs, give the space back in both ways."""
    command = [str(program("pg_dump")), "-Fc", "-f", str(dump), url.replace("+psycopg", "")]
    took = seconds(lambda: subprocess.run(command, check=True))
    print(f"pg_dump -Fc: {took:.0f} s, {dump.stat().st_size / MIB:.0f} MiB", flush=True)
    took = seconds(lambda: store.delete_unused(Retention(keep_runs=keep)))
    print(f"db prune --keep-runs {keep}: {took:.1f} s")
    took = seconds(store.vacuum)
    print_sizes(f"after VACUUM, {took:.1f} s", store)
    with outside_transaction(store._engine) as connection:
        took = seconds(lambda: [connection.execute(text(f"VACUUM FULL {t.name}")) for t in Base.metadata.sorted_tables])
    print_sizes(f"after VACUUM FULL, {took:.1f} s", store)


def _check(url: str, folder: Path) -> None:
    """The gate over the database itself, for the newest run and for all; Great Expectations is imported before."""
    import_module("great_expectations")
    settings = Settings(database_url=SecretStr(url), home=folder)
    for what, run_id in (("db check of one run", "scale-000"), ("db check of all runs", None)):
        ask = partial(check_database, settings, folder / what, run_id)
        took = statistics.median(seconds(ask) for _ in range(3))
        print(f"{what:44}{took:8.1f} s, {'all well' if all(gate.passed for gate in ask()) else 'not well'}", flush=True)


def _timed(ask: Callable[[], object], clock: Clock, store: SqlStore, what: str) -> tuple[float, float, float]:
    if what.endswith("of the day"):
        with writing(store._engine, "bench") as connection:
            old = {"used": None, "updated": datetime(2026, 1, 1, tzinfo=UTC)}
            connection.execute(update(VerdictRow).where(VerdictRow.context_key == "scale HumanEval/0").values(**old))
    clock.reset()
    whole = seconds(ask)
    return clock.spent, clock.cpu, whole


if __name__ == "__main__":
    main()
