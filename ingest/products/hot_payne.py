"""hot_payne: labels of hot stars by name of their LAMOST spectrum (Xiang et al. 2022); names with brackets, texts padded with blanks.

[assumed] the names of the labels beyond Teff, logg and [Fe/H]: each is tried in the spellings that follow.
"""

from collections.abc import Collection

import numpy as np

from catalog.schema.hot_payne import HOT_PAYNE
from ingest.described_product import Made, Rules, described_product
from ingest.file_table import FileTable
from ingest.product import FileContext
from ingest.products.survey_rows import nulls_of, release_column, release_of, text_of

_ELEMENTS = ("fe", "c", "n", "o", "si", "s")
_SPELLINGS = {
    "vsini": ("v_sini", "vrot", "v sini"), "vmic": ("v_mic", "vmicro"), "he": ("n_he", "nhe", "n(he)/n(h)", "he/h", "[he/h]"),
    **{f"{x}_h": (f"[{x}/h]", f"__{x}_h_", f"{x}h") for x in _ELEMENTS},
}  # fmt: skip
_SYNONYMS = {
    **_SPELLINGS,
    **{f"e_{name}": (*(f"e_{other}" for other in others), f"{name}_err") for name, others in _SPELLINGS.items()},
    "e_teff": ("teff_err",), "e_logg": ("logg_err",), "ra": ("radeg", "raj2000"), "dec": ("dedeg", "dej2000"), "snrg": ("snr_g", "snr"),
}  # fmt: skip


def recognises(names: Collection[str]) -> bool:
    """Whether a header is Hot Payne's: labels by the name of a LAMOST spectrum."""
    return {"specid", "teff"}.issubset(names) and "obsid" not in names


def _make(block: FileTable, file: FileContext) -> Made:
    names = text_of(block, "specid")
    return {
        "survey_id": (names, np.array([not name for name in names], bool)),
        "survey_release": release_column([release_of(file)] * len(block)),
    }


HOT_PAYNE_ROWS = described_product(
    "hot_payne", HOT_PAYNE, recognises,
    required=("specid", "teff", "logg", "fe_h"),
    synonyms=_SYNONYMS,
    nulls=nulls_of(HOT_PAYNE),
    made=("survey_id", "survey_release"),
    rules=Rules(make=_make),
)  # fmt: skip
