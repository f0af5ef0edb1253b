"""xp_sampled: sampled XP mean spectra, the archive's table xp_sampled_mean_spectrum (Gaia DR3 data model), a spectrum a row or a line for each
wavelength.

A header is recognised by flux and flux_error together with wavelength, or with the archive's solution_id: spectra that GaiaXPy sampled have
only source_id beside them, and any grid. Files with other names for the fluxes, such as the FLUX and STATERROR of CALSPEC, are no product: they
state no unit, and erg s-1 cm-2 and W m-2 are a thousand apart.
"""

from collections.abc import Collection

from catalog.schema.xp_sampled_spectrum import XP_SAMPLED_SPECTRUM, XP_SAMPLES
from ingest.described_product import described_product
from ingest.products.rvs_mean import COUNTS
from ingest.spectrum_lines import POSITION, WAVELENGTH, Grid, on_grid, rules_of

GRID = Grid(336.0, 2.0, XP_SAMPLES)


def recognises(names: Collection[str]) -> bool:
    """Whether a header is one of sampled XP spectra."""
    archive = "wavelength" in names or {"source_id", "solution_id"}.issubset(names)
    return {"flux", "flux_error"}.issubset(names) and archive and not COUNTS.intersection(names)


XP_SAMPLED = on_grid(
    described_product(
        "xp_sampled", XP_SAMPLED_SPECTRUM, recognises, required=("source_id", "flux"), made=("n_bad",), more_fields=(*POSITION, WAVELENGTH),
        rules=rules_of(XP_SAMPLED_SPECTRUM),
    ),
    GRID,
)  # fmt: skip
