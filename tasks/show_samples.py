"""The samples of one problem of a run, finished or begun: each answer with what became of it, as a gate on samples counted it."""

from __future__ import annotations

from collections.abc import Iterator

from models.backend_config import ReplayConfig
from models.errors import InputError
from models.run_record import Sample
from models.types import SolutionSet, TestSet
from tasks.problem_of_run import Kind, draws_of, find_problem, sets_of
from tasks.resources import open_database


def show_samples(run_id: str, task_id: str, kind: Kind) -> Iterator[tuple[str, str]]:
    """Yield (title, text), one a sample; of a finished run whose answers are a recording's, or gone, what SQL kept.

    Raises InputError for a run or task that is not there, or a begun run whose answers are gone.
    """
    with open_database() as store:
        found = find_problem(run_id, task_id, store)
        if found.record is not None and isinstance(found.backend(kind), ReplayConfig):
            yield from _kept(kind, *sets_of(found, store))
            return
        try:
            samples = draws_of(found, kind, store).samples
        except InputError as gone:
            if found.record is None:
                raise
            yield "what was kept", str(gone)
            yield from _kept(kind, *sets_of(found, store))
            return
    row = 0
    for at, sample in enumerate(samples):
        yield _title(kind, at, sample, row), sample.text
        row += sample.content is not None


def _title(kind: Kind, at: int, sample: Sample, row: int) -> str:
    if sample.content is None:
        what = f"discarded, {sample.discard_reason}"
    else:
        what = f"kept as {kind} {row}" + (", empty" if not sample.text.strip() else "")
    return f"answer {at}: {what} ({sample.finish_reason}, {sample.tokens_out} tokens)"


def _kept(kind: Kind, solutions: SolutionSet, tests: TestSet) -> Iterator[tuple[str, str]]:
    if kind == "solution":
        yield from ((f"solution {at}", source) for at, source in enumerate(solutions.solutions))
    else:
        yield from ((f"test {at}", t.source or f"stdin:\n{t.stdin}\nstdout:\n{t.stdout}") for at, t in enumerate(tests.tests))
