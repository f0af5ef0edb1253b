"""Polygons on the sky: which places lie within one, and how far away the others are.

Edges are arcs of great circles, each the shorter way from one vertex to the next and from the last to the first. The polygon is the side of
its edges that lies within a hemisphere, whichever way round its vertices are written (ADQL 2.1 section 4.2.17 does not say which; of
any two sides only one can), and its border belongs to it. It need not be convex, but its edges may not cross, because then it is not plain
what is inside. ``functions.polygon_middle`` and ``functions.sky_polygon`` of sql/functions/regions.sql follow the same rules.

Polygons are drawn on the plane that touches the sphere at their middle (gnomonic projection), where great circles are straight lines.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from catalog.errors import UsageError

WIDEST = 89.9
"""The largest radius, degrees, of a circle that holds a polygon: a little less than a hemisphere."""
_ROUNDING = 1e-12
"""Of the square of a polygon's size: areas below it are the rounding of places on one line."""
_TOWARDS_FURTHEST = 100
_ELEMENTS_AT_A_TIME = 1 << 18


@dataclass(frozen=True)
class SphericalPolygon:
    """A polygon, made by ``polygon``: (lon, lat) in ICRS degrees, counter-clockwise as seen from inside the sphere, none repeated.

    ``middle`` and ``radius`` (degrees) are a circle that holds it.
    """

    vertices: tuple[tuple[float, float], ...]
    middle: tuple[float, float]
    radius: float

    @property
    def coordinates(self) -> tuple[float, ...]:
        """The vertices as DALI writes them: lon1, lat1, lon2, lat2, ..."""
        return tuple(number for vertex in self.vertices for number in vertex)

    def on_plane(self) -> Float64[np.ndarray, "n 2"]:
        """The vertices on the plane, east and north of the middle in radii of the sphere."""
        return _plane(np.array(self.vertices), self.middle)[0]

    def holds(self, places: Float64[np.ndarray, "m 2"]) -> Bool[np.ndarray, " m"]:
        """Whether places (lon, lat in degrees) lie within; on the border the answer may be either."""
        at, above = _plane(places, self.middle)
        (x, y), start = at.T[:, :, None], self.on_plane()
        (x1, y1), (x2, y2) = start.T, np.roll(start, -1, axis=0).T
        # A ray to the east crosses the border an odd number of times.
        straddles = (y1 > y) != (y2 > y)
        side = (y - y1) * (x2 - x1) - (x - x1) * (y2 - y1)
        crossings = straddles & ((side > 0) == (y2 > y1))
        return (crossings.sum(axis=1) % 2 == 1) & (above > 0)

    def separation(self, places: Float64[np.ndarray, "m 2"]) -> Float64[np.ndarray, " m"]:
        """Angle in degrees between places (lon, lat in degrees) and the border, negative inside; right to 0.003 arcsec."""
        found = [
            np.where(self.holds(places[rows]), -1, 1) * self._border(unit_vectors(places[rows]))
            for rows in _blocks(len(places), len(self.vertices))
        ]
        return np.concatenate(found) if found else np.empty(0)

    def _border(self, places: Float64[np.ndarray, "m 3"]) -> Float64[np.ndarray, " m"]:
        start = unit_vectors(np.array(self.vertices))
        end = np.roll(start, -1, axis=0)
        pole = np.cross(start - end, start + end) / 2  # start x end, without its cancellation where they are near
        size = np.linalg.norm(pole, axis=1)
        pole /= np.where(size > 0, size, 1)[:, None]
        beside = (size > 0) & (places @ np.cross(pole, start).T >= 0) & (places @ np.cross(end, pole).T >= 0)
        across = np.where(beside, np.abs(places @ pole.T), 2).min(axis=1)
        nearest = start[(places @ start.T).argmax(axis=1)]
        chord = np.linalg.norm(places - nearest, axis=1)
        ends = 2 * np.arcsin(np.minimum(chord / 2, 1))
        return np.degrees(np.where(across <= 1, np.minimum(np.arcsin(np.minimum(across, 1)), ends), ends))


def polygon(coordinates: Sequence[float]) -> SphericalPolygon:
    """The polygon with these vertices: lon1, lat1, lon2, lat2, ... in degrees; a vertex that repeats the one before counts once.

    UsageError where they make none: fewer than three places, latitudes beyond 90, edges that cross, no hemisphere that holds it.
    """
    if len(coordinates) % 2:
        raise UsageError("a polygon is written as pairs of longitude and latitude, but one number stands alone")
    vertices: list[tuple[float, float]] = []
    for lon, lat in zip(coordinates[::2], coordinates[1::2], strict=True):
        if not (math.isfinite(lon) and -90 <= lat <= 90):
            raise UsageError(f"the vertex ({lon:g}, {lat:g}) is not on the sky: latitudes lie between -90 and 90 degrees")
        vertex = (longitude(lon), float(lat))
        if not vertices or vertex != vertices[-1]:
            vertices.append(vertex)
    if len(vertices) > 1 and vertices[0] == vertices[-1]:
        vertices.pop()
    if len(set(vertices)) < 3:
        raise UsageError(f"a polygon has three different vertices or more, not {len(set(vertices))}")
    middle = _middle(unit_vectors(np.array(vertices)))
    if middle is None:
        raise UsageError(
            f"a polygon lies within {WIDEST:g} degrees of some place, a little less than a hemisphere; split this one into smaller ones"
        )
    at, _ = _plane(np.array(vertices), middle)
    if _edges_cross(at):
        raise UsageError(
            "the edges of this polygon cross, so that it is not plain what lies inside; write the vertices in their order around it"
        )
    if _twice_area(at) > 0:
        vertices[1:] = reversed(vertices[1:])
    radius = float(np.degrees(np.arctan(np.hypot(at[:, 0], at[:, 1]).max())))
    return SphericalPolygon(tuple(vertices), middle, radius)


def box(lon: float, lat: float, width: float, height: float) -> SphericalPolygon:
    """The polygon between the great circles that meet the arms of a cross at right angles: ADQL 2.1 section 4.2.8; all in degrees.

    UsageError unless the centre is on the sky and both sizes lie between 0 and 180.
    """
    if not (0 < width < 180 and 0 < height < 180):
        raise UsageError(f"the sizes of a box lie between 0 and 180 degrees, not at {width:g} and {height:g}")
    if not (math.isfinite(lon) and -90 <= lat <= 90):
        raise UsageError(f"the centre ({lon:g}, {lat:g}) is not on the sky: latitudes lie between -90 and 90 degrees")
    sine, cosine = math.sin(math.radians(lat)), math.cos(math.radians(lat))
    corners: list[float] = []
    for east, north in ((1, 1), (1, -1), (-1, -1), (-1, 1)):
        x, y = east * math.tan(math.radians(width) / 2), north * math.tan(math.radians(height) / 2)
        from_axis = cosine - y * sine
        corners += lon + math.degrees(math.atan2(x, from_axis)), math.degrees(math.atan2(sine + y * cosine, math.hypot(x, from_axis)))
    return polygon(corners)


def longitude(lon: float) -> float:
    """A longitude between 0 (inclusive) and 360 degrees (exclusive)."""
    turned = lon if 0 <= lon < 360 else lon % 360.0
    return turned if turned < 360 else 0.0


def unit_vectors(places: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n 3"]:
    """Directions of places (lon, lat in degrees)."""
    lon, lat = np.radians(places.T)
    return np.stack((np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)), axis=1)


def _middle(vertices: Float64[np.ndarray, "n 3"]) -> tuple[float, float] | None:
    """The middle (lon, lat) of a circle within a hemisphere that holds all vertices, or None.

    The mean serves unless vertices crowd on one side; then it moves towards the furthest vertex (Badoiu & Clarkson 2003, SODA, 801).
    """
    mean = vertices.mean(axis=0)
    for step in range(1, _TOWARDS_FURTHEST + 1):
        size = float(np.linalg.norm(mean))
        if size < 1e-9:
            return None
        cosines = vertices @ mean / size
        furthest = int(cosines.argmin())
        if cosines[furthest] > 0.2 or (step == _TOWARDS_FURTHEST and cosines[furthest] >= math.cos(math.radians(WIDEST))):
            lat = math.degrees(math.atan2(mean[2], math.hypot(mean[0], mean[1])))
            return longitude(math.degrees(math.atan2(mean[1], mean[0]))), lat
        mean = mean + (vertices[furthest] - mean) / (step + 1)
    return None


def _plane(places: Float64[np.ndarray, "n 2"], middle: tuple[float, float]) -> tuple[Float64[np.ndarray, "n 2"], Float64[np.ndarray, " n"]]:
    """Places on the plane that touches the sphere at the middle, and the cosine of their angle to it; meaningless where that is below 0.

    Differences of angles instead of products of vectors: as precise as the places themselves, however near they are.
    """
    lon, lat = np.radians(places[:, 0] - middle[0]), np.radians(places[:, 1])
    up = np.radians(places[:, 1] - middle[1])
    half = 2 * np.cos(lat) * np.sin(lon / 2) ** 2
    above = np.cos(up) - half * math.cos(math.radians(middle[1]))
    across = np.stack((np.cos(lat) * np.sin(lon), np.sin(up) + half * math.sin(math.radians(middle[1]))), axis=1)
    return across / np.where(above == 0, 1e-300, above)[:, None], above


def _twice_area(at: Float64[np.ndarray, "n 2"]) -> float:
    """Twice the area on the plane, positive where the vertices turn from east to north."""
    after = np.roll(at, -1, axis=0)
    return float((at[:, 0] * after[:, 1] - after[:, 0] * at[:, 1]).sum())


def _edges_cross(at: Float64[np.ndarray, "n 2"]) -> bool:
    """Whether two edges of a polygon on the plane cross; those that only touch do not."""
    rounding = _ROUNDING * float((at**2).sum(axis=1).max())
    west_to_east = np.argsort(np.minimum(at[:, 0], np.roll(at[:, 0], -1)))
    start, end = at[west_to_east], np.roll(at, -1, axis=0)[west_to_east]
    # Only edges that begin before one ends, going east, can cross it.
    until = np.searchsorted(np.minimum(start[:, 0], end[:, 0]), np.maximum(start[:, 0], end[:, 0]), side="right")

    def sides(first: np.ndarray, last: np.ndarray, of: np.ndarray) -> np.ndarray:
        found = _side(first, last, of)
        return np.where(np.abs(found) <= rounding, 0, np.sign(found))

    for edge, (first, last) in enumerate(zip(start, end, strict=True)):
        others = slice(edge + 1, until[edge])
        across = sides(first, last, start[others]) * sides(first, last, end[others])
        along = sides(start[others], end[others], first) * sides(start[others], end[others], last)
        if ((across < 0) & (along < 0)).any():
            return True
    return False


def _blocks(rows: int, columns: int) -> Iterator[slice]:
    """Rows of a table of so many columns, few enough at a time for memory."""
    step = max(1, _ELEMENTS_AT_A_TIME // columns)
    return (slice(at, at + step) for at in range(0, rows, step))


def _side(first: np.ndarray, last: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Twice the area of the triangle of an edge and a place, positive where the place lies to the left."""
    along, towards = last - first, at - first
    return np.asarray(along[..., 0] * towards[..., 1] - along[..., 1] * towards[..., 0])
