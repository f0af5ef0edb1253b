"""The fitted numbers of the simulated sky and how they are read; ingest/sky/fitting makes them.

    stellar_flux.npz    surface fluxes fitted to the Kurucz (1993) grid
    isochrones.npz      tracks fitted to an excerpt of the PARSEC isochrones
    xp_forward.npz      correction of the operator from spectrum to XP coefficients, read by ingest/sky/xp_forward.py
    xp_noise.npz        errors and correlations of XP coefficients, read by ingest/sky/xp_noise.py

Each file carries two sentences beside its numbers: `origin`, what it was fitted to, and `errors`, how well it does.
"""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import Float

FOLDER = Path(__file__).parent
Fit = TypeVar("Fit")


@dataclass(frozen=True)
class StellarFluxFit:
    """ln(flux / black body) as two sums over splines in (ln teff, logg), at solar metallicity and its change to [M/H] = -0.5."""

    ln_teff_knots: Float[np.ndarray, " k"]
    logg_knots: Float[np.ndarray, " l"]
    solar_weights: Float[np.ndarray, "m p"]
    """Splines to components of the spectrum at [M/H] = 0."""
    solar_components: Float[np.ndarray, "p 790"]
    change_weights: Float[np.ndarray, "m q"]
    """The same for ln flux at -0.5 minus ln flux at 0."""
    change_components: Float[np.ndarray, "q 790"]
    band_weights: Float[np.ndarray, "2 m 5"]
    """Splines to ln(mean flux / black body at the band's wavelength): at solar metallicity, and the change to -0.5."""
    band_wavelengths: Float[np.ndarray, " 5"]
    """nm; where the extinction curve equals its photon-weighted mean over the band for a black body of 5000 K."""
    vega_flux: Float[np.ndarray, " 5"]
    """Mean flux of a star of magnitude zero in each band, W m-2 nm-1."""
    origin: str
    errors: str


@dataclass(frozen=True)
class IsochroneFit:
    """Quantities along isochrones as one sum over splines in (log age, [M/H]); the columns are quantity by step."""

    log_age_knots: Float[np.ndarray, " k"]
    mh_knots: Float[np.ndarray, " l"]
    weights: Float[np.ndarray, "m p"]
    components: Float[np.ndarray, "p quantities steps"]
    mean: Float[np.ndarray, "quantities steps"]
    phase_starts: Float[np.ndarray, " 5"]
    """The step at which each phase begins."""
    origin: str
    errors: str


def _read(kind: type[Fit], path: Path) -> Fit:
    with np.load(path) as numbers:
        fields = {name: str(numbers[name]) if numbers[name].dtype.kind == "U" else numbers[name].astype(float) for name in numbers.files}
    for value in fields.values():
        if isinstance(value, np.ndarray):
            value.setflags(write=False)
    return kind(**fields)


@functools.cache
def stellar_flux_fit() -> StellarFluxFit:
    """The numbers of stellar_flux.npz, read once."""
    return _read(StellarFluxFit, FOLDER / "stellar_flux.npz")


@functools.cache
def isochrone_fit() -> IsochroneFit:
    """The numbers of isochrones.npz, read once."""
    return _read(IsochroneFit, FOLDER / "isochrones.npz")
