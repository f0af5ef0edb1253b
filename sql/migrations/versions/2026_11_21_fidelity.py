"""The table of astrometric fidelities.

Revision ID: 0004_fidelity
Revises: 0003_survey_keys
"""

import sqlalchemy as sa
from alembic import op

revision = "0004_fidelity"
down_revision = "0003_survey_keys"
branch_labels = None
depends_on = None


def upgrade() -> None:
    reals = (
        "fidelity_v2", "theta_arcsec_worst_source", "norm_dg",
        *(f"dist_nearest_neighbor_at_least_{step}_brighter" for step in ("m2", "0", "2", "4", "6", "10")), "fidelity_v1",
    )  # fmt: skip
    op.create_table(
        "fidelity",
        sa.Column("release_id", sa.SmallInteger(), nullable=False),
        sa.Column("source_id", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.REAL(), nullable=True) for name in reals),
        sa.Column("file_id", sa.Integer(), nullable=False),
        sa.Column("row_number", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("release_id", "source_id", name="fidelity_pkey"),
        schema="store",
        postgresql_partition_by="LIST (release_id)",
    )


def downgrade() -> None:
    op.drop_table("fidelity", schema="store")
