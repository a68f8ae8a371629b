"""A slice of a run on a worker: sample, execute, label, into the run's database; started by a run, a shard each, never by people.

What it makes is known to the store by content; the run that asked assembles it (tasks/shard_deployment.py). It takes a GPU slot
while it samples and a sandbox slot while it runs cells, each by its name on the server that all share.
"""

from prefect import flow

from tasks.draw_samples import draw_samples
from tasks.execute_matrix import execute_matrix
from tasks.generate_tests import add_examples
from tasks.label_solutions import label_solutions
from tasks.probe_tests import probe_tests
from tasks.progress import without_known_tracebacks
from tasks.shard_orders import ShardOrder, take_order, tests_to_run
from tasks.shard_runner import InTurn


@flow(name="benchmark-shard", validate_parameters=True)
def benchmark_shard(order: ShardOrder) -> dict[str, int]:
    """Carry out an order; how many problems, solutions, tests and cells it covered.

    Raises InputError, ExhaustedError, UnavailableError; each reaches the run that asked with its line and exit code.
    """
    without_known_tracebacks()
    config, shard = take_order(order)
    here = InTurn()
    (shard,) = draw_samples(config, [shard], here)
    shard = add_examples(config, shard)
    if config.label:
        (shard,) = here.each(label_solutions, config, [shard])
    tests = tests_to_run(config, order, shard)
    (shard,) = here.each(execute_matrix, config, [shard], tests_asked=tests)
    if config.quality.reference and tests == order.tests:
        here.each(probe_tests, config, [shard])
    return {
        "problems": len(shard.problems),
        "solutions": sum(len(s.solutions) for s in shard.solutions.values()),
        "tests": sum(len(t.tests) for t in shard.tests.values()),
        "cells": sum(int(m.asked.sum()) for m in shard.matrices.values()),
    }
