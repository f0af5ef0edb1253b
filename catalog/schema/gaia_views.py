"""Public views of the schemas ``gaia...``: what the archive gave, under its names."""

from catalog.schema.column import Column, ColumnType, Position, PublicView
from catalog.schema.fidelity import FIDELITY
from catalog.schema.gaia_source import GAIA_SOURCE
from catalog.schema.release import SOURCE_ID
from catalog.schema.xp_spectrum import XP_SPECTRUM

_RA, _DEC = GAIA_SOURCE.pick("ra", "dec")
_NO_POSITION = " Null where the release gave no gaia_source row."
RA = Column("ra", ColumnType.DOUBLE, _RA.description + _NO_POSITION, _RA.unit, _RA.ucd)
DEC = Column("dec", ColumnType.DOUBLE, _DEC.description + _NO_POSITION, _DEC.unit, _DEC.ucd)


def _vector(name: str, description: str, ucd: str) -> Column:
    return Column(name, ColumnType.VECTOR, description, ucd=ucd)


_XP_ARRAYS = tuple(
    _vector(f"{band}_{array}", f"{words} of the {band.upper()} spectrum{note}", ucd)
    for array, words, note, ucd in (
        ("coefficients", "Basis function coefficients", ".", "stat.fit.param"),
        ("coefficient_errors", "Errors of the coefficients", "; null where the file had none.", "stat.error;stat.fit.param"),
        (
            "coefficient_correlations",
            "Upper triangle, column by column, without the diagonal, of the coefficients' correlations",
            "; null where the file had none.",
            "stat.correlation;stat.fit.param",
        ),
    )
    for band in ("bp", "rp")
)

GAIA_SOURCE_VIEW = PublicView(
    "gaia",
    "gaia_source",
    GAIA_SOURCE.description,
    GAIA_SOURCE.without("release_id", "file_id", "row_number"),
    "gaia_source",
    position=Position(),
)

XP_VIEW = PublicView(
    "gaia",
    "xp_continuous_mean_spectrum",
    "Continuous XP (BP and RP) mean spectra: coefficients, errors and correlations as the archive gives them.",
    (
        SOURCE_ID,
        RA,
        DEC,
        *XP_SPECTRUM.without("release_id", "source_id", "head", "correlations", "file_id", "row_number", "layout", "flags"),
        *XP_SPECTRUM.pick("layout", "flags"),
        *_XP_ARRAYS,
    ),
    "xp_continuous_mean_spectrum",
    position=Position(),
)

FIDELITY_VIEW = PublicView(
    "gaia", "gaiaedr3_spurious", FIDELITY.description, FIDELITY.without("release_id", "file_id", "row_number"), "gaiaedr3_spurious"
)

GAIA_VIEWS: tuple[PublicView, ...] = (GAIA_SOURCE_VIEW, XP_VIEW, FIDELITY_VIEW)
