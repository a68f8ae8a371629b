"""The seams: what the flow needs of the outside, as protocols. One contract suite a protocol runs over every implementation.

Implementations: ``Generator`` in models/backends, ``Executor`` in sandbox, ``RunStore`` and ``VerdictCache`` in db.
All are context managers; closing is idempotent and synchronous.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from models.load import SlotLoad
from models.matrix import ExecutionContext, MatrixJob, PassMatrix
from models.run_record import GateResult, Generation, GenerationRequest, GeneratorIdentity, Response, RunRecord
from models.types import Limits


class CachedCell(NamedTuple):
    """One known cell. ``output``: digest of what the solution returned, ``text``: the same in a few characters; None without."""

    verdict: int
    duration_ms: float
    flags: tuple[str, ...] = ()
    output: str | None = None
    text: str | None = None


OnRows = Callable[[MatrixJob, Sequence[int], PassMatrix], None]
"""(job, rows of it, a matrix of these rows alone); cells that have no answer yet are ``not_asked``."""


class Closeable(Protocol):
    """Opened by ``with``; leaves nothing behind."""

    def __enter__(self) -> Self:
        """Acquire what is needed; raises an UnavailableError when it is not there."""
        ...

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        """Release everything, also after an interrupt."""
        ...


class Generator(Closeable, Protocol):
    """Draws samples from one model, or replays recorded ones."""

    @property
    def identity(self) -> GeneratorIdentity:
        """Who draws, and how."""
        ...

    @property
    def busy_s(self) -> float:
        """Seconds so far in which at least one request was with the model; 0 for a replay."""
        ...

    def generate(self, requests: Iterable[GenerationRequest]) -> Iterator[Generation]:
        """Yield one generation a request, each as soon as it is there, in any order.

        ``requests`` may be lazy: a live backend takes the next one when it has room, so that they can come from another model.
        Raises ExhaustedError when a replay has fewer than ``n`` samples, BackendUnavailable when the model cannot be reached,
        InputError when it refuses the request (a wrong name, no chat template, more tokens a response than the context has). A
        prompt that is too long is a generation whose samples are all discarded (``prompt_too_long``), never an error.
        """
        ...


class Executor(Closeable, Protocol):
    """Runs cells. A verdict comes back for every cell that was asked for, whatever the programs do."""

    @property
    def load(self) -> SlotLoad:
        """What its slots went through since it was made."""
        ...

    def context(self, limits: Limits) -> ExecutionContext:
        """Where and under what cells with these limits run."""
        ...

    def execute(
        self, jobs: Iterable[MatrixJob], on_cells: Callable[[int], None] | None = None, on_rows: OnRows | None = None
    ) -> Iterator[PassMatrix]:
        """Yield one matrix a job, in the order of the jobs, with bounded look-ahead; ``on_cells`` counts finished cells.

        ``on_rows`` gets the cells of unfinished jobs every second or so, in the caller's thread, so that a kill loses little.
        Cells with ``asked`` False are ``not_asked``. A cell that could not be run through our fault is retried once on another
        slot, then ``not_run``. Raises SandboxUnavailable only when no slot can be (re)started.
        """
        ...


class VerdictCache(Protocol):
    """Content-addressed verdicts: known cells are not run again."""

    def lookup(self, context_key: str, solution_digests: Sequence[str]) -> Mapping[str, Mapping[str, CachedCell]]:
        """Known cells: solution digest → test digest → cell."""
        ...

    def store(self, context_key: str, rows: Mapping[str, Mapping[str, CachedCell]]) -> None:
        """Add cells; one that is there already is left as it is. ``not_run`` and ``not_asked`` are refused (ValueError)."""
        ...


class ResponseStore(Protocol):
    """Content-addressed responses: no model is asked twice for the same draws."""

    def lookup_responses(self, keys: Sequence[str]) -> Mapping[str, Sequence[Response]]:
        """Known series by key (``models.backends.identity.draw_key``): response k is what seed + k drew."""
        ...

    def store_responses(self, key: str, series: Sequence[Response], facts: Mapping[str, str]) -> None:
        """Remember a series; one at least as long stays."""
        ...


class RunStore(Closeable, Protocol):
    """SQL memory of runs. A run is written in one transaction and once: saving it again changes nothing."""

    def save_run(self, run: RunRecord) -> bool:
        """Write everything or nothing; False: it is there already. Raises StoreUnavailable."""
        ...

    def set_gates(self, run_id: str, gates: Sequence[GateResult]) -> None:
        """What was found of a stored run, by its full id: the one thing that is ever changed. Raises InputError."""
        ...

    def finish_run(self, run_id: str) -> None:
        """A begun run has nothing left to do, and is forgotten as such."""
        ...

    def load_run(self, run_id: str) -> RunRecord:
        """Read back what was saved. Raises InputError for an unknown id (a unique prefix is enough)."""
        ...

    def list_runs(self, limit: int = 20) -> list[Mapping[str, object]]:
        """Newest first: run_id, benchmark, created_at, problems, cells, failed_gates, metrics."""
        ...
