"""The ledger counts rows at each stage, keeps MD5 sums and attempts, and shows how far a loader is.

Revision ID: ledger_counts
Revises: survey_links
"""

import sqlalchemy as sa
from alembic import op

revision = "ledger_counts"
down_revision = "survey_links"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("ingest_file", sa.Column("md5", sa.Text(), nullable=True), schema="store")
    op.add_column("ingest_file", sa.Column("rows_stated", sa.BigInteger(), nullable=True), schema="store")
    op.add_column("ingest_file", sa.Column("rows_kept", sa.BigInteger(), nullable=True), schema="store")
    op.add_column("ingest_file", sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False), schema="store")
    op.create_table(
        "ingest_progress",
        sa.Column("file_id", sa.Integer(), nullable=False),
        sa.Column("loader", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("bytes_done", sa.BigInteger(), nullable=False),
        sa.Column("rows_done", sa.BigInteger(), nullable=False),
        sa.Column("started", sa.DateTime(timezone=True), nullable=False),
        sa.Column("told", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("file_id", name="ingest_progress_pkey"),
        schema="store",
    )


def downgrade() -> None:
    op.drop_table("ingest_progress", schema="store")
    for name in ("attempts", "rows_kept", "rows_stated", "md5"):
        op.drop_column("ingest_file", name, schema="store")
