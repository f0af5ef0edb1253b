"""Stars in batches, as models with photometry and parallaxes read them: XP spectra with what the other tables say of each source."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from catalog.errors import DataError
from catalog.spectra import SpectrumBatch

TWO_MASS_BANDS = ("j", "h", "ks")
UNWISE_BANDS = ("w1", "w2")
GAIA_COLUMNS = (
    *("parallax", "parallax_error", "astrometric_params_solved", "nu_eff_used_in_astrometry", "pseudocolour", "ecl_lat", "ruwe"),
    *(f"phot_{band}_mean_mag" for band in ("g", "bp", "rp")),
    *(f"phot_{band}_mean_flux_over_error" for band in ("g", "bp", "rp")),
    "phot_bp_rp_excess_factor",
)
"""Of gaia_source, under its own names and in its own units; null throughout for a source without a row there."""
XP_COLUMNS = tuple(f"{band}_{name}" for band in ("bp", "rp") for name in ("standard_deviation", "chi_squared", "degrees_of_freedom"))
FIDELITY_COLUMNS = ("fidelity_v2", "norm_dg")
TWO_MASS_COLUMNS = (
    *(f"{band}_{name}" for band in TWO_MASS_BANDS for name in ("m", "msigcom")),
    *(f"{band}_quality_a" for band in TWO_MASS_BANDS),
    "two_mass_extended",
)
"""Of two_mass_photometry; ``*_quality_a`` is 1 where the band's letter of ph_qual is A, ``two_mass_extended`` 1 where ext_key is not null."""
UNWISE_COLUMNS = (
    *(f"{band}_{name}" for band in UNWISE_BANDS for name in ("flux", "dflux", "qf", "fracflux")),
    "unwise_separation",
)
"""Of the unWISE object that is the source's own by its link; ``unwise_separation`` in arcsec."""
STAR_COLUMNS = (*GAIA_COLUMNS, *XP_COLUMNS, *FIDELITY_COLUMNS, *TWO_MASS_COLUMNS, *UNWISE_COLUMNS)


@dataclass(frozen=True, eq=False)
class StarBatch:
    """n sources in the order of ``spectra``; ``columns`` has every one of STAR_COLUMNS, NaN where the catalogue has null or no row."""

    spectra: SpectrumBatch
    columns: Mapping[str, Float64[np.ndarray, " n"]]

    def __post_init__(self) -> None:
        for name in STAR_COLUMNS:
            if name not in self.columns or self.columns[name].shape != (len(self.spectra),):
                raise DataError(f"A batch of {len(self.spectra)} stars needs the column {name} with one number a star.")

    def __len__(self) -> int:
        return len(self.spectra)

    def __getitem__(self, name: str) -> Float64[np.ndarray, " n"]:
        return self.columns[name]

    def take(self, index: Any) -> "StarBatch":
        """Some of the stars: at an index array, a slice, or a boolean mask."""
        return StarBatch(self.spectra.take(index), {name: values[index] for name, values in self.columns.items()})
