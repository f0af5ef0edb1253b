"""The tables of sampled XP spectra and of RVS spectra.

Revision ID: gaia_spectra
Revises: survey_labels
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "gaia_spectra"
down_revision = "survey_labels"
branch_labels = None
depends_on = None


def _make(name: str, *columns: str) -> None:
    """A table of spectra with further small integers."""
    op.create_table(
        name,
        sa.Column("release_id", sa.SmallInteger(), nullable=False),
        sa.Column("source_id", sa.BigInteger(), nullable=False),
        sa.Column("solution_id", sa.BigInteger(), nullable=True),
        sa.Column("flux", postgresql.BYTEA(), nullable=False),
        sa.Column("flux_error", postgresql.BYTEA(), nullable=True),
        *(sa.Column(column, sa.SmallInteger(), nullable=True) for column in columns),
        sa.Column("n_bad", sa.SmallInteger(), nullable=False),
        sa.Column("file_id", sa.Integer(), nullable=False),
        sa.Column("row_number", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("release_id", "source_id", name=f"{name}_pkey"),
        schema="store",
        postgresql_partition_by="LIST (release_id)",
    )
    for column in ("flux", "flux_error"):
        op.execute(f"ALTER TABLE store.{name} ALTER COLUMN {column} SET STORAGE EXTERNAL")


def upgrade() -> None:
    _make("xp_sampled_spectrum")
    _make("rvs_spectrum", "combined_transits", "combined_ccds", "deblended_ccds")


def downgrade() -> None:
    op.drop_table("rvs_spectrum", schema="store")
    op.drop_table("xp_sampled_spectrum", schema="store")
