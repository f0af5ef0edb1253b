"""astrophysical_parameters: what Gaia's own pipelines found, the archive's table of that name, whole or in part (Gaia DR3 data model).

Its columns are named after the pipelines that made them; those that comparisons need are kept. gaia_source repeats some: a header
with positions is gaia_source.
"""

from collections.abc import Collection

from catalog.schema.astrophysical_parameters import ASTROPHYSICAL_PARAMETERS
from ingest.described_product import described_product
from ingest.products.gaia_source import ARCHIVE_COLUMNS, REQUIRED

_PIPELINES = ("gspphot", "gspspec", "dsc", "esphs", "espels", "espcs", "espucd", "flame", "msc", "oa", "tge", "qsoc", "ugc")
_KEPT = frozenset(
    column.name for column in ASTROPHYSICAL_PARAMETERS.without("release_id", "source_id", "solution_id", "file_id", "row_number")
)


def recognises(names: Collection[str]) -> bool:
    """Whether a header is one of astrophysical parameters: no positions, one column that is kept, and at least half of all the archive's."""
    known = [name for name in names if name in ARCHIVE_COLUMNS or not {*_PIPELINES}.isdisjoint(name.split("_"))]
    return not REQUIRED.issubset(names) and bool(_KEPT.intersection(names)) and 2 * len(known) >= len(names)


ASTROPHYSICAL_PARAMETERS_ROWS = described_product("astrophysical_parameters", ASTROPHYSICAL_PARAMETERS, recognises, required=("source_id",))
