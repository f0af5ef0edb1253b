"""Simulated stars that the tests of the sky share."""

from dataclasses import dataclass

import numpy as np
import pytest

from catalog.spectra import Band
from ingest.sky.emulator import surface_flux
from ingest.sky.labels import StellarLabels
from ingest.sky.xp_forward import BANDS, band_operator, synthetic_g_bp_rp


@dataclass(frozen=True, eq=False)
class FieldLikeStars:
    """Dwarfs and giants as in an ordinary field, spread evenly in G from 8 to 18."""

    flux: np.ndarray
    coefficients: dict[Band, np.ndarray]
    magnitudes: np.ndarray

    @property
    def g(self) -> np.ndarray:
        return self.magnitudes[:, 0]


@pytest.fixture(scope="session")
def field_like_stars() -> FieldLikeStars:
    rng, n = np.random.default_rng(5), 4000
    giant = rng.random(n) < 0.3
    teff = np.where(giant, rng.normal(4800, 250, n), np.clip(rng.normal(5600, 600, n), 4000, 7500))
    zero = np.zeros(n)
    flux = surface_flux(StellarLabels(teff, np.where(giant, 2.5, 4.4), rng.normal(-0.3, 0.3, n), zero + 0.1, zero, zero))
    at_surface = {band: band_operator(band).coefficients(flux) for band in BANDS}
    g = synthetic_g_bp_rp(at_surface["bp"], at_surface["rp"])[:, 0]
    scale = 10 ** (-0.4 * (rng.uniform(8, 18, n) - g))[:, None]
    coefficients = {band: at_surface[band] * scale for band in BANDS}
    return FieldLikeStars(flux * scale, coefficients, synthetic_g_bp_rp(coefficients["bp"], coefficients["rp"]))
