"""Simulated spectra of Gaia's Radial Velocity Spectrometer: 2,401 pixels between 846 and 870 nm, continuum-normalised, at rest.

The calcium triplet, about 70 lines of other atoms, CN and the Paschen series from ``line_list``; a diffuse interstellar band; noise with
the correlation between pixels, the scatter of the error estimates and the missing pixels at the edges that real DR3 spectra have.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float64, Int64
from scipy import ndimage

from ingest.sky.labels import StellarLabels
from ingest.sky.line_formation import SPEED_OF_LIGHT, SpectralWindow
from ingest.sky.line_list import rvs_lines

Stars = Float64[np.ndarray, " n"]
Spectra = Float64[np.ndarray, "n 2401"]

RVS_WAVELENGTH = np.round(846.0 + 0.01 * np.arange(2401), 2)
"""Vacuum wavelength of the pixels, nm, as in Gaia DR3's rvs_mean_spectrum."""
RVS_RESOLUTION = 11_500
"""Cropper et al. 2018, A&A 616, A5."""
CALCIUM_TRIPLET = (850.035, 854.444, 866.452)
DEEPEST = 0.80

DIB_WAVELENGTH = 862.323
"""Vacuum wavelength of the diffuse interstellar band, nm: Gaia Collaboration, Schultheis et al. 2023, A&A 674, A40 (862.086 in air)."""
DIB_SIGMA = 0.16
"""Its standard deviation, nm, about what Schultheis et al. find."""
DIB_EQUIVALENT_WIDTH = 0.1 / 2.72
"""nm for each magnitude of E(B-V): Munari et al. 2008, A&A 488, 969, eq. 1, E(B-V) = 2.72 times the width in Angstrom."""

NOISE_CORRELATION_SIGMA = 1.06
"""Pixels. White noise smoothed with a Gaussian of this width has the correlation 0.8, 0.4, 0.13 of the first neighbours that the real
spectra have (the 0.01 nm pixels are resampled from detector pixels of 0.025 nm)."""


@cache
def rvs_window() -> SpectralWindow:
    """The window with its profiles, made once in a process."""
    sigma = 858.0 / RVS_RESOLUTION / np.sqrt(8 * np.log(2)) / 0.01
    return SpectralWindow(RVS_WAVELENGTH, rvs_lines(), float(sigma), DEEPEST)


def rvs_flux(
    labels: StellarLabels,
    *,
    ebv: Stars | None = None,
    rotation: Stars | None = None,
    velocity: Stars | None = None,
    cloud_velocity: Stars | None = None,
) -> Spectra:
    """Flux over the continuum without noise of n stars, dimensionless.

    ``ebv`` is the reddening E(B-V) in magnitudes, for the interstellar band; the cloud moves with ``cloud_velocity`` relative to the star.
    ``rotation`` is v sin i; ``velocity`` is what is left of the radial velocity when the frame was set wrongly. All velocities in km/s;
    None is zero. DataError for arrays of another length than the labels.
    """
    flux = rvs_window().flux(labels, rotation, velocity)
    if ebv is not None:
        shift = sum((v for v in (velocity, cloud_velocity) if v is not None), np.zeros(len(labels)))
        centre = DIB_WAVELENGTH * (1 + shift / SPEED_OF_LIGHT)
        profile = np.exp(-0.5 * ((RVS_WAVELENGTH - centre[:, None]) / DIB_SIGMA) ** 2) / (DIB_SIGMA * np.sqrt(2 * np.pi))
        flux *= 1 - DIB_EQUIVALENT_WIDTH * ebv[:, None] * profile
    return flux


def equivalent_width(flux: Spectra, centre: float, half_width: float) -> Stars:
    """Equivalent width in nm between ``centre`` minus and plus ``half_width`` (nm); missing pixels count as continuum."""
    inside = np.abs(RVS_WAVELENGTH - centre) <= half_width
    return np.asarray(np.nansum(1 - flux[:, inside], axis=1) * 0.01)


def rvs_signal_to_noise(g_rvs: Stars) -> Stars:
    """Signal-to-noise ratio of a pixel of the mean spectrum for the magnitude in the RVS band: photon noise, then background.

    About 120 at magnitude 8.5, at most 500; assumed, of the order of the published spectra.
    """
    faint = np.sqrt(1 + 10 ** (0.4 * (g_rvs - 11.5)))
    return np.asarray(np.minimum(120 * 10 ** (-0.2 * (g_rvs - 8.5)) / faint, 500.0))


def rvs_errors(flux: Spectra, signal_to_noise: Stars) -> Spectra:
    """True errors of pixels far from the edges: half of the continuum's variance is the star's photons, half the background's."""
    return np.asarray(np.sqrt(0.5 + 0.5 * np.maximum(flux, 0.0)) / signal_to_noise[:, None])


@dataclass(frozen=True, eq=False)
class ObservedRvs:
    """Spectra as the archive publishes them: NaN where a pixel is missing."""

    flux: Spectra
    error: Spectra


def rvs_noise(flux: Spectra, signal_to_noise: Stars, ccds: Int64[np.ndarray, " n"], rng: np.random.Generator) -> ObservedRvs:
    """Noisy spectra, their stated errors, and missing pixels.

    The noise is correlated between pixels (``noise_correlation``). The archive takes each pixel's error from the scatter of the ``ccds``
    single-CCD spectra that were combined, so the stated errors are the true ones times the root of a chi squared over its degrees of
    freedom, which gives the spread of the errors in the real spectra of 7 to 88 CCDs. Up to 18 pixels are missing, most
    at the red edge, in one star of six up to 6 at the blue edge; the last pixels before them are noisier.
    """
    n, pixels = flux.shape
    blue = np.where(rng.random(n) < 1 / 6, rng.integers(1, 7, n), 0)
    red = np.minimum(rng.geometric(1 / 7, n) - 1, 18 - blue)
    pixel = np.arange(pixels)
    from_edge = np.minimum(pixel - blue[:, None], pixels - 1 - red[:, None] - pixel)
    # The edges were seen in fewer of the single spectra.
    true = rvs_errors(flux, signal_to_noise) * (1 + np.exp(-np.maximum(from_edge, 0) / 2.0))
    noise = true * _smooth(rng.standard_normal((n, pixels)), NOISE_CORRELATION_SIGMA)
    # A chi squared of f degrees of freedom is close to f (1 - 2/9f + z sqrt(2/9f))^3 with a normal z (Wilson & Hilferty 1931).
    spread = 2 / (9 * np.maximum(ccds - 1, 2)[:, None])
    z = _smooth(rng.standard_normal((n, pixels)), NOISE_CORRELATION_SIGMA)
    cube_root = np.maximum(1 - spread + z * np.sqrt(spread), 0.2)
    stated = true * cube_root * np.sqrt(cube_root)
    missing = from_edge < 0
    return ObservedRvs(np.where(missing, np.nan, flux + noise), np.where(missing, np.nan, stated))


def noise_correlation(pixels: int = 2401) -> Float64[np.ndarray, " pixels"]:
    """Correlation of the noise of two pixels that lie 0, 1, 2, ... apart: the first row of the (Toeplitz) correlation matrix."""
    return np.asarray(np.exp(-0.25 * (np.arange(pixels) / NOISE_CORRELATION_SIGMA) ** 2))


def _smooth(white: Spectra, sigma: float) -> Spectra:
    """White noise made correlated, of unit variance still."""
    kernel = np.exp(-0.5 * (np.arange(-5, 6) / sigma) ** 2)
    return np.asarray(ndimage.convolve1d(white, kernel / np.sqrt((kernel**2).sum()), axis=1, mode="wrap"))
