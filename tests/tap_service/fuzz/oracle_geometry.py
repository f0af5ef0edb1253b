"""Places on the sky by unit vectors in numpy: what the service's geometry is compared with. Degrees throughout.

Nothing here follows the service's formulas: a place is a vector, an angle the arc tangent of cross and dot product, an area an
integral, and a polygon's inside is told by winding or by sampling.
"""

import math

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float64]


def vector(lon: NDArray[np.float64] | float, lat: NDArray[np.float64] | float) -> Vectors:
    """Unit vectors, the components in the last axis."""
    longitude, latitude = np.radians(lon), np.radians(lat)
    return np.stack(
        np.broadcast_arrays(np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)), axis=-1
    )


def separation(first: Vectors, second: Vectors) -> NDArray[np.float64]:
    """The angle between vectors, good at all angles."""
    cross = np.linalg.norm(np.cross(first, second), axis=-1)
    return np.degrees(np.arctan2(cross, np.sum(first * second, axis=-1)))


def angle(lon1: float, lat1: float, lon2: float, lat2: float) -> float:
    """The same for two places, in plain numbers."""
    a, b = _components(lon1, lat1), _components(lon2, lat2)
    cross = (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])
    return math.degrees(math.atan2(math.hypot(*cross), sum(x * y for x, y in zip(a, b, strict=True))))


def _components(lon: float, lat: float) -> tuple[float, float, float]:
    longitude, latitude = math.radians(lon), math.radians(lat)
    return math.cos(latitude) * math.cos(longitude), math.cos(latitude) * math.sin(longitude), math.sin(latitude)


def cap_area(radius: float) -> float:
    """The solid angle of a circle, square degrees: that of a flat disc whose radius is the chord to the border (Archimedes)."""
    chord = 2 * math.sin(math.radians(radius) / 2)
    return math.degrees(math.degrees(math.pi * chord * chord))
