"""The tables. One blob a matrix and one row a (context, solution): no table has a row a cell.

    problem ◄── run_problem ──► run ◄── metric          what a run asked, and what came out
                 │  │  │
                 │  │  └─► sample_set ──► generator      who drew the solutions and tests of a problem, from which prompt
                 │  │         └── sample_item ──► source the programs themselves, once each, by content
                 │  └── pass_matrix                      verdicts, durations, flags; sandbox, image, version, limits
                 └── solution_result, test_result, selection
    verdict_row                                          known cells of any run, for reuse

So each cell leads to its prompt hash, model id and sampling parameters (run_problem → sample_set → generator) and to the image
digest and limits (pass_matrix). A matrix of 10,000 cells as a blob costs 0.3 ms and 0.8 kB; as rows 40 to 150 ms and 140 to 900 kB;
what a dashboard asks of single cells stands as counts on the rows a solution and a test have. Runs are never changed, only deleted,
but for ``gates``, which gains what was found of a run once it was stored.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from sqlalchemy import Double, ForeignKey, LargeBinary, MetaData, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from db.columns import Document, Facts, NanFloat, UtcDateTime

NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

Digest = Annotated[str, mapped_column(String(64))]
RowId = Annotated[int, mapped_column(primary_key=True, autoincrement=True)]
Position = Annotated[int, mapped_column(primary_key=True, autoincrement=False)]
OfProblem = Annotated[int, mapped_column(ForeignKey("run_problem.id", ondelete="CASCADE"), primary_key=True, autoincrement=False)]
NO_ROWID = {"sqlite_with_rowid": False}


class Base(DeclarativeBase):
    """Metadata with fixed constraint names, which a later migration can refer to on both dialects."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {str: Text(), bytes: LargeBinary(), datetime: UtcDateTime(), float: NanFloat()}  # noqa: RUF012 - SQLAlchemy's own name


class Counts:
    """How many cells of a row, column or matrix carry each kind of verdict; the six add up to its cells."""

    n_passed: Mapped[int]
    n_failed: Mapped[int]
    n_error: Mapped[int]
    n_timeout: Mapped[int]
    n_not_asked: Mapped[int]
    n_other: Mapped[int]
    """not_run, out_of_memory, tampered, crashed, invalid_solution, invalid_test"""


class ProblemRow(Base):
    """One version of one problem's statement and ground truth."""

    __tablename__ = "problem"
    digest: Mapped[Digest] = mapped_column(primary_key=True)
    task_id: Mapped[str] = mapped_column(index=True)
    style: Mapped[str]
    entry_point: Mapped[str | None]
    codec: Mapped[str]
    data: Mapped[bytes]
    sha256: Mapped[Digest]


class Source(Base):
    """The text of one program or test by its content digest; the digest is checked on read."""

    __tablename__ = "source"
    digest: Mapped[Digest] = mapped_column(primary_key=True)
    codec: Mapped[str]
    data: Mapped[bytes]


class Generator(Base):
    """Which model drew samples, and how (``GeneratorIdentity``)."""

    __tablename__ = "generator"
    digest: Mapped[Digest] = mapped_column(primary_key=True)
    backend: Mapped[str]
    model: Mapped[str] = mapped_column(index=True)
    revision: Mapped[str | None]
    prompt_version: Mapped[str]
    sampling: Mapped[Any] = mapped_column(Facts)


class SampleSet(Base):
    """The solutions, or the tests, of one problem: from which prompt, by whom. ``timeout_s``/``memory_mib``: a T line's limits."""

    __tablename__ = "sample_set"
    id: Mapped[RowId]
    digest: Mapped[Digest] = mapped_column(unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    task_id: Mapped[str]
    n_items: Mapped[int]
    generator_digest: Mapped[str | None] = mapped_column(String(64), ForeignKey("generator.digest"), index=True)
    prompt_digest: Mapped[str | None] = mapped_column(String(64), index=True)
    timeout_s: Mapped[float | None] = mapped_column(NanFloat())
    memory_mib: Mapped[int | None]


class SampleItem(Base):
    """One place in a sample set. ``form``: ``source``, or ``stdin`` where the source is the JSON of a stdin/stdout pair."""

    __tablename__ = "sample_item"
    __table_args__ = NO_ROWID
    set_id: Mapped[int] = mapped_column(ForeignKey("sample_set.id", ondelete="CASCADE"), primary_key=True, autoincrement=False)
    idx: Mapped[Position]
    source_digest: Mapped[str] = mapped_column(String(64), ForeignKey("source.digest"), index=True)
    form: Mapped[str] = mapped_column(String(8))
    origin: Mapped[str] = mapped_column(String(16))


class Run(Base):
    """One benchmark run. ``created``: the moment, for sorting; ``created_at``: as the record spells it.

    ``layout`` lists the task ids that each mapping of the record has, in order.
    """

    __tablename__ = "run"
    id: Mapped[RowId]
    run_id: Mapped[str] = mapped_column(unique=True)
    benchmark: Mapped[str] = mapped_column(index=True)
    created: Mapped[datetime] = mapped_column(index=True)
    created_at: Mapped[str]
    n_problems: Mapped[int]
    n_cells: Mapped[int]
    config: Mapped[Any] = mapped_column(Document)
    allocation: Mapped[Any | None] = mapped_column(Document)
    generators: Mapped[Any] = mapped_column(Document)
    prompt_digests: Mapped[Any] = mapped_column(Document)
    gates: Mapped[Any] = mapped_column(Document)
    budget_curves: Mapped[Any] = mapped_column(Document)
    provenance: Mapped[Any] = mapped_column(Document)
    layout: Mapped[Any] = mapped_column(Document)


class RunProblem(Base):
    """One problem's part in a run. ``n_labels`` NULL: no ground truth was run. ``label_digests``: NULL where they are the set's."""

    __tablename__ = "run_problem"
    __table_args__ = (UniqueConstraint("run_pk", "position"),)
    id: Mapped[RowId]
    run_pk: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"))
    position: Mapped[int]
    task_id: Mapped[str] = mapped_column(index=True)
    problem_digest: Mapped[str | None] = mapped_column(String(64), ForeignKey("problem.digest"), index=True)
    solution_set_id: Mapped[int | None] = mapped_column(ForeignKey("sample_set.id"), index=True)
    test_set_id: Mapped[int | None] = mapped_column(ForeignKey("sample_set.id"), index=True)
    n_labels: Mapped[int | None]
    label_digests: Mapped[Any | None] = mapped_column(Facts)


class PassMatrixRow(Counts, Base):
    """The verdicts of one problem, and where and under what its cells ran.

    ``verdicts``: (n_solutions, n_tests) uint8 under ``codec``; ``sha256`` covers all blobs. Digests: NULL where the sets'.
    """

    __tablename__ = "pass_matrix"
    run_problem_id: Mapped[OfProblem]
    n_solutions: Mapped[int]
    n_tests: Mapped[int]
    codec: Mapped[str]
    verdicts: Mapped[bytes]
    duration_codec: Mapped[str]
    duration_ms: Mapped[bytes]
    extras_codec: Mapped[str]
    extras: Mapped[bytes]
    """flags, sparse"""
    outputs_codec: Mapped[str | None]
    outputs: Mapped[bytes | None]
    """digests of what the solutions returned; NULL where none has one"""
    sha256: Mapped[Digest]
    solution_digests: Mapped[Any | None] = mapped_column(Facts)
    test_digests: Mapped[Any | None] = mapped_column(Facts)
    sandbox: Mapped[str]
    image_digest: Mapped[str | None]
    sandbox_version: Mapped[str]
    timeout_s: Mapped[float]
    memory_mib: Mapped[int]


class SolutionResult(Counts, Base):
    """One row of a matrix. ``correct``: its label, NULL where it could not be judged."""

    __tablename__ = "solution_result"
    __table_args__ = NO_ROWID
    run_problem_id: Mapped[OfProblem]
    idx: Mapped[Position]
    correct: Mapped[bool | None]


class TestResult(Counts, Base):
    """One column of a matrix."""

    __test__ = False  # a table, not a pytest class
    __tablename__ = "test_result"
    __table_args__ = NO_ROWID
    run_problem_id: Mapped[OfProblem]
    idx: Mapped[Position]


class Selection(Base):
    """One selector's ranking of one problem. ``chosen``: lowest index of its first group; NULL when it ranks nothing."""

    __tablename__ = "selection"
    run_problem_id: Mapped[OfProblem]
    selector: Mapped[str] = mapped_column(primary_key=True)
    ranking: Mapped[Any] = mapped_column(Facts)
    chosen: Mapped[int | None]
    confidence: Mapped[float | None] = mapped_column(Double())
    abstained: Mapped[bool | None]


class Metric(Base):
    """One number of a run; NULL is NaN: undefined, and counted as such."""

    __tablename__ = "metric"
    run_pk: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int]
    value: Mapped[float | None] = mapped_column(NanFloat())


class SampleCount(Base):
    """What became of the responses for one problem and kind. ``discarded``: reason → count; ``paid_*``: drawn in this run."""

    __tablename__ = "sample_count"
    run_problem_id: Mapped[OfProblem]
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    drawn: Mapped[int]
    kept: Mapped[int]
    reused: Mapped[int]
    discarded: Mapped[Any] = mapped_column(Facts)
    tokens_in: Mapped[int]
    tokens_out: Mapped[int]
    paid_in: Mapped[int]
    paid_out: Mapped[int]
    mean_logprob: Mapped[float | None] = mapped_column(Double())


class ResponseSeries(Base):
    """Raw responses of one model to one prompt, in the order of their seeds, whichever runs asked for them."""

    __tablename__ = "response_series"
    draw_key: Mapped[Digest] = mapped_column(primary_key=True)
    task_id: Mapped[str]
    kind: Mapped[str] = mapped_column(String(16))
    model: Mapped[str]
    n_responses: Mapped[int]
    codec: Mapped[str]
    data: Mapped[bytes]
    sha256: Mapped[Digest]
    updated: Mapped[datetime]
    used: Mapped[date | None]
    """the day (UTC) of the last look-up, where that is after ``updated``"""


class StartedRun(Base):
    """A run that began and is not there yet: what ``coderm runs resume`` starts again. Goes when the run is saved."""

    __tablename__ = "started_run"
    run_id: Mapped[str] = mapped_column(primary_key=True)
    benchmark: Mapped[str]
    created: Mapped[datetime]
    created_at: Mapped[str]
    config: Mapped[Any] = mapped_column(Document)


class VerdictRow(Base):
    """All known cells of one solution under one context (image, version, limits), packed."""

    __tablename__ = "verdict_row"
    context_key: Mapped[str] = mapped_column(primary_key=True)
    solution_digest: Mapped[Digest] = mapped_column(primary_key=True)
    n_cells: Mapped[int]
    codec: Mapped[str]
    data: Mapped[bytes]
    sha256: Mapped[Digest]
    updated: Mapped[datetime]
    used: Mapped[date | None]
    """the day (UTC) of the last look-up, where that is after ``updated``"""
