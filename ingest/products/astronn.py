"""astronn: the value-added catalogue of astroNN, whose rows are those of allStar in their order; nulls as NaN or -9999.

A row's key is TELESCOPE.FIELD.APOGEE_ID where the file has FIELD. The published file of DR17 has not, and its LOCATION_ID does not tell the fields
of the one-metre telescope apart: there the key is TELESCOPE.LOCATION_ID.APOGEE_ID.N with N the row's number, which is that of its row in allStar. So no
two rows share a key; load the file as it was published.
"""

from collections.abc import Collection

import numpy as np

from catalog.schema.astronn import ASTRONN
from catalog.schema.column import ColumnType
from ingest.described_product import Made, Rules, described_product
from ingest.file_table import Field, FileTable
from ingest.product import FileContext
from ingest.products.survey_rows import nulls_of, release_column, release_of, text_of


def recognises(names: Collection[str]) -> bool:
    """Whether a header is astroNN's: abundances relative to hydrogen of APOGEE's stars, and no flag of the pipeline."""
    return {"apogee_id", "fe_h", "mg_h", "si_h"}.issubset(names) and "aspcapflag" not in names


def _make(block: FileTable, file: FileContext) -> Made:
    place, known = block.values(Field("location_id", ColumnType.INTEGER)), ~block.null("location_id")
    telescopes, fields, names = (text_of(block, name) for name in ("telescope", "field", "apogee_id"))
    survey_id = [
        ".".join(
            part for part in ((telescope, field, name) if field else (telescope, str(number) if there else "", name, str(row))) if part
        )
        if name
        else ""
        for telescope, field, name, number, there, row in zip(
            telescopes, fields, names, place.tolist(), known.tolist(), block.row_number.tolist(), strict=True
        )
    ]
    return {
        "survey_id": (np.array(survey_id, object), np.array([not key for key in survey_id], bool)),
        "survey_release": release_column([release_of(file)] * len(block)),
    }


ASTRONN_ROWS = described_product(
    "astronn", ASTRONN, recognises,
    required=("apogee_id", "teff", "logg", "fe_h"),
    synonyms={"given_source_id": ("source_id",), "ra": ("ra_apogee",), "dec": ("dec_apogee",)},
    nulls=nulls_of(ASTRONN, given_source_id=(0.0, -1.0)),
    made=("survey_id", "survey_release"),
    rules=Rules(make=_make),
)  # fmt: skip
