"""Flux at the surface of a simulated star: smooth functions fitted to the Kurucz (1993) grid, times the features of single elements.

    ln F = ln pi B(T)  +  S(ln T, log g)  +  law(m) C(ln T, log g)  +  elements(labels)

S is ln(flux / black body) at solar metallicity and C its change to [M/H] = -0.5, each a sum of tensor splines fitted to the grid's nodes
(fitting/stellar_flux.py; the fit's errors stand in fitted/stellar_flux.npz and are printed by the fitting script). Two metallicities
cannot say how blanketing goes on below -0.5: the law assumes that the opacity of lines grows as Z^0.35 and saturates, which gives 1.67
times the change to -0.5 at -1, 2.4 times at -2 and -0.82 times at +0.3. The metallicity that counts is m = [Fe/H] + 0.25 [alpha/M], because alpha elements
make part of the blanketing. Below 4000 K the grid itself is weak (titanium oxide), and it ends at 3500 K.
"""

import numpy as np
from jaxtyping import Float

from catalog.errors import DataError
from ingest.sky.elements import ALPHA_GAIN, element_ln_factor
from ingest.sky.fitted import stellar_flux_fit
from ingest.sky.labels import StellarLabels
from ingest.sky.tensor_spline import tensor_basis, weighted_sum
from ingest.sky.wavelengths import NIR_BANDS, XP_GRID, ln_black_body

#: Effective temperatures and gravities of the grid; a gravity beyond its end counts as that at the end.
TEFF_RANGE = (3500.0, 12000.0)
LOGG_RANGE = (0.0, 5.0)
_BLANKETING_POWER = 0.35  # line opacity ~ Z^0.35; assumed
_ALPHA_IN_BLANKETING = 0.25


def _spline_basis(labels: StellarLabels) -> Float[np.ndarray, "n m"]:
    outside = ~((labels.teff >= TEFF_RANGE[0]) & (labels.teff <= TEFF_RANGE[1]) & np.isfinite(labels.logg))
    if outside.any():
        first = int(np.argmax(outside))
        raise DataError(
            f"{outside.sum()} of {len(outside)} stars lie outside the grid of stellar fluxes, {TEFF_RANGE[0]:g} to {TEFF_RANGE[1]:g} K: "
            f"the first is number {first} with teff {labels.teff[first]:g} K and logg {labels.logg[first]:g}. "
            "Draw them with a recipe of their own."
        )
    fit = stellar_flux_fit()
    return tensor_basis(np.log(labels.teff), labels.logg, fit.ln_teff_knots, fit.logg_knots)


def blanketing(labels: StellarLabels) -> Float[np.ndarray, " n"]:
    """How many times the change from solar metallicity to -0.5 a star has: 0 at solar, 1 at -0.5, rising ever slower below."""
    metallicity = labels.feh + _ALPHA_IN_BLANKETING * labels.alpha_m
    return (1 - 10 ** (_BLANKETING_POWER * metallicity)) / (1 - 10 ** (-0.5 * _BLANKETING_POWER))


def surface_flux(labels: StellarLabels, *, alpha_gain: float = ALPHA_GAIN) -> Float[np.ndarray, "n 790"]:
    """Flux through the surface on XP_GRID, W m-2 nm-1; at Earth it is (radius / distance)^2 of it.

    DataError for stars outside 3500 to 12000 K.
    """
    fit = stellar_flux_fit()
    basis = _spline_basis(labels)
    solar = weighted_sum(basis, fit.solar_weights)
    change = weighted_sum(basis, fit.change_weights) * blanketing(labels)[:, None]
    ln_flux = ln_black_body(XP_GRID, labels.teff)
    ln_flux += weighted_sum(np.hstack([solar, change]), np.vstack([fit.solar_components, fit.change_components]))
    ln_flux += element_ln_factor(labels, alpha_gain)
    return np.exp(ln_flux, out=ln_flux)


def surface_band_flux(labels: StellarLabels) -> dict[str, Float[np.ndarray, " n"]]:
    """Photon-weighted mean flux through the surface in each of NIR_BANDS, W m-2 nm-1.

    The element features all lie in the optical: here alpha acts through the blanketing alone, carbon and nitrogen not at all, so the
    gain of the alpha features has no part in it. DataError for stars outside 3500 to 12000 K.
    """
    fit = stellar_flux_fit()
    basis = _spline_basis(labels)
    ln_flux = ln_black_body(fit.band_wavelengths, labels.teff)
    ln_flux += weighted_sum(basis, fit.band_weights[0])
    ln_flux += weighted_sum(basis, fit.band_weights[1]) * blanketing(labels)[:, None]
    return {name: np.exp(ln_flux[:, i]) for i, name in enumerate(NIR_BANDS)}


def band_magnitudes(band_flux: dict[str, Float[np.ndarray, " n"]]) -> dict[str, Float[np.ndarray, " n"]]:
    """Vega magnitudes of mean fluxes at Earth in W m-2 nm-1, for the bands of NIR_BANDS.

    Zero points: Cohen, Wheaton & Megeath 2003, AJ 126, 1090 (2MASS); Jarrett et al. 2011, ApJ 735, 112 (WISE).
    """
    zero_points = dict(zip(NIR_BANDS, stellar_flux_fit().vega_flux, strict=True))
    return {name: -2.5 * np.log10(flux / zero_points[name]) for name, flux in band_flux.items()}
