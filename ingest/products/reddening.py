"""reddening: mean and error of E for each source from a map of the dust, made by others; ingest.dust_maps makes them from a map itself."""

from collections.abc import Collection

import numpy as np

from catalog.schema.reddening import REDDENING
from ingest.described_product import Rules, described_product
from ingest.file_table import FileTable
from ingest.product import FileContext
from ingest.products.photometry_checks import check_errors
from ingest.row_checks import RowChecks

_MEAN = ("reddening_mean", "bayestar_mean", "bayestar19_mean", "e_mean", "ebv_mean", "ebv", "e_bv", "r_mean")
_ERROR = ("reddening_err", "reddening_std", "reddening_sigma", "bayestar_std", "bayestar_err", "bayestar19_std", "e_std", "e_err", "ebv_std",
          "ebv_err", "ebv_error", "e_ebv", "r_err")  # fmt: skip
_NOT_MEASURED = (-9999.0, -9999.99, -999.0, 99.0, 99.99, 99.999)
_LABELS = frozenset({"teff", "logg", "parallax", "j_m"})
"""Catalogues that carry a reddening among other things are not a product of it."""


def recognises(names: Collection[str]) -> bool:
    """Whether a header is one of reddenings: a source, a mean and its error, and no labels."""
    has_mean, has_error = (not set(known).isdisjoint(names) for known in (("reddening", *_MEAN), ("reddening_error", *_ERROR)))
    return "source_id" in names and has_mean and has_error and _LABELS.isdisjoint(names)


def _check(checks: RowChecks, table: FileTable, file: FileContext) -> None:
    """Mean and error are finite, an error is positive, and neither stands without the other."""
    check_errors(checks, table, {"reddening": False, "reddening_error": True})
    mean, error = ~table.null("reddening"), ~table.null("reddening_error")
    checks.reject(np.asarray(error & ~mean), "error_without_value", lambda row: "reddening_error without reddening")
    checks.reject(np.asarray(mean & ~error), "value_without_error", lambda row: "reddening without reddening_error")


REDDENING_ROWS = described_product(
    "reddening", REDDENING, recognises, required=("source_id", "reddening", "reddening_error"), rules=Rules(check=_check),
    synonyms={"reddening": _MEAN, "reddening_error": _ERROR, "reddening_map": ("map", "dust_map")},
    nulls={"reddening": _NOT_MEASURED, "reddening_error": _NOT_MEASURED},
)  # fmt: skip
