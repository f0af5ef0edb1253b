"""Fit of the stellar fluxes: tensor splines in (ln teff, log g) for every wavelength, compressed to a few components.

The grid: Kurucz (1993, CD-ROM 13), ATLAS9 models as packaged by STScI (k93models), at [M/H] = 0 and -0.5, in the file
kurucz93_m05_p00.npz. Nodes without a model (low gravities of hot stars), which that file fills with the nearest gravity, have almost no
weight in the fit and no part in its errors. What is fitted is ln(flux / black body), which is smooth where the flux itself is not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from ingest.sky.extinction import mean_and_slope
from ingest.sky.fitted import StellarFluxFit
from ingest.sky.tensor_spline import tensor_basis
from ingest.sky.wavelengths import NIR_BANDS, XP_GRID, ln_black_body

ORIGIN = (
    "Fitted to the Kurucz (1993, CD-ROM 13) ATLAS9 grid as packaged by STScI (k93models), [M/H] = 0 and -0.5, teff 3500 to 12000 K, "
    "logg 0 to 5, read from github.com/astropatel/twinkle (MIT), commit 41005e95; passbands and zero points of 2MASS (Cohen et al. 2003) "
    "and WISE (Jarrett et al. 2011) from the same place."
)
# Closer where titanium oxide comes and goes and around the Balmer jump's maximum.
TEFF_KNOTS = np.array([3500.0, 3875.0, 4250.0, 4700.0, 5300.0, 6000.0, 6700.0, 7300.0, 8000.0, 8800.0, 10000.0, 12000.0])
LOGG_KNOTS = np.array([0.0, 0.8, 1.6, 2.5, 3.3, 4.2, 5.0])
SOLAR_COMPONENTS, CHANGE_COMPONENTS = 28, 20
FILLED_WEIGHT = 1e-3
REFERENCE_TEFF = 5000.0  # of the star whose photons weight the extinction over a band


@dataclass(frozen=True)
class FluxGrid:
    """The grid at the wavelengths and bands of the simulated sky; arrays are (metallicity, teff, logg, ...)."""

    teff: Float[np.ndarray, " t"]
    logg: Float[np.ndarray, " g"]
    real: Bool[np.ndarray, "t g"]
    """Where both metallicities have a model of their own."""
    ln_flux: Float[np.ndarray, "2 t g 790"]
    """At [M/H] = 0 and -0.5."""
    ln_band_flux: Float[np.ndarray, "2 t g 5"]
    ln_g_flux: Float[np.ndarray, "2 t g"]
    """Photon-weighted mean in Gaia G, for the errors of colours."""
    band_wavelengths: Float[np.ndarray, " 5"]
    vega_flux: Float[np.ndarray, " 5"]


def photon_mean(
    wavelength: Float[np.ndarray, " w"],
    flux: Float[np.ndarray, "... w"],
    band: tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]],
) -> Float[np.ndarray, "..."]:
    """Integral of flux x response x wavelength over that of response x wavelength."""
    band_wavelength, response = band
    inside = (wavelength > band_wavelength[0]) & (wavelength < band_wavelength[-1])
    sample = np.union1d(band_wavelength[band_wavelength <= wavelength[-1]], wavelength[inside])
    weight = np.interp(sample, band_wavelength, response) * sample * np.gradient(sample)
    at = np.clip(np.searchsorted(wavelength, sample) - 1, 0, len(wavelength) - 2)
    fraction = (sample - wavelength[at]) / (wavelength[at + 1] - wavelength[at])
    return (flux[..., at] * (1 - fraction) + flux[..., at + 1] * fraction) @ weight / weight.sum()


def _passband(passbands: Mapping[str, np.ndarray], name: str) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    return passbands[f"{name}_nm"].astype(float), passbands[f"{name}_rsr"].astype(float)


def _extinction_wavelength(band: tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]]) -> float:
    """Where the extinction curve equals its mean over the band."""
    wavelength = np.linspace(band[0][0], min(band[0][-1], 9900.0), 4000)
    curve = mean_and_slope(wavelength)[0]
    photons = np.exp(ln_black_body(wavelength, np.array([REFERENCE_TEFF])))[0]
    weight = photons * wavelength * np.interp(wavelength, *band)
    return float(np.interp(-(curve @ weight) / weight.sum(), -curve, wavelength))


def read_grid(folder: Path) -> FluxGrid:
    """The grid and the passbands from kurucz93_m05_p00.npz and passbands.npz."""
    with np.load(folder / "kurucz93_m05_p00.npz") as file:
        order = np.argsort(-file["mh"])  # solar first
        ln_flux, wavelength = file["lnflux"][order].astype(float), file["wl_nm"].astype(float)
        teff, logg = file["teff"].astype(float), file["logg"].astype(float)
    with np.load(folder / "passbands.npz") as file:
        passbands = {name: file[name] for name in file.files}
    filled = np.zeros(ln_flux.shape[:3], bool)
    filled[:, :, :-1] = (ln_flux[:, :, 1:] == ln_flux[:, :, :-1]).all(axis=-1)
    at = np.searchsorted(wavelength, XP_GRID) - 1
    fraction = (XP_GRID - wavelength[at]) / (wavelength[at + 1] - wavelength[at])
    flux = np.exp(ln_flux)
    bands = [_passband(passbands, name) for name in NIR_BANDS]
    return FluxGrid(
        teff=teff,
        logg=logg,
        real=np.asarray(~filled.any(axis=0)),
        ln_flux=ln_flux[..., at] * (1 - fraction) + ln_flux[..., at + 1] * fraction,
        ln_band_flux=np.log(np.stack([photon_mean(wavelength, flux, band) for band in bands], axis=-1)),
        ln_g_flux=np.log(photon_mean(wavelength, flux, _passband(passbands, "G"))),
        band_wavelengths=np.array([_extinction_wavelength(band) for band in bands]),
        vega_flux=np.array([float(passbands[f"{name}_f0"]) for name in NIR_BANDS]),
    )


def _components(
    basis: Float[np.ndarray, "nodes m"], coefficients: Float[np.ndarray, "m w"], count: int
) -> tuple[Float[np.ndarray, "m p"], Float[np.ndarray, "p w"]]:
    """The best approximation at the nodes by a few components: weights of the splines, spectra of the components."""
    _, triangular = np.linalg.qr(basis)
    left, singular, right = np.linalg.svd(triangular @ coefficients, full_matrices=False)
    sign = np.sign(right[np.arange(count), np.abs(right[:count]).argmax(axis=1)])  # one of two equal answers, always the same
    return np.linalg.solve(triangular, left[:, :count] * singular[:count] * sign), right[:count] * sign[:, None]


def fit_grid(grid: FluxGrid, keep: Bool[np.ndarray, "t g"] | None = None) -> StellarFluxFit:
    """Least squares over the nodes (those of ``keep`` alone where given)."""
    teff, logg = (axis.ravel() for axis in np.meshgrid(grid.teff, grid.logg, indexing="ij"))
    ln_teff_knots = np.log(TEFF_KNOTS)
    basis = tensor_basis(np.log(teff), logg, ln_teff_knots, LOGG_KNOTS)
    weight = np.where(grid.real, 1.0, FILLED_WEIGHT)
    if keep is not None:
        weight = np.where(keep, weight, 0.0)
    normal = (basis * weight.reshape(-1, 1)).T
    inverse = np.linalg.inv(normal @ basis + 1e-7 * np.eye(basis.shape[1]))

    def coefficients(values: Float[np.ndarray, "t g w"]) -> Float[np.ndarray, "m w"]:
        return np.asarray(inverse @ (normal @ values.reshape(len(basis), -1)))

    spectrum = grid.ln_flux - ln_black_body(XP_GRID, grid.teff)[:, None, :]
    bands = grid.ln_band_flux - ln_black_body(grid.band_wavelengths, grid.teff)[:, None, :]
    weighted = basis * np.sqrt(np.maximum(weight, 1e-7)).reshape(-1, 1)
    solar_weights, solar_components = _components(weighted, coefficients(spectrum[0]), SOLAR_COMPONENTS)
    change_weights, change_components = _components(weighted, coefficients(spectrum[1] - spectrum[0]), CHANGE_COMPONENTS)
    return StellarFluxFit(
        ln_teff_knots=ln_teff_knots,
        logg_knots=LOGG_KNOTS,
        solar_weights=solar_weights,
        solar_components=solar_components,
        change_weights=change_weights,
        change_components=change_components,
        band_weights=np.stack([coefficients(bands[0]), coefficients(bands[1] - bands[0])]),
        band_wavelengths=grid.band_wavelengths,
        vega_flux=grid.vega_flux,
        origin=ORIGIN,
        errors="",
    )


@dataclass(frozen=True)
class FluxPrediction:
    """What a fit says at some (teff, logg), at both metallicities."""

    ln_flux: Float[np.ndarray, "2 n 790"]
    ln_band_flux: Float[np.ndarray, "2 n 5"]


def predict(fit: StellarFluxFit, teff: Float[np.ndarray, " n"], logg: Float[np.ndarray, " n"]) -> FluxPrediction:
    """ln flux at [M/H] = 0 and -0.5."""
    basis = tensor_basis(np.log(teff), logg, fit.ln_teff_knots, fit.logg_knots)
    solar = ln_black_body(XP_GRID, teff) + basis @ fit.solar_weights @ fit.solar_components
    bands = ln_black_body(fit.band_wavelengths, teff) + basis @ fit.band_weights[0]
    return FluxPrediction(
        ln_flux=np.stack([solar, solar + basis @ fit.change_weights @ fit.change_components]),
        ln_band_flux=np.stack([bands, bands + basis @ fit.band_weights[1]]),
    )
