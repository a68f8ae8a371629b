"""What the store takes on disk, table by table, and giving free space back.

SQLite keeps the pages of deleted rows for later ones and its file never shrinks by itself; PostgreSQL's autovacuum does the same
for its tables. ``give_back`` rewrites a SQLite file (writers wait meanwhile, and the disk must hold it twice); on PostgreSQL it
makes the space usable again and refreshes the planner's figures, with no lock that anybody notices.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import OperationalError

from db.session import outside_transaction, reading
from db.tables import Base

PAGES = "SELECT m.tbl_name, sum(s.pgsize) FROM dbstat s JOIN sqlite_master m ON m.name = s.name WHERE s.aggregate = TRUE GROUP BY 1"


@dataclass(frozen=True)
class TableSize:
    """One table. ``size``: bytes with its indexes; None where this SQLite was built without ``dbstat``."""

    name: str
    rows: int
    size: int | None


@dataclass(frozen=True)
class Sizes:
    """All tables, largest first. ``total``: bytes of the database on disk; ``free``: of those, SQLite's empty pages."""

    tables: list[TableSize]
    total: int
    free: int


def read_sizes(engine: Engine) -> Sizes:
    """Count rows and bytes. Reads every page of a SQLite file once. Raises StoreUnavailable."""
    with reading(engine) as connection:
        rows = {t.name: connection.scalar(select(func.count()).select_from(t)) or 0 for t in Base.metadata.sorted_tables}
        pages, total, free = (_sqlite if engine.dialect.name == "sqlite" else _postgresql)(connection)
    tables = [TableSize(name, count, pages.get(name)) for name, count in rows.items()]
    return Sizes(sorted(tables, key=lambda t: (-(t.size or 0), -t.rows, t.name)), total, free)


def _sqlite(connection: Connection) -> tuple[dict[str, int], int, int]:
    page, count, free = (
        int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()) for name in ("page_size", "page_count", "freelist_count")
    )
    try:
        pages = {name: int(size) for name, size in connection.exec_driver_sql(PAGES)}
    except OperationalError:  # built without dbstat
        pages = {}
    return pages, page * count, page * free


def _postgresql(connection: Connection) -> tuple[dict[str, int], int, int]:
    size = func.pg_total_relation_size
    pages = {t.name: int(connection.scalar(select(size(t.name))) or 0) for t in Base.metadata.sorted_tables}
    return pages, int(connection.scalar(select(func.pg_database_size(func.current_database()))) or 0), 0


def give_back(engine: Engine) -> None:
    """VACUUM. Raises StoreUnavailable, also when other processes keep a SQLite file busy for too long."""
    with outside_transaction(engine) as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("VACUUM")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            return
        for table in Base.metadata.sorted_tables:
            connection.exec_driver_sql(f"VACUUM (ANALYZE) {table.name}")
