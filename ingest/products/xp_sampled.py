"""xp_sampled: sampled XP mean spectra, the archive's table xp_sampled_mean_spectrum (Gaia DR3 data model), a spectrum a row or a line for each
wavelength.

A header is recognised by flux and flux_error together with wavelength, or with the archive's solution_id: spectra that GaiaXPy sampled have
only source_id beside them, and any grid. A file that names its fluxes otherwise is not taken on trust: without a unit, erg s-1 cm-2 and
W m-2 are a thousand apart.
"""

from collections.abc import Collection

from catalog.errors import DataError
from catalog.schema.column import ColumnType
from catalog.schema.xp_sampled_spectrum import XP_SAMPLED_SPECTRUM, XP_SAMPLES
from ingest.described_product import Made, Rules, described_product
from ingest.file_table import Field, FileTable
from ingest.product import FileContext
from ingest.products.rvs_mean import COUNTS
from ingest.spectrum_lines import POSITION, WAVELENGTH, Grid, on_grid, rules_of

GRID = Grid(336.0, 2.0, XP_SAMPLES)
_OF_CALSPEC = Field("staterror", ColumnType.DOUBLE, is_array=True)
"""The error's name in the flux standards of CALSPEC (Bohlin et al. 2014, PASP 126, 711), and in Gaia spectra that imitate their files."""


def recognises(names: Collection[str]) -> bool:
    """Whether a header is one of sampled XP spectra."""
    if "flux" not in names or COUNTS.intersection(names):
        return False
    with_errors = "flux_error" in names and ("wavelength" in names or {"source_id", "solution_id"}.issubset(names))
    return with_errors or {"source_id", "wavelength", _OF_CALSPEC.name}.issubset(names)


def _make(block: FileTable, file: FileContext) -> Made:
    if _OF_CALSPEC.name in block:
        raise DataError(
            "its fluxes are under CALSPEC's names (FLUX, STATERROR) and carry no unit, so that nothing tells whether they are W m-2 nm-1; "
            "write them as flux and flux_error in W m-2 nm-1 and add the file again"
        )
    return _RULES.make(block, file)


_RULES = rules_of(XP_SAMPLED_SPECTRUM)

XP_SAMPLED = on_grid(
    described_product(
        "xp_sampled", XP_SAMPLED_SPECTRUM, recognises, required=("source_id", "flux"), made=("n_bad",),
        more_fields=(*POSITION, WAVELENGTH, _OF_CALSPEC), rules=Rules(_make, _RULES.check),
    ),
    GRID,
)  # fmt: skip
