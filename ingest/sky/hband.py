"""Simulated H-band spectra as APOGEE's combined ones: 8,575 pixels between 1.51 and 1.70 um, continuum-normalised, at rest, with masks.

The line list is our own: real wavelengths of Fe, Mg, Al, Si, K, Ca, Ti and others, of CO, CN and OH, with hand-set strengths. So these
spectra answer to the labels as real ones do in sign and about in size, but they are not APOGEE spectra and no model trained on them may be
applied to those.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Bool, Float64, Int64

from ingest.sky.labels import StellarLabels
from ingest.sky.line_formation import SPEED_OF_LIGHT, SpectralWindow
from ingest.sky.line_list import h_band_lines
from ingest.sky.molecular_lines import night_sky_lines

Stars = Float64[np.ndarray, " n"]
Spectra = Float64[np.ndarray, "n 8575"]
PixelMask = Int64[np.ndarray, "n 8575"]

FIRST_LOG_WAVELENGTH = 4.179
LOG_WAVELENGTH_STEP = 6e-6
"""log10 of the vacuum wavelength in Angstrom of the first pixel, and its step: CRVAL1 and CDELT1 of the apStar files."""
H_PIXELS = 8575
H_WAVELENGTH = 10.0 ** (FIRST_LOG_WAVELENGTH + LOG_WAVELENGTH_STEP * np.arange(H_PIXELS)) / 10
"""Vacuum wavelength of the pixels, nm."""
H_RESOLUTION = 22_500
"""Majewski et al. 2017, AJ 154, 94."""
CHIPS = ((246, 3274), (3585, 6080), (6344, 8335))
"""First pixel and the pixel after the last of the blue, green and red detector as used by the DR17 abundance pipeline: 7,514 in all."""
DEEPEST = 0.65
NO_DATA_ERROR = 1e10
"""Error of a pixel without data in the survey's files."""

# Bits of APOGEE_PIXMASK, DR17.
BADPIX, CRPIX, SATPIX, UNFIXABLE, BADDARK, BADFLAT, BADERR, NOSKY, LITTROW_GHOST = range(9)
PERSIST_HIGH, PERSIST_MED, PERSIST_LOW, SIG_SKYLINE, SIG_TELLURIC, NOT_ENOUGH_PSF = range(9, 15)
BAD_PIXEL = sum(1 << bit for bit in (*range(8), NOT_ENOUGH_PSF))
"""Bits after which the survey drops a pixel."""

FAINTEST_SKY_LINE = 0.05
SKY_HALF_WIDTH = 3
"""Pixels on either side of a line of the night sky that it spoils."""
TELLURIC_BANDS = ((1516.0, 1521.0), (1569.0, 1583.0), (1598.0, 1612.0), (1646.0, 1654.0), (1664.0, 1670.0))
"""nm where the lines of H2O, CO2 (two bands) and CH4 (two) crowd."""
LITTROW_PIXELS = (1330, 1420)
BAD_FRACTION = 0.002
COSMIC_RAY_FRACTION = 0.001


@cache
def h_band_window() -> SpectralWindow:
    """The window with its profiles, made once in a process."""
    sigma = 1 / (H_RESOLUTION * np.sqrt(8 * np.log(2)) * LOG_WAVELENGTH_STEP * np.log(10))
    return SpectralWindow(H_WAVELENGTH, h_band_lines(), float(sigma), DEEPEST, logarithmic=True)


def on_chip() -> Bool[np.ndarray, " 8575"]:
    """Which pixels a detector sees."""
    pixel = np.arange(H_PIXELS)
    return np.asarray(np.logical_or.reduce([(pixel >= first) & (pixel < last) for first, last in CHIPS]))


def hband_flux(labels: StellarLabels, *, rotation: Stars | None = None, velocity: Stars | None = None) -> Spectra:
    """Flux over the continuum without noise of n stars, dimensionless, also in the gaps between the detectors.

    ``rotation`` is v sin i and ``velocity`` a residual radial velocity, both in km/s, one a star; None is zero. DataError for arrays of
    another length than the labels.
    """
    return h_band_window().flux(labels, rotation, velocity)


def hband_signal_to_noise(h: Stars) -> Stars:
    """Signal-to-noise ratio of a clean pixel for the 2MASS H magnitude, 50 to 500.

    The survey aims at 100 at magnitude 12.2 (Majewski et al. 2017).
    """
    return np.asarray(np.clip(100 * 10 ** (-0.2 * (h - 12.2)), 50.0, 500.0))


@cache
def _sky_emission() -> Float64[np.ndarray, " 8575"]:
    """Brightness of the night sky's OH lines in each pixel relative to the brightest line, in the frame of the observatory."""
    emission = np.zeros(H_PIXELS)
    for wavelength, intensity in night_sky_lines(1510.0, 1701.0):
        if intensity >= FAINTEST_SKY_LINE:
            centre = (np.log10(10 * wavelength) - FIRST_LOG_WAVELENGTH) / LOG_WAVELENGTH_STEP
            near = np.abs(np.arange(H_PIXELS) - centre) <= SKY_HALF_WIDTH
            emission[near] = np.maximum(emission[near], intensity)
    return emission


@cache
def _telluric() -> Bool[np.ndarray, " 8575"]:
    """Pixels in bands of the Earth's atmosphere, in the frame of the observatory."""
    crowded = np.zeros(H_PIXELS, bool)
    for first, last in TELLURIC_BANDS:
        crowded[np.searchsorted(H_WAVELENGTH, first) : np.searchsorted(H_WAVELENGTH, last)] = True
    return crowded


@dataclass(frozen=True, eq=False)
class ObservedHBand:
    """Spectra as the survey publishes them: flux zero and error NO_DATA_ERROR where no detector is, and the APOGEE_PIXMASK bits."""

    flux: Spectra
    error: Spectra
    mask: PixelMask


def hband_noise(
    flux: Spectra,
    signal_to_noise: Stars,
    rng: np.random.Generator,
    *,
    radial_velocity: Stars | None = None,
    persistence: Bool[np.ndarray, " n"] | None = None,
) -> ObservedHBand:
    """Noisy spectra, their errors and masks.

    ``signal_to_noise`` of a clean pixel, 50 to 500 in the survey. The spectra are at rest, so what belongs to the observatory, the lines
    of the night sky and the telluric bands, moves with ``radial_velocity`` (km/s, None: zero): sky lines have errors up to 10 times
    larger and SIG_SKYLINE, telluric bands half as large again and SIG_TELLURIC. Spectra marked in ``persistence`` carry PERSIST_LOW and
    doubled errors in the first third of the blue detector. A few pixels are dead (BADPIX) or hit by cosmic rays (CRPIX): there the flux
    is wrong by up to its own size and the error NO_DATA_ERROR. Needs about 1 MB a star: give it some hundred stars at a time.
    """
    n, pixels = flux.shape
    pixel = np.arange(pixels)
    shift = np.zeros(n) if radial_velocity is None else np.log10(1 + radial_velocity / SPEED_OF_LIGHT) / LOG_WAVELENGTH_STEP
    observed = np.clip(pixel + np.rint(shift).astype(np.int64)[:, None], 0, pixels - 1)
    sky, telluric = _sky_emission()[observed], _telluric()[observed]
    littrow = (observed >= LITTROW_PIXELS[0]) & (observed < LITTROW_PIXELS[1])
    error = np.sqrt(0.2 + 0.8 * np.maximum(flux, 0.0)) / signal_to_noise[:, None]
    error *= (1 + 9 * sky) * np.where(telluric, 1.5, 1.0)
    mask = (sky > 0).astype(np.int64) << SIG_SKYLINE
    mask |= telluric.astype(np.int64) << SIG_TELLURIC
    mask |= littrow.astype(np.int64) << LITTROW_GHOST
    if persistence is not None:
        third = persistence[:, None] & (pixel >= CHIPS[0][0]) & (pixel < CHIPS[0][0] + (CHIPS[0][1] - CHIPS[0][0]) // 3)
        error = np.where(third, 2 * error, error)
        mask |= third.astype(np.int64) << PERSIST_LOW
    noisy = flux + error * rng.standard_normal((n, pixels))
    fate = rng.random((n, pixels))
    dead, hit = fate < BAD_FRACTION, (fate >= BAD_FRACTION) & (fate < BAD_FRACTION + COSMIC_RAY_FRACTION)
    noisy += np.where(dead | hit, rng.random((n, pixels)) * np.where(hit, 1.0, -1.0) * flux, 0.0)
    mask |= dead.astype(np.int64) << BADPIX | hit.astype(np.int64) << CRPIX
    gap = ~on_chip()
    mask[:, gap] = 1 << BADPIX
    noisy[:, gap] = 0.0
    return ObservedHBand(noisy, np.where(mask & BAD_PIXEL, NO_DATA_ERROR, error), mask)
