"""From a spectrum at the Earth to XP coefficients, and from those to G, BP and RP: both linear, one matrix a band.

Gaia publishes how coefficients become a spectrum (the external calibration: De Angeli et al. 2023, A&A 674, A2; Montegriffo et al. 2023,
A&A 674, A3), and GaiaXPy carries its tables: the dispersion u(lambda), the response R(lambda), the bases as seen on the detector,
Phi_k(u), and the deconvolved ones, B_k(u), with

    g(lambda) f(lambda) = sum_k c_k B_k(u(lambda)),        g = A R lambda / (h c).

The simulator that goes the other way is not public. Here the coefficients of f are those that fit it best by that equation, under two
soft conditions on what the deconvolution leaves open: no light at pseudo-wavelengths that no wavelength reaches, and high orders no larger
than those of stars. What that leaves wrong is nearly linear in the four leading coefficients; a fitted matrix a band corrects it
(``fitting/fit_xp_forward.py``; it can be undone, so it hides no feature of a spectrum). ``fitted/xp_forward.npz`` tells how near the result comes
to the official simulator.

The tables are read as files: importing gaiaxpy is slow and turns on TeX for every plot.
"""

import csv
import functools
import importlib.util
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float64
from scipy.interpolate import CubicSpline
from threadpoolctl import threadpool_limits

from catalog.errors import UsageError
from catalog.spectra import Band
from catalog.xp_bases import BASES, mock_dr4_projection
from ingest.sky.fitted import FOLDER
from ingest.sky.wavelengths import XP_GRID

Release = Literal["dr3", "dr4"]
BANDS: tuple[Band, Band] = ("bp", "rp")
MOCK_DR4_COEFFICIENTS = {basis.band: basis.n_coefficients for basis in BASES.values() if basis.mock}
MOCK_DR4_BASIS_IDS = {basis.band: basis.basis_function_id for basis in BASES.values() if basis.mock}
"""Ours: those of the real DR4 are not public (catalog/xp_bases.py)."""
_MODELS = {"bp": "bpC03_v375wi", "rp": "rpC03_v142r"}
"""The external calibration of Gaia DR3."""
_PASSBANDS = "XpFilter_GaiaDr3Vega_v375wiv142r.xml"
PHOTOMETRIC_BANDS = ("G", "BP", "RP")

PSEUDO_WAVELENGTHS: Float64[np.ndarray, " u"] = np.linspace(0.0, 60.0, 601)
"""Where the observed bases are tabulated: samples along the dispersion in a window of 60."""

LEADING = 4
"""Number of leading coefficients that the fitted correction of the others is linear in."""

_PUPIL = 0.7278
"""Area of Gaia's pupil, m2 (GaiaXPy)."""
_HC = 6.62607015e-34 * 299792458 * 1e9
"""Planck's constant times the speed of light, J nm."""

# The soft conditions; found on the official simulator's spectra.
_LIT_RESPONSE = 0.003
_LIT_MARGIN = 4.0
_DARKNESS = 0.1
_RIDGE = 5e-4
_RCOND = 1e-5


@dataclass(frozen=True, eq=False)
class BandOperator:
    """One band of one release, as matrices on ``XP_GRID`` and ``PSEUDO_WAVELENGTHS``."""

    band: Band
    matrix: Float64[np.ndarray, "n_coef wavelengths"]
    """Coefficients [e-/s] of a spectrum [W m-2 nm-1] on XP_GRID: c = matrix @ f."""
    observed_bases: Float64[np.ndarray, "n_coef u"]
    """Phi_k(u): the internal spectrum, e-/s per sample, is c @ observed_bases."""
    projection: Float64[np.ndarray, "n_coef n_dr3"]
    """From the coefficients of Gaia DR3 to these; the identity in DR3."""

    @property
    def n_coefficients(self) -> int:
        """Number of coefficients in this band."""
        return len(self.matrix)

    def coefficients(self, flux: Float64[np.ndarray, "n wavelengths"]) -> Float64[np.ndarray, "n n_coef"]:
        """Coefficients [e-/s] of spectra at the Earth, W m-2 nm-1 on XP_GRID; the same bytes on any number of threads."""
        with threadpool_limits(1, "blas"):
            return flux @ self.matrix.T

    def internal_spectrum(self, coefficients: Float64[np.ndarray, "n n_coef"]) -> Float64[np.ndarray, "n u"]:
        """Internal mean spectra, e-/s per sample, at PSEUDO_WAVELENGTHS."""
        return coefficients @ self.observed_bases


@functools.cache
def band_operator(band: Band, release: Release = "dr3") -> BandOperator:
    """The band as Gaia DR3 has it (55 coefficients), or in the mock basis of DR4 (51 in BP; see ``mock_dr4_projection``).

    The numbers do not depend on the machine's number of threads. UsageError where GaiaXPy's tables are not installed.
    """
    tables = CalibrationTables.read(band)
    with threadpool_limits(1, "blas"):
        matrix, bases = uncorrected_forward(tables)
        with np.load(FOLDER / "xp_forward.npz") as fitted:
            matrix = matrix + fitted[f"{band}_correction"].astype(np.float64) @ matrix[:LEADING]
        projection = np.eye(len(matrix)) if release == "dr3" else mock_dr4_projection(MOCK_DR4_COEFFICIENTS[band], len(matrix))
        return BandOperator(band, projection @ matrix, projection @ bases, projection)


@functools.cache
def _photometric_weights() -> tuple[Float64[np.ndarray, "3 n_bp"], Float64[np.ndarray, "3 n_rp"], Float64[np.ndarray, " 3"]]:
    """Weights of the DR3 coefficients of BP and of RP in the fluxes of G, BP, RP, and their Vega zero points."""
    root = ET.fromstring((_config() / "filters" / _PASSBANDS).read_text())  # noqa: S314 - a file of an installed package

    def numbers(tag: str) -> Float64[np.ndarray, " n"]:
        element = next(root.iter(tag))
        return np.array([float(value.text or "nan") for value in element.iter("value")])

    bp, rp = (numbers(f"{band}SampledBases").reshape(len(PHOTOMETRIC_BANDS), -1) for band in BANDS)
    return bp, rp, numbers("zeropoints")


def synthetic_g_bp_rp(bp: Float64[np.ndarray, "n 55"], rp: Float64[np.ndarray, "n 55"]) -> Float64[np.ndarray, "n 3"]:
    """Magnitudes in G, BP, RP (Gaia DR3, Vega) of DR3 coefficients; NaN where a flux is not positive.

    GaiaXPy's own bases of these passbands, so that its ``generate`` on the same coefficients gives the same magnitudes.
    """
    bp_weights, rp_weights, zero_points = _photometric_weights()
    flux = bp @ bp_weights.T + rp @ rp_weights.T
    return zero_points - 2.5 * np.log10(np.where(flux > 0, flux, np.nan))


@dataclass(frozen=True, eq=False)
class CalibrationTables:
    """What GaiaXPy carries of one band's external calibration."""

    pseudo_wavelength: Float64[np.ndarray, " wavelengths"]
    response: Float64[np.ndarray, " wavelengths"]
    hermite_scale: float
    hermite_offset: float
    inverse: Float64[np.ndarray, "n_coef n_hermite"]
    transformation: Float64[np.ndarray, "n_coef n_coef"]

    @classmethod
    def read(cls, band: Band) -> "CalibrationTables":
        """The tables at XP_GRID."""
        stem = _config() / _MODELS[band]
        dispersion = np.loadtxt(stem.with_name(f"{stem.name}_dispersion.csv"), delimiter=",")
        response = np.loadtxt(stem.with_name(f"{stem.name}_response.csv"), delimiter=",")
        csv.field_size_limit(10_000_000)
        with stem.with_name(f"{stem.name}_bases.csv").open(newline="") as file:
            bases = next(csv.DictReader(file))
        low, high, pwl_low, pwl_high = (float(bases[name]) for name in ("normRangeMin", "normRangeMax", "pwlRangeMin", "pwlRangeMax"))
        scale = (high - low) / (pwl_high - pwl_low)

        def matrix(name: str) -> Float64[np.ndarray, "rows columns"]:
            return np.array([float(value) for value in bases[name].strip("()[]").split(",")]).reshape(int(bases["nBases"]), -1)

        return cls(
            CubicSpline(dispersion[0], dispersion[1])(XP_GRID), np.interp(XP_GRID, response[0], response[1]),
            scale, low - pwl_low * scale, matrix("inverseBasesCoefficients"), matrix("transformationMatrix"),
        )  # fmt: skip

    def photon_rate(self) -> Float64[np.ndarray, " wavelengths"]:
        """g: detected photons a second and nm for 1 W m-2 nm-1."""
        return XP_GRID / _HC * _PUPIL * self.response

    def deconvolved_bases(self) -> Float64[np.ndarray, "n_coef wavelengths"]:
        """B_k at XP_GRID."""
        bases: Float64[np.ndarray, "n_coef wavelengths"] = (
            self.transformation @ self.inverse @ self.hermite(self.pseudo_wavelength, self.inverse.shape[1])
        )
        return bases

    def hermite(self, u: Float64[np.ndarray, " u"], n: int) -> Float64[np.ndarray, "n u"]:
        """Hermite functions of order 0 to n - 1 at pseudo-wavelengths."""
        x = u * self.hermite_scale + self.hermite_offset
        functions = np.zeros((n, len(x)))
        functions[0] = np.pi**-0.25 * np.exp(-0.5 * x * x)
        functions[1] = np.sqrt(2.0) * x * functions[0]
        for order in range(2, n):
            functions[order] = np.sqrt(2.0 / order) * x * functions[order - 1] - np.sqrt((order - 1.0) / order) * functions[order - 2]
        return functions


def uncorrected_forward(tables: CalibrationTables) -> tuple[Float64[np.ndarray, "n_coef wavelengths"], Float64[np.ndarray, "n_coef u"]]:
    """The matrix from spectrum to coefficients that follows from the tables alone, and the observed bases.

    Least squares in c of  sum_lambda |du/dlambda| (g f - B^T c)^2  +  0.1^2 integral_unlit (Phi^T c)^2 du  +  sum_k (5e-4 c_k / tau_k)^2.
    """
    u, u_step = tables.pseudo_wavelength, PSEUDO_WAVELENGTHS[1] - PSEUDO_WAVELENGTHS[0]
    deconvolved = tables.deconvolved_bases()
    observed = tables.transformation @ tables.hermite(PSEUDO_WAVELENGTHS, tables.transformation.shape[1])
    lit = u[tables.response > _LIT_RESPONSE]
    unlit = (lit.min() - _LIT_MARGIN > PSEUDO_WAVELENGTHS) | (lit.max() + _LIT_MARGIN < PSEUDO_WAVELENGTHS)
    root_weight = np.sqrt(np.abs(np.gradient(u, XP_GRID)))
    conditions = [
        (deconvolved * root_weight).T,
        _DARKNESS * np.sqrt(u_step) * observed[:, unlit].T,
        np.diag(_RIDGE / _typical_size(len(observed))),
    ]
    inverse = np.linalg.pinv(np.vstack(conditions), rcond=_RCOND)[:, : len(XP_GRID)]
    return inverse * (root_weight * tables.photon_rate()), observed


def _typical_size(n: int) -> Float64[np.ndarray, " n"]:
    """Size of |c_k / c_0| in stars: of order 1 in the first four, then falling, slower beyond order 25."""
    order = np.arange(n)
    tail = 0.02 * np.exp(-(order - 4) / 6.0) + 0.0006 * np.exp(-np.clip(order - 25, 0, None) / 18.0)
    return np.where(order < 4, 1.0, tail)


def _config() -> Path:
    """The folder of GaiaXPy's tables."""
    found = importlib.util.find_spec("gaiaxpy")
    if found is None or not found.submodule_search_locations:
        raise UsageError("The simulated sky needs the calibration tables of the package gaiaxpy, which is not installed.")
    return Path(found.submodule_search_locations[0]) / "config"
