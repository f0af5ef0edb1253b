"""Where on its isochrone a star stands: drawn by the mass function and by how far such a star can be seen."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from ingest.sky.isochrones import mass_function_weights, stages, track

Vector = Float64[np.ndarray, " n"]

AGES = np.array([0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.5, 7.0, 8.5, 10.0, 11.2, 12.6])
"""Gyr."""
METALLICITIES = np.array([-2.2, -1.9, -1.6, -1.3, -1.0, -0.8, -0.6, -0.4, -0.25, -0.1, 0.05, 0.2, 0.35, 0.5])

TEFF_RANGE = (3560.0, 9500.0)
"""K: the stars that the grid of model atmospheres holds."""
LOWEST_LOGG = 0.2
GIANT_LOGG = 3.6
"""Giants lie below this surface gravity."""
_BOLOMETRIC = ([3500, 3700, 4000, 4500, 5000, 5800, 7000, 9000], [-1.9, -1.4, -0.75, -0.3, -0.08, 0.06, 0.05, -0.2])
_MARGIN = 0.2


def rough_absolute_g(teff: Vector, logl: Vector) -> Vector:
    """M_G in mag by a bolometric correction, to 0.2 mag: what decides how far a star is looked for, never what is kept."""
    return np.asarray(4.74 - 2.5 * logl - np.interp(teff, *_BOLOMETRIC))


def on_the_grid(teff: Vector, logg: Vector) -> Bool[np.ndarray, " n"]:
    """Which stars the model atmospheres hold."""
    return np.asarray((teff > TEFF_RANGE[0]) & (teff < TEFF_RANGE[1]) & (logg > LOWEST_LOGG))


def reach(absolute_g: Vector, faintest: float) -> Vector:
    """How far in kpc a star could be and still be brighter than a magnitude, if there were no dust, and a margin for the rough M_G."""
    return np.asarray(10.0 ** (0.2 * (faintest + _MARGIN - absolute_g) - 2.0))


@dataclass(frozen=True, eq=False)
class StageTable:
    """What stars between neighbouring stages of the isochrones are like, at AGES and METALLICITIES."""

    x: Float64[np.ndarray, " steps"]
    number: Float64[np.ndarray, "age mh steps-1"]
    """Stars there by the mass function."""
    teff: Float64[np.ndarray, "age mh steps-1"]
    logg: Float64[np.ndarray, "age mh steps-1"]
    logl: Float64[np.ndarray, "age mh steps-1"]

    def draw(
        self, weight: Float64[np.ndarray, "age mh steps-1"], age: Vector, mh: Vector, rng: np.random.Generator
    ) -> tuple[Vector, Bool[np.ndarray, " n"]]:
        """A stage x for each age (Gyr) and [M/H], by the number of stars times ``weight``; False where no star has any weight.

        The weights are those of the nearest tabulated isochrone; x itself is continuous.
        """
        steps = len(self.x) - 1
        total = np.cumsum((self.number * weight).reshape(-1, steps), axis=1)
        whole = total[:, -1].copy()
        total /= np.where(whole > 0.0, whole, 1.0)[:, None]
        u = rng.random((len(age), 2))
        node = nearest_isochrone(age, mh)
        # one sorted array for all isochrones: number k holds the numbers k to k + 1
        flat = (total + np.arange(len(total))[:, None]).ravel()
        step = np.clip(np.searchsorted(flat, node + u[:, 0], side="right") - node * steps, 0, steps - 1)
        return self.x[step] + u[:, 1] * (self.x[step + 1] - self.x[step]), whole[node] > 0.0


def nearest_isochrone(age: Vector, mh: Vector) -> Any:
    """Number of the tabulated isochrone nearest to an age (Gyr) and [M/H]: the metallicity's number runs fastest."""
    return _nearest(AGES, age) * len(METALLICITIES) + _nearest(METALLICITIES, mh)


@cache
def stage_table() -> StageTable:
    """The table, computed once."""
    x = stages()
    age, mh = (values.ravel() for values in np.meshgrid(AGES, METALLICITIES, indexing="ij"))
    shape = (len(AGES), len(METALLICITIES), len(x) - 1)
    middle = track(age[:, None], mh[:, None], ((x[1:] + x[:-1]) / 2)[None, :])
    number = mass_function_weights(age, mh)
    return StageTable(x, *(np.asarray(each, np.float64).reshape(shape) for each in (number, middle.teff, middle.logg, middle.logl)))


def stage_of_mass(mass: Vector, age: Vector, mh: Vector, highest: Vector) -> Vector:
    """The stage below ``highest`` at which a star of an age (Gyr) and [M/H] has an initial mass, by bisection to 1e-7."""
    low, high = np.zeros_like(highest), highest.copy()
    for _ in range(24):
        middle = (low + high) / 2
        lighter = track(age, mh, middle).mass < mass
        low, high = np.where(lighter, middle, low), np.where(lighter, high, middle)
    return (low + high) / 2


def _nearest(values: Float64[np.ndarray, " k"], at: Vector) -> Any:
    return np.searchsorted((values[1:] + values[:-1]) / 2, at)
