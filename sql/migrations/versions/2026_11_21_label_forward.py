"""Labels of the forward model.

Revision ID: label_forward
Revises: uws_jobs
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "label_forward"
down_revision = "uws_jobs"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "label_forward",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.BigInteger(), nullable=False),
        sa.Column("teff", sa.REAL(), nullable=False),
        sa.Column("e_teff", sa.REAL(), nullable=False),
        sa.Column("feh", sa.REAL(), nullable=False),
        sa.Column("e_feh", sa.REAL(), nullable=False),
        sa.Column("logg", sa.REAL(), nullable=False),
        sa.Column("e_logg", sa.REAL(), nullable=False),
        sa.Column("ext", sa.REAL(), nullable=False),
        sa.Column("e_ext", sa.REAL(), nullable=False),
        sa.Column("parallax", sa.REAL(), nullable=False),
        sa.Column("e_parallax", sa.REAL(), nullable=False),
        sa.Column("xi", sa.REAL(), nullable=True),
        sa.Column("e_xi", sa.REAL(), nullable=True),
        sa.Column("covariance", postgresql.BYTEA(), nullable=False),
        sa.Column("inverse_covariance", postgresql.BYTEA(), nullable=False),
        sa.Column("xi_covariance", postgresql.BYTEA(), nullable=True),
        sa.Column("quality_flags", sa.Integer(), nullable=False),
        sa.Column("chi2_opt", sa.REAL(), nullable=False),
        sa.Column("ln_prior", sa.REAL(), nullable=False),
        sa.Column("teff_confidence", sa.REAL(), nullable=True),
        sa.Column("teff_confidence_calibrated", sa.REAL(), nullable=True),
        sa.Column("feh_confidence", sa.REAL(), nullable=True),
        sa.Column("feh_confidence_calibrated", sa.REAL(), nullable=True),
        sa.Column("logg_confidence", sa.REAL(), nullable=True),
        sa.Column("logg_confidence_calibrated", sa.REAL(), nullable=True),
        sa.Column("out_of_domain", sa.REAL(), nullable=True),
        sa.Column("outside_domain", sa.Boolean(), nullable=True),
        sa.Column("loss", sa.REAL(), nullable=False),
        sa.Column("converged", sa.Boolean(), nullable=False),
        sa.Column("n_iterations", sa.SmallInteger(), nullable=False),
        sa.Column("n_starts", sa.SmallInteger(), nullable=False),
        sa.Column("n_minima", sa.SmallInteger(), nullable=False),
        sa.Column("runner_up_teff", sa.REAL(), nullable=True),
        sa.Column("runner_up_feh", sa.REAL(), nullable=True),
        sa.Column("runner_up_logg", sa.REAL(), nullable=True),
        sa.Column("runner_up_ext", sa.REAL(), nullable=True),
        sa.Column("runner_up_parallax", sa.REAL(), nullable=True),
        sa.Column("runner_up_delta_loss", sa.REAL(), nullable=True),
        sa.Column("missing_bands", sa.SmallInteger(), nullable=False),
        sa.Column("n_bands", sa.SmallInteger(), nullable=False),
        sa.Column("chi2_bp", sa.REAL(), nullable=True),
        sa.Column("chi2_rp", sa.REAL(), nullable=True),
        sa.Column("chi2_nir", sa.REAL(), nullable=True),
        sa.Column("worst_wavelength", sa.REAL(), nullable=False),
        sa.Column("worst_residual", sa.REAL(), nullable=False),
        sa.Column("parallax_deviation", sa.REAL(), nullable=True),
        sa.Column("eigenvalue_floor", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "source_id", name="label_forward_pkey"),
        schema="store",
        postgresql_partition_by="LIST (run_id)",
    )


def downgrade() -> None:
    op.drop_table("label_forward", schema="store")
