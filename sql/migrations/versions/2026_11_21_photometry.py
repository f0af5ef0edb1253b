"""The tables of 2MASS, unWISE and reddening.

Revision ID: photometry
Revises: 0005_chunk_device
"""

from collections.abc import Iterable

import sqlalchemy as sa
from alembic import op

revision = "photometry"
down_revision = "0005_chunk_device"
branch_labels = None
depends_on = None

MAGNITUDES = ("j_m", "j_msigcom", "h_m", "h_msigcom", "ks_m", "ks_msigcom")


def table(name: str, key: sa.Column, *columns: sa.Column) -> None:
    """A table with a partition a release, its rows known by their file."""
    op.create_table(
        name,
        sa.Column("release_id", sa.SmallInteger(), nullable=False),
        key,
        *columns,
        sa.Column("file_id", sa.Integer(), nullable=False),
        sa.Column("row_number", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("release_id", key.name, name=f"{name}_pkey"),
        schema="store",
        postgresql_partition_by="LIST (release_id)",
    )


def key(name: str, kind: sa.types.TypeEngine) -> sa.Column:
    return sa.Column(name, kind, nullable=False)


def columns(kind: sa.types.TypeEngine, names: Iterable[str]) -> list[sa.Column]:
    return [sa.Column(name, kind, nullable=True) for name in names]


def upgrade() -> None:
    smallint, integer, bigint = sa.SmallInteger(), sa.Integer(), sa.BigInteger()
    real, double, text = sa.REAL(), sa.DOUBLE_PRECISION(), sa.Text()
    table(
        "two_mass", key("source_id", bigint), *columns(text, ["designation"]), *columns(double, ["tm_ra", "tm_dec"]), *columns(real, MAGNITUDES),
        *columns(text, ["ph_qual"]), *columns(integer, ["ext_key"]), *columns(real, ["angular_distance"]),
        *columns(smallint, ["xm_flag", "number_of_neighbours", "number_of_mates"]),
    )  # fmt: skip
    table(
        "tmass_best_neighbour", key("source_id", bigint), *columns(text, ["original_ext_source_id"]), *columns(real, ["angular_distance"]),
        *columns(smallint, ["xm_flag"]), *columns(bigint, ["clean_tmass_psc_xsc_oid"]),
        *columns(smallint, ["number_of_neighbours", "number_of_mates"]),
    )  # fmt: skip
    table("tmass_join", key("clean_tmass_psc_xsc_oid", bigint), *columns(text, ["original_psc_source_id", "original_xsc_source_id"]))
    table(
        "tmass_psc", key("designation", text), *columns(bigint, ["tmass_oid"]), *columns(double, ["ra", "dec"]),
        *columns(real, ["err_maj", "err_min", "err_ang", *MAGNITUDES]), *columns(text, ["ph_qual"]), *columns(integer, ["ext_key"]),
        *columns(double, ["j_date"]), *columns(bigint, ["position_key"]),
    )  # fmt: skip
    bands = [
        column
        for band in ("w1", "w2")
        for column in (
            *columns(real, [f"{band}_{name}" for name in ("flux", "dflux", "qf", "fracflux", "rchi2")]),
            *columns(integer, [f"{band}_{name}" for name in ("nm", "flags_unwise", "flags_info")]),
            *columns(smallint, [f"{band}_primary"]),
        )
    ]
    table(
        "unwise", key("survey_id", text), key("ra", double), key("dec", double), *columns(text, ["coadd_id"]), *columns(smallint, ["is_primary"]),
        *bands, *columns(bigint, ["position_key"]),
    )  # fmt: skip
    table("reddening", key("source_id", bigint), *columns(text, ["reddening_map"]), *columns(real, ["reddening", "reddening_error"]))
    for name in ("tmass_psc", "unwise"):
        op.create_index(f"{name}_position_key_idx", name, ["position_key"], schema="store")


def downgrade() -> None:
    for name in ("reddening", "unwise", "tmass_psc", "tmass_join", "tmass_best_neighbour", "two_mass"):
        op.drop_table(name, schema="store")
