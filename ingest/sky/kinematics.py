"""Velocities of the simulated stars, and how position and velocity look from the Sun.

Each component has a velocity ellipsoid and an asymmetric drift: the discs and the old halo after Bensby, Feltzing & Lundstrom 2003, A&A
410, 527, table 1; the accreted stars move on radial orbits, after Belokurov et al. 2018, MNRAS 478, 611. Circular velocity: Eilers et al.
2019, ApJ 871, 120. Motion of the Sun: Schonrich, Binney & Dehnen 2010, MNRAS 403, 1829. Axes as in ``ingest.sky.galaxy``; the small
tilt of about 0.14 degrees between the Galactic coordinates' plane and the Galaxy's own (the Sun's height over its distance) is left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from astropy import units
from astropy.coordinates import CartesianRepresentation, Galactic, SkyCoord
from jaxtyping import Float64

from ingest.sky.galaxy import R_SUN, Population, cylinder_radius

Vector = Float64[np.ndarray, " n"]

CIRCULAR_VELOCITY = 229.0
"""km/s at the Sun."""
_CIRCULAR_SLOPE = -1.7
"""km/s/kpc."""
SOLAR_MOTION = (11.1, 12.24, 7.25)
"""U, V, W of the Sun relative to the local circular orbit, km/s."""
KM_S_PER_MAS_YR_KPC = 4.740470463533349
"""One astronomical unit per year in km/s (IAU 2012), so v = this × proper motion (mas/yr) × distance (kpc)."""


@dataclass(frozen=True)
class Ellipsoid:
    """A component's velocities: dispersions in km/s and how far its mean rotation lags behind the circular velocity.

    Dispersions are along (R, phi, z) of the cylinder, or where ``spherical`` along (r, phi, theta) of the sphere about the centre.
    """

    radial: float
    azimuthal: float
    vertical: float
    drift: float
    spherical: bool = False


ELLIPSOIDS: Mapping[Population, Ellipsoid] = {
    Population.THIN: Ellipsoid(35.0, 20.0, 16.0, 15.0),
    Population.THICK: Ellipsoid(67.0, 38.0, 35.0, 46.0),
    Population.HALO: Ellipsoid(160.0, 90.0, 90.0, 200.0),
    Population.ACCRETED: Ellipsoid(175.0, 55.0, 65.0, CIRCULAR_VELOCITY, spherical=True),
}


def circular_velocity(radius: Vector) -> Vector:
    """km/s at a Galactocentric radius in kpc; falls to zero linearly within 1 kpc, where there is no bulge to hold it."""
    return np.asarray(np.maximum(CIRCULAR_VELOCITY + _CIRCULAR_SLOPE * (radius - R_SUN), 100.0) * np.minimum(radius, 1.0))


def draw_velocities(population: Population, position: Float64[np.ndarray, "3 n"], rng: np.random.Generator) -> Float64[np.ndarray, "3 n"]:
    """Galactocentric Cartesian velocities in km/s for Galactocentric positions in kpc."""
    shape = ELLIPSOIDS[population]
    radius = np.maximum(cylinder_radius(position), 1e-6)
    # unit vectors: outwards, along the rotation (clockwise as seen from the north: the Sun at -x moves to +y), and the third
    along = np.stack([position[1], -position[0], np.zeros_like(radius)]) / radius
    if shape.spherical:
        outward = position / np.maximum(np.sqrt((position**2).sum(axis=0)), 1e-6)
    else:
        outward = np.stack([position[0], position[1], np.zeros_like(radius)]) / radius
    third = np.cross(outward, along, axis=0)
    draws = rng.standard_normal((position.shape[1], 3)).T
    turning = np.maximum(circular_velocity(radius) - shape.drift, 0.0) if shape.drift < CIRCULAR_VELOCITY else np.zeros_like(radius)
    return np.asarray(
        shape.radial * draws[0] * outward + (turning + shape.azimuthal * draws[1]) * along + shape.vertical * draws[2] * third
    )


def sun_velocity() -> Float64[np.ndarray, " 3"]:
    """Galactocentric velocity of the Sun, km/s."""
    u, v, w = SOLAR_MOTION
    return np.array([u, CIRCULAR_VELOCITY + v, w])


@lru_cache(maxsize=1)
def _galactic_to_icrs() -> Float64[np.ndarray, "3 3"]:
    axes = SkyCoord(CartesianRepresentation(np.eye(3), unit=units.one), frame=Galactic()).icrs.cartesian.xyz.value
    return np.asarray(axes, np.float64)


def _rotate(matrix: Float64[np.ndarray, "3 3"], vectors: Float64[np.ndarray, "3 n"]) -> Float64[np.ndarray, "3 n"]:
    return np.stack([row[0] * vectors[0] + row[1] * vectors[1] + row[2] * vectors[2] for row in matrix])


def _direction(longitude: Vector, latitude: Vector) -> Float64[np.ndarray, "3 n"]:
    return np.stack([np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)])


def _angles(direction: Float64[np.ndarray, "3 n"]) -> tuple[Vector, Vector]:
    longitude = np.arctan2(direction[1], direction[0]) % (2 * np.pi)
    return np.where(longitude >= 2 * np.pi, 0.0, longitude), np.arctan2(direction[2], np.hypot(direction[0], direction[1]))


def galactic_to_equatorial(longitude: Vector, latitude: Vector) -> tuple[Vector, Vector]:
    """ra and dec (ICRS) from Galactic coordinates; all in radians."""
    return _angles(_rotate(_galactic_to_icrs(), _direction(longitude, latitude)))


def equatorial_to_galactic(ra: Vector, dec: Vector) -> tuple[Vector, Vector]:
    """Galactic longitude and latitude from ra and dec (ICRS); all in radians."""
    return _angles(_rotate(_galactic_to_icrs().T, _direction(ra, dec)))


@dataclass(frozen=True, eq=False)
class Motions:
    """What of a velocity is seen from the Sun."""

    pmra: Any
    """Proper motion in right ascension times cos(dec), mas/yr."""
    pmdec: Any
    """Proper motion in declination, mas/yr."""
    radial_velocity: Any
    """Barycentric, km/s, positive away from the Sun."""


def _tangent(ra: Vector, dec: Vector) -> tuple[Any, Any]:
    zero = np.zeros_like(ra)
    return np.stack([-np.sin(ra), np.cos(ra), zero]), np.stack([-np.sin(dec) * np.cos(ra), -np.sin(dec) * np.sin(ra), np.cos(dec)])


def seen_from_the_sun(ra: Vector, dec: Vector, distance: Vector, velocity: Float64[np.ndarray, "3 n"]) -> Motions:
    """Proper motions and radial velocity from ra, dec (radians), distance (kpc) and Galactocentric velocity (km/s)."""
    equatorial = _rotate(_galactic_to_icrs(), velocity - sun_velocity()[:, None])
    east, north = _tangent(ra, dec)
    scale = KM_S_PER_MAS_YR_KPC * distance
    return Motions(
        (equatorial * east).sum(axis=0) / scale, (equatorial * north).sum(axis=0) / scale, (equatorial * _direction(ra, dec)).sum(axis=0)
    )


def galactocentric_velocity(ra: Vector, dec: Vector, distance: Vector, motions: Motions) -> Float64[np.ndarray, "3 n"]:
    """The inverse of ``seen_from_the_sun``: Galactocentric velocity in km/s."""
    east, north = _tangent(ra, dec)
    scale = KM_S_PER_MAS_YR_KPC * distance
    equatorial = motions.pmra * scale * east + motions.pmdec * scale * north + motions.radial_velocity * _direction(ra, dec)
    return _rotate(_galactic_to_icrs().T, equatorial) + sun_velocity()[:, None]
