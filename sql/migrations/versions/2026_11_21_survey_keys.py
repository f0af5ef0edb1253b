"""Rejects name the key of their row, files the set of labels that they make, releases the numbering that their identifiers follow.

Revision ID: 0003_survey_keys
Revises: 0002_simulated_releases
"""

import sqlalchemy as sa
from alembic import op

revision = "0003_survey_keys"
down_revision = "0002_simulated_releases"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("ingest_file", sa.Column("set_name", sa.Text(), nullable=True), schema="store")
    op.add_column("ingest_reject", sa.Column("record", sa.Text(), nullable=True), schema="store")
    op.execute("UPDATE store.ingest_reject SET record = source_id::text WHERE source_id IS NOT NULL")
    op.create_index("ingest_reject_record_idx", "ingest_reject", ["record"], schema="store")
    op.add_column("release", sa.Column("id_system", sa.Text(), nullable=True), schema="store")
    op.execute("UPDATE store.release SET id_system = CASE cut_dialect WHEN 'gaia_dr4' THEN 'dr4' ELSE 'dr3' END")
    op.alter_column("release", "id_system", nullable=False, schema="store")


def downgrade() -> None:
    op.drop_column("release", "id_system", schema="store")
    op.drop_index("ingest_reject_record_idx", "ingest_reject", schema="store")
    op.drop_column("ingest_reject", "record", schema="store")
    op.drop_column("ingest_file", "set_name", schema="store")
