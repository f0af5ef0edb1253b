"""Releases tell whether their sources are simulated stars.

Revision ID: 0002_simulated_releases
Revises: 0001_initial_tables
"""

import sqlalchemy as sa
from alembic import op

revision = "0002_simulated_releases"
down_revision = "0001_initial_tables"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("release", sa.Column("simulated", sa.Boolean(), server_default=sa.text("false"), nullable=False), schema="store")


def downgrade() -> None:
    op.drop_column("release", "simulated", schema="store")
