"""What the forward model's benchmarks know of a simulated sky: its stars, their true fluxes in the 66 bands, and what is typical of a type.

The forward model knows a star by (teff, feh, logg). At a given type the simulated stars still differ: in alpha elements, carbon and nitrogen, in
mass (and with it in radius, R^2 = G M / g) and in the shape of the extinction curve. What a model of types can learn at best is the mean over these,
so ``Typical`` holds their local means, slopes and covariances at each star's type, from the nearest other stars of the same sky.

Everything here is simulated.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from jaxtyping import Float64, Int64
from scipy.spatial import cKDTree
from threadpoolctl import threadpool_limits

from catalog.errors import DataError
from ingest.sky.emulator import band_magnitudes
from ingest.sky.make import SETTINGS, TRUTH, SkySettings
from ingest.sky.observed_light import band_flux_at_earth, flux_at_earth
from ingest.sky.oddities import Kind
from ingest.sky.stars import Stars, draw_stars
from ingest.sky.wavelengths import NIR_BANDS
from ingest.sky.xp_forward import BANDS, band_operator
from models.forward.bands import FLUX_UNIT, NIR_AB_OFFSETS, NIR_WAVELENGTHS

Vector = Float64[np.ndarray, " n"]
Fluxes = Float64[np.ndarray, "n 66"]
Sampling = Mapping[str, Float64[np.ndarray, "coefficients 61"]]

HIDDEN = ("alpha_m", "c_fe", "n_fe", "ln_mass", "rv")
"""What differs among stars of one type."""
NEIGHBOURS = 150
"""Stars from which the local relations are taken."""
TYPE_SCALES = np.array([0.10, 0.08, 0.10])
"""kK, dex, dex: distances between types are in these units; a network with tanh layers resolves about as much."""
_AB_JANSKY, _LIGHT_SPEED = 3631e-26, 299792458.0
_BLOCK = 2000


def read_sky(folder: Path) -> tuple[Stars, SkySettings]:
    """All stars of a sky in the order of their source_id, drawn again from its settings; DataError if its truth table has others."""
    numbers = json.loads((folder / SETTINGS).read_text())
    settings = SkySettings(**{name: numbers[name] for name in SkySettings.__dataclass_fields__})
    stars = draw_stars(settings.stars, np.random.default_rng(settings.seed), settings.options())
    stars = stars.take(np.argsort(stars.source_id, kind="stable"))
    if settings.release != "dr3" or not np.array_equal(pq.read_table(folder / TRUTH, columns=["source_id"])["source_id"], stars.source_id):
        raise DataError(
            f"{folder}: the stars of this sky's settings are not those of {TRUTH}; only skies of dr3 by this version of kiel will do."
        )
    return stars, settings


def rows_of(stars: Stars, source_id: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
    """Where these sources are among the stars, which are in the order of their source_id."""
    at = np.searchsorted(stars.source_id, source_id).clip(max=len(stars) - 1)
    if not np.array_equal(stars.source_id[at], source_id):
        raise DataError("a source of the database is not one of this sky's stars.")
    return at


def ordinary(stars: Stars) -> np.ndarray:
    """Which are single stars of the grid."""
    return np.asarray((stars.kind == Kind.STAR) & ~stars.is_binary)


def types(stars: Stars) -> Float64[np.ndarray, "n 3"]:
    """teff in kK, feh, logg."""
    return np.column_stack([stars.labels.teff / 1000, stars.labels.feh, stars.labels.logg])


def parameters(stars: Stars) -> Float64[np.ndarray, "n 5"]:
    """teff in kK, feh, logg, ext, parallax in mas: what the forward model ought to find."""
    return np.column_stack([types(stars), stars.ebv, stars.parallax])


def true_fluxes(stars: Stars, sampling: Sampling, alpha_gain: float) -> Fluxes:
    """The 66 fluxes of the stars as they reach the Earth, without noise, 1e-18 W m-2 nm-1: XP by way of the coefficients, as instruments see it."""
    light = flux_at_earth(stars, alpha_gain=alpha_gain)
    xp = sum(band_operator(band).coefficients(light) @ sampling[band] for band in BANDS)
    magnitudes = band_magnitudes(band_flux_at_earth(stars))
    vega = np.column_stack([magnitudes[band] for band in NIR_BANDS])
    per_frequency = _AB_JANSKY * 10.0 ** (-0.4 * (vega + NIR_AB_OFFSETS))
    infrared = per_frequency * _LIGHT_SPEED / (NIR_WAVELENGTHS * 1e-9) ** 2 * 1e-9  # Eq. 5, W m-2 nm-1
    return np.hstack([xp, infrared]) / FLUX_UNIT


def in_blocks(stars: Stars, sampling: Sampling, alpha_gain: float) -> Fluxes:
    """``true_fluxes`` of any number of stars."""
    with threadpool_limits(1, "blas"):
        return np.vstack([true_fluxes(stars.take(slice(i, i + _BLOCK)), sampling, alpha_gain) for i in range(0, len(stars), _BLOCK)])


@dataclass(frozen=True, eq=False)
class Typical:
    """At the types of n stars: what the sky's stars of that type are like on average, HIDDEN in order; R_V is 3.1 everywhere."""

    mean: Float64[np.ndarray, "n 5"]
    slope: Float64[np.ndarray, "n 5 3"]
    """Of the mean, by (teff in kK, feh, logg)."""
    covariance: Float64[np.ndarray, "n 5 5"]
    """Of the differences from the mean."""

    @staticmethod
    def of(stars: Stars, population: Stars, rv_scatter: float) -> "Typical":
        """By local linear regression over the NEIGHBOURS nearest ordinary stars of ``population``."""
        known = population.take(ordinary(population))
        place, value = types(known) / TYPE_SCALES, _hidden(known)
        here = types(stars) / TYPE_SCALES
        near = np.asarray(cKDTree(place).query(here, NEIGHBOURS)[1])
        mean, slope, covariance = np.zeros((len(stars), 5)), np.zeros((len(stars), 5, 3)), np.zeros((len(stars), 5, 5))
        for i, rows in enumerate(near):
            offset = place[rows] - here[i]
            weight = np.sqrt(np.exp(-0.5 * (offset**2).sum(1) / (offset[-1] ** 2).sum() * 4))
            design = np.column_stack([np.ones(len(rows)), offset]) * weight[:, None]
            # A little ridge keeps slopes finite along directions in which the neighbours do not spread.
            ridge = np.diag([0.0, 1e-2, 1e-2, 1e-2]) * (weight**2).sum()
            fitted = np.linalg.solve(design.T @ design + ridge, design.T @ (value[rows, :4] * weight[:, None]))
            rest = (value[rows, :4] - np.column_stack([np.ones(len(rows)), offset]) @ fitted) * weight[:, None]
            mean[i, :4], slope[i, :4] = fitted[0], fitted[1:].T / TYPE_SCALES
            covariance[i, :4, :4] = rest.T @ rest / (weight**2).sum()
        mean[:, 4], covariance[:, 4, 4] = 3.1, max(rv_scatter, 1e-6) ** 2
        return Typical(mean, slope, covariance)

    def stars(self, stars: Stars) -> Stars:
        """The same stars as they would be if they were typical of their types: what a model of types can know of them."""
        alpha, carbon, nitrogen, ln_mass, rv = self.mean.T
        labels = replace(stars.labels, alpha_m=alpha, c_fe=carbon, n_fe=nitrogen)
        radius = stars.radius * np.exp(0.5 * (ln_mass - np.log(stars.mass)))
        return replace(stars, labels=labels, radius=radius, mass=np.exp(ln_mass), rv=rv)

    def offsets(self, stars: Stars) -> Float64[np.ndarray, "n 5"]:
        """How far the stars are from what is typical."""
        return _hidden(stars) - self.mean


def _hidden(stars: Stars) -> Float64[np.ndarray, "n 5"]:
    return np.column_stack([stars.labels.alpha_m, stars.labels.c_fe, stars.labels.n_fe, np.log(stars.mass), stars.rv])
