"""rvs_mean: mean RVS spectra, the archive's table rvs_mean_spectrum (Gaia DR3 data model), a spectrum a row or a line for each wavelength.

A header is recognised by its flux and one of the counts that only this table has. Pixels without a number are kept as NaN and counted.
"""

from collections.abc import Collection

from catalog.schema.rvs_spectrum import RVS_PIXELS, RVS_SPECTRUM
from ingest.described_product import described_product
from ingest.spectrum_lines import POSITION, WAVELENGTH, Grid, on_grid, rules_of

GRID = Grid(846.0, 0.01, RVS_PIXELS)
COUNTS = frozenset({"combined_transits", "combined_ccds", "deblended_ccds"})


def recognises(names: Collection[str]) -> bool:
    """Whether a header is one of RVS spectra."""
    return "flux" in names and bool(COUNTS.intersection(names))


RVS_MEAN = on_grid(
    described_product(
        "rvs_mean", RVS_SPECTRUM, recognises, required=("source_id", "flux"), made=("n_bad",), more_fields=(*POSITION, WAVELENGTH),
        rules=rules_of(RVS_SPECTRUM),
    ),
    GRID,
)  # fmt: skip
