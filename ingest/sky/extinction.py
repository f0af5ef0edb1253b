"""Interstellar extinction against wavelength: the mean Milky Way curve of Gordon et al. (2023) and its dependence on R(V).

Gordon, Clayton, Decleir, Fitzpatrick, Massa, Misselt, Tollerud 2023, ApJ 950, 86: A(lambda)/A(V) = a(x) + b(x) (1/R(V) - 1/3.1) with
x = 1/lambda in 1/um, equations 4 to 9 and table 1, divided by 0.9854, the normalisation that the authors give afterwards for the offset
between ground-based photometry and STIS spectra. Written here for 0.3 to 10 um, from the ultraviolet tail that Gaia's bluest pixels see
to the blue side of the silicate feature; the term of the feature at 20 um and the far-ultraviolet curvature vanish there.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ingest.sky.fitted import stellar_flux_fit
from ingest.sky.wavelengths import NIR_BANDS, XP_GRID

MEAN_RV = 3.1
#: Between these values of R(V) the relation was measured.
RV_RANGE = (2.3, 5.6)
_NORMALISATION = 0.9854

# Polynomial in x, then the amplitudes of the three intermediate-scale features at these x with these widths.
_OPTICAL_A = ((-0.35848, 0.7122, 0.08746, -0.05403, 0.00674), (0.03893, 0.02965, 0.01747))
_OPTICAL_B = ((0.12354, -2.68335, 2.01901, -0.39299, 0.03355), (0.18453, 0.19728, 0.1713))
_FEATURES = ((2.288, 0.243), (2.054, 0.179), (1.587, 0.243))
# C1, C2, C3 of Fitzpatrick & Massa (1990); the bump lies at 4.6 1/um and is 0.99 1/um wide.
_ULTRAVIOLET_A = (0.81297, 0.2775, 1.06295)
_ULTRAVIOLET_B = (-2.97868, 1.89808, 3.10334)
_BUMP = (4.60, 0.99)
# Two power laws that change over at a wavelength, and the silicate features (amplitude, centre, width in um, asymmetry).
_INFRARED_SCALE, _INFRARED_SLOPES, _CHANGE, _CHANGE_WIDTH = 0.38526, (1.68467, 0.78791), 4.30578, 4.78338
_SILICATES = ((0.06652, 9.8434, 2.21205, -0.24703), (0.0267, 19.58294, 17.0, -0.27))
_INFRARED_B = (-1.01251, 1.06099)


@dataclass(frozen=True)
class ExtinctionCurve:
    """A(lambda)/A(V) on XP_GRID and at the infrared bands; a leading axis where R(V) was an array."""

    xp: Float[np.ndarray, "*n 790"]
    bands: dict[str, Float[np.ndarray, "*n"]]


def _smooth_step(wavelength: Float[np.ndarray, " w"], low: float, high: float) -> Float[np.ndarray, " w"]:
    t = np.clip((wavelength - low) / (high - low), 0.0, 1.0)
    return t * t * (3 - 2 * t)


def _optical(x: Float[np.ndarray, " w"], polynomial: tuple[float, ...], amplitudes: tuple[float, ...]) -> Float[np.ndarray, " w"]:
    value = np.polynomial.polynomial.polyval(x, polynomial)
    for amplitude, (centre, width) in zip(amplitudes, _FEATURES, strict=True):
        value = value + amplitude * (width / centre) ** 2 / ((x / centre - centre / x) ** 2 + (width / centre) ** 2)
    return value


def _ultraviolet(x: Float[np.ndarray, " w"], coefficients: tuple[float, float, float]) -> Float[np.ndarray, " w"]:
    centre, width = _BUMP
    bump = x**2 / ((x**2 - centre**2) ** 2 + (x * width) ** 2)
    return coefficients[0] + coefficients[1] * x + coefficients[2] * bump


def _infrared_a(um: Float[np.ndarray, " w"]) -> Float[np.ndarray, " w"]:
    near, mid = _INFRARED_SLOPES
    change = _smooth_step(um, _CHANGE - _CHANGE_WIDTH / 2, _CHANGE + _CHANGE_WIDTH / 2)
    value = _INFRARED_SCALE * ((1 - change) * um**-near + change * _CHANGE ** (mid - near) * um**-mid)
    for amplitude, centre, width, asymmetry in _SILICATES:
        relative = 2 * width / (1 + np.exp(asymmetry * (um - centre))) / centre
        value = value + amplitude * relative**2 / ((um / centre - centre / um) ** 2 + relative**2)
    return value


def mean_and_slope(wavelength: Float[np.ndarray, " w"]) -> tuple[Float[np.ndarray, " w"], Float[np.ndarray, " w"]]:
    """a and b of A(lambda)/A(V) = a + b (1/R(V) - 1/3.1) at wavelengths of 300 to 10,000 nm."""
    um = np.asarray(wavelength, float) / 1000
    if np.any((um < 0.3) | (um > 10.0)):
        raise ValueError(f"the extinction curve is written for 300 to 10000 nm, asked for {um.min() * 1000:g} to {um.max() * 1000:g} nm")
    x = 1 / um
    to_optical, to_infrared = _smooth_step(um, 0.30, 0.33), _smooth_step(um, 0.9, 1.1)
    ultraviolet = (_ultraviolet(x, _ULTRAVIOLET_A), _ultraviolet(x, _ULTRAVIOLET_B))
    optical = (_optical(x, *_OPTICAL_A), _optical(x, *_OPTICAL_B))
    infrared = (_infrared_a(um), _INFRARED_B[0] * um ** -_INFRARED_B[1])
    blend = [
        ((1 - to_optical) * u + to_optical * o) * (1 - to_infrared) + to_infrared * i
        for u, o, i in zip(ultraviolet, optical, infrared, strict=True)
    ]
    return blend[0] / _NORMALISATION, blend[1] / _NORMALISATION


def extinction_curve(rv: float | Float[np.ndarray, " n"] = MEAN_RV) -> ExtinctionCurve:
    """k = A(lambda)/A(V) for one R(V) or for each of an array.

    A star of reddening E is dimmed by A(lambda) = R(V) E k magnitudes. The infrared bands are taken at the wavelength where k equals its
    photon-weighted mean over the band for a star of 5000 K. Raises ValueError for R(V) outside 2.3 to 5.6.
    """
    ratio = np.asarray(rv, float)
    if np.any((ratio < RV_RANGE[0]) | (ratio > RV_RANGE[1])):
        raise ValueError(f"R(V) from {ratio.min():g} to {ratio.max():g}: the extinction curve is measured from 2.3 to 5.6")
    change = 1 / ratio - 1 / MEAN_RV
    a, b = mean_and_slope(XP_GRID)
    a_band, b_band = mean_and_slope(stellar_flux_fit().band_wavelengths)
    bands = {name: a_band[i] + b_band[i] * change for i, name in enumerate(NIR_BANDS)}
    return ExtinctionCurve(xp=a + b * change[..., None], bands=bands)
