"""rvs_spectrum: the mean spectrum of a source from Gaia's Radial Velocity Spectrometer, continuum-normalised, in the star's rest frame.

Names and meaning: Gaia archive data model, DR3, table rvs_mean_spectrum: 2,401 pixels from 846.00 to 870.00 nm in steps of 0.01 nm. Pixels
without a measurement are NaN, in real spectra a few at the edges. Positions are those of gaia_source.
"""

from catalog.schema.column import Column, ColumnType, StoreTable
from catalog.schema.ingest_ledger import FILE_ID, ROW_NUMBER
from catalog.schema.release import RELEASE_ID, SOURCE_ID

RVS_PIXELS = 2401

_S, _V = ColumnType.SMALLINT, ColumnType.VECTOR

RVS_SPECTRUM = StoreTable(
    "rvs_spectrum",
    "Mean RVS spectrum of each source, continuum-normalised, 846 to 870 nm.",
    (
        RELEASE_ID,
        SOURCE_ID,
        Column("solution_id", ColumnType.BIGINT, "Identifier of the processing that made the row.", ucd="meta.version", principal=False),
        Column(
            "flux", _V, "Normalised flux at 846.00, 846.01, ... 870.00 nm; NaN where a pixel has none.",
            ucd="phot.flux;em.opt.I", nullable=False, length=RVS_PIXELS,
        ),
        Column("flux_error", _V, "Error of the normalised flux.", ucd="stat.error;phot.flux;em.opt.I", length=RVS_PIXELS),
        Column("combined_transits", _S, "Number of transits that were combined.", ucd="meta.number"),
        Column("combined_ccds", _S, "Number of CCD spectra that were combined.", ucd="meta.number"),
        Column("deblended_ccds", _S, "Number of deblended CCD spectra among them.", ucd="meta.number"),
        Column("n_bad", _S, "Number of pixels without a flux or without an error.", ucd="meta.number", nullable=False),
        FILE_ID,
        ROW_NUMBER,
    ),
    primary_key=("release_id", "source_id"),
    partition_by="release_id",
    external=("flux", "flux_error"),
)  # fmt: skip
