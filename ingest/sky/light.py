"""The light of one object as it reaches the Earth: surface flux by its kind, its radius and distance, the dust before it, and its G."""

import functools

import numpy as np
from jaxtyping import Float64, Int8

from ingest.sky import oddities
from ingest.sky.elements import ALPHA_GAIN
from ingest.sky.emulator import surface_band_flux, surface_flux
from ingest.sky.extinction import MEAN_RV, extinction_curve
from ingest.sky.labels import StellarLabels
from ingest.sky.oddities import OFF_GRID, Kind
from ingest.sky.wavelengths import NIR_BANDS, XP_GRID
from ingest.sky.xp_forward import band_operator, synthetic_g_bp_rp

Vector = Float64[np.ndarray, " n"]
Kinds = Int8[np.ndarray, " n"]
Spectra = Float64[np.ndarray, "n 790"]

KPC_IN_SOLAR_RADII = 3.0856775814913673e19 / 6.957e8
"""IAU 2012 resolution B2, IAU 2015 resolution B3."""


def flux_at_surface(labels: StellarLabels, kind: Kinds, shape: Float64[np.ndarray, "n 4"], *, alpha_gain: float = ALPHA_GAIN) -> Spectra:
    """Flux through the surface on XP_GRID, W m-2 nm-1, of objects of every kind; ``shape`` makes no two oddities alike."""
    flux = np.empty((len(labels), len(XP_GRID)))
    on_grid = ~np.isin(kind, OFF_GRID)
    if on_grid.any():
        flux[on_grid] = surface_flux(labels.take(on_grid), alpha_gain=alpha_gain)
    for off_grid in OFF_GRID:
        rows = kind == off_grid
        flux[rows] = oddities.off_grid_flux(off_grid, labels.take(rows), shape[rows])
    rows = kind == Kind.EMISSION
    flux[rows] *= oddities.emission_factor(shape[rows])
    rows = kind == Kind.JUNK
    flux[rows] = oddities.junk_flux(flux[rows], shape[rows])
    return flux


def band_flux_at_surface(labels: StellarLabels, kind: Kinds) -> Float64[np.ndarray, "n 5"]:
    """Mean flux through the surface in each of NIR_BANDS, W m-2 nm-1; emission and junk spectra leave it as it is."""
    flux = np.empty((len(labels), len(NIR_BANDS)))
    for off_grid in (None, *OFF_GRID):
        rows = ~np.isin(kind, OFF_GRID) if off_grid is None else kind == off_grid
        if rows.any():
            some = labels.take(rows)
            bands = surface_band_flux(some) if off_grid is None else oddities.off_grid_band_flux(off_grid, some)
            flux[rows] = np.stack([bands[band] for band in NIR_BANDS], axis=1)
    return flux


def dilution(radius: Vector, distance: Vector) -> Vector:
    """Flux at the Earth over flux at the surface, without dust, for radii in solar radii and distances in kpc."""
    return np.asarray((radius / (distance * KPC_IN_SOLAR_RADII)) ** 2)


def transmission(ebv: Vector, rv: Vector | float = MEAN_RV) -> Spectra:
    """The share of light on XP_GRID that passes dust of E(B-V) in mag and R_V."""
    curve = np.asarray(extinction_curve(rv).xp)
    return np.asarray(np.exp(-0.4 * np.log(10.0) * (np.asarray(rv) * ebv)[:, None] * curve))


def band_transmission(ebv: Vector, rv: Vector | float = MEAN_RV) -> Float64[np.ndarray, "n 5"]:
    """The share of light in NIR_BANDS that passes dust."""
    curve = np.stack([np.broadcast_to(extinction_curve(rv).bands[band], ebv.shape) for band in NIR_BANDS], axis=1)
    return np.asarray(10.0 ** (-0.4 * (np.asarray(rv) * ebv)[:, None] * curve))


@functools.cache
def _g_weights() -> tuple[Float64[np.ndarray, " 790"], float]:
    """G = zero point - 2.5 log10(weights . flux): the passband by way of the coefficients, which are linear in the flux.

    Tabulated from the flux of one wavelength at a time, far above zero so that single negative weights do no harm.
    """
    floor = np.ones(len(XP_GRID))
    spectra = np.vstack([floor, floor + 100.0 * np.eye(len(XP_GRID))])
    g = synthetic_g_bp_rp(band_operator("bp").coefficients(spectra), band_operator("rp").coefficients(spectra))[:, 0]
    brightness = 10.0 ** (-0.4 * (g - g[0]))
    return (brightness[1:] - 1.0) / 100.0, float(g[0])


def g_magnitude(flux: Spectra) -> Vector:
    """G (Gaia DR3, Vega) of spectra at the Earth in W m-2 nm-1."""
    weights, zero_point = _g_weights()
    return np.asarray(zero_point - 2.5 * np.log10((flux * weights).sum(axis=1)))


def apparent_g(labels: StellarLabels, radius: Vector, distance: Vector, ebv: Vector) -> Vector:
    """G of ordinary stars behind dust of the mean extinction curve; radius in the Sun's, distance in kpc, ``ebv`` in mag.

    With the standard gain of the alpha features, whatever a sky is made with: so a control sky without them has the same stars.
    """
    flux = surface_flux(labels) * transmission(ebv)
    return g_magnitude(flux) - 2.5 * np.log10(dilution(radius, distance))
