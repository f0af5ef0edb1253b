"""xp_sampled_spectrum: the externally calibrated XP mean spectrum of a source, sampled on the archive's wavelengths.

Names, units and meaning: Gaia archive data model, DR3, table xp_sampled_mean_spectrum: 343 points from 336 to 1020 nm in steps of 2 nm.
Positions are those of gaia_source.
"""

from catalog.schema.column import Column, ColumnType, StoreTable
from catalog.schema.ingest_ledger import FILE_ID, ROW_NUMBER
from catalog.schema.release import RELEASE_ID, SOURCE_ID

XP_SAMPLES = 343

_V = ColumnType.VECTOR
_FLUX_UNIT = "W.m**-2.nm**-1"

XP_SAMPLED_SPECTRUM = StoreTable(
    "xp_sampled_spectrum",
    "Sampled XP (BP and RP) mean spectrum of each source, externally calibrated, 336 to 1020 nm.",
    (
        RELEASE_ID,
        SOURCE_ID,
        Column("solution_id", ColumnType.BIGINT, "Identifier of the processing that made the row.", ucd="meta.version", principal=False),
        Column(
            "flux", _V, "Flux at 336, 338, ... 1020 nm; NaN where a point has none.", _FLUX_UNIT, "phot.flux.density;em.wl",
            nullable=False, length=XP_SAMPLES,
        ),
        Column("flux_error", _V, "Error of the flux.", _FLUX_UNIT, "stat.error;phot.flux.density;em.wl", length=XP_SAMPLES),
        Column("n_bad", ColumnType.SMALLINT, "Number of points without a flux or without an error.", ucd="meta.number", nullable=False),
        FILE_ID,
        ROW_NUMBER,
    ),
    primary_key=("release_id", "source_id"),
    partition_by="release_id",
    external=("flux", "flux_error"),
)  # fmt: skip
