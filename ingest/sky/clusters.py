"""A dozen clusters: places on the sky where stars share distance, age, composition and motion.

Positions, distances, motions and metallicities are rounded from the literature (open clusters: Cantat-Gaudin et al. 2020, A&A 640, A1, and
Netopil et al. 2016, A&A 585, A150; globular clusters: Harris 1996, AJ 112, 1487, edition 2010, and Vasiliev & Baumgardt 2021, MNRAS 505,
5978). Their stars are simulated: the names say where a cluster is, not that its members are real.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from ingest.sky.galaxy import Population
from ingest.sky.kinematics import Motions, galactocentric_velocity

_PC = 1e-3


@dataclass(frozen=True)
class Cluster:
    """A cluster's common properties."""

    name: str
    population: Population
    ra: float
    """Degrees, as dec."""
    dec: float
    distance: float
    """kpc."""
    age: float
    """Gyr."""
    feh: float
    alpha_m: float
    pmra: float
    """mas/yr, with cos(dec), as pmdec."""
    pmdec: float
    radial_velocity: float
    """km/s."""
    scale_radius: float
    """Plummer's, pc."""
    dispersion: float
    """Of velocities along each axis, km/s."""


_OPEN, _GLOBULAR = Population.OPEN_CLUSTER, Population.GLOBULAR_CLUSTER

CLUSTERS = (
    Cluster("NGC 188", _OPEN, 11.80, 85.24, 1.70, 7.1, 0.06, 0.00, -2.32, -1.02, -41.7, 3.0, 0.7),
    Cluster("NGC 752", _OPEN, 29.22, 37.79, 0.44, 1.4, -0.03, 0.02, 9.77, -11.78, 5.9, 2.5, 0.7),
    Cluster("NGC 2420", _OPEN, 114.60, 21.58, 2.55, 1.9, -0.18, 0.04, -1.22, -2.05, 74.0, 2.5, 0.7),
    Cluster("NGC 2632", _OPEN, 130.05, 19.62, 0.184, 0.7, 0.16, 0.00, -36.09, -12.92, 34.8, 3.0, 0.8),
    Cluster("NGC 2682", _OPEN, 132.85, 11.81, 0.86, 4.0, 0.02, 0.00, -10.97, -2.92, 33.9, 2.5, 0.8),
    Cluster("NGC 6791", _OPEN, 290.22, 37.78, 4.20, 8.0, 0.33, 0.02, -0.42, -2.28, -47.5, 3.5, 0.8),
    Cluster("NGC 6819", _OPEN, 295.33, 40.19, 2.60, 2.4, 0.04, 0.01, -2.90, -3.87, 2.7, 2.5, 0.9),
    Cluster("NGC 104", _GLOBULAR, 6.02, -72.08, 4.52, 12.0, -0.75, 0.24, 5.25, -2.55, -17.4, 4.0, 9.0),
    Cluster("NGC 5904", _GLOBULAR, 229.64, 2.08, 7.48, 11.7, -1.30, 0.27, 4.09, -9.87, 53.5, 4.0, 6.0),
    Cluster("NGC 6121", _GLOBULAR, 245.90, -26.53, 1.85, 12.0, -1.10, 0.30, -12.51, -19.02, 71.2, 2.5, 4.0),
    Cluster("NGC 6205", _GLOBULAR, 250.42, 36.46, 7.42, 12.2, -1.53, 0.25, -3.15, -2.57, -244.4, 4.0, 7.0),
    Cluster("NGC 6397", _GLOBULAR, 265.18, -53.67, 2.48, 12.4, -2.00, 0.28, 3.26, -17.66, 18.5, 2.0, 4.0),
)
"""In order of their number in the truth table."""

ABUNDANCE_SPREAD = 0.01
"""Of [Fe/H] and [alpha/M] within a cluster, dex: less than any survey measures."""


def draw_places(cluster: Cluster, n: int, rng: np.random.Generator) -> Float64[np.ndarray, "n 3"]:
    """Offsets from the centre in kpc: a Plummer sphere (Plummer 1911, MNRAS 71, 460) ended at five scale radii.

    The axes are those of the sky at the centre: east, north, away from the Sun.
    """
    within = (5.0**2 / (1 + 5.0**2)) ** 1.5
    mass = np.maximum(rng.random(n) * within, 1e-9)
    radius = cluster.scale_radius * _PC / np.sqrt(mass ** (-2.0 / 3.0) - 1.0)
    towards = rng.standard_normal((n, 3))
    return np.asarray(towards / np.sqrt((towards**2).sum(axis=1))[:, None] * radius[:, None])


def on_the_sky(cluster: Cluster, places: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "3 n"]:
    """ra and dec (radians) and distance (kpc) of members at offsets from the centre."""
    ra, dec = np.radians(cluster.ra), np.radians(cluster.dec)
    east, north, away = places[:, 0], places[:, 1], cluster.distance + places[:, 2]
    meridian = away * np.cos(dec) - north * np.sin(dec)  # in the plane of the centre's meridian, towards the equator
    polar = away * np.sin(dec) + north * np.cos(dec)
    across = np.hypot(meridian, east)
    return np.stack([(ra + np.arctan2(east, meridian)) % (2 * np.pi), np.arctan2(polar, across), np.hypot(across, polar)])


def draw_cluster_velocities(cluster: Cluster, n: int, rng: np.random.Generator) -> Float64[np.ndarray, "3 n"]:
    """Galactocentric velocities of members in km/s: the cluster's own, and its dispersion."""
    ra, dec, distance = np.radians([cluster.ra]), np.radians([cluster.dec]), np.array([cluster.distance])
    motions = Motions(np.array([cluster.pmra]), np.array([cluster.pmdec]), np.array([cluster.radial_velocity]))
    return galactocentric_velocity(ra, dec, distance, motions) + cluster.dispersion * rng.standard_normal((n, 3)).T
