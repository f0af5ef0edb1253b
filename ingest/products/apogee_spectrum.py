"""apogee_spectrum: combined spectra of APOGEE, one a star: rows of a table with FLUX, ERROR and MASK, or the survey's own apStar and aspcapStar files.

The key is APOGEE_ID; of several spectra of a star, from two fields say, the one of the highest signal to noise is kept, and the others are told as
duplicates. Spectra of tables are continuum-normalised (those of the simulated sky are).
"""

from collections.abc import Collection
from dataclasses import replace

import numpy as np
from psycopg import sql

from catalog.schema.apogee_spectrum import APOGEE_SPECTRUM, PIXELS
from catalog.schema.column import ColumnType
from ingest.described_product import Made, Rules, described_product
from ingest.file_table import Field, FileTable
from ingest.product import FileContext
from ingest.products.survey_rows import NOT_MEASURED, release_column, release_of, text_of
from ingest.row_checks import RowChecks

_MASK = Field("mask", ColumnType.DOUBLE, is_array=True)


def recognises(names: Collection[str]) -> bool:
    """Whether a header is one of spectra by APOGEE_ID."""
    return {"apogee_id", "flux"}.issubset(names)


def _make(block: FileTable, file: FileContext) -> Made:
    names = text_of(block, "apogee_id")
    kinds = [kind or "normalised" for kind in text_of(block, "flux_kind")]
    masks = block.ragged("mask")
    pixels = masks.matrix(PIXELS)
    no_mask = np.isnan(pixels).any(axis=1)
    words = np.where(no_mask[:, None], 0, pixels).astype(np.int64).astype(np.uint32).astype(">u4")
    packed = np.empty(len(block), object)
    packed[:] = [row.tobytes() for row in words]
    return {
        "survey_id": (names, np.array([not name for name in names], bool)),
        "survey_release": release_column([release_of(file)] * len(block)),
        "flux_kind": (np.array(kinds, object), np.zeros(len(block), bool)),
        "mask": (packed, no_mask),
    }


def _check(checks: RowChecks, block: FileTable, file: FileContext) -> None:
    lengths = block.ragged("mask").lengths
    checks.reject(
        ~block.null("mask") & (lengths != PIXELS),
        "wrong_number_of_mask",
        lambda row: f"mask has {lengths[row]} numbers in place of {PIXELS}",
    )
    checks.require("flux", "flux_error")


def _signal_to_noise(alias: str) -> sql.Composable:
    return sql.SQL("coalesce({}, 0)").format(sql.Identifier(alias, "snr"))


APOGEE_SPECTRA = replace(
    described_product(
        "apogee_spectrum", APOGEE_SPECTRUM, recognises,
        required=("apogee_id", "flux", "flux_error"),
        synonyms={"flux_error": ("error", "err")},
        nulls={"snr": NOT_MEASURED},
        made=("survey_id", "survey_release", "mask"),
        more_fields=(_MASK,),
        rules=Rules(_make, _check),
    ),
    completeness=_signal_to_noise, completeness_unit="of signal to noise",
)  # fmt: skip
