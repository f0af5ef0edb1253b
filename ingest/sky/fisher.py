"""The information limit: how well any method could know a simulated star's labels from its spectra, photometry and parallax.

For measurements with Gaussian noise of known covariance C around a mean mu(theta), no unbiased estimate scatters less than the Cramer-Rao
bound, sigma_i^2 >= (F^-1)_ii with Fisher's information F = J C^-1 J^T, J = d mu / d theta (e.g. Kay 1993, Fundamentals of Statistical Signal
Processing: Estimation Theory, eq. 3.31). Inverting the whole matrix marginalises over all other parameters, radius and the velocity by which
an RVS spectrum misses the rest frame among them. mu and C are those that the simulated sky itself is made with, so the bound is that of this
sky, not of Gaia: the features of alpha elements, carbon and nitrogen were written by hand.

What it is not. C counts as known although it depends weakly on the labels. A companion's light, where there is one, counts as known. There is
no prior: a method that has learned which stars exist (isochrones, the abundances of each population) may do better than this bound, and where
it is wide, as for carbon and nitrogen in XP, it does. ``population_information`` says how much such knowledge adds, as far as means and
covariances go. Fluxes of G, BP and RP are left out, because they are the light of the XP spectra again.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from jaxtyping import Float64
from scipy.linalg import cho_solve_banded, cholesky_banded
from threadpoolctl import threadpool_limits

from catalog.errors import DataError
from catalog.spectra import Band
from ingest.sky.elements import ALPHA_GAIN
from ingest.sky.emulator import TEFF_RANGE, band_magnitudes
from ingest.sky.extinction import RV_RANGE
from ingest.sky.gaia_rows import FAINTEST_RVS, g_rvs
from ingest.sky.labels import LABEL_NAMES
from ingest.sky.observed_light import band_flux_at_earth, flux_at_earth
from ingest.sky.oddities import OFF_GRID
from ingest.sky.photometry_noise import infrared_magnitude_errors, parallax_error
from ingest.sky.rvs import noise_correlation, rvs_errors, rvs_flux, rvs_signal_to_noise
from ingest.sky.stages import GIANT_LOGG
from ingest.sky.stars import Stars
from ingest.sky.wavelengths import NIR_BANDS
from ingest.sky.xp_forward import BANDS, Release, band_operator, synthetic_g_bp_rp
from ingest.sky.xp_noise import band_noise

Matrices = Float64[np.ndarray, "n 11 11"]
Response = Float64[np.ndarray, "n 11 m"]
Measure = Callable[[Stars], Float64[np.ndarray, "n m"]]

PARAMETERS = (*LABEL_NAMES, "ebv", "ln_parallax", "ln_radius", "rest_frame_shift", "rv")
"""In the order of every matrix: K, log10 cm s-2, dex, mag, the natural logarithms of parallax and radius, km/s, and R_V."""
REPORTED = (*LABEL_NAMES, "ebv", "parallax")
"""What ``bounds`` gives; parallax in mas."""
STEPS: Mapping[str, float] = {"teff": 2.0, "ebv": 2e-3, "rest_frame_shift": 0.1, "rv": 5e-3} | dict.fromkeys(LABEL_NAMES[1:], 2e-3)
"""Half the width of each central difference: a quarter of all of them changes no bound by 0.1 %, four times of them only those of stars at the
kink of the titanium oxide's strength near 3,860 K, by up to 2 % (tests)."""
WIDEST: Mapping[str, float] = dict.fromkeys(PARAMETERS, 100.0) | {"teff": 1e5, "rest_frame_shift": 1e5}
"""A Gaussian prior of this width keeps every matrix regular, whatever a data set knows nothing of."""
UNKNOWN = 0.1
"""A bound above this share of ``WIDEST`` (10,000 K, 10 dex, 10 mag, ten times the parallax) means that the data know nothing: it is infinite.
The prior narrows the widest bound that is given by 0.5 %, one of 1 dex by 0.005 %."""
DATA_SETS: Mapping[str, tuple[str, ...]] = {
    "xp": ("xp",),
    "xp_phot": ("xp", "photometry", "parallax"),
    "rvs": ("rvs",),
    "all": ("xp", "photometry", "parallax", "rvs"),
}
"""What is known in each: XP spectra; with 2MASS, unWISE and the parallax; RVS spectra; everything."""
LEAST_POPULATION = 100
"""Giants or dwarfs from which a covariance of nine parameters is taken."""
EDGE_PIXELS = 18
"""Pixels at either end of an RVS spectrum that are left out: so many may be missing."""
_BLOCK = 128
"""Stars at a time: some 100 MB, most of it RVS spectra."""
_SHAPE = tuple(PARAMETERS.index(name) for name in (*LABEL_NAMES, "ebv", "rv"))
_LN_PARALLAX, _LN_RADIUS, _RV = (PARAMETERS.index(name) for name in ("ln_parallax", "ln_radius", "rv"))


@dataclass(frozen=True, eq=False)
class Information:
    """Fisher's information of n stars in PARAMETERS, one matrix a star from each kind of measurement; zero where there is none."""

    stars: Stars
    xp: Matrices
    photometry: Matrices
    parallax: Matrices
    rvs: Matrices
    g: Float64[np.ndarray, " n"]
    """G without noise, mag."""
    rvs_signal_to_noise: Float64[np.ndarray, " n"]
    """Of a pixel; NaN where the star is too faint for a spectrum."""

    def of(self, data_set: str) -> Matrices:
        """Of all measurements of one of DATA_SETS: independent measurements add."""
        return np.asarray(sum(getattr(self, source) for source in DATA_SETS[data_set]))

    def bounds(self, data_set: str, *, rv_scatter: float = 0.0, prior: Matrices | float = 0.0) -> Float64[np.ndarray, "n 8"]:
        """Bounds of REPORTED, infinite where the data set knows nothing of a parameter; parallax in mas.

        With ``rv_scatter`` zero R_V is known; else it is a parameter with a Gaussian prior of that width. ``prior`` is added to the data's
        information.
        """
        sigma = bounds(self.of(data_set) + prior, rv_scatter=rv_scatter)[:, : len(REPORTED)]
        sigma[:, _LN_PARALLAX] *= self.stars.parallax
        return sigma


def bounds(information: Matrices, *, rv_scatter: float = 0.0) -> Float64[np.ndarray, "n 11"]:
    """Standard deviations of PARAMETERS, each marginalised over all others, infinite above UNKNOWN; that of R_V is 0 where it is known."""
    width = np.array([WIDEST[name] for name in PARAMETERS])
    width[_RV] = rv_scatter
    # In units of the prior all eigenvalues are 1 or more, so the inverse exists and its smallest ones are exact to 1e-4 in the brightest stars.
    scaled = np.eye(len(width)) + information * width[:, None] * width
    with threadpool_limits(1, "blas"):
        relative = np.sqrt(np.diagonal(np.linalg.inv(scaled), axis1=1, axis2=2))
    known = relative < UNKNOWN
    known[:, _RV] = True
    return np.where(known, relative * width, np.inf)


def population_information(stars: Stars) -> Matrices:
    """What is known of each star before any measurement, from the covariance of all giants or all dwarfs among these stars.

    Added to the information of measurements it gives the rms error of the best linear estimate that knows mean and covariance of the
    population, for measurements linear in the parameters (Kay 1993, eq. 12.27). NaN for giants or dwarfs of which there are too few, less
    than LEAST_POPULATION; R_V has a prior of its own.
    """
    labels = [getattr(stars.labels, name) for name in LABEL_NAMES]
    values = np.column_stack([*labels, stars.ebv, np.log(stars.parallax), np.log(stars.radius)])
    known, n = np.zeros((len(stars), len(PARAMETERS), len(PARAMETERS))), values.shape[1]
    giant = stars.labels.logg < GIANT_LOGG
    for rows in (giant, ~giant):
        if rows.sum() < LEAST_POPULATION:
            known[rows] = np.nan
            continue
        spread = values[rows].std(axis=0)
        with threadpool_limits(1, "blas"):
            # A millionth of independent scatter keeps the inverse from trusting relations beyond what so many stars can tell.
            known[rows, :n, :n] = np.linalg.inv(np.corrcoef(values[rows].T) + 1e-6 * np.eye(n)) / np.outer(spread, spread)
    return known


def information(
    stars: Stars,
    transits: Mapping[Band, Float64[np.ndarray, " n"]],
    *,
    release: Release = "dr3",
    alpha_gain: float = ALPHA_GAIN,
    inflate: float = 1.0,
    step: float = 1.0,
) -> Information:
    """Fisher's information about stars of the grid, seen in so many transits; some 2 ms a star, 5 with an RVS spectrum.

    ``inflate`` is the true noise over the stated one, in XP and parallax as when a sky is made; ``step`` multiplies STEPS.
    A missing BP or infrared magnitude tells nothing, and stars beyond the limit of the RVS have no spectrum there. DataError for white
    dwarfs and M dwarfs, which no grid answers for.
    """
    off_grid = np.isin(stars.kind, OFF_GRID)
    if off_grid.any():
        raise DataError(
            f"{off_grid.sum()} of {len(stars)} stars are white dwarfs or M dwarfs, the first number {np.argmax(off_grid)}: "
            "their spectra do not follow from labels, so these have no bounds; leave them out."
        )
    parts = []
    with threadpool_limits(1, "blas"):
        for rows in _blocks(len(stars)):
            seen = {band: np.asarray(transits[band], np.float64)[rows] for band in BANDS}
            parts.append(_block_information(stars.take(rows), seen, release, alpha_gain, inflate, step))
    names = ("xp", "photometry", "parallax", "rvs", "g", "rvs_signal_to_noise")
    return Information(stars, *(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def response(measure: Measure, stars: Stars, names: tuple[str, ...], *, step: float = 1.0) -> Response:
    """Derivatives of what is measured by the named ones of PARAMETERS, central differences; the others' are zero.

    At the ends of the grid's temperatures and of R_V's range the difference is taken from within.
    """
    slopes = {}
    for name in names:
        (low, below), (high, above) = (_shifted(stars, name, sign * step * STEPS[name]) for sign in (-1.0, 1.0))
        slopes[name] = (measure(above) - measure(below)) / (high - low)[:, None]
    nothing = np.zeros_like(slopes[names[0]])
    return np.stack([slopes.get(name, nothing) for name in PARAMETERS], axis=1)


def _shifted(stars: Stars, name: str, by: float) -> tuple[Float64[np.ndarray, " n"], Stars]:
    """A parameter's values, moved by so much, and the stars that have them."""
    holder = stars.labels if name in LABEL_NAMES else stars
    moved = getattr(holder, name) + by
    if name in (limits := {"teff": TEFF_RANGE, "rv": RV_RANGE}):
        moved = np.clip(moved, *limits[name])
    if name in LABEL_NAMES:
        return moved, replace(stars, labels=replace(stars.labels, **{name: moved}))
    return moved, replace(stars, **{name: moved})


def _block_information(
    stars: Stars, transits: Mapping[Band, Float64[np.ndarray, " n"]], release: Release, alpha_gain: float, inflate: float, step: float
) -> Information:
    true = xp_coefficients(stars, alpha_gain)
    slopes = response(lambda some: xp_coefficients(some, alpha_gain), stars, tuple(PARAMETERS[i] for i in _SHAPE), step=step)
    # The flux goes as (radius x parallax)^2.
    slopes[:, [_LN_PARALLAX, _LN_RADIUS]] = 2.0 * true[:, None]
    split = band_operator("bp").n_coefficients
    xp = np.zeros((len(stars), len(PARAMETERS), len(PARAMETERS)))
    for band, part in zip(BANDS, (slice(None, split), slice(split, None)), strict=True):
        projection = band_operator(band, release).projection
        covariance = projection @ band_noise(band).covariance(true[:, part], transits[band]) @ projection.T
        told = _information(slopes[..., part] @ projection.T, inflate**2 * covariance)
        if band == "bp":
            told[stars.missing_bp] = 0.0
        xp += told
    optical = synthetic_g_bp_rp(true[:, :split], true[:, split:])
    parallax = np.zeros_like(xp)
    parallax[:, _LN_PARALLAX, _LN_PARALLAX] = (stars.parallax / (inflate * parallax_error(optical[:, 0], release))) ** 2
    photometry = _photometry_information(stars, step)
    rvs, signal = _rvs_information(stars, g_rvs(optical[:, 0], optical[:, 2]), step)
    return Information(stars, xp, photometry, parallax, rvs, optical[:, 0], signal)


def xp_coefficients(stars: Stars, alpha_gain: float = ALPHA_GAIN) -> Float64[np.ndarray, "n 110"]:
    """True XP coefficients in the basis of DR3, BP's then RP's, e-/s."""
    flux = flux_at_earth(stars, alpha_gain=alpha_gain)
    return np.hstack([band_operator(band).coefficients(flux) for band in BANDS])


def infrared_magnitudes(stars: Stars) -> Float64[np.ndarray, "n 5"]:
    """True magnitudes in NIR_BANDS, Vega."""
    magnitudes = band_magnitudes(band_flux_at_earth(stars))
    return np.column_stack([magnitudes[band] for band in NIR_BANDS])


def rvs_pixels(stars: Stars) -> Float64[np.ndarray, "n 2365"]:
    """RVS spectra without noise, less EDGE_PIXELS at either end."""
    flux = rvs_flux(stars.labels, ebv=stars.ebv, velocity=stars.rest_frame_shift)
    return flux[:, EDGE_PIXELS:-EDGE_PIXELS]


def _information(slopes: Response, covariance: Float64[np.ndarray, "n m m"]) -> Matrices:
    """J C^-1 J^T."""
    return _symmetric(slopes @ np.linalg.solve(covariance, slopes.transpose(0, 2, 1)))


def _symmetric(matrices: Matrices) -> Matrices:
    return np.asarray(0.5 * (matrices + matrices.transpose(0, 2, 1)))


def _photometry_information(stars: Stars, step: float) -> Matrices:
    slopes = response(infrared_magnitudes, stars, tuple(PARAMETERS[i] for i in _SHAPE), step=step)
    slopes[:, [_LN_PARALLAX, _LN_RADIUS]] = -5.0 / np.log(10.0)
    slopes /= infrared_magnitude_errors(infrared_magnitudes(stars))[:, None]
    slopes *= ~stars.missing_nir[:, None]
    return np.asarray(slopes @ slopes.transpose(0, 2, 1))


def _rvs_information(stars: Stars, magnitude: Float64[np.ndarray, " n"], step: float) -> tuple[Matrices, Float64[np.ndarray, " n"]]:
    """J D^-1 T^-1 D^-1 J^T with the pixels' errors D and the correlation T of their noise, whose inverse comes from a banded Cholesky factor."""
    told, signal = np.zeros((len(stars), len(PARAMETERS), len(PARAMETERS))), np.full(len(stars), np.nan)
    rows = np.flatnonzero(magnitude < FAINTEST_RVS)
    if len(rows):
        bright = stars.take(rows)
        signal[rows] = rvs_signal_to_noise(magnitude[rows])
        slopes = response(rvs_pixels, bright, (*LABEL_NAMES, "ebv", "rest_frame_shift"), step=step)
        slopes /= rvs_errors(rvs_pixels(bright), signal[rows])[:, None]
        flat = slopes.reshape(-1, slopes.shape[2])
        weighted = cho_solve_banded((_rvs_factor(flat.shape[1]), True), flat.T, check_finite=False).T.reshape(slopes.shape)
        told[rows] = _symmetric(slopes @ weighted.transpose(0, 2, 1))
    return told, signal


@cache
def _rvs_factor(pixels: int) -> Float64[np.ndarray, "band pixels"]:
    """Cholesky factor of the Toeplitz correlation of RVS noise, diagonal by diagonal; beyond the band it is below 1e-16."""
    correlation = noise_correlation(pixels)
    band = correlation[correlation > 1e-16]
    return np.asarray(cholesky_banded(np.repeat(band[:, None], pixels, axis=1), lower=True))


def _blocks(n: int) -> Iterator[slice]:
    return (slice(first, min(first + _BLOCK, n)) for first in range(0, n, _BLOCK))
