"""The tables of astrophysical parameters and of neighbourhoods; columns of gaia_source that queries and training cuts of the papers need.

Revision ID: gaia_products
Revises: gaia_spectra
"""

import sqlalchemy as sa
from alembic import op

revision = "gaia_products"
down_revision = "gaia_spectra"
branch_labels = None
depends_on = None

_PARAMETERS = (
    *(f"{name}_gspphot" for name in ("teff", "logg", "mh", "distance", "azero", "ag", "ebpminrp")),
    "libname_gspphot",
    *(f"{name}_gspspec" for name in ("teff", "logg", "mh", "alphafe", "fem")),
    "flags_gspspec",
)
_SOURCE_COLUMNS = {
    "astrometric_excess_noise": sa.REAL(), "astrometric_excess_noise_sig": sa.REAL(), "visibility_periods_used": sa.SmallInteger(),
    "duplicated_source": sa.Boolean(), "phot_g_n_obs": sa.SmallInteger(), "phot_bp_n_obs": sa.SmallInteger(),
    "phot_rp_n_obs": sa.SmallInteger(), "phot_g_mean_flux_over_error": sa.REAL(), "phot_bp_mean_flux_over_error": sa.REAL(),
    "phot_rp_mean_flux_over_error": sa.REAL(), "in_qso_candidates": sa.Boolean(), "in_galaxy_candidates": sa.Boolean(),
}  # fmt: skip


def _parameter(name: str) -> tuple[sa.Column, ...]:
    if name in ("libname_gspphot", "flags_gspspec"):
        return (sa.Column(name, sa.Text(), nullable=True),)
    return tuple(sa.Column(f"{name}{limit}", sa.REAL(), nullable=True) for limit in ("", "_lower", "_upper"))


def upgrade() -> None:
    for name, kind in _SOURCE_COLUMNS.items():
        op.add_column("gaia_source", sa.Column(name, kind, nullable=True), schema="store")
    op.create_table(
        "astrophysical_parameters",
        sa.Column("release_id", sa.SmallInteger(), nullable=False),
        sa.Column("source_id", sa.BigInteger(), nullable=False),
        sa.Column("solution_id", sa.BigInteger(), nullable=True),
        *(column for name in _PARAMETERS for column in _parameter(name)),
        sa.Column("file_id", sa.Integer(), nullable=False),
        sa.Column("row_number", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("release_id", "source_id", name="astrophysical_parameters_pkey"),
        schema="store",
        postgresql_partition_by="LIST (release_id)",
    )
    op.create_table(
        "id_map",
        sa.Column("release_id", sa.SmallInteger(), nullable=False),
        sa.Column("from_system", sa.Text(), nullable=False),
        sa.Column("from_source_id", sa.BigInteger(), nullable=False),
        sa.Column("source_id", sa.BigInteger(), nullable=False),
        sa.Column("angular_distance", sa.REAL(), nullable=True),
        sa.Column("magnitude_difference", sa.REAL(), nullable=True),
        sa.Column("proper_motion_propagation", sa.Boolean(), nullable=True),
        sa.Column("file_id", sa.Integer(), nullable=False),
        sa.Column("row_number", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("release_id", "from_system", "from_source_id", "source_id", name="id_map_pkey"),
        schema="store",
        postgresql_partition_by="LIST (release_id)",
    )
    op.create_index("id_map_source_id_idx", "id_map", ["source_id"], schema="store")


def downgrade() -> None:
    op.drop_table("id_map", schema="store")
    op.drop_table("astrophysical_parameters", schema="store")
    for name in _SOURCE_COLUMNS:
        op.drop_column("gaia_source", name, schema="store")
