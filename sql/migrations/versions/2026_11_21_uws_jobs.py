"""Asynchronous queries.

Revision ID: uws_jobs
Revises: two_mass_photometry
"""

import sqlalchemy as sa
from alembic import op

revision = "uws_jobs"
down_revision = "two_mass_photometry"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "uws_job",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("job_id", "client")),
        sa.Column("phase", sa.Text(), server_default=sa.text("'PENDING'"), nullable=False),
        sa.Column("created", sa.TIMESTAMP(timezone=True), nullable=False),
        *(sa.Column(name, sa.TIMESTAMP(timezone=True), nullable=True) for name in ("queued", "started", "ended")),
        sa.Column("destruction", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("execution_duration", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("parameters", "files", "links")),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("turn", sa.BigInteger(), nullable=True),
        *(sa.Column(name, sa.Integer(), server_default=sa.text("0"), nullable=False) for name in ("attempt", "lost")),
        sa.Column("worker", sa.BigInteger(), nullable=True),
        sa.Column("result_type", sa.Text(), nullable=True),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in ("result_bytes", "result_rows")),
        sa.Column("overflow", sa.Boolean(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("transient", sa.Boolean(), nullable=True),
        sa.PrimaryKeyConstraint("job_id", name="uws_job_pkey"),
        sa.CheckConstraint("phase IN ('PENDING', 'QUEUED', 'EXECUTING', 'COMPLETED', 'ERROR', 'ABORTED')", name="uws_job_phase_check"),
        schema="store",
    )
    for names in (("phase", "turn"), ("client", "created"), ("destruction",)):
        op.create_index(f"uws_job_{'_'.join(names)}_idx", "uws_job", names, schema="store")


def downgrade() -> None:
    op.drop_table("uws_job", schema="store")
