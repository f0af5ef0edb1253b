"""Isochrones for drawing stars: mass, temperature, gravity and luminosity as smooth functions of age, [M/H] and evolutionary stage.

Fitted to an excerpt of the PARSEC isochrones (Bressan et al. 2012, MNRAS 427, 127; fitting/isochrones.py; origin and errors stand in
fitted/isochrones.npz and are printed by the fitting script). The stage x runs from 0, a main-sequence star of 0.12 solar masses, to 1, the
end of the early asymptotic giant branch, in equal steps along equivalent points of all isochrones: x = 0.62 is a red giant at every age
and metallicity, and so a star keeps its phase while age and metallicity vary. Rapid loops (the bump of the red giant branch) are smoothed.
"""

import functools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from ingest.sky.fitted import isochrone_fit
from ingest.sky.tensor_spline import tensor_basis, weighted_sum

LOWEST_MASS = 0.12
PHASES = ("main sequence", "subgiant branch", "red giant branch", "core helium burning", "early asymptotic giant branch")
#: Gyr and dex; ages and metallicities beyond count as those at the end.
AGE_RANGE = (10**8.6 / 1e9, 10**10.1 / 1e9)
MH_RANGE = (-2.18, 0.42)
#: log10(g) of a star of one solar mass, radius and temperature: log(G M / R^2) with L = 4 pi R^2 sigma T^4 (IAU 2015 resolution B3).
_LOGG_CONSTANT = 4.4380 - 4 * np.log10(5772.0)
_TABLE_STEP = 0.025  # dex, in log age and, doubled, in [M/H]: linear interpolation in the table adds less than a tenth of the fit's error

Vector = Float[np.ndarray, " n"]


class Track(NamedTuple):
    """Where stars stand; all arrays have the shape of the age, [M/H] and x they were asked for."""

    mass: Vector
    """Initial mass, solar masses, which grows with x: what the mass function counts. Red giants of today have lost up to 10 % of it."""
    teff: Vector
    """K"""
    logg: Vector
    """log10 of cm s-2, with the mass of today."""
    logl: Vector
    """log10 of the luminosity over the Sun's."""


@dataclass(frozen=True)
class _Table:
    """The fit on a fine grid: quantities are ln initial mass, mass of today over it, log10 teff, log10 luminosity."""

    log_age: Float[np.ndarray, " a"]
    mh: Float[np.ndarray, " m"]
    values: Float[np.ndarray, "a m steps 4"]


@functools.cache
def _table() -> _Table:
    fit = isochrone_fit()
    log_age = np.linspace(fit.log_age_knots[0], fit.log_age_knots[-1], 61)
    mh = np.linspace(*MH_RANGE, 53)
    age_nodes, mh_nodes = np.meshgrid(log_age, mh, indexing="ij")
    basis = tensor_basis(age_nodes.ravel(), mh_nodes.ravel(), fit.log_age_knots, fit.mh_knots)
    values = steps_of(weighted_sum(basis, fit.weights), fit.components, fit.mean)
    return _Table(log_age, mh, np.ascontiguousarray(values.transpose(0, 2, 1)).reshape(len(log_age), len(mh), -1, 4))


def steps_of(
    weights: Float[np.ndarray, "n p"], components: Float[np.ndarray, "p 4 steps"], mean: Float[np.ndarray, "4 steps"]
) -> Float[np.ndarray, "n 4 steps"]:
    """The quantities at every step from the weights of the components; the first is fitted as ln of the mass gained since the last step."""
    flat = weighted_sum(weights, components.reshape(len(components), -1))
    values = mean + flat.reshape(len(weights), *mean.shape)
    values[:, 0] = np.log(np.cumsum(np.exp(values[:, 0]), axis=1))
    return values


def _interpolated(age_gyr: Vector, mh: Vector, x: Vector) -> Float[np.ndarray, "n 4"]:
    """The table's quantities between its nodes, linear in log age, [M/H] and x."""
    table = _table()
    position = [
        (np.log10(np.clip(age_gyr, *AGE_RANGE)) + 9 - table.log_age[0]) / (table.log_age[1] - table.log_age[0]),
        (np.clip(mh, *MH_RANGE) - table.mh[0]) / (table.mh[1] - table.mh[0]),
        np.asarray(x) * (table.values.shape[2] - 1),
    ]
    below = [np.clip(p.astype(int), 0, size - 2) for p, size in zip(position, table.values.shape, strict=False)]
    above = [np.clip(p - b, 0.0, 1.0) for p, b in zip(position, below, strict=True)]
    result = np.zeros((*np.shape(x), 4))
    for corner in np.ndindex(2, 2, 2):
        share = np.prod([a if up else 1 - a for a, up in zip(above, corner, strict=True)], axis=0)
        i, j, k = (b + up for b, up in zip(below, corner, strict=True))
        result += share[..., None] * table.values[i, j, k]
    return result


def track(age_gyr: Vector, mh: Vector, x: Vector) -> Track:
    """Where stars of an age in Gyr, an [M/H] in dex and a stage x in 0..1 stand.

    Ages and metallicities outside AGE_RANGE and MH_RANGE count as those at the end; ValueError for x outside 0..1 or anything not finite.
    """
    age_gyr, mh, x = np.broadcast_arrays(np.asarray(age_gyr, float), np.asarray(mh, float), np.asarray(x, float))
    if not (np.isfinite(age_gyr).all() and np.isfinite(mh).all() and ((x >= 0) & (x <= 1)).all()):
        raise ValueError("a track needs finite ages and metallicities and stages x between 0 and 1")
    ln_mass, remaining, logt, logl = np.moveaxis(_interpolated(age_gyr, mh, x), -1, 0)
    return Track(np.exp(ln_mass), 10**logt, gravity(np.exp(ln_mass) * remaining, logt, logl), logl)


def gravity(mass: Vector, logt: Vector, logl: Vector) -> Vector:
    """log10 of the surface gravity from mass of today, log10 teff and log10 luminosity."""
    return np.asarray(_LOGG_CONSTANT + np.log10(mass) + 4 * logt - logl)


def current_mass(age_gyr: Vector, mh: Vector, x: Vector) -> Vector:
    """Mass of today, solar masses: the initial mass less the wind of the red giant branch."""
    values = _interpolated(*np.broadcast_arrays(np.asarray(age_gyr, float), np.asarray(mh, float), np.asarray(x, float)))
    return np.asarray(np.exp(values[..., 0]) * values[..., 1])


def phase(x: Vector) -> Int[np.ndarray, " n"]:
    """Number of the phase of a stage x, an index into PHASES."""
    starts = isochrone_fit().phase_starts / (_table().values.shape[2] - 1)
    return np.asarray(np.searchsorted(starts, x, side="right") - 1)


def stages() -> Float[np.ndarray, " steps"]:
    """The stages x at which the isochrones were fitted; between them everything is linear."""
    return np.linspace(0.0, 1.0, _table().values.shape[2])


def mass_function(mass: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    """Chabrier (2003, PASP 115, 763, eq. 17): stars per solar mass, in arbitrary units; a log-normal below 1 solar mass, M^-2.3 above."""
    exponent = -(np.log10(np.minimum(mass, 1.0) / 0.079) ** 2) / (2 * 0.69**2)
    return np.asarray(np.exp(exponent) * np.where(mass < 1, 1 / mass, mass**-2.3))


def mass_function_weights(age_gyr: Vector, mh: Vector) -> Float[np.ndarray, "n steps-1"]:
    """Stars born of the masses between neighbouring stages(): the probability, up to a factor, of finding a star there today."""
    mass = track(np.asarray(age_gyr, float)[:, None], np.asarray(mh, float)[:, None], stages()).mass
    middle = (mass[:, 1:] + mass[:, :-1]) / 2
    return mass_function(middle) * np.diff(mass, axis=1)
