"""What Gaia would have measured of an XP spectrum: errors, correlations, a draw of the noise, and the counts that go with them.

Errors. A coefficient's variance is a sum over the samples of all transits, of which four kinds of noise are kept (recipe: photons,
background, calibration, and jitter along the dispersion):

    e_k^2 = (1 / transits) integral Phi_k(u)^2 [a_k n(u) + b_k + f_k n(u)^2 + j_k (dn/du)^2] du,

with n the internal spectrum [e-/s]. The four numbers of each coefficient are fitted to real errors (G 5 to 19).

Correlations. Those of real spectra do not follow from such a sum over samples (the best of them correlates 0.3 to 0.5 with the real
matrices). They do vary smoothly with the shape of the spectrum and with which noise dominates. So a star's correlation matrix is a mean of
nine fitted ones, weighted by the shares of its photon noise and of its calibration noise in four ranges of u, and of its background: a
mean of positive definite matrices, hence positive definite. A draw is the sum of nine independent draws, scaled by the weights' roots.

Fit, origin of the numbers and their errors: ``fitting/fit_xp_noise.py`` and the notes in ``fitted/xp_noise.npz``. Standard deviations,
relevant bases and shrinking are defined as in the archive's table (Gaia DR3 data model, xp_continuous_mean_spectrum; De Angeli et al.
2023, A&A 674, A2); how they were told from real rows stands at each function.
"""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int16, Int64
from threadpoolctl import threadpool_limits

from catalog.spectra import Band
from ingest.sky.fitted import FOLDER
from ingest.sky.xp_forward import PSEUDO_WAVELENGTHS, BandOperator, Release, band_operator

FITTED = FOLDER / "xp_noise.npz"
_STEP = 5
"""Every how many of PSEUDO_WAVELENGTHS the integrals take: 0.5 samples."""
RANGES: tuple[float, ...] = (0.0, 18.0, 26.0, 36.0, 60.5)
"""The four ranges of u in which a spectrum's shape is taken."""
N_MIXED = 2 * (len(RANGES) - 1) + 1
_BLOCK = 1024
"""Stars at a time: bounds the memory to about 30 MB."""
SAMPLES_PER_TRANSIT = 60
MISSION_MONTHS = {"dr3": 34.0, "dr4": 66.0}
"""Length of the observations of Gaia DR3 and DR4."""
_REJECTED = 0.01
"""Share of samples that the fit of a mean spectrum rejects: the median of real rows is 0.7 to 1.5 %."""
_RELEVANT_SCATTER = 1.2
"""Scatter of c / e above which the tail of a spectrum still holds signal."""


@dataclass(frozen=True, eq=False)
class BandNoise:
    """The noise of one band, in the basis of Gaia DR3."""

    band: Band
    variance_terms: Float64[np.ndarray, "n_coef 4"]
    """a, b, f, j of each coefficient."""
    matrices: Float64[np.ndarray, "mixed n_coef n_coef"]
    """The correlation matrices that stars mix."""
    bases: Float64[np.ndarray, "n_coef u"]
    """Phi_k at every fifth of PSEUDO_WAVELENGTHS."""

    @property
    def u(self) -> Float64[np.ndarray, " u"]:
        """Pseudo-wavelengths of ``bases``."""
        return PSEUDO_WAVELENGTHS[::_STEP]

    def errors(self, coefficients: Float64[np.ndarray, "n n_coef"], transits: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, "n n_coef"]:
        """Formal errors [e-/s], before they are multiplied by the standard deviation of the fit."""
        terms = sample_variances(coefficients, self.bases, self.u)
        squares = (self.bases**2).T * (self.u[1] - self.u[0])
        variance = sum((terms[kind] @ squares) * self.variance_terms[:, kind] for kind in range(len(terms)))
        return np.sqrt(variance / transits[:, None])

    def weights(self, coefficients: Float64[np.ndarray, "n n_coef"]) -> Float64[np.ndarray, "n mixed"]:
        """Weight of each of ``matrices`` in the stars' correlations; they sum to 1."""
        return mixing_weights(sample_variances(coefficients, self.bases, self.u), self.variance_terms, self.u)

    def correlations(self, coefficients: Float64[np.ndarray, "n n_coef"]) -> Float64[np.ndarray, "n n_coef n_coef"]:
        """Correlation matrices."""
        n = self.matrices.shape[1]
        return (self.weights(coefficients) @ self.matrices.reshape(len(self.matrices), -1)).reshape(-1, n, n)

    def covariance(
        self, coefficients: Float64[np.ndarray, "n n_coef"], transits: Float64[np.ndarray, " n"]
    ) -> Float64[np.ndarray, "n n_coef n_coef"]:
        """Covariances [(e-/s)^2] of true coefficients, as a file would report them with the usual standard deviation. For n not large."""
        errors = self.errors(coefficients, transits) * standard_deviation(self.band, coefficients[:, 0])[:, None]
        return errors[:, :, None] * self.correlations(coefficients) * errors[:, None, :]

    @functools.cached_property
    def _roots(self) -> Float64[np.ndarray, "mixed*n_coef n_coef"]:
        """Cholesky factors of ``matrices``, one below the other, transposed: z @ _roots is the sum of their draws."""
        factors = np.linalg.cholesky(self.matrices)
        return factors.transpose(0, 2, 1).reshape(-1, factors.shape[1])

    def standard_draw(self, weights: Float64[np.ndarray, "n mixed"], rng: np.random.Generator) -> Float64[np.ndarray, "n n_coef"]:
        """Noise of unit variance with the stars' correlations."""
        normals = rng.standard_normal((len(weights), *self.matrices.shape[:2])) * np.sqrt(weights)[:, :, None]
        return normals.reshape(len(weights), -1) @ self._roots


@functools.cache
def band_noise(band: Band) -> BandNoise:
    """The fitted noise of a band."""
    with np.load(FITTED) as fitted:
        terms = fitted[f"{band}_variance_terms"].astype(np.float64)
        triangles = fitted[f"{band}_correlations"].astype(np.float64) / np.iinfo(np.int16).max
    n = len(terms)
    matrices = np.zeros((len(triangles), n, n))
    row, column = np.tril_indices(n, -1)
    matrices[:, row, column] = triangles
    matrices += matrices.transpose(0, 2, 1) + np.eye(n)
    return BandNoise(band, terms, matrices, band_operator(band).observed_bases[:, ::_STEP])


def sample_variances(
    coefficients: Float64[np.ndarray, "n n_coef"], bases: Float64[np.ndarray, "n_coef u"], u: Float64[np.ndarray, " u"]
) -> Float64[np.ndarray, "4 n u"]:
    """What a, b, f, j multiply: n(u), 1, n(u)^2 and (dn/du)^2, n taken as 0 where the spectrum falls below."""
    spectrum = coefficients @ bases
    counts = np.clip(spectrum, 0.0, None)
    return np.stack([counts, np.ones_like(counts), counts**2, np.gradient(spectrum, u, axis=1) ** 2])


def mixing_weights(
    terms: Float64[np.ndarray, "4 n u"], variance_terms: Float64[np.ndarray, "n_coef 4"], u: Float64[np.ndarray, " u"]
) -> Float64[np.ndarray, "n mixed"]:
    """Shares of photon noise by range of u, of calibration and jitter by range of u, and of the background."""
    photons, background, calibration, jitter = (
        median * term.sum(axis=1) for median, term in zip(np.median(variance_terms, axis=0), terms, strict=True)
    )
    total = photons + background + calibration + jitter
    starts = np.searchsorted(u, RANGES[:-1])
    shape = np.add.reduceat(terms[0], starts, axis=1)
    shape /= np.maximum(shape.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    weights = np.hstack([shape * (photons / total)[:, None], shape * ((calibration + jitter) / total)[:, None]])
    return np.column_stack([weights, np.clip(1.0 - weights.sum(axis=1), 0.0, None)])


_DEVIATION_MAGNITUDES = (4.5, 7.0, 8.5, 10.5, 12.0, 13.5, 15.0, 17.0)
_DEVIATIONS = {
    "bp": (1.10, 1.12, 1.12, 1.11, 1.09, 1.05, 1.04, 1.03),
    "rp": (1.60, 1.60, 1.45, 1.20, 1.09, 1.07, 1.04, 1.03),
}
"""Medians of real, ordinary stars, against 15 - 2.5 log10 of the first coefficient over that of a solar star of G = 15."""
_FIRST_AT_15 = {"bp": 1100.0, "rp": 1400.0}


def standard_deviation(band: Band, first_coefficient: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """Typical standard deviation of the fit, sqrt(chi2 / dof): near 1 for faint stars, larger where the calibration is not good enough."""
    magnitude = 15.0 - 2.5 * np.log10(np.maximum(first_coefficient, 1e-3) / _FIRST_AT_15[band])
    return np.interp(magnitude, _DEVIATION_MAGNITUDES, _DEVIATIONS[band])


def draw_transits(n: int, rng: np.random.Generator, *, release: Release = "dr3") -> dict[Band, Float64[np.ndarray, " n"]]:
    """Numbers of transits in BP and RP.

    Real DR3 spectra have 15 or more in BP, 5 to 95 % 16 to 50, and 1.32 times as many in RP (660 spectra, in units of 60 samples). Their
    median in BP is 29; the field stars' errors tell of 21, and the draw's lies between, at 25. Later releases have more, by the length of
    their observations.
    """
    bp = (15.0 + rng.gamma(1.5, 8.0, n)) * (MISSION_MONTHS[release] / MISSION_MONTHS["dr3"])
    rp = bp * 1.32 * np.exp(0.08 * rng.standard_normal(n))
    return {"bp": np.round(bp), "rp": np.round(rp)}


@dataclass(frozen=True, eq=False)
class ObservedBand:
    """One band of the archive's table xp_continuous_mean_spectrum, row by row; the names are its columns without ``bp_`` and ``rp_``."""

    coefficients: Float64[np.ndarray, "n n_coef"]
    coefficient_errors: Float32[np.ndarray, "n n_coef"]
    coefficient_correlations: Float32[np.ndarray, "n pairs"]
    degrees_of_freedom: Int16[np.ndarray, " n"]
    n_measurements: Int16[np.ndarray, " n"]
    n_rejected_measurements: Int16[np.ndarray, " n"]
    standard_deviation: Float32[np.ndarray, " n"]
    chi_squared: Float32[np.ndarray, " n"]
    n_relevant_bases: Int16[np.ndarray, " n"]
    relative_shrinking: Float32[np.ndarray, " n"]


def observe(
    operator: BandOperator,
    coefficients: Float64[np.ndarray, "n n_dr3"],
    transits: Float64[np.ndarray, " n"],
    rng: np.random.Generator,
    *,
    inflate: float = 1.0,
) -> ObservedBand:
    """A band as measured: from true coefficients in the basis of DR3 to those of the operator's release, with noise.

    ``inflate`` makes the noise so much larger than the reported errors. The result holds 4 n_coef (n_coef - 1) / 2 bytes of correlations
    a star (6 kB with 55), so call it in chunks. The same generator and chunks give the same bytes on any number of threads.
    """
    n, size = len(coefficients), operator.n_coefficients
    rows, columns = np.tril_indices(size, -1)
    measured, errors = np.empty((n, size)), np.empty((n, size), np.float32)
    correlations = np.empty((n, len(rows)), np.float32)
    noise = band_noise(operator.band)
    deviation = standard_deviation(operator.band, coefficients[:, 0]) * np.exp(0.02 * rng.standard_normal(n))
    deviation = deviation.astype(np.float32).astype(np.float64)
    native = np.array_equal(operator.projection, np.eye(size))
    triangles = noise.matrices[:, rows, columns] if native else None
    with threadpool_limits(1, "blas"):
        for start in range(0, n, _BLOCK):
            block = slice(start, min(start + _BLOCK, n))
            weights = noise.weights(coefficients[block])
            native_errors = noise.errors(coefficients[block], transits[block]) * deviation[block, None]
            draw = coefficients[block] + inflate * native_errors * noise.standard_draw(weights, rng)
            if triangles is not None:
                measured[block], errors[block], correlations[block] = draw, native_errors, weights @ triangles
            else:
                covariance = native_errors[:, :, None] * noise.correlations(coefficients[block]) * native_errors[:, None, :]
                projected = operator.projection @ covariance @ operator.projection.T
                measured[block] = draw @ operator.projection.T
                release_errors = np.sqrt(np.diagonal(projected, axis1=1, axis2=2))
                errors[block] = release_errors
                correlations[block] = projected[:, rows, columns] / (release_errors[:, rows] * release_errors[:, columns])
    n_measurements = (SAMPLES_PER_TRANSIT * transits).astype(np.int64)
    freedom = n_measurements - size
    relevant = n_relevant_bases(measured, errors)
    return ObservedBand(
        measured, errors, correlations,
        freedom.astype(np.int16), n_measurements.astype(np.int16), rng.binomial(n_measurements, _REJECTED).astype(np.int16),
        deviation.astype(np.float32), (deviation**2 * freedom).astype(np.float32),
        relevant.astype(np.int16), relative_shrinking(measured, relevant).astype(np.float32),
    )  # fmt: skip


def n_relevant_bases(coefficients: Float64[np.ndarray, "n n_coef"], errors: np.ndarray[Any, np.dtype[Any]]) -> Int64[np.ndarray, " n"]:
    """The smallest number of coefficients beyond which the rms of c / e stays noise-like, below 1.2; at least 1.

    Inferred from 2,000 real field stars: it gives their column exactly in 79 % of the rows of either band, and within 1 in most others.
    """
    squares = (coefficients / errors) ** 2
    n = squares.shape[1]
    tail = np.cumsum(squares[:, ::-1], axis=1)[:, ::-1] / np.arange(n, 0, -1)
    noise_like: Bool[np.ndarray, "n n_coef"] = tail < _RELEVANT_SCATTER**2
    return np.maximum(np.where(noise_like.any(axis=1), noise_like.argmax(axis=1), n), 1)


def relative_shrinking(coefficients: Float64[np.ndarray, "n n_coef"], relevant: Int64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """Length of the vector of relevant coefficients over that of all: exact to float32 on 626 real rows."""
    kept = np.where(np.arange(coefficients.shape[1]) < relevant[:, None], coefficients, 0.0)
    return np.sqrt((kept**2).sum(axis=1) / (coefficients**2).sum(axis=1))
