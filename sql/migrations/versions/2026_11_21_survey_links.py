"""The links of survey rows to Gaia sources.

Revision ID: survey_links
Revises: archive_ranges
"""

import sqlalchemy as sa
from alembic import op

revision = "survey_links"
down_revision = "archive_ranges"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "survey_link",
        sa.Column("release_id", sa.SmallInteger(), nullable=False),
        sa.Column("survey", sa.Text(), nullable=False),
        sa.Column("set_name", sa.Text(), nullable=False),
        sa.Column("survey_id", sa.Text(), nullable=False),
        sa.Column("source_id", sa.BigInteger(), nullable=True),
        sa.Column("method", sa.Text(), nullable=True),
        sa.Column("separation_arcsec", sa.DOUBLE_PRECISION(), nullable=True),
        sa.Column("n_candidates", sa.Integer(), nullable=False),
        sa.Column("link_flags", sa.SmallInteger(), nullable=False),
        sa.Column("ambiguous", sa.Boolean(), nullable=False),
        sa.Column("is_primary", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("release_id", "survey", "set_name", "survey_id", name="survey_link_pkey"),
        schema="store",
        postgresql_partition_by="LIST (release_id)",
    )
    op.create_index("survey_link_survey_source_id_idx", "survey_link", ["survey", "source_id"], schema="store")
    op.create_table(
        "survey_linking",
        sa.Column("release_id", sa.SmallInteger(), nullable=False),
        sa.Column("survey", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("linked", sa.BigInteger(), nullable=False),
        sa.Column("finished", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("release_id", "survey", name="survey_linking_pkey"),
        sa.ForeignKeyConstraint(["release_id"], ["store.release.release_id"], name="survey_linking_release_id_fkey"),
        schema="store",
    )


def downgrade() -> None:
    op.drop_table("survey_linking", schema="store")
    op.drop_table("survey_link", schema="store")
