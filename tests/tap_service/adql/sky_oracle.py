"""Regions of the sky by unit vectors in numpy, to compare the service's answers with; angles in degrees.

Written without the service's formulas: angles by arc tangents of vectors, the inside of a polygon by how often its border winds around
a place, areas by the sum of interior angles.
"""

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

Places = NDArray[np.float64]
"""(n, 2): longitude and latitude."""
Vectors = NDArray[np.float64]
"""(n, 3), unit vectors."""


def vectors(places: Places) -> Vectors:
    lon, lat = np.radians(np.atleast_2d(places)).T
    return np.stack((np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)), axis=1)


def places(of: Vectors) -> Places:
    found = np.degrees(np.stack((np.arctan2(of[:, 1], of[:, 0]), np.arctan2(of[:, 2], np.hypot(of[:, 0], of[:, 1]))), axis=1))
    return np.where(np.abs(found) > 1e-30, found, 0.0)


def separation(first: Vectors, second: Vectors) -> NDArray[np.float64]:
    return np.degrees(np.arctan2(np.linalg.norm(np.cross(first, second), axis=-1), (first * second).sum(axis=-1)))


def moved(place: Places, distance: NDArray[np.float64] | float, towards: NDArray[np.float64] | float) -> Places:
    """Places at a distance from places, in a direction (north is 0, east 90)."""
    start = vectors(place)
    lon = np.radians(np.atleast_2d(place)[:, 0])
    east = np.stack((-np.sin(lon), np.cos(lon), np.zeros_like(lon)), axis=1)
    angle, azimuth = np.radians(np.atleast_1d(distance))[:, None], np.radians(np.atleast_1d(towards))[:, None]
    return places(np.cos(angle) * start + np.sin(angle) * (np.cos(azimuth) * np.cross(start, east) + np.sin(azimuth) * east))


def edge_separation(at: Vectors, polygon: Places) -> NDArray[np.float64]:
    """The angle between places and the border: over every edge, the foot of the perpendicular where it lies on the edge, else its ends."""
    nearest = np.full(len(at), 180.0)
    corners = vectors(polygon)
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        pole = np.cross(start - end, start + end)  # twice start x end, precise for short edges too
        pole /= np.linalg.norm(pole)
        foot = at - ((at - start) @ pole)[:, None] * pole
        foot /= np.linalg.norm(foot, axis=1)[:, None]
        on_edge = separation(foot, start) + separation(foot, end) <= separation(start, end) * (1 + 1e-9) + 1e-13
        ends = np.minimum(separation(at, start), separation(at, end))
        nearest = np.minimum(nearest, np.where(on_edge, np.minimum(separation(at, foot), ends), ends))
    return nearest


def winds(at: Vectors, polygon: Places, middle: Vectors) -> NDArray[np.bool_]:
    """Whether the border winds around places of the middle's hemisphere: the directions to its corners make a full turn."""
    corners = vectors(polygon)
    east = np.cross(np.where(np.abs(at[:, 2:]) < 0.9, [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]), at)
    north = np.cross(at, east)
    azimuth = np.arctan2(corners @ east.T, corners @ north.T)
    turns = np.diff(azimuth, axis=0, append=azimuth[:1])
    total = ((turns + np.pi) % (2 * np.pi) - np.pi).sum(axis=0)
    return (np.abs(total) > np.pi) & ((at @ middle.T)[:, 0] > 0)


def edges_cross(one: Places, other: Places) -> bool:
    """Whether two borders have a place in common: where the great circles of two edges meet, within both edges."""
    a, b = vectors(one), vectors(other)
    for start, end in zip(a, np.roll(a, -1, axis=0), strict=True):
        for first, last in zip(b, np.roll(b, -1, axis=0), strict=True):
            meeting = np.cross(np.cross(start, end), np.cross(first, last))
            for place in (meeting, -meeting):
                within = [
                    separation(place, one_end) + separation(place, other_end) - separation(one_end, other_end) < 1e-12
                    for one_end, other_end in ((start, end), (first, last))
                ]
                if all(within):
                    return True
    return False


def polygon_area(polygon: Places, middle: Vectors) -> float:
    """Square degrees: the interior angles less those of a flat polygon (Girard)."""
    corners = vectors(polygon)
    before, after = np.roll(corners, 1, axis=0), np.roll(corners, -1, axis=0)
    total = 0.0
    for earlier, corner, later in zip(before, corners, after, strict=True):
        to_earlier, to_later = np.cross(corner, earlier), np.cross(corner, later)
        total += np.arctan2(np.cross(to_later, to_earlier) @ corner, to_later @ to_earlier) % (2 * np.pi)
    excess = total - (len(polygon) - 2) * np.pi
    smaller = min(excess % (4 * np.pi), -excess % (4 * np.pi))
    return float(np.degrees(np.degrees(smaller)))


# -- regions drawn

LATITUDES = st.one_of(
    st.floats(-90, 90).map(lambda lat: lat if abs(lat) > 1e-30 else 0.0), st.sampled_from([90.0, -90.0, 0.0, 89.99999, -89.9999999])
)
"""PostgreSQL calls a product that underflows an error: places 1e-154 degrees apart are none that it can tell apart."""
LONGITUDES = st.one_of(
    st.floats(0, 360, exclude_max=True).map(lambda lon: lon if lon > 1e-30 else 0.0), st.sampled_from([0.0, 359.9999999, 1e-9, 180.0])
)
SIZES = st.floats(-6.5, np.log10(80)).map(lambda power: float(10**power))
"""From a millisecond of arc to 80 degrees."""


@st.composite
def centres(draw: st.DrawFn) -> tuple[float, float]:
    return draw(LONGITUDES), draw(LATITUDES)


@st.composite
def polygons(draw: st.DrawFn, middle: tuple[float, float] | None = None, size: float | None = None) -> tuple[Places, Vectors, float]:
    """A polygon around a place with its corners at every direction, not convex: its vertices, the place, the largest distance from it."""
    centre = np.array([middle or draw(centres())])
    size = size or draw(SIZES)
    count = draw(st.integers(3, 9))
    steps = np.array(draw(st.lists(st.floats(0.5, 1.0), min_size=count, max_size=count)))
    azimuth = np.cumsum(360 * steps / steps.sum()) + draw(st.floats(0, 360))
    if draw(st.booleans()):
        azimuth = azimuth[::-1]
    radii = size * np.array(draw(st.lists(st.floats(0.2, 1.0), min_size=count, max_size=count)))
    vertices = moved(np.repeat(centre, count, axis=0), radii, azimuth)
    vertices[:, 0] += draw(st.sampled_from([0.0, 0.0, 360.0, -360.0]))
    return vertices, vectors(centre), size


def around(polygon: Places, middle: Vectors, size: float, random: np.random.Generator, count: int) -> Places:
    """Places in and about a polygon, a third of them close to its border, and a few anywhere."""
    near = moved(
        np.repeat(places(middle), count, axis=0), np.minimum(1.5 * size * np.sqrt(random.random(count)), 179), random.random(count) * 360
    )
    corners = vectors(polygon)
    edge, along = random.integers(len(corners), size=count), random.random((count, 1))
    border = corners[edge] * along + np.roll(corners, -1, axis=0)[edge] * (1 - along)
    border /= np.linalg.norm(border, axis=1)[:, None]
    close = moved(places(border), size * 10 ** random.uniform(-7, -2, count), random.random(count) * 360)
    anywhere = random.normal(size=(count // 4, 3))
    return np.concatenate((near, close, places(anywhere / np.linalg.norm(anywhere, axis=1)[:, None])))
