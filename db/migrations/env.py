"""Alembic's entry: runs on the connection, inside the transaction, that ``db.schema.upgrade`` hands over.

A new revision after a change of ``db/tables.py``: put a connection to an upgraded SQLite file into ``alembic_config().attributes``
and call ``alembic.command.revision(config, "what changed", autogenerate=True, rev_id="0002")``; then read what it wrote.
"""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from sqlalchemy.types import TypeDecorator

from db.schema import VERSION_TABLE
from db.tables import Base


def render_item(kind: str, item: Any, _context: object) -> str | Literal[False]:
    """Write our column types as what the database sees: a migration must not change when ``db/columns.py`` does."""
    return f"sa.{item.impl_instance!r}" if kind == "type" and isinstance(item, TypeDecorator) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
    render_item=render_item,
    include_name=lambda name, kind, _parents: kind != "table" or name in Base.metadata.tables,
)
with context.begin_transaction():
    context.run_migrations()
