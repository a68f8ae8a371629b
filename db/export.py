"""Every cell of a run as Parquet, for duckdb, polars or a notebook: what the tables keep packed, unpacked.

A file appears under its name only when it is whole. 1.64 M cells: 3 to 5 s, a few problems in memory at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, select

from db.run_reader import find_run_id, iter_matrices, read_metrics
from db.tables import Run, RunProblem, Selection
from models.matrix import PassMatrix
from models.outputs import NONE
from models.replaced_file import replacing
from models.types import Verdict

LABELS = [Verdict(code).label for code in range(len(Verdict))]


def export_run(connection: Connection, run_id: str, out_dir: Path) -> list[Path]:
    """Write ``cells``, ``selections`` and ``metrics`` ``.parquet`` into ``out_dir``; returns their paths.

    Raises InputError for an unknown run, StoreUnavailable for damaged bytes.
    """
    import pyarrow as pa

    full_id = find_run_id(connection, run_id)
    run_pk = connection.execute(select(Run.id).where(Run.run_id == full_id)).scalar_one()
    cells = (_cells_table(matrix) for matrix in iter_matrices(connection, run_pk))
    tables = {
        "cells": (_cells_schema(), cells),
        "selections": (_selections_schema(), iter([_selections_table(connection, run_pk)])),
        "metrics": (_metrics_schema(), iter([_metrics_table(connection, run_pk)])),
    }
    note = pa.schema([]).with_metadata({"coderm_run_id": full_id}).metadata
    return [_write(out_dir / f"{name}.parquet", schema.with_metadata(note), parts) for name, (schema, parts) in tables.items()]


def _write(path: Path, schema: Any, parts: Iterator[Any]) -> Path:
    import pyarrow.parquet as pq

    with replacing(path) as stream, pq.ParquetWriter(stream, schema, compression="zstd") as writer:
        for part in parts:
            writer.write_table(part.replace_schema_metadata(schema.metadata))
    return path


def _cells_schema() -> Any:
    import pyarrow as pa

    word = pa.dictionary(pa.int32(), pa.string())
    index = [("solution", pa.int32()), ("test", pa.int32())]
    digests = [("solution_digest", word), ("test_digest", word)]
    return pa.schema([("task_id", word), *index, ("verdict", word), ("duration_ms", pa.float32()), *digests, ("output", word)])


def _cells_table(matrix: PassMatrix) -> Any:
    """One row a cell, row by row of the matrix."""
    import pyarrow as pa

    n_solutions, n_tests = matrix.verdicts.shape
    rows = np.repeat(np.arange(n_solutions, dtype=np.int32), n_tests)
    columns = np.tile(np.arange(n_tests, dtype=np.int32), n_solutions)

    def words(indices: Any, values: Any) -> Any:
        return pa.DictionaryArray.from_arrays(pa.array(indices.astype(np.int32)), pa.array(list(values), pa.string()))

    arrays = [
        words(np.zeros(rows.size), [matrix.task_id]),
        pa.array(rows),
        pa.array(columns),
        words(matrix.verdicts.ravel(), LABELS),
        pa.array(matrix.duration_ms.ravel()),
        words(rows, matrix.solution_digests),
        words(columns, matrix.test_digests),
        _output_words(matrix),
    ]
    return pa.Table.from_arrays(arrays, schema=_cells_schema())


def _output_words(matrix: PassMatrix) -> Any:
    """Digest of each cell's output, null where it has none."""
    import pyarrow as pa

    table = matrix.output_table
    codes = table.codes.ravel()
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes == NONE), pa.array(list(table.digests), pa.string()))


def _selections_schema() -> Any:
    import pyarrow as pa

    groups = pa.list_(pa.list_(pa.int32()))
    choice = [("task_id", pa.string()), ("selector", pa.string()), ("chosen", pa.int32()), ("ranking", groups)]
    return pa.schema([*choice, ("confidence", pa.float64()), ("abstained", pa.bool_())])


def _selections_table(connection: Connection, run_pk: int) -> Any:
    import pyarrow as pa

    columns = (Selection.selector, Selection.chosen, Selection.ranking, Selection.confidence, Selection.abstained)
    query = select(RunProblem.task_id, *columns)
    query = query.join(Selection, Selection.run_problem_id == RunProblem.id).where(RunProblem.run_pk == run_pk)
    rows = connection.execute(query.order_by(RunProblem.position, Selection.selector)).mappings()
    return pa.Table.from_pylist([dict(row) for row in rows], schema=_selections_schema())


def _metrics_schema() -> Any:
    import pyarrow as pa

    return pa.schema([("name", pa.string()), ("value", pa.float64())])


def _metrics_table(connection: Connection, run_pk: int) -> Any:
    import pyarrow as pa

    rows = [{"name": name, "value": value} for name, value in read_metrics(connection, run_pk).items()]
    return pa.Table.from_pylist(rows, schema=_metrics_schema())
