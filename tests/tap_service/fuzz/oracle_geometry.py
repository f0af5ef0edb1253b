"""Places and regions on the sky by unit vectors in numpy: what the service's geometry is compared with. Degrees throughout.

Nothing here follows the service's formulas: a separation is an arc tangent of cross and dot product, the inside of a polygon is told
by how its border winds around a place, its area by the angles at its corners (Gauss and Bonnet).
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float64

Vectors = Float64[np.ndarray, "*n 3"]
Numbers = Float64[np.ndarray, " *n"]


def vector(lon: Numbers | float, lat: Numbers | float) -> Vectors:
    """Unit vectors, the components in the last axis."""
    longitude, latitude = np.radians(lon), np.radians(lat)
    parts = (np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude))
    return np.stack(np.broadcast_arrays(*parts), axis=-1)


def place(of: Vectors) -> tuple[float, float]:
    """Longitude from 0 to 360 and latitude of one vector, rounded far below an arcsecond: PostgreSQL calls the square of 1e-200 an error."""
    return round(math.degrees(math.atan2(of[1], of[0])) % 360, 14) % 360, round(
        math.degrees(math.atan2(of[2], math.hypot(of[0], of[1]))), 14
    )


def separation(first: Vectors, second: Vectors) -> Numbers:
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


def towards(lon: float, lat: float, distance: float, position_angle: float) -> tuple[float, float]:
    """The place at a distance from another, in the direction of an angle from north over east."""
    centre = vector(lon, lat)
    east, north = axes(lon, lat)
    bearing = math.radians(position_angle)
    sideways = math.cos(bearing) * north + math.sin(bearing) * east
    return place(math.cos(math.radians(distance)) * centre + math.sin(math.radians(distance)) * sideways)


def axes(lon: float, lat: float) -> tuple[Vectors, Vectors]:
    """Unit vectors to the east and to the north of a place."""
    longitude = math.radians(lon)
    east = np.array([-math.sin(longitude), math.cos(longitude), 0.0])
    return east, np.cross(vector(lon, lat), east)


@dataclass(frozen=True)
class Circle:
    """A circle, or a point where the radius is 0."""

    lon: float
    lat: float
    radius: float = 0.0

    @property
    def area(self) -> float:
        """Square degrees."""
        return cap_area(self.radius)

    def outside(self, of: Vectors) -> Numbers:
        """How far places lie from the border: above 0 outside, below 0 inside."""
        return separation(of, vector(self.lon, self.lat)) - self.radius

    def furthest(self, of: Vectors) -> Numbers:
        """The distance from places to the region's furthest one."""
        return np.minimum(separation(of, vector(self.lon, self.lat)) + self.radius, 180.0)


@dataclass(frozen=True)
class Polygon:
    """A polygon whose edges do not cross, on the side of its border that lies within a hemisphere around the mean of its corners."""

    places: tuple[tuple[float, float], ...]

    @classmethod
    def box(cls, lon: float, lat: float, width: float, height: float) -> "Polygon":
        """The rectangle of these angles on the plane that touches the sphere at its middle."""
        centre, (east, north) = vector(lon, lat), axes(lon, lat)
        x, y = math.tan(math.radians(width) / 2), math.tan(math.radians(height) / 2)
        return cls(tuple(place(centre + a * x * east + b * y * north) for a, b in ((1, 1), (1, -1), (-1, -1), (-1, 1))))

    @cached_property
    def corners(self) -> Vectors:
        """The corners in order."""
        lon, lat = zip(*self.places, strict=True)
        return vector(np.array(lon), np.array(lat))

    @cached_property
    def ends(self) -> Vectors:
        """The end of the edge that begins at each corner."""
        return np.roll(self.corners, -1, axis=0)

    @cached_property
    def within_hemisphere(self) -> bool:
        """Whether the mean of the corners has all of them in its hemisphere, with a degree to spare."""
        middle = self.corners.mean(axis=0)
        size = float(np.linalg.norm(middle))
        return size > 1e-3 and bool((self.corners @ middle / size > 0.0175).all())

    @property
    def area(self) -> float:
        """Square degrees: what the turns at the corners lack of a full one."""
        before = np.roll(self.corners, 1, axis=0)
        arriving = np.cross(np.cross(before, self.corners), self.corners)  # tangents at each corner
        leaving = np.cross(np.cross(self.corners, self.ends), self.corners)
        turn = np.arctan2(np.sum(np.cross(arriving, leaving) * self.corners, axis=-1), np.sum(arriving * leaving, axis=-1))
        return math.degrees(math.degrees(abs(2 * math.pi - abs(float(turn.sum())))))

    def holds(self, of: Vectors) -> Bool[np.ndarray, " n"]:
        """Whether the border winds around places, seen from above each."""
        a, b, p = self.corners[None], self.ends[None], of[:, None]
        sine = np.sum(p * np.cross(a, b), axis=-1)
        cosine = np.sum(a * b, axis=-1) - np.sum(p * a, axis=-1) * np.sum(p * b, axis=-1)
        winds = np.abs(np.arctan2(sine, cosine).sum(axis=-1)) > math.pi
        return winds & (of @ self.corners.mean(axis=0) > 0)

    def outside(self, of: Vectors) -> Numbers:
        """How far places lie from the border: above 0 outside, below 0 inside."""
        nearest = np.full(len(of), 180.0)
        for a, b in zip(self.corners, self.ends, strict=True):
            normal = np.cross(a, b)
            normal = normal / np.linalg.norm(normal)
            along = (np.sum(np.cross(normal, a) * of, axis=-1) > 0) & (np.sum(np.cross(b, normal) * of, axis=-1) > 0)
            to_edge = np.degrees(np.abs(np.arcsin(np.clip(of @ normal, -1, 1))))
            to_end = np.minimum(separation(of, a), separation(of, b))
            nearest = np.minimum(nearest, np.where(along, to_edge, to_end))
        return np.where(self.holds(of), -nearest, nearest)

    def furthest(self, of: Vectors) -> Numbers:
        """The distance from places to the region's furthest corner, which is its furthest place below 90 degrees."""
        return np.max([separation(of, corner) for corner in self.corners], axis=0)

    def crosses(self, other: "Polygon") -> bool:
        """Whether an edge of one crosses an edge of the other."""
        for a, b in zip(self.corners, self.ends, strict=True):
            first = np.cross(a, b)
            for c, d in zip(other.corners, other.ends, strict=True):
                second = np.cross(c, d)
                # Each edge has the ends of the other on its two sides, and the crossing lies on both arcs, not behind them.
                if (first @ c) * (first @ d) < 0 and (second @ a) * (second @ b) < 0:
                    meeting = np.cross(first, second)
                    if np.sign(meeting @ (a + b)) == np.sign(meeting @ (c + d)):
                        return True
        return False


Region = Circle | Polygon

UNSURE = 1e-8
"""Where a border is so near (degrees), either answer is right."""


def contains(outer: Region, inner: Region) -> bool | None:
    """Whether one region lies within another; None where the borders nearly touch."""
    if isinstance(inner, Circle):
        return _sure(-inner.radius - float(outer.outside(vector(inner.lon, inner.lat)[None])[0]))
    if isinstance(outer, Circle):
        return _sure(outer.radius - float(inner.furthest(vector(outer.lon, outer.lat)[None])[0]))
    if _touch(outer, inner):
        return None
    return bool((outer.outside(inner.corners) < 0).all()) and not outer.crosses(inner)


def intersects(first: Region, second: Region) -> bool | None:
    """Whether two regions have a place in common; None where their borders nearly touch."""
    if isinstance(first, Circle):
        return _sure(first.radius - float(second.outside(vector(first.lon, first.lat)[None])[0]))
    if isinstance(second, Circle):
        return intersects(second, first)
    if _touch(first, second):
        return None
    apart = (first.outside(second.corners) > 0).all() and (second.outside(first.corners) > 0).all()
    return not apart or first.crosses(second)


def _touch(first: Polygon, second: Polygon) -> bool:
    distances = np.concatenate((first.outside(second.corners), second.outside(first.corners)))
    return bool((np.abs(distances) < UNSURE).any())


def _sure(margin: float) -> bool | None:
    return None if abs(margin) < UNSURE else margin > 0
