"""2MASS: the photometry of Gaia sources as one row each, and the three archive tables that it can be joined from.

two_mass             results of the archive's join by source_id, as Zhang, Green & Rix 2023 (MNRAS 524, 1855, appendix A) ask for them
tmass_best_neighbour source_id -> clean_tmass_psc_xsc_oid      (gaiadr3.tmass_psc_xsc_best_neighbour)
tmass_join           clean_tmass_psc_xsc_oid -> designation    (gaiadr3.tmass_psc_xsc_join)
tmass_psc            designation -> photometry                 (gaiadr1.tmass_original_valid)
two_mass_photometry  what the four come to, a row a source: made by linking (ingest/linking/two_mass.py), not loaded

Names, units and meaning: Gaia archive data model; 2MASS Explanatory Supplement (II.2.a). Magnitudes are Vega magnitudes as published.
"""

from catalog.schema.column import Column, ColumnType, StoreTable
from catalog.schema.ingest_ledger import FILE_ID, ROW_NUMBER
from catalog.schema.release import POSITION_KEY, RELEASE_ID, SOURCE_ID

_S, _R, _D, _T = ColumnType.SMALLINT, ColumnType.REAL, ColumnType.DOUBLE, ColumnType.TEXT

_BANDS = {"j": ("J", "em.IR.J"), "h": ("H", "em.IR.H"), "ks": ("Ks", "em.IR.K")}

PHOTOMETRY = tuple(
    column
    for band, (name, ucd) in _BANDS.items()
    for column in (
        Column(
            f"{band}_m", _R, f"Magnitude in {name}, Vega scale; an upper limit where its letter of ph_qual is U.", "mag", f"phot.mag;{ucd}"
        ),
        Column(f"{band}_msigcom", _R, f"Total error of {band}_m; null for an upper limit.", "mag", f"stat.error;phot.mag;{ucd}"),
    )
)
"""Magnitudes and errors, J, H and Ks."""
PH_QUAL = Column(
    "ph_qual",
    _T,
    "Quality of J, H and Ks, a letter each, as published: A is best, U an upper limit, X no measurement.",
    None,
    "meta.code.qual",
)
EXT_KEY = Column(
    "ext_key", ColumnType.INTEGER, "Key of the extended source that the point source belongs to; null for a point source.", None, "meta.id"
)
ANGULAR_DISTANCE = Column("angular_distance", _R, "Distance between the source and its 2MASS counterpart.", "arcsec", "pos.angDistance")
_XM_FLAG = Column("xm_flag", _S, "How the archive's cross-match came by its result.", None, "meta.code", principal=False)
_NEIGHBOURS = (
    Column("number_of_neighbours", _S, "How many 2MASS sources could be the counterpart of the source.", None, "meta.number"),
    Column("number_of_mates", _S, "How many other Gaia sources have the same counterpart.", None, "meta.number"),
)
_DESIGNATION = Column("designation", _T, "Designation in 2MASS: sexagesimal position at J2000.", None, "meta.id")

TWO_MASS = StoreTable(
    "two_mass",
    "Photometry of Gaia sources in 2MASS, as the archive's cross-match gives it by source_id.",
    (
        RELEASE_ID,
        SOURCE_ID,
        _DESIGNATION,
        Column("tm_ra", _D, "Right ascension in 2MASS, at the epoch of its observation.", "deg", "pos.eq.ra"),
        Column("tm_dec", _D, "Declination in 2MASS, at the epoch of its observation.", "deg", "pos.eq.dec"),
        *PHOTOMETRY,
        PH_QUAL,
        EXT_KEY,
        ANGULAR_DISTANCE,
        _XM_FLAG,
        *_NEIGHBOURS,
        FILE_ID,
        ROW_NUMBER,
    ),
    primary_key=("release_id", "source_id"),
    partition_by="release_id",
)

TWO_MASS_PHOTOMETRY = StoreTable(
    "two_mass_photometry",
    "Photometry in 2MASS by source_id: as loaded so, else joined from best neighbours and point sources; every counterpart, whatever its quality.",
    TWO_MASS.without("file_id", "row_number"),
    primary_key=("release_id", "source_id"),
    partition_by="release_id",
)
"""Follows from the other tables of this file, which name the files of its rows; can be made again at any time."""

_OID = Column(
    "clean_tmass_psc_xsc_oid", ColumnType.BIGINT, "Number of the counterpart in the join of point and extended sources.", None, "meta.id"
)

TMASS_BEST_NEIGHBOUR = StoreTable(
    "tmass_best_neighbour",
    "Best 2MASS counterpart of each Gaia source, as the archive's cross-match finds it.",
    (
        RELEASE_ID,
        SOURCE_ID,
        Column("original_ext_source_id", _T, "Designation of the counterpart in 2MASS.", None, "meta.id"),
        ANGULAR_DISTANCE,
        _XM_FLAG,
        _OID,
        *_NEIGHBOURS,
        FILE_ID,
        ROW_NUMBER,
    ),
    primary_key=("release_id", "source_id"),
    partition_by="release_id",
)

TMASS_JOIN = StoreTable(
    "tmass_join",
    "Which 2MASS point and extended source each counterpart of the cross-match is.",
    (
        RELEASE_ID,
        Column(_OID.name, _OID.type, _OID.description, ucd="meta.id;meta.main", nullable=False),
        Column("original_psc_source_id", _T, "Designation in the Point Source Catalogue; null where it is not there.", None, "meta.id"),
        Column("original_xsc_source_id", _T, "Designation in the Extended Source Catalogue; null where it is not there.", None, "meta.id"),
        FILE_ID,
        ROW_NUMBER,
    ),
    primary_key=("release_id", "clean_tmass_psc_xsc_oid"),
    partition_by="release_id",
)

TMASS_PSC = StoreTable(
    "tmass_psc",
    "Point Source Catalogue of 2MASS, as the Gaia archive copies it: positions, magnitudes and quality.",
    (
        RELEASE_ID,
        Column(_DESIGNATION.name, _T, _DESIGNATION.description, ucd="meta.id;meta.main", nullable=False),
        Column("tmass_oid", ColumnType.BIGINT, "Number of the row in the archive's copy.", None, "meta.id", principal=False),
        Column("ra", _D, "Right ascension, at the epoch of the observation.", "deg", "pos.eq.ra;meta.main"),
        Column("dec", _D, "Declination, at the epoch of the observation.", "deg", "pos.eq.dec;meta.main"),
        Column("err_maj", _R, "Semi-major axis of the position's error ellipse.", "arcsec", "stat.error;pos.eq"),
        Column("err_min", _R, "Semi-minor axis of the position's error ellipse.", "arcsec", "stat.error;pos.eq"),
        Column("err_ang", _R, "Position angle of the error ellipse, east of north.", "deg", "pos.posAng"),
        *PHOTOMETRY,
        PH_QUAL,
        EXT_KEY,
        Column("j_date", _D, "Julian date of the observation.", "d", "time.epoch"),
        POSITION_KEY,
        FILE_ID,
        ROW_NUMBER,
    ),
    primary_key=("release_id", "designation"),
    partition_by="release_id",
    indexes=(("position_key",),),
)
