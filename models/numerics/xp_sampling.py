"""From XP coefficients to fluxes at chosen wavelengths: Gaia's external calibration as one matrix a band.

With the dispersion u(lambda), the response R(lambda) and the deconvolved bases B_k(u) of De Angeli et al. 2023 (A&A 674, A2) and Montegriffo
et al. 2023 (A&A 674, A3), as GaiaXPy carries them,

    f(lambda) = sum over bands of w_band(lambda) h c / (A R lambda) sum_k c_k B_k(u(lambda)),

w_bp = 1 below 635 nm and 0 above 643 nm, falling in a straight line between, w_rp = 1 - w_bp. Tables are read as files: importing gaiaxpy is slow
and turns on TeX for every plot. A model version stores its matrices, so that only training needs them.
"""

import csv
import importlib.util
from pathlib import Path

import numpy as np
from jaxtyping import Float64
from scipy.interpolate import splev, splrep
from threadpoolctl import threadpool_limits

from catalog.errors import UsageError
from catalog.spectra import Band
from catalog.xp_bases import xp_basis

BANDS: tuple[Band, Band] = ("bp", "rp")
_CALIBRATION = {"bp": "bpC03_v375wi", "rp": "rpC03_v142r"}
"""GaiaXPy's names for the external calibration of Gaia DR3, which every basis known here goes back to."""
_OVERLAP = (635.0, 643.0)
"""nm: below, BP alone counts; above, RP alone (GaiaXPy)."""
_PUPIL = 0.7278
"""Area of Gaia's pupil, m2 (GaiaXPy)."""
_HC = 6.62607004e-34 * 299792458 * 1e9
"""Planck's constant (CODATA 2014, as in GaiaXPy: the fluxes are then its own) times the speed of light, J nm."""


def sampling_matrices(
    bp_basis_function_id: int, rp_basis_function_id: int, wavelengths: Float64[np.ndarray, " wavelengths"]
) -> dict[Band, Float64[np.ndarray, "n_coef wavelengths"]]:
    """By band, the matrix from its coefficients (e-/s) to its part of the flux (W m-2 nm-1) at wavelengths in nm: f = c_bp @ bp + c_rp @ rp.

    A column is zero where the band does not contribute. DataError for basis functions that we know nothing of, UsageError where GaiaXPy's
    tables are not installed. The numbers do not depend on the machine's number of threads.
    """
    weights = merge_weights(wavelengths)
    ids = {"bp": bp_basis_function_id, "rp": rp_basis_function_id}
    bases = {band: xp_basis(ids[band], band) for band in BANDS}
    with threadpool_limits(1, "blas"):
        return {band: (bases[band].from_dr3() @ _dr3_matrix(band, wavelengths, weights[band])) * weights[band] for band in BANDS}


def merge_weights(wavelengths: Float64[np.ndarray, " wavelengths"]) -> dict[Band, Float64[np.ndarray, " wavelengths"]]:
    """The share of each band in the flux at wavelengths in nm, where a star has both."""
    low, high = _OVERLAP
    rp = np.clip((wavelengths - low) / (high - low), 0.0, 1.0)
    return {"bp": 1.0 - rp, "rp": rp}


def _dr3_matrix(
    band: Band, wavelengths: Float64[np.ndarray, " wavelengths"], weight: Float64[np.ndarray, " wavelengths"]
) -> Float64[np.ndarray, "55 wavelengths"]:
    """Flux in W m-2 nm-1 of the band's DR3 coefficients, where it counts; 0 elsewhere."""
    stem = _tables() / _CALIBRATION[band]
    dispersion = np.loadtxt(stem.with_name(f"{stem.name}_dispersion.csv"), delimiter=",")
    response_table = np.loadtxt(stem.with_name(f"{stem.name}_response.csv"), delimiter=",")
    csv.field_size_limit(10_000_000)
    with stem.with_name(f"{stem.name}_bases.csv").open(newline="") as file:
        bases = next(csv.DictReader(file))
    low, high, u_low, u_high = (float(bases[name]) for name in ("normRangeMin", "normRangeMax", "pwlRangeMin", "pwlRangeMax"))
    scale = (high - low) / (u_high - u_low)

    def matrix(name: str) -> Float64[np.ndarray, "rows columns"]:
        return np.array([float(value) for value in bases[name].strip("()[]").split(",")]).reshape(int(bases["nBases"]), -1)

    u = splev(wavelengths, splrep(dispersion[0], dispersion[1], s=0))
    inverse = matrix("inverseBasesCoefficients")
    hermite = _hermite(u * scale + (low - u_low * scale), inverse.shape[1])
    response = splev(wavelengths, splrep(response_table[0], response_table[1], s=0))
    counts = (weight > 0) & (response > 0)
    norm = np.where(counts, _HC / (_PUPIL * np.where(counts, response, 1.0) * wavelengths), 0.0)
    flux: Float64[np.ndarray, "55 wavelengths"] = (matrix("transformationMatrix") @ (inverse @ np.where(counts, hermite, 0.0))) * norm
    return flux


def _hermite(x: Float64[np.ndarray, " x"], n: int) -> Float64[np.ndarray, "n x"]:
    """Hermite functions of order 0 to n - 1."""
    functions = np.zeros((n, len(x)))
    functions[0] = np.pi**-0.25 * np.exp(-0.5 * x * x)
    functions[1] = np.sqrt(2.0) * x * functions[0]
    for order in range(2, n):
        functions[order] = np.sqrt(2.0 / order) * x * functions[order - 1] - np.sqrt((order - 1.0) / order) * functions[order - 2]
    return functions


def _tables() -> Path:
    """The folder of GaiaXPy's tables."""
    found = importlib.util.find_spec("gaiaxpy")
    if found is None or not found.submodule_search_locations:
        raise UsageError("To train on XP spectra the calibration tables of the package gaiaxpy are needed, which is not installed.")
    return Path(found.submodule_search_locations[0]) / "config"
