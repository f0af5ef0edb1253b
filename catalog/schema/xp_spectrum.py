"""xp_spectrum: the continuous XP mean spectrum of a source, its arrays packed into two vectors.

``head`` is big-endian float32: BP coefficients, RP coefficients, BP errors, RP errors; ``correlations``: BP, RP correlations; ``layout`` says
by bits which of them are there (catalog/spectra.py). Measured (docs/storage.md): bytea reads five times as fast as arrays; heads stay in the
row (STORAGE MAIN), so that models that look at nothing else never touch the correlations, which are twelve times as long; those do not
compress (STORAGE EXTERNAL). Scalars are those of the archive's table xp_continuous_mean_spectrum.
"""

from catalog.schema.column import Column, ColumnType, StoreTable
from catalog.schema.ingest_ledger import FILE_ID, ROW_NUMBER
from catalog.schema.release import RELEASE_ID, SOURCE_ID


def _band(band: str) -> tuple[Column, ...]:
    """The archive's scalars of one band, ``bp`` or ``rp``; all null where the band is missing."""
    small, real = ColumnType.SMALLINT, ColumnType.REAL
    upper = band.upper()
    return (
        Column(f"{band}_basis_function_id", small, f"Basis of the {upper} coefficients.", ucd="meta.id", principal=False),
        Column(f"{band}_degrees_of_freedom", small, f"Degrees of freedom of the {upper} fit.", ucd="stat.fit.dof", principal=False),
        Column(f"{band}_n_parameters", small, f"Number of {upper} coefficients.", ucd="meta.number;stat.fit.param"),
        Column(f"{band}_n_measurements", small, f"Number of measurements in the {upper} fit.", ucd="meta.number", principal=False),
        Column(
            f"{band}_n_rejected_measurements",
            small,
            f"Number of rejected measurements in the {upper} fit.",
            ucd="meta.number",
            principal=False,
        ),
        Column(
            f"{band}_standard_deviation", real, f"Standard deviation of the {upper} fit; scales the coefficient errors.", ucd="stat.stdev"
        ),
        Column(f"{band}_chi_squared", real, f"Chi squared of the {upper} fit.", ucd="stat.fit.chi2"),
        Column(f"{band}_n_relevant_bases", small, f"Number of {upper} bases that are significant.", ucd="meta.number"),
        Column(
            f"{band}_relative_shrinking",
            real,
            f"Relative shrinking of the {upper} coefficients by truncation.",
            ucd="stat.value",
            principal=False,
        ),
    )


XP_SPECTRUM = StoreTable(
    "xp_spectrum",
    "Continuous XP (BP and RP) mean spectrum of each source as packed coefficients.",
    (
        RELEASE_ID,
        SOURCE_ID,
        Column("solution_id", ColumnType.BIGINT, "Identifier of the processing that made the row.", ucd="meta.version", principal=False),
        *_band("bp"),
        *_band("rp"),
        Column(
            "layout",
            ColumnType.SMALLINT,
            "Bits that tell which arrays there are: 1 BP, 2 RP coefficients; 4 BP, 8 RP errors; 16 BP, 32 RP correlations.",
            ucd="meta.code",
            nullable=False,
        ),
        Column(
            "flags",
            ColumnType.SMALLINT,
            "Bits of a spectrum that is kept as it came: 1 the BP, 2 the RP correlation matrix is not positive definite.",
            ucd="meta.code.error",
            nullable=False,
            default="0",
        ),
        Column("head", ColumnType.VECTOR, "Coefficients and errors, packed.", nullable=False),
        Column("correlations", ColumnType.VECTOR, "Correlations of the coefficients, packed; null without any."),
        FILE_ID,
        ROW_NUMBER,
    ),
    primary_key=("release_id", "source_id"),
    partition_by="release_id",
    external=("correlations",),
    in_row=("head",),
)
