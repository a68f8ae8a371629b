"""The day on which known cells and stored responses were last asked for: what retention goes by. NULL: see ``updated``."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = ("verdict_row", "response_series")


def upgrade() -> None:
    """Apply. Adding columns that may be NULL rewrites no row on either dialect."""
    for table in TABLES:
        op.add_column(table, sa.Column("used", sa.Date(), nullable=True))


def downgrade() -> None:
    """Take back; nothing is lost but the days."""
    for table in TABLES:
        with op.batch_alter_table(table) as batch:
            batch.drop_column("used")
