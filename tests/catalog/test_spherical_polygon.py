"""Polygons on the sky: what is one, what lies within it, how far away the rest is, and the ranges of identifiers that cover it."""

import itertools
import math

import healpy as hp
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.units import deg
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import UsageError
from catalog.healpix import ARCSEC, END, NSIDE, SHIFT, polygon_ranges
from catalog.spherical_polygon import SphericalPolygon, box, longitude, polygon, unit_vectors

SQUARE = (0.0, 0.0, 0.0, 10.0, 10.0, 10.0, 10.0, 0.0)


def source_ids(places: np.ndarray, number: int = 0) -> np.ndarray:
    return (hp.ang2pix(NSIDE, places[:, 0], places[:, 1], nest=True, lonlat=True).astype(np.int64) << SHIFT) + number


def covered(source_id: np.ndarray, ranges: list[tuple[int, int]]) -> np.ndarray:
    first, last = np.array(ranges).T
    place = np.searchsorted(first, source_id, side="right") - 1
    return (place >= 0) & (source_id < last[np.maximum(place, 0)])


def scattered(at: tuple[float, float], radius: float, count: int, random: np.random.Generator) -> np.ndarray:
    """Places about a place, by astropy."""
    centre = SkyCoord(*at, unit="deg")
    moved = centre.directional_offset_by(random.random(count) * 360 * deg, np.minimum(radius * np.sqrt(random.random(count)), 180) * deg)
    return np.stack((moved.ra.deg, moved.dec.deg), axis=1)


@pytest.mark.parametrize(
    ("coordinates", "why"),
    [
        ((0, 0, 1, 1), "three different vertices or more, not 2"),
        ((0, 0, 1, 1, 0, 0, 1, 1), "three different vertices or more, not 2"),
        ((0, 0, 1, 1, 360, 0), "three different vertices or more, not 2"),
        ((0, 0, 1, 1, 2), "one number stands alone"),
        ((0, 0, 1, 1, 2, 91), "not on the sky"),
        ((0, 0, 1, 1, math.nan, 2), "not on the sky"),
        ((0, 0, 10, 10, 10, 0, 0, 10), "edges of this polygon cross"),
        ((0, 0, 120, 0, 240, 0), "a little less than a hemisphere"),
        ((0, 0, 90, 10, 180, 0, 270, -10), "a little less than a hemisphere"),
    ],
)
def test_what_is_no_polygon_is_refused(coordinates: tuple[float, ...], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        polygon(coordinates)


def test_vertices_come_out_counter_clockwise_from_inside_none_repeated() -> None:
    expected = ((0.0, 0.0), (0.0, 10.0), (10.0, 10.0), (10.0, 0.0))  # from north to east
    assert polygon(SQUARE).vertices == expected
    assert polygon((0, 0, 10, 0, 10, 10, 0, 10)).vertices == expected
    assert polygon((360, 0, 0, 10, 0, 10, -350, 10, 10, 0, 0, 0)).vertices == expected
    assert polygon(SQUARE).coordinates == SQUARE


def test_a_polygon_lies_within_its_hemisphere_whichever_way_round() -> None:
    cap = (0, 1, 120, 1, 240, 1)
    for coordinates in (cap, (240, 1, 120, 1, 0, 1)):
        found = polygon(coordinates)
        assert found.holds(np.array([[50.0, 90.0], [0.0, 30.0], [60.0, 1.9], [60.0, 2.1], [50.0, -90.0], [0.0, 0.9]])).tolist() == [
            True,
            True,
            False,
            True,
            False,
            False,
        ]
        assert found.middle[1] == pytest.approx(90) and found.radius == pytest.approx(89)


def test_a_polygon_whose_vertices_crowd_on_one_side_is_found_its_hemisphere() -> None:
    ordered = [(0, -0.1), (0.1, -0.12), (0.2, -0.13), (75, -0.1), (150, 0), (75, 0.1), (0.2, 0.13), (0.1, 0.12), (0, 0.1)]
    found = polygon([number for vertex in ordered for number in vertex])
    assert found.radius < 85
    assert found.holds(np.array([[75.0, 0.0], [75.0, 0.2]])).tolist() == [True, False]


def test_separations_are_those_of_finely_sampled_edges() -> None:
    random = np.random.default_rng(1)
    for shape in (polygon(SQUARE), box(30, 89.5, 3, 1), polygon((10, 10, 20, 10, 12, 12, 10, 20)), box(359.9999, -20, 2e-3, 1e-3)):
        places = scattered(shape.middle, 2 * shape.radius, 60, random)
        corners = unit_vectors(np.array(shape.vertices))
        along = np.linspace(0, 1, 20_001)[:, None]
        edges = np.concatenate([a * (1 - along) + b * along for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True)])
        edges /= np.linalg.norm(edges, axis=1)[:, None]
        nearest = np.array([np.degrees(2 * np.arcsin(np.linalg.norm(edges - at, axis=1).min() / 2)) for at in unit_vectors(places)])
        found = shape.separation(places)
        np.testing.assert_allclose(np.abs(found), nearest, atol=2e-4 * shape.radius)
        assert ((found < 0) == shape.holds(places)).all() and (found < 0).any() and (found > 0).any()


def test_the_sides_of_a_box_are_great_circles_across_the_arms_of_its_cross() -> None:
    for lon, lat, width, height in ((0, 0, 20, 10), (359, 60, 40, 8), (45, 90, 2, 2), (80, -75, 100, 150)):
        shape = box(lon, lat, width, height)
        centre = SkyCoord(lon, lat, unit="deg")
        for angle, half in ((0, height / 2), (90, width / 2), (180, height / 2), (270, width / 2)):
            ends = centre.directional_offset_by([angle, angle] * deg, [half * 0.9999, half * 1.0001] * deg)
            assert shape.holds(np.stack((ends.ra.deg, ends.dec.deg), axis=1)).tolist() == [True, False]


@pytest.mark.parametrize(("width", "height"), [(0, 1), (1, -1), (180, 1), (1, math.nan)])
def test_a_box_without_size_is_refused(width: float, height: float) -> None:
    with pytest.raises(UsageError, match="between 0 and 180"):
        box(1, 2, width, height)


@pytest.mark.parametrize(("lon", "normal"), [(0, 0), (360, 0), (-1e-30, 0), (725, 5), (-90, 270), (359.9, 359.9)])
def test_longitudes_lie_between_0_and_360(lon: float, normal: float) -> None:
    assert longitude(lon) == normal


SHAPES = {
    "square": polygon(SQUARE),
    "notched": polygon((0, 0, 10, 0, 10, 10, 5, 1, 0, 10)),
    "at the north pole": box(30, 90, 3, 1),
    "beside the south pole": box(200, -89.7, 1, 0.2),
    "across 0": box(0, 41.81, 2, 2),
    "tiny": box(56.75, 24.12, 0.2 * ARCSEC, 0.1 * ARCSEC),
    "tiny at a pole": box(0, 90, 0.2 * ARCSEC, 0.1 * ARCSEC),
    "thin": polygon((0, 0, 60, 1, 60, 1.01, 0, 0.01)),
    "wide": box(100, 20, 120, 120),
    "nearly a hemisphere": polygon((0, 1, 120, 1, 240, 1)),
    "a few": polygon((45, 0, 45.01, 0, 45, 0.01)),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize("padding", [0.0, 10 * ARCSEC, 1.0])
def test_ranges_hold_every_source_of_a_padded_polygon(shape: SphericalPolygon, padding: float) -> None:
    ranges = polygon_ranges(shape, padding)
    places = scattered(shape.middle, 1.5 * (shape.radius + padding), 8000, np.random.default_rng(5))
    corners, along = unit_vectors(np.array(shape.vertices)), np.linspace(0, 1, 200)[:, None]
    border = np.concatenate([a * (1 - along) + b * along for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True)])
    places = np.concatenate((places, np.stack(hp.vec2ang(border, lonlat=True), axis=1)))
    near = shape.separation(places) <= padding + 1e-9
    assert near.sum() >= 600
    for number in (0, (1 << SHIFT) - 1):
        assert covered(source_ids(places, number), ranges)[near].all()
    assert len(ranges) <= 60 and all(first < last for first, last in ranges)
    assert all(earlier[1] < later[0] for earlier, later in itertools.pairwise(ranges))
    assert ranges[0][0] >= 0 and ranges[-1][1] <= END


@given(
    middle=st.tuples(st.floats(0, 360), st.floats(-90, 90)),
    size=st.floats(-5, 1.8).map(lambda power: 10.0**power),
    corners=st.lists(st.tuples(st.floats(0.5, 1), st.floats(0.2, 1)), min_size=3, max_size=8),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=60, deadline=None)
def test_ranges_hold_every_source_of_any_polygon(
    middle: tuple[float, float], size: float, corners: list[tuple[float, float]], seed: int
) -> None:
    azimuth = np.cumsum([step for step, _ in corners]) * 360 / sum(step for step, _ in corners)
    at = SkyCoord(*middle, unit="deg").directional_offset_by(azimuth * deg, size * np.array([radius for _, radius in corners]) * deg)
    shape = polygon(np.stack((at.ra.deg, at.dec.deg), axis=1).ravel().tolist())
    places = np.concatenate((scattered(middle, size, 2000, np.random.default_rng(seed)), np.array(shape.vertices)))
    assert covered(source_ids(places), polygon_ranges(shape))[shape.separation(places) <= 0].all()


def test_a_polygon_and_padding_beyond_the_sky_are_one_range() -> None:
    assert polygon_ranges(polygon(SQUARE), 179.0) == [(0, END)]
