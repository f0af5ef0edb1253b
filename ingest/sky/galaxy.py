"""The components of the simulated Galaxy: where their stars are, how old and how metal-rich they are.

Two exponential discs and a flattened power-law halo, of which a part was accreted. Scales after Bland-Hawthorn & Gerhard 2016, ARA&A 54,
529 (section 5); metallicities after Hayden et al. 2015, ApJ 808, 132; the accreted part after Gaia-Enceladus (Helmi et al. 2018, Nature
563, 85). There is no bar, no spiral arm, no warp and no flare.

Galactocentric axes: x towards the Galactic centre from the Sun's side (the Sun at x = -R_SUN), y along the Sun's rotation, z north.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float64

Array = np.ndarray[Any, np.dtype[np.float64]]

R_SUN = 8.2
"""Distance of the Sun from the Galactic centre, kpc."""
Z_SUN = 0.02
"""Height of the Sun above the plane, kpc."""
FEH_RANGE = (-2.2, 0.4)


class Population(IntEnum):
    """Where a star belongs; the numbers stand in the truth table."""

    THIN = 0
    THICK = 1
    HALO = 2
    """The halo that was born here."""
    ACCRETED = 3
    """The debris of one large merger, like Gaia-Enceladus."""
    OPEN_CLUSTER = 4
    GLOBULAR_CLUSTER = 5


FIELD = (Population.THIN, Population.THICK, Population.HALO, Population.ACCRETED)

SHARES: Mapping[Population, float] = {
    Population.THIN: 0.70,
    Population.THICK: 0.27,
    Population.HALO: 0.012,
    Population.ACCRETED: 0.018,
}
"""Share of each component among the drawn field stars: a choice that shows both alpha sequences well, not their true local densities."""

DISC_SCALES = {Population.THIN: (2.8, 0.32), Population.THICK: (2.1, 0.85)}
"""Scale length and scale height, kpc."""
HALO_SLOPE, HALO_FLATTENING, _HALO_CORE = -2.7, 0.7, 0.7
FEH_GRADIENT = -0.055
"""[Fe/H] of the thin disc per kpc of Galactocentric radius."""
_FEH = {Population.THIN: (-0.08, 0.20), Population.THICK: (-0.38, 0.27), Population.HALO: (-1.45, 0.35), Population.ACCRETED: (-1.25, 0.25)}


def density(population: Population, radius: Array, height: Array) -> Array:
    """Number density at Galactocentric cylinder radius and height in kpc, 1 at the Sun's radius in the plane (the halo: nearly)."""
    if population in DISC_SCALES:
        length, thickness = DISC_SCALES[population]
        return np.asarray(np.exp(-(radius - R_SUN) / length - np.abs(height) / thickness))
    return np.asarray((np.sqrt(radius**2 + (height / HALO_FLATTENING) ** 2 + _HALO_CORE**2) / R_SUN) ** HALO_SLOPE)


def galactocentric(distance: Array, longitude: Array, latitude: Array) -> Float64[np.ndarray, "3 ..."]:
    """Cartesian Galactocentric position in kpc from a distance in kpc and Galactic coordinates in radians."""
    across = distance * np.cos(latitude)
    return np.stack([across * np.cos(longitude) - R_SUN, across * np.sin(longitude), distance * np.sin(latitude) + Z_SUN])


def cylinder_radius(position: Float64[np.ndarray, "3 ..."]) -> Array:
    """Distance from the Galaxy's axis."""
    return np.asarray(np.hypot(position[0], position[1]))


def draw_feh(population: Population, n: int, rng: np.random.Generator) -> Float64[np.ndarray, " n"]:
    """[Fe/H] at the Sun's radius, before ``move_feh``."""
    mean, spread = _FEH[population]
    return mean + spread * rng.standard_normal(n)


def move_feh(population: Population, feh: Float64[np.ndarray, " n"], radius: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """[Fe/H] at a Galactocentric radius in kpc: the thin disc's gradient, ended 4 kpc inwards and 6 kpc outwards, within FEH_RANGE.

    What would lie above the range is reflected at its end, so that no star stands at the edge itself.
    """
    if population is Population.THIN:
        feh = feh + FEH_GRADIENT * np.clip(radius - R_SUN, -4.0, 6.0)
    low, high = FEH_RANGE
    return np.clip(high - np.abs(high - feh), low, high)


def draw_age(population: Population, n: int, rng: np.random.Generator) -> Float64[np.ndarray, " n"]:
    """Ages in Gyr, within 0.5 to 12.6."""
    if population is Population.THIN:
        return 0.5 + 10.5 * rng.random(n)
    mean, spread = {Population.THICK: (9.5, 1.6), Population.HALO: (11.5, 0.8), Population.ACCRETED: (11.0, 0.8)}[population]
    return np.clip(mean + spread * rng.standard_normal(n), 0.5, 12.6)


@dataclass(frozen=True)
class Sightlines:
    """Stars of a component per cell of distance, longitude and latitude about the Sun: a table from which positions are drawn.

    Within a cell the density is taken for constant but for the growth of the shells with distance; cells are 7 % deep, 4 degrees
    long, and from 0.3 degrees wide at the plane.
    """

    distance: Float64[np.ndarray, " d"]
    """Edges of the shells, kpc."""
    longitude: Float64[np.ndarray, " l"]
    sine_latitude: Float64[np.ndarray, " b"]
    within: Float64[np.ndarray, " d"]
    """Number of stars, up to a factor, nearer than each edge."""
    up_to_cell: Float64[np.ndarray, " cells"]
    """For each cell of the sky of each shell, the shell's number plus the share of its stars up to and with the cell: ascending."""

    def number_within(self, distance: Array) -> Array:
        """Number of stars nearer than a distance in kpc, up to a factor."""
        cube = self.distance**3
        return np.interp(np.clip(distance, self.distance[0], self.distance[-1]) ** 3, cube, self.within)

    def draw(self, farthest: Float64[np.ndarray, " n"], rng: np.random.Generator) -> tuple[Array, Array, Array]:
        """Distance (kpc), longitude and latitude (radians) of stars that are nearer than ``farthest`` (kpc)."""
        n = len(farthest)
        u = rng.random((n, 4))
        cube = np.interp(u[:, 0] * self.number_within(farthest), self.within, self.distance**3)
        distance = np.cbrt(cube)
        shell = np.clip(np.searchsorted(self.distance, distance, side="right") - 1, 0, len(self.distance) - 2)
        cells = (len(self.longitude) - 1) * (len(self.sine_latitude) - 1)
        cell = np.clip(np.searchsorted(self.up_to_cell, shell + u[:, 1], side="right") - shell * cells, 0, cells - 1)
        n_latitudes = len(self.sine_latitude) - 1
        i, j = cell // n_latitudes, cell % n_latitudes
        longitude = self.longitude[i] + u[:, 2] * (self.longitude[i + 1] - self.longitude[i])
        sine = self.sine_latitude[j] + u[:, 3] * (self.sine_latitude[j + 1] - self.sine_latitude[j])
        return distance, longitude, np.arcsin(sine)


@lru_cache(maxsize=len(FIELD))
def sightlines(population: Population) -> Sightlines:
    """The table of a component, from 5 pc to 60 kpc."""
    distance = np.geomspace(0.005, 60.0, 141)
    longitude = np.radians(np.linspace(0.0, 360.0, 91))
    # narrow at the plane, where far discs are thin: sinh spacing in the sine
    sine = np.sinh(np.linspace(-1.0, 1.0, 122) * np.arcsinh(60.0)) / 60.0
    middle = [np.sqrt(distance[1:] * distance[:-1]), (longitude[1:] + longitude[:-1]) / 2, np.arcsin((sine[1:] + sine[:-1]) / 2)]
    x = galactocentric(*np.meshgrid(*middle, indexing="ij"))
    cells = density(population, cylinder_radius(x), x[2]) * np.diff(distance**3)[:, None, None] * np.diff(sine)
    shells = cells.reshape(len(middle[0]), -1)
    total = np.cumsum(shells, axis=1)
    up_to_cell = (total / total[:, -1:] + np.arange(len(total))[:, None]).ravel()
    return Sightlines(distance, longitude, sine, np.concatenate([[0.0], np.cumsum(total[:, -1])]), up_to_cell)
