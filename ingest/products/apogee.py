"""apogee: allStar (and allStarLite) of APOGEE, its columns in either case, its nulls as NaN (DR17) or -9999 (DR16 and before), 99 in magnitudes.

A row's key is APSTAR_ID; where a file lacks it, TELESCOPE.FIELD.APOGEE_ID, which it is made of, as far as the file has those. The survey's release is
what FILE says (apStar-dr17-..., apStar-r12-... of DR16), else the file's name, else dr17 where there is GAIAEDR3_SOURCE_ID. The second row of a star
(EXTRATARG bit 4) has a key of its own, and is kept.
"""

import re
from collections.abc import Collection

import numpy as np

from catalog.schema.apogee import APOGEE, PARAMETERS
from catalog.schema.column import ColumnType
from ingest.described_product import Made, Rules, described_product
from ingest.file_table import Field, FileTable
from ingest.product import FileContext
from ingest.products.survey_rows import nulls_of, release_column, release_of, text_of, unsigned

_BAD_MAGNITUDE = (99.0, 99.99, 99.999)
_MAGNITUDES = tuple(f"{band}{error}" for band in "jhk" for error in ("", "_err"))
_PARAMFLAG = Field("paramflag", ColumnType.DOUBLE, is_array=True)
_FLAGS = tuple(
    column.name for column in APOGEE.columns if column.ucd == "meta.code.qual" and column.type is ColumnType.BIGINT and "paramflag" not in column.name
)  # fmt: skip
_REDUCTION = re.compile(r"-(dr\d+|r\d+)-")
_REDUCTIONS = {"r8": "dr14", "r12": "dr16"}
"""Reductions of releases whose files are not named after them."""


def recognises(names: Collection[str]) -> bool:
    """Whether a header is allStar's: stars by name, with the pipeline's flag or chi squared."""
    return "apogee_id" in names and bool({"aspcapflag", "aspcap_chi2"}.intersection(names)) and "flux" not in names


def _make(block: FileTable, file: FileContext) -> Made:
    apstar, names = text_of(block, "apstar_id"), text_of(block, "apogee_id")
    survey_id = [
        given or ".".join(part for part in (telescope, field, name) if part) if name else given
        for given, telescope, field, name in zip(apstar, text_of(block, "telescope"), text_of(block, "field"), names, strict=True)
    ]
    nobody = np.array([not key for key in survey_id], bool)
    otherwise = release_of(file, "dr17" if "gaiaedr3_source_id" in block else None)
    releases = [
        _REDUCTIONS.get(found[1], found[1] if found[1].startswith("dr") else otherwise) if (found := _REDUCTION.search(name)) else otherwise
        for name in text_of(block, "file")
    ]
    words = block.ragged(_PARAMFLAG.name)
    matrix = words.matrix(int(words.lengths.max(initial=1)))
    paramflags = {}
    for place, parameter in enumerate(PARAMETERS):
        told = matrix[:, place] if place < matrix.shape[1] else np.full(len(block), np.nan)
        none = np.isnan(told)
        bits = np.where(none, 0, told).astype(np.int64)
        paramflags[f"paramflag_{parameter}"] = (bits & 0xFFFFFFFF, none)
    return {
        "survey_id": (np.array(survey_id, object), nobody), "survey_release": release_column(releases), **unsigned(block, _FLAGS), **paramflags,
    }  # fmt: skip


APOGEE_ROWS = described_product(
    "apogee", APOGEE, recognises,
    required=("apogee_id", "ra", "dec", "aspcapflag", "starflag", "teff", "logg"),
    nulls=nulls_of(APOGEE, gaiaedr3_source_id=(0.0,), gaia_source_id=(0.0,), **dict.fromkeys(_MAGNITUDES, _BAD_MAGNITUDE)),
    made=("survey_id", "survey_release", *(f"paramflag_{parameter}" for parameter in PARAMETERS)),
    more_fields=(_PARAMFLAG,),
    rules=Rules(make=_make),
)  # fmt: skip
