"""lamost: the low-resolution stellar catalogue of LAMOST, as text or FITS; nulls as -9999 or -999. A row, keyed by obsid, is a spectrum; stars have several."""

from collections.abc import Collection

from catalog.schema.column import ColumnType
from catalog.schema.lamost import LAMOST
from ingest.described_product import Made, Rules, described_product
from ingest.file_table import Field, FileTable
from ingest.product import FileContext
from ingest.products.survey_rows import nulls_of, release_column, release_of


def recognises(names: Collection[str]) -> bool:
    """Whether a header is LAMOST's: spectra by number, spectrograph and fibre."""
    return {"obsid", "spid", "fiberid"}.issubset(names) and "snrg" in names


def _make(block: FileTable, file: FileContext) -> Made:
    obsid = block.values(Field("obsid", ColumnType.BIGINT))
    return {
        "survey_id": (obsid.astype(str).astype(object), block.null("obsid")),
        "survey_release": release_column([release_of(file)] * len(block)),
    }


LAMOST_ROWS = described_product(
    "lamost", LAMOST, recognises,
    required=("obsid", "ra", "dec", "snrg", "teff", "teff_err", "logg", "logg_err", "feh", "feh_err"),
    nulls={**{name: (*nulls, -999.0) for name, nulls in nulls_of(LAMOST).items()}, "gaia_source_id": (0.0, -9999.0)},
    made=("survey_id", "survey_release"),
    rules=Rules(make=_make),
)  # fmt: skip
