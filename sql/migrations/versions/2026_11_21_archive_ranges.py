"""The ledger of what is fetched from archives over TAP.

Revision ID: archive_ranges
Revises: gaia_products
"""

import sqlalchemy as sa
from alembic import op

revision = "archive_ranges"
down_revision = "gaia_products"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "archive_query",
        sa.Column("query_id", sa.Integer(), sa.Identity(), nullable=False),
        sa.Column("release_id", sa.SmallInteger(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("url", "set_name", "name")),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("first_id", "last_id")),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("text", "sha256")),
        sa.Column("counted", sa.BigInteger(), nullable=True),
        sa.Column("planned", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("query_id", name="archive_query_pkey"),
        sa.UniqueConstraint(
            "release_id", "url", "set_name", "name", "first_id", "last_id",
            name="archive_query_release_id_url_set_name_name_first_id_last_id_key",
        ),
        sa.ForeignKeyConstraint(["release_id"], ["store.release.release_id"], name="archive_query_release_id_fkey"),
        schema="store",
    )  # fmt: skip
    op.create_table(
        "archive_range",
        sa.Column("range_id", sa.Integer(), sa.Identity(), nullable=False),
        sa.Column("query_id", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("first_id", "last_id")),
        sa.Column("state", sa.Text(), server_default=sa.text("'planned'"), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=True),
        sa.Column("overflow", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=True) for name in ("file_name", "sha256")),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("seconds", sa.REAL(), nullable=True),
        sa.Column("fetched", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("range_id", name="archive_range_pkey"),
        sa.UniqueConstraint("query_id", "first_id", "last_id", name="archive_range_query_id_first_id_last_id_key"),
        sa.ForeignKeyConstraint(["query_id"], ["store.archive_query.query_id"], name="archive_range_query_id_fkey"),
        sa.CheckConstraint("state IN ('planned', 'fetched', 'split', 'refused')", name="archive_range_state_check"),
        schema="store",
    )


def downgrade() -> None:
    op.drop_table("archive_range", schema="store")
    op.drop_table("archive_query", schema="store")
