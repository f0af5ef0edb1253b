"""Fit the noise of the simulated XP spectra: ``python -m ingest.sky.fitting.fit_xp_noise --data FOLDER``.

FOLDER holds real Gaia DR3 spectra (xp_coefficients/, xp_continuous/), which are not part of the product. Two fits for each band:

1. the four variance terms of each coefficient, non-negative least squares on relative errors, magnitudes weighted alike;
2. the nine correlation matrices whose weighted means come closest to the real ones, by projected gradients: each step stays among
   positive definite correlation matrices.

Prints how far both are from real stars that were left out of the fit (one in five, in turn), writes the fitted numbers with that and their
origin into ingest/sky/fitted (or ``--out``), and gives the same numbers each time.
"""

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import pyarrow.parquet as pq
from astropy.io import fits
from jaxtyping import Bool, Float64
from scipy.optimize import nnls

from catalog.spectra import Band
from ingest.sky.fitted import FOLDER
from ingest.sky.xp_forward import BANDS, PSEUDO_WAVELENGTHS, band_operator, synthetic_g_bp_rp
from ingest.sky.xp_noise import SAMPLES_PER_TRANSIT, mixing_weights, sample_variances, standard_deviation

ORIGIN = (
    "Fitted to real spectra of Gaia DR3 (ESA/Gaia/DPAC). Errors: the 2,000 consecutive sources of a bulk file in "
    "github.com/fjaellet/xp_spectral_lines (MIT), commit b473fb7. Errors and correlations: 30 bright stars of github.com/corentinravoux/gaiaspec, "
    "10 CALSPEC stars of github.com/HiromonGON/GaiaXPcorrection, 6 spectra of the tests of GaiaXPy (BSD-3) and astroquery (BSD-3), and, where "
    "their errors are those of a star, the 616 planetary nebulae and symbiotic stars of github.com/opcruz/gaiaDR3ML."
)
ORDINARY = ("xp_bright_ddf30.parquet", "xp_calspec10_hiromon.csv.gz", "xp_gaiaxpy_tests.csv.gz", "xp_astroquery.csv.gz")
UNUSUAL = ("xp_opcruz_sy.csv.gz", "xp_opcruz_pn.csv.gz")
FIELD_TRANSITS = {"bp": 20.7, "rp": 25.5}
"""Transits of the field stars, which are in one corner of the sky; not in their file, but found from stars that tell theirs."""
MAGNITUDE_EDGES = np.array([6.0, 7, 8, 10, 11, 12, 13, 14, 15, 16, 17])
LEAST_EIGENVALUE = 0.005
UNUSUAL_WEIGHT = 0.1
FOLDS = 5


@dataclass(frozen=True, eq=False)
class RealBand:
    """One band of n real spectra; ``correlations`` is NaN, and ``ordinary`` and the transits those of the field, where not known."""

    g: Float64[np.ndarray, " n"]
    coefficients: Float64[np.ndarray, "n 55"]
    errors: Float64[np.ndarray, "n 55"]
    correlations: Float64[np.ndarray, "n 1485"]
    transits: Float64[np.ndarray, " n"]
    deviation: Float64[np.ndarray, " n"]
    ordinary: Bool[np.ndarray, " n"]

    def variance_of_a_transit(self) -> Float64[np.ndarray, "n 55"]:
        """Formal variances, times the number of transits."""
        return (self.errors / self.deviation[:, None]) ** 2 * self.transits[:, None]


def _numbers(cell: object) -> Float64[np.ndarray, " k"]:
    if isinstance(cell, str):
        return np.array([float(value) for value in cell.strip("()[]").split(",")])
    return np.asarray(cell, float)


def _rows(path: Path) -> Iterator[dict[str, object]]:
    if path.suffix == ".parquet":
        yield from pq.read_table(path).to_pylist()
    else:
        csv.field_size_limit(10_000_000)
        with gzip.open(path, "rt", newline="") as file:
            yield from csv.DictReader(file)


def read_real(data: Path) -> dict[Band, RealBand]:
    """All real spectra that have both bands."""
    field = fits.getdata(data / "xp_coefficients" / "XP_CONTINUOUS_COMBINED_field2000.fits")
    whole = [
        (row, name in ORDINARY) for name in ORDINARY + UNUSUAL for row in _rows(data / "xp_continuous" / name) if row["bp_coefficients"]
    ]
    coefficients = {
        band: np.vstack([field[f"{band}_coefficients"].astype(float), *(_numbers(row[f"{band}_coefficients"]) for row, _ in whole)])
        for band in BANDS
    }
    g = synthetic_g_bp_rp(coefficients["bp"], coefficients["rp"])[:, 0]
    n = len(field)

    def scalar(name: str) -> Float64[np.ndarray, " stars"]:
        return np.array([float(str(row[name])) for row, _ in whole])

    return {
        band: RealBand(
            g,
            coefficients[band],
            np.vstack(
                [field[f"{band}_coefficient_errors"].astype(float), *(_numbers(row[f"{band}_coefficient_errors"]) for row, _ in whole)]
            ),
            np.vstack([np.full((n, 1485), np.nan), *(_numbers(row[f"{band}_coefficient_correlations"]) for row, _ in whole)]),
            np.concatenate([np.full(n, FIELD_TRANSITS[band]), scalar(f"{band}_n_measurements") / SAMPLES_PER_TRANSIT]),
            np.concatenate([standard_deviation(band, coefficients[band][:n, 0]), scalar(f"{band}_standard_deviation")]),
            np.concatenate([np.full(n, True), [ordinary for _, ordinary in whole]]),
        )
        for band in BANDS
    }


class NoiseFit:
    """The fit of one band on the stars of ``chosen``."""

    def __init__(self, band: Band, real: RealBand, chosen: Bool[np.ndarray, " n"], *, n_steps: int = 400) -> None:
        self.bases, self.u = band_operator(band).observed_bases[:, ::5], PSEUDO_WAVELENGTHS[::5]
        # What is noise in the real coefficients must not count as light or slope.
        signal = real.coefficients * np.clip(1.0 - (real.errors / real.coefficients) ** 2, 0.0, None)
        self.terms = sample_variances(signal, self.bases, self.u)
        self.real = real
        self.variance_terms = self._fit_variances(chosen)
        self.level = np.median(self.ln_error_ratio()[:, :40], axis=1)
        weights = mixing_weights(self.terms, self.variance_terms, self.u)
        self.weights = weights
        self.star_like = ~np.isnan(real.correlations[:, 0]) & (np.abs(self.level) < 0.45)
        self.triangles = self._fit_correlations(chosen & self.star_like, n_steps)

    def _integrals(self) -> Float64[np.ndarray, "4 n 55"]:
        return self.terms @ ((self.bases**2).T * (self.u[1] - self.u[0]))

    def ln_error_ratio(self) -> Float64[np.ndarray, "n 55"]:
        """ln of the real error over the fitted one."""
        variance = np.einsum("cnk,kc->nk", self._integrals(), self.variance_terms)
        return 0.5 * np.log(self.real.variance_of_a_transit() / variance)

    def _fit_variances(self, chosen: Bool[np.ndarray, " n"]) -> Float64[np.ndarray, "55 4"]:
        """Relative residuals, each magnitude with the same weight, stars off by more than 0.5 in ln left out in turn."""
        real, integrals, variance = self.real, self._integrals(), self.real.variance_of_a_transit()
        bin_of = np.digitize(real.g, MAGNITUDE_EDGES)
        weight = np.where(real.ordinary, 1.0, UNUSUAL_WEIGHT) / np.bincount(bin_of, minlength=len(MAGNITUDE_EDGES) + 1)[bin_of]
        usable = chosen & (real.g < 19) & ((np.abs(real.deviation - 1.15) < 0.15) | real.ordinary)
        terms = np.zeros((variance.shape[1], len(integrals)))
        for _ in range(8):
            root = np.sqrt(weight * usable)
            for k in range(len(terms)):
                terms[k], _rest = nnls((integrals[:, :, k] / variance[:, k]).T * root[:, None], root)
            level = np.median(0.5 * np.log(variance / np.einsum("cnk,kc->nk", integrals, terms))[:, :40], axis=1)
            usable = chosen & (real.g < 19) & (np.abs(level) < 0.5)
        return terms

    def _fit_correlations(self, chosen: Bool[np.ndarray, " n"], n_steps: int) -> Float64[np.ndarray, "mixed 1485"]:
        """Projected gradients from the mean matrix: least squares over stars, ordinary ones five times as heavy."""
        weights, real = self.weights[chosen], self.real.correlations[chosen]
        heavy = np.where(self.real.ordinary[chosen], 5.0, 1.0)[:, None]
        normal = weights.T @ (heavy * weights)
        target = weights.T @ (heavy * real)
        mean = (heavy * real).sum(axis=0) / heavy.sum()
        triangles = np.tile(nearest_correlations(mean[None])[0], (weights.shape[1], 1))
        ridge = 0.1
        step = 1.0 / (np.linalg.eigvalsh(normal)[-1] + ridge)
        momentum = triangles.copy()
        for iteration in range(n_steps):
            moved = nearest_correlations(momentum - step * (normal @ momentum - target + ridge * (momentum - mean)))
            momentum = moved + iteration / (iteration + 3.0) * (moved - triangles)
            triangles = moved
        return triangles


def nearest_correlations(triangles: Float64[np.ndarray, "m pairs"]) -> Float64[np.ndarray, "m pairs"]:
    """Close correlation matrices whose eigenvalues are at least LEAST_EIGENVALUE; few alternating projections."""
    n = round((1 + np.sqrt(1 + 8 * triangles.shape[1])) / 2)
    rows, columns = np.tril_indices(n, -1)
    matrices = np.zeros((len(triangles), n, n))
    matrices[:, rows, columns] = triangles
    matrices += matrices.transpose(0, 2, 1) + np.eye(n)
    for _ in range(3):
        values, vectors = np.linalg.eigh(matrices)
        if values.min() > LEAST_EIGENVALUE:
            break
        matrices = (vectors * np.maximum(values, 1.2 * LEAST_EIGENVALUE)[:, None, :]) @ vectors.transpose(0, 2, 1)
        size = np.sqrt(np.diagonal(matrices, axis1=1, axis2=2))
        matrices /= size[:, :, None] * size[:, None, :]
    return matrices[:, rows, columns]


def held_out(band: Band, real: RealBand) -> str:
    """Errors of the fit on stars that it has not seen, in words."""
    n = len(real.g)
    fold = np.random.default_rng(0).permutation(n) % FOLDS
    ratio, likeness, unexplained = np.full((n, real.errors.shape[1]), np.nan), np.full(n, np.nan), np.full(n, np.nan)
    for part in range(FOLDS):
        fit = NoiseFit(band, real, fold != part)
        out = fold == part
        ratio[out] = fit.ln_error_ratio()[out]
        for star in np.flatnonzero(out & fit.star_like):
            predicted, true = fit.weights[star] @ fit.triangles, real.correlations[star]
            likeness[star], unexplained[star] = np.corrcoef(predicted, true)[0, 1], ((predicted - true) ** 2).sum() / (true**2).sum()
    field = np.isnan(real.correlations[:, 0]) & (real.g > 10) & (real.g < 18)
    matrices = real.ordinary & ~np.isnan(likeness)
    unusual = ~real.ordinary & ~np.isnan(likeness)
    by_coefficient = np.abs(np.median(ratio[field], axis=0))
    return (
        f"{band.upper()} on stars left out: ln(real error / fitted) of field stars, G 10 to 18: median {np.median(ratio[field]):+.3f}, scatter "
        f"{1.4826 * np.median(np.abs(ratio[field] - np.median(ratio[field]))):.3f}, largest median of a coefficient {by_coefficient.max():.3f}; correlation "
        f"of fitted and real correlations: {np.median(likeness[matrices]):.2f} for {matrices.sum()} ordinary stars (unexplained variance "
        f"{np.median(unexplained[matrices]):.2f}), {np.median(likeness[unusual]):.2f} for {unusual.sum()} unusual ones."
    )


@click.command()
@click.option("--data", type=click.Path(exists=True, path_type=Path), required=True, help="The folder with the real spectra.")
@click.option("--out", type=click.Path(path_type=Path), default=FOLDER / "xp_noise.npz", show_default=True)
def main(data: Path, out: Path) -> None:
    """Fit both bands, print the errors, write the file."""
    stored: dict[str, np.ndarray] = {}
    errors = []
    for band, real in read_real(data).items():
        errors.append(held_out(band, real))
        click.echo(errors[-1])
        fit = NoiseFit(band, real, np.full(len(real.g), True))
        stored[f"{band}_variance_terms"] = fit.variance_terms.astype(np.float32)
        stored[f"{band}_correlations"] = np.round(fit.triangles * np.iinfo(np.int16).max).astype(np.int16)
    np.savez_compressed(out, **stored, origin=np.array(ORIGIN), errors=np.array(" ".join(errors)))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
