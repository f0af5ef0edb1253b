"""2MASS photometry a row a source, joined once by linking and not at every query. Empty until `kiel ingest link` has run.

Revision ID: two_mass_photometry
Revises: head_and_correlations
"""

import sqlalchemy as sa
from alembic import op

revision = "two_mass_photometry"
down_revision = "head_and_correlations"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "two_mass_photometry",
        sa.Column("release_id", sa.SmallInteger(), nullable=False),
        sa.Column("source_id", sa.BigInteger(), nullable=False),
        sa.Column("designation", sa.Text(), nullable=True),
        *(sa.Column(name, sa.DOUBLE_PRECISION(), nullable=True) for name in ("tm_ra", "tm_dec")),
        *(sa.Column(name, sa.REAL(), nullable=True) for name in ("j_m", "j_msigcom", "h_m", "h_msigcom", "ks_m", "ks_msigcom")),
        sa.Column("ph_qual", sa.Text(), nullable=True),
        sa.Column("ext_key", sa.Integer(), nullable=True),
        sa.Column("angular_distance", sa.REAL(), nullable=True),
        *(sa.Column(name, sa.SmallInteger(), nullable=True) for name in ("xm_flag", "number_of_neighbours", "number_of_mates")),
        sa.PrimaryKeyConstraint("release_id", "source_id", name="two_mass_photometry_pkey"),
        schema="store",
        postgresql_partition_by="LIST (release_id)",
    )


def downgrade() -> None:
    op.drop_table("two_mass_photometry", schema="store")
