"""Chunks tell on what device they were calculated.

Revision ID: 0005_chunk_device
Revises: 0004_fidelity
"""

import sqlalchemy as sa
from alembic import op

revision = "0005_chunk_device"
down_revision = "0004_fidelity"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run_chunk", sa.Column("device", sa.Text(), nullable=True), schema="store")


def downgrade() -> None:
    op.drop_column("run_chunk", "device", schema="store")
