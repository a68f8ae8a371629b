"""First schema: problems, sources, sample sets, runs, matrices, results, selections, metrics, known verdicts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON(none_as_null=True)
FACTS = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "generator",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("backend", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("revision", sa.Text(), nullable=True),
        sa.Column("prompt_version", sa.Text(), nullable=False),
        sa.Column(
            "sampling",
            FACTS,
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_generator")),
    )
    op.create_index(op.f("ix_generator_model"), "generator", ["model"])

    op.create_table(
        "problem",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("task_id", sa.Text(), nullable=False),
        sa.Column("style", sa.Text(), nullable=False),
        sa.Column("entry_point", sa.Text(), nullable=True),
        sa.Column("codec", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_problem")),
    )
    op.create_index(op.f("ix_problem_task_id"), "problem", ["task_id"])

    op.create_table(
        "run",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("benchmark", sa.Text(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("n_problems", sa.Integer(), nullable=False),
        sa.Column("n_cells", sa.Integer(), nullable=False),
        sa.Column("config", DOCUMENT, nullable=False),
        sa.Column("allocation", DOCUMENT, nullable=True),
        sa.Column("generators", DOCUMENT, nullable=False),
        sa.Column("prompt_digests", DOCUMENT, nullable=False),
        sa.Column("gates", DOCUMENT, nullable=False),
        sa.Column("budget_curves", DOCUMENT, nullable=False),
        sa.Column("provenance", DOCUMENT, nullable=False),
        sa.Column("layout", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
        sa.UniqueConstraint("run_id", name=op.f("uq_run_run_id")),
    )
    op.create_index(op.f("ix_run_benchmark"), "run", ["benchmark"])
    op.create_index(op.f("ix_run_created"), "run", ["created"])

    op.create_table(
        "source",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("codec", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_source")),
    )
    op.create_table(
        "verdict_row",
        sa.Column("context_key", sa.Text(), nullable=False),
        sa.Column("solution_digest", sa.String(length=64), nullable=False),
        sa.Column("n_cells", sa.Integer(), nullable=False),
        sa.Column("codec", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("context_key", "solution_digest", name=op.f("pk_verdict_row")),
    )
    op.create_table(
        "metric",
        sa.Column("run_pk", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["run_pk"], ["run.id"], name=op.f("fk_metric_run_pk_run"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_pk", "name", name=op.f("pk_metric")),
    )
    op.create_table(
        "sample_set",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("task_id", sa.Text(), nullable=False),
        sa.Column("n_items", sa.Integer(), nullable=False),
        sa.Column("generator_digest", sa.String(length=64), nullable=True),
        sa.Column("prompt_digest", sa.String(length=64), nullable=True),
        sa.Column("timeout_s", sa.Double(), nullable=True),
        sa.Column("memory_mib", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["generator_digest"], ["generator.digest"], name=op.f("fk_sample_set_generator_digest_generator")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sample_set")),
        sa.UniqueConstraint("digest", name=op.f("uq_sample_set_digest")),
    )
    op.create_index(op.f("ix_sample_set_generator_digest"), "sample_set", ["generator_digest"])
    op.create_index(op.f("ix_sample_set_prompt_digest"), "sample_set", ["prompt_digest"])

    op.create_table(
        "run_problem",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("run_pk", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.Text(), nullable=False),
        sa.Column("problem_digest", sa.String(length=64), nullable=True),
        sa.Column("solution_set_id", sa.Integer(), nullable=True),
        sa.Column("test_set_id", sa.Integer(), nullable=True),
        sa.Column("n_labels", sa.Integer(), nullable=True),
        sa.Column(
            "label_digests",
            FACTS,
            nullable=True,
        ),
        sa.ForeignKeyConstraint(["problem_digest"], ["problem.digest"], name=op.f("fk_run_problem_problem_digest_problem")),
        sa.ForeignKeyConstraint(["run_pk"], ["run.id"], name=op.f("fk_run_problem_run_pk_run"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["solution_set_id"], ["sample_set.id"], name=op.f("fk_run_problem_solution_set_id_sample_set")),
        sa.ForeignKeyConstraint(["test_set_id"], ["sample_set.id"], name=op.f("fk_run_problem_test_set_id_sample_set")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_problem")),
        sa.UniqueConstraint("run_pk", "position", name=op.f("uq_run_problem_run_pk")),
    )
    op.create_index(op.f("ix_run_problem_problem_digest"), "run_problem", ["problem_digest"])
    op.create_index(op.f("ix_run_problem_solution_set_id"), "run_problem", ["solution_set_id"])
    op.create_index(op.f("ix_run_problem_task_id"), "run_problem", ["task_id"])
    op.create_index(op.f("ix_run_problem_test_set_id"), "run_problem", ["test_set_id"])

    op.create_table(
        "sample_item",
        sa.Column("set_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("idx", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("source_digest", sa.String(length=64), nullable=False),
        sa.Column("form", sa.String(length=8), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["set_id"], ["sample_set.id"], name=op.f("fk_sample_item_set_id_sample_set"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["source_digest"], ["source.digest"], name=op.f("fk_sample_item_source_digest_source")),
        sa.PrimaryKeyConstraint("set_id", "idx", name=op.f("pk_sample_item")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_sample_item_source_digest"), "sample_item", ["source_digest"])

    op.create_table(
        "pass_matrix",
        sa.Column("run_problem_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("n_solutions", sa.Integer(), nullable=False),
        sa.Column("n_tests", sa.Integer(), nullable=False),
        sa.Column("codec", sa.Text(), nullable=False),
        sa.Column("verdicts", sa.LargeBinary(), nullable=False),
        sa.Column("duration_codec", sa.Text(), nullable=False),
        sa.Column("duration_ms", sa.LargeBinary(), nullable=False),
        sa.Column("extras_codec", sa.Text(), nullable=False),
        sa.Column("extras", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column(
            "solution_digests",
            FACTS,
            nullable=True,
        ),
        sa.Column(
            "test_digests",
            FACTS,
            nullable=True,
        ),
        sa.Column("sandbox", sa.Text(), nullable=False),
        sa.Column("image_digest", sa.Text(), nullable=True),
        sa.Column("sandbox_version", sa.Text(), nullable=False),
        sa.Column("timeout_s", sa.Double(), nullable=False),
        sa.Column("memory_mib", sa.Integer(), nullable=False),
        sa.Column("n_passed", sa.Integer(), nullable=False),
        sa.Column("n_failed", sa.Integer(), nullable=False),
        sa.Column("n_error", sa.Integer(), nullable=False),
        sa.Column("n_timeout", sa.Integer(), nullable=False),
        sa.Column("n_not_asked", sa.Integer(), nullable=False),
        sa.Column("n_other", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_problem_id"], ["run_problem.id"], name=op.f("fk_pass_matrix_run_problem_id_run_problem"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_problem_id", name=op.f("pk_pass_matrix")),
    )
    op.create_table(
        "selection",
        sa.Column("run_problem_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("selector", sa.Text(), nullable=False),
        sa.Column(
            "ranking",
            FACTS,
            nullable=False,
        ),
        sa.Column("chosen", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["run_problem_id"], ["run_problem.id"], name=op.f("fk_selection_run_problem_id_run_problem"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_problem_id", "selector", name=op.f("pk_selection")),
    )
    op.create_table(
        "solution_result",
        sa.Column("run_problem_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("idx", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("correct", sa.Boolean(), nullable=True),
        sa.Column("n_passed", sa.Integer(), nullable=False),
        sa.Column("n_failed", sa.Integer(), nullable=False),
        sa.Column("n_error", sa.Integer(), nullable=False),
        sa.Column("n_timeout", sa.Integer(), nullable=False),
        sa.Column("n_not_asked", sa.Integer(), nullable=False),
        sa.Column("n_other", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_problem_id"], ["run_problem.id"], name=op.f("fk_solution_result_run_problem_id_run_problem"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_problem_id", "idx", name=op.f("pk_solution_result")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "test_result",
        sa.Column("run_problem_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("idx", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("n_passed", sa.Integer(), nullable=False),
        sa.Column("n_failed", sa.Integer(), nullable=False),
        sa.Column("n_error", sa.Integer(), nullable=False),
        sa.Column("n_timeout", sa.Integer(), nullable=False),
        sa.Column("n_not_asked", sa.Integer(), nullable=False),
        sa.Column("n_other", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_problem_id"], ["run_problem.id"], name=op.f("fk_test_result_run_problem_id_run_problem"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_problem_id", "idx", name=op.f("pk_test_result")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("test_result")
    op.drop_table("solution_result")
    op.drop_table("selection")
    op.drop_table("pass_matrix")
    op.drop_table("sample_item")
    op.drop_table("run_problem")
    op.drop_table("sample_set")
    op.drop_table("metric")
    op.drop_table("verdict_row")
    op.drop_table("source")
    op.drop_table("run")
    op.drop_table("problem")
    op.drop_table("generator")
