"""The products in the order in which a header is tried against them. A new product is one file in products/ and one line here."""

from collections.abc import Mapping

from ingest.product import Product
from ingest.products.apogee import APOGEE_ROWS
from ingest.products.apogee_spectrum import APOGEE_SPECTRA
from ingest.products.astronn import ASTRONN_ROWS
from ingest.products.fidelity import FIDELITY_ROWS
from ingest.products.gaia_source import GAIA_SOURCE_ROWS
from ingest.products.galah import GALAH_ROWS
from ingest.products.hot_payne import HOT_PAYNE_ROWS
from ingest.products.lamost import LAMOST_ROWS
from ingest.products.reddening import REDDENING_ROWS
from ingest.products.reference_label import REFERENCE_LABELS
from ingest.products.two_mass import TWO_MASS_PRODUCTS
from ingest.products.unwise import UNWISE_PRODUCTS
from ingest.products.xp_continuous import XP_CONTINUOUS

PRODUCTS: tuple[Product, ...] = (
    XP_CONTINUOUS, FIDELITY_ROWS, APOGEE_ROWS, APOGEE_SPECTRA, ASTRONN_ROWS, LAMOST_ROWS, HOT_PAYNE_ROWS, GALAH_ROWS,
    *TWO_MASS_PRODUCTS, *UNWISE_PRODUCTS, REDDENING_ROWS, GAIA_SOURCE_ROWS, REFERENCE_LABELS,
)  # fmt: skip
"""Reference labels stand last: their header may be any that names stars and labels."""


def product_of(tables: list[Mapping[str, str]]) -> tuple[Product, list[int]] | None:
    """The product of a file by its tables' column names, and which of the tables hold it; None where no product fits.

    A file is of one product: that of its first table that has any.
    """
    found = [next((product for product in PRODUCTS if product.recognises(table)), None) for table in tables]
    for product in found:
        if product is not None:
            return product, [number for number, other in enumerate(found) if other is product]
    return None


def seen_in(tables: list[Mapping[str, str]]) -> str:
    """What the headers of a file without a product hold, in words."""
    if not tables:
        return "no table"
    names = list(tables[0])
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    return f"{'a table' if len(tables) == 1 else f'{len(tables)} tables, the first'} with the columns {shown[:300]}"
