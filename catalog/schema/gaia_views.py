"""Public views of the schemas ``gaia...``: what the archive gave, under its names."""

from catalog.schema.astrophysical_parameters import ASTROPHYSICAL_PARAMETERS
from catalog.schema.column import Column, ColumnType, Position, PublicView
from catalog.schema.fidelity import FIDELITY
from catalog.schema.gaia_source import GAIA_SOURCE
from catalog.schema.id_map import ID_MAP
from catalog.schema.release import SOURCE_ID
from catalog.schema.rvs_spectrum import RVS_SPECTRUM
from catalog.schema.xp_sampled_spectrum import XP_SAMPLED_SPECTRUM
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

_JOINED = ("release_id", "source_id", "file_id", "row_number")

XP_SAMPLED_VIEW = PublicView(
    "gaia",
    "xp_sampled_mean_spectrum",
    "Sampled XP (BP and RP) mean spectra, externally calibrated: fluxes and errors as the archive gives them, 336 to 1020 nm by 2 nm.",
    (SOURCE_ID, RA, DEC, *XP_SAMPLED_SPECTRUM.without(*_JOINED)),
    "xp_sampled_mean_spectrum",
    position=Position(),
)

RVS_VIEW = PublicView(
    "gaia",
    "rvs_mean_spectrum",
    "Mean RVS spectra, continuum-normalised and at rest: fluxes and errors as the archive gives them, 846 to 870 nm by 0.01 nm.",
    (SOURCE_ID, RA, DEC, *RVS_SPECTRUM.without(*_JOINED)),
    "rvs_mean_spectrum",
    position=Position(),
)

PARAMETERS_VIEW = PublicView(
    "gaia",
    "astrophysical_parameters",
    ASTROPHYSICAL_PARAMETERS.description,
    (SOURCE_ID, RA, DEC, *ASTROPHYSICAL_PARAMETERS.without(*_JOINED)),
    "astrophysical_parameters",
    position=Position(),
)


def _neighbourhood(earlier: str, later: str) -> PublicView:
    """The archive's table that links two releases; without rows in a release whose numbers are not those of the later one."""
    columns = (
        ID_MAP["from_source_id"].renamed(f"{earlier}_source_id", f"Identifier of the source in {earlier.upper()}."),
        ID_MAP["source_id"].renamed(f"{later}_source_id", f"Identifier of the source in {later.upper()}."),
        *ID_MAP.pick("angular_distance", "magnitude_difference", "proper_motion_propagation"),
    )
    description = f"Pairs of neighbouring sources of {earlier.upper()} and {later.upper()}, many to many; has rows where source_ids are those of {later.upper()}."
    indexed = (f"{earlier}_source_id", f"{later}_source_id")
    return PublicView("gaia", f"{earlier}_neighbourhood", description, columns, f"{earlier}_neighbourhood", indexed=indexed)


FIDELITY_VIEW = PublicView(
    "gaia",
    "gaiaedr3_spurious",
    FIDELITY.description,
    FIDELITY.without("release_id", "file_id", "row_number"),
    "gaiaedr3_spurious",
    archive_schema="external",
)

GAIA_VIEWS: tuple[PublicView, ...] = (
    GAIA_SOURCE_VIEW,
    XP_VIEW,
    XP_SAMPLED_VIEW,
    RVS_VIEW,
    PARAMETERS_VIEW,
    FIDELITY_VIEW,
    _neighbourhood("dr2", "dr3"),
    _neighbourhood("dr3", "dr4"),
)
