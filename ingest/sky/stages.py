"""Where on its isochrone a star stands: drawn by the mass function and by how far such a star can be seen.

An isochrone is a function ``track(age, mh, x)`` -> (mass, teff, logg, logl) of age in Gyr, [M/H] and a coordinate x from 0 (the faintest
dwarf) to 1 (the last giant).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

Vector = Float64[np.ndarray, " n"]
Track = Callable[[Any, Any, Any], tuple[Any, Any, Any, Any]]

AGES = np.array([0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.5, 7.0, 8.5, 10.0, 11.2, 12.6])
"""Gyr."""
METALLICITIES = np.array([-2.2, -1.9, -1.6, -1.3, -1.0, -0.8, -0.6, -0.4, -0.25, -0.1, 0.05, 0.2, 0.35, 0.5])
STEPS = 600

TEFF_RANGE = (3560.0, 9500.0)
"""K: the stars that the grid of model atmospheres holds."""
LOWEST_LOGG = 0.2
GIANT_LOGG = 3.6
"""Giants lie below this surface gravity."""
_BOLOMETRIC = ([3500, 3700, 4000, 4500, 5000, 5800, 7000, 9000], [-1.9, -1.4, -0.75, -0.3, -0.08, 0.06, 0.05, -0.2])
_MARGIN = 0.2


def mass_function(mass: Vector) -> Vector:
    """Number of stars per solar mass, up to a factor, for single stars (Chabrier 2003, PASP 115, 763, eq. 17)."""
    low = np.exp(-((np.log10(mass) - np.log10(0.079)) ** 2) / (2 * 0.69**2)) / mass
    return np.asarray(np.where(mass < 1.0, low, np.exp(-(np.log10(0.079) ** 2) / (2 * 0.69**2)) * mass**-2.3))


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
class Isochrones:
    """A track, tabulated at AGES and METALLICITIES and ``STEPS`` + 1 points."""

    track: Track
    x: Float64[np.ndarray, " x"]
    number: Float64[np.ndarray, "age mh x-1"]
    """Stars between neighbouring points by the mass function."""
    teff: Float64[np.ndarray, "age mh x-1"]
    logg: Float64[np.ndarray, "age mh x-1"]
    logl: Float64[np.ndarray, "age mh x-1"]

    @staticmethod
    def of(track: Track) -> "Isochrones":
        """The table of a track."""
        x = np.linspace(0.0, 1.0, STEPS + 1)
        age, mh, at = (a.ravel() for a in np.meshgrid(AGES, METALLICITIES, x, indexing="ij"))
        shape = (len(AGES), len(METALLICITIES), len(x))
        mass, teff, logg, logl = (np.asarray(value, np.float64).reshape(shape) for value in track(age, mh, at))
        middle = [(value[..., 1:] + value[..., :-1]) / 2 for value in (mass, teff, logg, logl)]
        return Isochrones(track, x, mass_function(middle[0]) * np.maximum(np.diff(mass), 0.0), *middle[1:])

    def draw(
        self, weight: Float64[np.ndarray, "age mh x-1"], age: Vector, mh: Vector, rng: np.random.Generator
    ) -> tuple[Vector, Bool[np.ndarray, " n"]]:
        """A coordinate x for each age and [M/H], by the number of stars times ``weight``; False where no star has any weight.

        The weights are those of the nearest tabulated isochrone; x itself is continuous.
        """
        share = self.number * weight
        total = np.cumsum(share.reshape(-1, STEPS), axis=1)
        whole = total[:, -1].copy()
        total /= np.where(whole > 0.0, whole, 1.0)[:, None]
        u = rng.random((len(age), 2))
        node = _nearest(AGES, age) * len(METALLICITIES) + _nearest(METALLICITIES, mh)
        flat = (total + np.arange(len(total))[:, None]).ravel()
        step = np.clip(np.searchsorted(flat, node + u[:, 0] * (1 - 1e-12), side="right") - node * STEPS, 0, STEPS - 1)
        return self.x[step] + u[:, 1] * (self.x[step + 1] - self.x[step]), whole[node] > 0.0

    def x_of_mass(self, mass: Vector, age: Vector, mh: Vector, highest: Vector) -> Vector:
        """The coordinate at which a star of the age and [M/H] has a mass, below ``highest``, by bisection; masses must grow with x there."""
        low, high = np.zeros_like(highest), highest.copy()
        for _ in range(24):
            middle = (low + high) / 2
            lighter = np.asarray(self.track(age, mh, middle)[0]) < mass
            low, high = np.where(lighter, middle, low), np.where(lighter, high, middle)
        return (low + high) / 2


def _nearest(values: Float64[np.ndarray, " k"], at: Vector) -> Any:
    return np.searchsorted((values[1:] + values[:-1]) / 2, at)
