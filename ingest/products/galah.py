"""galah: the main catalogue of GALAH, a row for each star (allstar) or spectrum (allspec); nulls as the header declares them, or the smallest integer.

The key is sobject_id. flag_sp means other things in other releases: survey_release is what the file's name says, else dr4 where there is snr_px_ccd3 and
dr3 where there is snr_c3_iraf. Columns of single lines (ind_...) of allspec are told as unknown and not kept.
"""

from collections.abc import Collection

from catalog.schema.column import ColumnType
from catalog.schema.galah import GALAH
from ingest.described_product import Made, Rules, described_product
from ingest.file_table import Field, FileTable
from ingest.product import FileContext
from ingest.products.survey_rows import nulls_of, release_column, release_of, unsigned

_SMALLEST = -(2.0**63)
_NO_NUMBER = 999_999.0
"""Declared by the header of allstar for sobject_id; no flag, field or identifier is that number."""
_FLAGS = tuple(column.name for column in GALAH.columns if column.ucd == "meta.code.qual" and column.type is ColumnType.BIGINT)
_INTEGERS = tuple(
    column.name for column in GALAH.columns if column.type is ColumnType.BIGINT and column.name not in ("position_key", "file_id")
)
_SIGN_OF_DR4 = Field("snr_px_ccd3", ColumnType.REAL)


def recognises(names: Collection[str]) -> bool:
    """Whether a header is GALAH's: spectra by number, with the survey's flag."""
    return {"sobject_id", "flag_sp"}.issubset(names)


def _make(block: FileTable, file: FileContext) -> Made:
    obvious = "dr4" if _SIGN_OF_DR4.name in block else "dr3" if "snr_c3_iraf" in block else None
    return {
        "survey_id": (block.values(Field("sobject_id", ColumnType.BIGINT)).astype(str).astype(object), block.null("sobject_id")),
        "survey_release": release_column([release_of(file, obvious)] * len(block)),
        **unsigned(block, _FLAGS),
    }


GALAH_ROWS = described_product(
    "galah", GALAH, recognises,
    required=("sobject_id", "teff", "logg", "fe_h", "flag_sp"),
    synonyms={
        "star_id": ("tmass_id",), "dr2_source_id": ("source_id", "gaiadr2_source_id"), "dr3_source_id": ("gaiadr3_source_id", "gaia_dr3_source_id"),
        "ra": ("ra_dr2",), "dec": ("dec_dr2",), "fe_h_atmo": ("fe_h_atmos",),
    },
    nulls=nulls_of(GALAH, **dict.fromkeys(_INTEGERS, (_SMALLEST, _NO_NUMBER))),
    made=("survey_id", "survey_release"),
    more_fields=(_SIGN_OF_DR4,),
    rules=Rules(make=_make),
)  # fmt: skip
