"""Fluxes in J, H, Ks, W1 and W2 from magnitudes, where the photometry is good and no neighbour blends with the star.

Zhang, Green & Rix 2023, sections 2.3 and 2.4 (Eq. 5, crowding); the remaining cuts are those of their released code, which the paper leaves
out. A band that fails any of them is missing: its variance is infinite.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from catalog.stars import TWO_MASS_BANDS, UNWISE_BANDS, StarBatch
from models.forward.bands import FLUX_UNIT, NIR_AB_OFFSETS, NIR_WAVELENGTHS

LARGEST_MAGNITUDE_ERROR = 0.2
"""2MASS, mag; unWISE's relative flux errors have the same limit."""
LARGEST_SEPARATION = 0.25
"""Of the unWISE object, arcsec."""
SMALLEST_FRACTION = 0.8
"""Of unWISE's fracflux (share of the flux within the PSF that is the object's own) and qf (share of good pixels)."""
UNWISE_ZERO_POINT = 22.5
"""Vega magnitude of unWISE's unit of flux."""
MAGNITUDE = np.log(10) / 2.5
"""Relative flux error of an error of 1 mag."""
_AB_ZERO_POINT = 3631e-26 * 299792458.0
"""3631 Jy times the speed of light, W m-1."""


def flux_of_magnitude(magnitude: Float64[np.ndarray, "n 5"]) -> Float64[np.ndarray, "n 5"]:
    """Fluxes in 1e-18 W m-2 nm-1 of Vega magnitudes in J, H, Ks, W1, W2 (Eq. 5)."""
    with np.errstate(over="ignore"):
        per_metre = _AB_ZERO_POINT / (NIR_WAVELENGTHS * 1e-9) ** 2 * 10 ** (-0.4 * (magnitude + NIR_AB_OFFSETS))
    return per_metre * 1e-9 / FLUX_UNIT


def magnitude_of_flux(flux: Float64[np.ndarray, "n 5"]) -> Float64[np.ndarray, "n 5"]:
    """The inverse of :func:`flux_of_magnitude`."""
    return -2.5 * np.log10(flux * FLUX_UNIT * 1e9 / _AB_ZERO_POINT * (NIR_WAVELENGTHS * 1e-9) ** 2) - NIR_AB_OFFSETS


def nir_fluxes(stars: StarBatch, settings: Mapping[str, Any]) -> tuple[Float64[np.ndarray, "n 5"], Float64[np.ndarray, "n 5"]]:
    """Fluxes and their errors in 1e-18 W m-2 nm-1; 0 with an infinite error where a band is missing."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        magnitude, relative_error = _two_mass(stars)
        unwise_magnitude, unwise_error = _unwise(stars)
        flux = flux_of_magnitude(np.concatenate([magnitude, unwise_magnitude], axis=1))
        error = flux * np.concatenate([relative_error, unwise_error], axis=1)
        crowded = np.repeat(
            [stars["norm_dg"] > float(settings["two_mass_norm_dg"]), stars["norm_dg"] > float(settings["unwise_norm_dg"])],
            [len(TWO_MASS_BANDS), len(UNWISE_BANDS)], axis=0,
        ).T  # fmt: skip
        good = _good(stars) & ~crowded & np.isfinite(flux) & (flux > 0) & np.isfinite(error) & (error > 0)
    return np.where(good, flux, 0.0), np.where(good, error, np.inf)


def _columns(stars: StarBatch, bands: tuple[str, ...], name: str) -> Float64[np.ndarray, "n bands"]:
    return np.stack([stars[f"{band}_{name}"] for band in bands], axis=1)


def _two_mass(stars: StarBatch) -> tuple[Float64[np.ndarray, "n 3"], Float64[np.ndarray, "n 3"]]:
    """Magnitudes and relative flux errors."""
    return _columns(stars, TWO_MASS_BANDS, "m"), _columns(stars, TWO_MASS_BANDS, "msigcom") * MAGNITUDE


def _unwise(stars: StarBatch) -> tuple[Float64[np.ndarray, "n 2"], Float64[np.ndarray, "n 2"]]:
    """Magnitudes and relative flux errors."""
    flux = _columns(stars, UNWISE_BANDS, "flux")
    return UNWISE_ZERO_POINT - 2.5 * np.log10(np.where(flux > 0, flux, np.nan)), _columns(stars, UNWISE_BANDS, "dflux") / flux


def _good(stars: StarBatch) -> Bool[np.ndarray, "n 5"]:
    """Which bands pass the cuts on their own quality; a missing number passes none of them."""
    two_mass = (
        (_columns(stars, TWO_MASS_BANDS, "quality_a") == 1)
        & (_columns(stars, TWO_MASS_BANDS, "msigcom") < LARGEST_MAGNITUDE_ERROR)
        & ~(stars["two_mass_extended"] == 1)[:, None]
    )
    unwise = (
        (_columns(stars, UNWISE_BANDS, "dflux") < LARGEST_MAGNITUDE_ERROR * _columns(stars, UNWISE_BANDS, "flux"))
        & (_columns(stars, UNWISE_BANDS, "qf") > SMALLEST_FRACTION)
        & (_columns(stars, UNWISE_BANDS, "fracflux") > SMALLEST_FRACTION)
        & (stars["unwise_separation"] < LARGEST_SEPARATION)[:, None]
    )
    return np.concatenate([two_mass, unwise], axis=1)
