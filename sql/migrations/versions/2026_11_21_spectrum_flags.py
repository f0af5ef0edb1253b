"""Spectra tell what ingest found of them: correlation matrices that are not positive definite.

Rows that were loaded before this are not looked at again: they count as without a finding until their file is loaded anew.

Revision ID: spectrum_flags
Revises: photometry
"""

import sqlalchemy as sa
from alembic import op

revision = "spectrum_flags"
down_revision = "photometry"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("xp_spectrum", sa.Column("flags", sa.SmallInteger(), server_default=sa.text("0"), nullable=False), schema="store")


def downgrade() -> None:
    op.drop_column("xp_spectrum", "flags", schema="store")
