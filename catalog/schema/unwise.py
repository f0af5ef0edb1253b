"""unWISE: fluxes in W1 and W2 of infrared sources, matched to Gaia by position.

Names and meaning: unWISE catalogue (Schlafly, Meisner & Green 2019, ApJS 240, 30; catalog.unwise.me). The catalogue writes the two bands as vectors
[W1, W2]; here each band has columns of its own. Fluxes stay in Vega nanomaggies: magnitude = 22.5 - 2.5 log10(flux).
"""

from catalog.schema.column import Column, ColumnType, StoreTable
from catalog.schema.ingest_ledger import FILE_ID, ROW_NUMBER
from catalog.schema.release import POSITION_KEY, RELEASE_ID, SURVEY_ID

_S, _I, _R, _D = ColumnType.SMALLINT, ColumnType.INTEGER, ColumnType.REAL, ColumnType.DOUBLE

BANDS = {"w1": ("W1", "em.IR.3-4um"), "w2": ("W2", "em.IR.4-8um")}
_NONE = "null without a detection, which files write as 0"


def _band(band: str, name: str, ucd: str) -> tuple[Column, ...]:
    return (
        Column(f"{band}_flux", _R, f"Flux in {name}, Vega nanomaggies; {_NONE}.", None, f"phot.flux;{ucd}"),
        Column(f"{band}_dflux", _R, f"Error of {band}_flux, Vega nanomaggies.", None, f"stat.error;phot.flux;{ucd}"),
        Column(f"{band}_qf", _R, f"Quality factor in {name}: share of the source's light in pixels without defect.", None, "stat.value"),
        Column(
            f"{band}_fracflux", _R, f"Share of the source in the light at its place in {name}: 1 without neighbours.", None, "stat.value"
        ),
        Column(f"{band}_rchi2", _R, f"Reduced chi square of the fit in {name}.", None, "stat.fit.chi2", principal=False),
        Column(f"{band}_nm", _I, f"Exposures that the coadd in {name} is made of at the source.", None, "meta.number", principal=False),
        Column(f"{band}_flags_unwise", _I, f"Bits of the coadd at the source in {name}, as published.", None, "meta.code.qual"),
        Column(f"{band}_flags_info", _I, f"Bits of additional information in {name}, as published.", None, "meta.code", principal=False),
        Column(f"{band}_primary", _S, f"One where the detection in {name} lies in the part of its tile that counts.", None, "meta.code"),
    )


UNWISE = StoreTable(
    "unwise",
    "Infrared fluxes of unWISE in W1 and W2: native units and flags, a row an object of the band-merged catalogue or a detection in one band.",
    (
        RELEASE_ID,
        SURVEY_ID,
        Column(
            "ra",
            _D,
            "Right ascension, ICRS; the mean of exposures of about 2015.5 (2014.8 to 2016.0, by the years coadded).",
            "deg",
            "pos.eq.ra;meta.main",
            nullable=False,
        ),
        Column(
            "dec",
            _D,
            "Declination, ICRS; the mean of exposures of about 2015.5 (2014.8 to 2016.0, by the years coadded).",
            "deg",
            "pos.eq.dec;meta.main",
            nullable=False,
        ),
        Column("coadd_id", ColumnType.TEXT, "Tile of the sky that the source was found in.", None, "meta.id", principal=False),
        Column("is_primary", _S, "One where the source lies in the part of its tile that counts.", None, "meta.code"),
        *(column for band, (name, ucd) in BANDS.items() for column in _band(band, name, ucd)),
        POSITION_KEY,
        FILE_ID,
        ROW_NUMBER,
    ),
    primary_key=("release_id", "survey_id"),
    partition_by="release_id",
    indexes=(("position_key",),),
)
