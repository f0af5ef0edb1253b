"""Errors of the catalogues beside the spectra: parallax, G, BP, RP, 2MASS and unWISE, as functions of magnitude, and draws of them.

All are medians: a real error also depends on crowding and on the number of observations. Where each formula comes from and how near it is
to real rows stands at it. Noise is drawn in flux, so that faint stars scatter as they do in a catalogue.
"""

import numpy as np
from jaxtyping import Float, Shaped

from ingest.sky.wavelengths import NIR_BANDS
from ingest.sky.xp_forward import PHOTOMETRIC_BANDS, Release
from ingest.sky.xp_noise import MISSION_MONTHS

PARALLAX_ZERO_POINT = -0.03
"""mas: what a catalogue parallax is too small by, left in as in Gaia DR3 (Lindegren et al. 2021, A&A 649, A4: -0.02 to -0.04)."""
GAIA_ZERO_POINTS = dict(zip(PHOTOMETRIC_BANDS, (25.6873668671, 25.3385422158, 24.7478955012), strict=True))
"""Magnitude of 1 e-/s in G, BP and RP (Gaia DR3, Vega)."""

_MAGNITUDE = 2.5 / np.log(10.0)

# (error at the bright end, magnitude where the rest is 0.109 mag, i.e. S/N = 10, slope of its logarithm). Gaia: the flux errors of Gaia DR3,
# zero point apart, fitted by eye to one complete row of gaia_source (G 14.18, BP 14.98, RP 13.31: 0.23, 0.98, 0.52 mmag) and to the growth in
# 10,000 stars of Green et al. (2020); calibration noise below 1 mmag after Riello et al. (2021), A&A 649, A3.
_GAIA = {"G": (0.0002, 24.3, 0.30), "BP": (0.0006, 21.4, 0.33), "RP": (0.00045, 21.0, 0.33)}
# 2MASS: medians of 24,440 stars of Castro-Ginard et al.'s clusters, within 15 % of each half magnitude from 9 to 16. unWISE: depth of Schlafly,
# Meisner & Green (2019), ApJS 240, 30 (5 sigma at W1 18.0, W2 16.7, Vega); its calibration floor is assumed.
_INFRARED = {
    "J": (0.0235, 16.35, 0.30),
    "H": (0.0250, 15.42, 0.30),
    "Ks": (0.0225, 14.75, 0.30),
    "W1": (0.016, 17.2, 0.40),
    "W2": (0.016, 16.0, 0.40),
}
_SIGNAL_OF_10 = 0.109


def parallax_error(g: Float[np.ndarray, " n"], release: Release = "dr3") -> Float[np.ndarray, " n"]:
    """Standard error of the parallax [mas] at a G magnitude.

    sqrt(40 + 800 z + 30 z^2) uas with z = 10^(0.4 (max(G, 13) - 15)): ESA's performance formula for DR3 (0.021 mas at G = 14.18, where a
    real row has 0.020). Later releases are better by the root of the length of their observations.
    """
    z = 10.0 ** (0.4 * (np.maximum(g, 13.0) - 15.0))
    return 1e-3 * np.sqrt(40.0 + 800.0 * z + 30.0 * z**2) * np.sqrt(MISSION_MONTHS["dr3"] / MISSION_MONTHS[release])


def proper_motion_errors(g: Float[np.ndarray, " n"], release: Release = "dr3") -> Float[np.ndarray, "n 2"]:
    """Standard errors of pmra (with cos dec) and pmdec [mas/yr]: 1.03 and 0.89 of the parallax error in DR3 (ESA's performance page).

    They shrink with the length of the observations to the power 3/2.
    """
    longer = MISSION_MONTHS[release] / MISSION_MONTHS["dr3"]
    return parallax_error(g, release)[:, None] * np.array([1.03, 0.89]) / longer


def gaia_magnitude_errors(magnitudes: Float[np.ndarray, "n 3"], release: Release = "dr3") -> Float[np.ndarray, "n 3"]:
    """Errors [mag] of G, BP, RP from their flux errors, without the zero points' own: 2.5 / ln 10 / phot_*_mean_flux_over_error."""
    fewer = np.sqrt(MISSION_MONTHS["dr3"] / MISSION_MONTHS[release])
    return np.column_stack([_error(magnitudes[:, i], _GAIA[band]) for i, band in enumerate(PHOTOMETRIC_BANDS)]) * fewer


def infrared_magnitude_errors(magnitudes: Float[np.ndarray, "n 5"]) -> Float[np.ndarray, "n 5"]:
    """Errors [mag] of J, H, Ks (2MASS) and W1, W2 (unWISE), Vega."""
    return np.column_stack([_error(magnitudes[:, i], _INFRARED[band]) for i, band in enumerate(NIR_BANDS)])


def measured_parallax(
    parallax: Float[np.ndarray, " n"],
    g: Float[np.ndarray, " n"],
    noise: Float[np.ndarray, " n"],
    *,
    release: Release = "dr3",
    inflate: float = 1.0,
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Catalogue parallaxes, zero point left in, and their errors [mas], from true parallaxes and G.

    ``noise`` are standard normal numbers, given because Gaia's rows and the surveys' must carry the same; ``inflate``: true noise over reported.
    """
    error = parallax_error(g, release)
    return parallax + PARALLAX_ZERO_POINT + inflate * error * noise, error


def measured_magnitudes(
    magnitudes: Float[np.ndarray, "n bands"], errors: Float[np.ndarray, "n bands"], rng: np.random.Generator, *, inflate: float = 1.0
) -> Float[np.ndarray, "n bands"]:
    """Magnitudes with noise drawn in flux; NaN where no flux is left. ``inflate``: true noise over reported."""
    flux = 1.0 + inflate * errors / _MAGNITUDE * rng.standard_normal(errors.shape)
    return magnitudes - 2.5 * np.log10(np.where(flux > 0, flux, np.nan))


def tmass_quality(error: Float[np.ndarray, "..."]) -> Shaped[np.ndarray, "..."]:
    """2MASS's letter for a magnitude's error: A from S/N 10, B from 7, C from 5, D below (2MASS All-Sky Release, section 2.2a)."""
    return np.select([error <= _SIGNAL_OF_10, error <= 0.155, error <= 0.217], ["A", "B", "C"], "D")


def _error(magnitude: Float[np.ndarray, " n"], numbers: tuple[float, float, float]) -> Float[np.ndarray, " n"]:
    floor, at_ten, slope = numbers
    return np.hypot(floor, _SIGNAL_OF_10 * 10.0 ** (slope * (magnitude - at_ten)))
