"""Problems, programs and sample sets: what is stored once, by content, and shared by every run that uses it.

A stdin/stdout pair is stored as the canonical JSON that its digest is taken of, so every source is checked by its own name on read.
Callers hold the writer's lock: what is not there when it is looked for is not there when it is inserted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeVar

from sqlalchemy import CompoundSelect, Connection, insert, select, union
from sqlalchemy.orm import InstrumentedAttribute

from db.codec import JSON_ZLIB, decode_json, decode_text, encode_json, encode_text, sha256, verify
from db.columns import to_json
from db.tables import Base, Generator, ProblemRow, RunProblem, SampleItem, SampleSet, Source
from models.errors import StoreUnavailable
from models.fingerprint import digest_json, digest_text
from models.run_record import GeneratorIdentity, RunRecord
from models.types import Limits, Problem, SolutionSet, TestSet, UnitTest

IN_LIST = 1000
"""Values a query: far below the variable limits of SQLite (32,766) and PostgreSQL (65,535)."""


Value = TypeVar("Value", str, int)


class Item(NamedTuple):
    """One place in a set: what runs, its digest, how the text is to be read, where it came from."""

    digest: str
    text: str
    form: Literal["source", "stdin"]
    origin: str


class SetKey(NamedTuple):
    """A sample set's identity: everything that its digest is taken of, but the items."""

    kind: Literal["solution", "test"]
    task_id: str
    generator_digest: str | None
    prompt_digest: str | None
    limits: Limits | None


def chunks(values: Iterable[Value]) -> Iterator[Sequence[Value]]:
    """Sorted distinct values, ``IN_LIST`` at a time."""
    ordered = sorted(set(values))
    return (ordered[at : at + IN_LIST] for at in range(0, len(ordered), IN_LIST))


def _missing(connection: Connection, column: InstrumentedAttribute[str], values: Iterable[str]) -> list[str]:
    """Those values that the table does not have yet."""
    return [
        value
        for chunk in chunks(values)
        for known in [set(connection.scalars(select(column).where(column.in_(chunk))))]
        for value in chunk
        if value not in known
    ]


def insert_rows(connection: Connection, table: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Many rows in one statement; none is fine."""
    if rows:
        connection.execute(insert(table), rows)


def solution_items(solutions: SolutionSet) -> list[Item]:
    """One item a row of the matrix."""
    return [Item(digest_text(text), text, "source", "generated") for text in solutions.solutions]


def test_items(tests: TestSet) -> list[Item]:
    """One item a column of the matrix."""
    return [_test_item(test) for test in tests.tests]


def _test_item(test: UnitTest) -> Item:
    if test.source is not None:
        return Item(test.digest, test.source, "source", test.origin)
    pair = {"stdin": test.stdin, "stdout": test.stdout}
    return Item(test.digest, json.dumps(pair, sort_keys=True, separators=(",", ":"), ensure_ascii=False), "stdin", test.origin)


def save_problems(connection: Connection, problems: Iterable[Problem]) -> None:
    """Add those that are new."""
    by_digest = {problem.digest: problem for problem in problems}
    insert_rows(connection, ProblemRow, [_problem_row(d, by_digest[d]) for d in _missing(connection, ProblemRow.digest, by_digest)])


def _problem_row(digest: str, problem: Problem) -> dict[str, Any]:
    data = encode_json(problem.model_dump())
    named = {"task_id": problem.task_id, "style": problem.style, "entry_point": problem.entry_point}
    return {"digest": digest, **named, "codec": JSON_ZLIB, "data": data, "sha256": sha256(data)}


def load_problems(connection: Connection, digests: Iterable[str]) -> dict[str, Problem]:
    """digest → problem. Raises StoreUnavailable for damaged bytes."""
    found: dict[str, Problem] = {}
    for chunk in chunks(digests):
        columns = select(ProblemRow.digest, ProblemRow.codec, ProblemRow.data, ProblemRow.sha256)
        for digest, codec, data, check in connection.execute(columns.where(ProblemRow.digest.in_(chunk))):
            verify(check, f"problem {digest}", data)
            found[digest] = Problem.model_validate(decode_json(codec, data))
    return found


def save_sources(connection: Connection, items: Iterable[Item]) -> None:
    """Add those texts that are new."""
    texts = {item.digest: item.text for item in items}
    new = [(digest, *encode_text(texts[digest])) for digest in _missing(connection, Source.digest, texts)]
    insert_rows(connection, Source, [{"digest": digest, "codec": codec, "data": data} for digest, codec, data in new])


def save_generators(connection: Connection, run: RunRecord) -> dict[str, str]:
    """Add those that are new; returns kind → digest."""
    digests = {kind: digest_json(to_json(identity.model_dump())) for kind, identity in run.generators.items()}
    by_digest = {digests[kind]: identity for kind, identity in run.generators.items()}
    new = _missing(connection, Generator.digest, by_digest)
    insert_rows(connection, Generator, [_generator_row(digest, by_digest[digest]) for digest in new])
    return digests


def _generator_row(digest: str, identity: GeneratorIdentity) -> dict[str, Any]:
    return {"digest": digest, **identity.model_dump(), "sampling": to_json(identity.sampling)}


def save_sets(connection: Connection, sets: Mapping[SetKey, Sequence[Item]]) -> dict[SetKey, int]:
    """Add those that are new, with their sources; returns the row id of each."""
    digests = {key: _set_digest(key, items) for key, items in sets.items()}
    keys = {digest: key for key, digest in digests.items()}
    save_sources(connection, (item for items in sets.values() for item in items))
    new = _missing(connection, SampleSet.digest, keys)
    insert_rows(connection, SampleSet, [_set_row(digest, keys[digest], sets[keys[digest]]) for digest in new])
    ids: dict[str, int] = {}
    for chunk in chunks(keys):
        found = connection.execute(select(SampleSet.digest, SampleSet.id).where(SampleSet.digest.in_(chunk)))
        ids |= {row.digest: row.id for row in found}
    insert_rows(connection, SampleItem, [row for digest in new for row in _item_rows(ids[digest], sets[keys[digest]])])
    return {key: ids[digest] for key, digest in digests.items()}


def _set_digest(key: SetKey, items: Sequence[Item]) -> str:
    limits = key.limits and key.limits.model_dump()
    return digest_json([*key[:4], limits, [[item.digest, item.form, item.origin] for item in items]])


def _set_row(digest: str, key: SetKey, items: Sequence[Item]) -> dict[str, Any]:
    limits = {"timeout_s": key.limits and key.limits.timeout_s, "memory_mib": key.limits and key.limits.memory_mib}
    return {"digest": digest, "n_items": len(items), **key._asdict(), **limits}


def _item_rows(set_id: int, items: Sequence[Item]) -> list[dict[str, Any]]:
    return [
        {"set_id": set_id, "idx": at, "source_digest": item.digest, "form": item.form, "origin": item.origin}
        for at, item in enumerate(items)
    ]


def _sets_of(run_pk: int) -> CompoundSelect[Any]:
    """Row ids of all sets of one run."""
    solutions, tests = RunProblem.solution_set_id, RunProblem.test_set_id
    return union(*(select(column).where(RunProblem.run_pk == run_pk, column.is_not(None)) for column in (solutions, tests)))


def _sets_of_run(connection: Connection, run_pk: int) -> list[int]:
    """Row ids of a run's sets, to be named in the queries that follow.

    From a subquery PostgreSQL expects so many rows that it reads the samples of all runs.
    """
    return [set_id for set_id in connection.scalars(_sets_of(run_pk)) if set_id is not None]


def set_digests(connection: Connection, run_pk: int) -> dict[int, tuple[str, ...]]:
    """set id → digests of its items in order, for all sets of one run."""
    ids = _sets_of_run(connection, run_pk)
    found: dict[int, list[str]] = {set_id: [] for set_id in ids}
    query = select(SampleItem.set_id, SampleItem.idx, SampleItem.source_digest)
    for chunk in chunks(ids):
        for set_id, _, digest in sorted(tuple(row) for row in connection.execute(query.where(SampleItem.set_id.in_(chunk)))):
            found[set_id].append(digest)
    return {set_id: tuple(digests) for set_id, digests in found.items()}


def load_sets(connection: Connection, run_pk: int) -> tuple[dict[int, list[Item]], dict[int, Limits | None]]:
    """(set id → items in order, set id → limits of a T line) of a run's sets. Raises StoreUnavailable for damaged sources."""
    ids = _sets_of_run(connection, run_pk)
    items: dict[int, list[Item]] = {set_id: [] for set_id in ids}
    limits: dict[int, Limits | None] = {}
    texts: dict[str, str] = {}
    place = (SampleItem.set_id, SampleItem.idx)
    query = select(*place, SampleItem.form, SampleItem.origin, Source.digest, Source.codec, Source.data)
    query = query.join(Source, Source.digest == SampleItem.source_digest)
    headers = select(SampleSet.id, SampleSet.timeout_s, SampleSet.memory_mib)
    for chunk in chunks(ids):
        for set_id, seconds, mib in connection.execute(headers.where(SampleSet.id.in_(chunk))):
            limits[set_id] = None if mib is None else Limits(timeout_s=seconds or 0, memory_mib=mib)
        rows = connection.execute(query.where(SampleItem.set_id.in_(chunk))).all()
        # ordered here: with the texts in it PostgreSQL would sort on disk
        for set_id, _, form, origin, digest, codec, data in sorted(rows, key=lambda row: (row.set_id, row.idx)):
            if digest not in texts:
                texts[digest] = _checked_text(digest, codec, data)
            items[set_id].append(Item(digest, texts[digest], "stdin" if form == "stdin" else "source", origin))
    return items, limits


def _checked_text(digest: str, codec: str, data: bytes) -> str:
    text = decode_text(codec, data)
    if digest_text(text) != digest:
        raise StoreUnavailable(f"source {digest}: the stored bytes do not match their digest (damaged database); restore a backup")
    return text


def as_test(item: Item) -> UnitTest:
    """The column that the item was made of."""
    body = {"source": item.text} if item.form == "source" else json.loads(item.text)
    return UnitTest.model_validate({**body, "origin": item.origin})
