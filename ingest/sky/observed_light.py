"""The spectra and infrared fluxes of simulated stars as they reach the Earth, unresolved companions included, before any instrument."""

import numpy as np
from jaxtyping import Float64

from ingest.sky.elements import ALPHA_GAIN
from ingest.sky.light import band_flux_at_surface, band_transmission, dilution, flux_at_surface, transmission
from ingest.sky.stars import Stars
from ingest.sky.wavelengths import NIR_BANDS


def flux_at_earth(stars: Stars, *, alpha_gain: float = ALPHA_GAIN) -> Float64[np.ndarray, "n 790"]:
    """Flux on XP_GRID, W m-2 nm-1. Takes 20 kB a star: give it blocks of some thousands."""
    flux = flux_at_surface(stars.labels, stars.kind, stars.shape, alpha_gain=alpha_gain)
    flux *= dilution(stars.radius, stars.distance)[:, None]
    rows = np.flatnonzero(stars.is_binary)
    second = stars.take(rows)
    companion = flux_at_surface(second.companion, second.kind, second.shape, alpha_gain=alpha_gain)
    flux[rows] += companion * dilution(second.companion_radius, second.distance)[:, None]
    return flux * transmission(stars.ebv, stars.rv)


def band_flux_at_earth(stars: Stars) -> dict[str, Float64[np.ndarray, " n"]]:
    """Mean flux in each of NIR_BANDS, W m-2 nm-1."""
    flux = band_flux_at_surface(stars.labels, stars.kind) * dilution(stars.radius, stars.distance)[:, None]
    rows = np.flatnonzero(stars.is_binary)
    second = stars.take(rows)
    companion = band_flux_at_surface(second.companion, second.kind)
    flux[rows] += companion * dilution(second.companion_radius, second.distance)[:, None]
    flux *= band_transmission(stars.ebv, stars.rv)
    return {band: flux[:, i] for i, band in enumerate(NIR_BANDS)}
