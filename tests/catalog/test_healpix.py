"""Cones as ranges of source_id, and the distance of sources from their pixel, against a search of every pixel."""

from pathlib import Path

import healpy as hp
import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.coordinates import angular_separation
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import DataError, UsageError
from catalog.healpix import ARCSEC, END, MAX_PADDING, NSIDE, SHIFT, cone_ranges, pixel_offset

CENTRES = [
    *((0.0, 0.0), (45.0, 0.0), (359.99999, 12.0), (-5.0, 30.0), (725.0, 1.0)),
    *((45.0, 90.0), (200.0, -90.0), (13.0, 89.999), (45.0, -84.0)),
    *((270.0, -41.8103149), (180.0, 41.8103149)),  # where the equatorial and polar pixels meet
]
RADII = [0.0, 1 * ARCSEC, 1 / 60, 0.1, 1.0, 10.0, 60.0, 90.0, 91.0, 140.0, 179.9]


def separation(ra: np.ndarray, dec: np.ndarray, at: tuple[float, float]) -> np.ndarray:
    """Angular distance in degrees, Vincenty's formula."""
    return np.degrees(angular_separation(np.radians(ra), np.radians(dec), *np.radians(at)))


def source_ids(ra: np.ndarray, dec: np.ndarray, number: int = 0) -> np.ndarray:
    return (hp.ang2pix(NSIDE, ra, dec, nest=True, lonlat=True).astype(np.int64) << SHIFT) + number


def inside(source_id: np.ndarray, ranges: list[tuple[int, int]]) -> np.ndarray:
    first, last = np.array(ranges).T
    place = np.searchsorted(first, source_id, side="right") - 1
    return (place >= 0) & (source_id < last[np.maximum(place, 0)])


def around(centre: tuple[float, float], radius: float, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Positions within and about a cone: offsets of up to 1.5 radii in every direction, and some over all the sky."""
    axis = hp.ang2vec(centre[0] % 360, centre[1], lonlat=True)
    angle = np.radians(np.minimum(1.5 * max(radius, ARCSEC), 180.0) * np.sqrt(rng.random(n)))
    across = np.cross(axis, rng.normal(size=(n, 3)))
    across /= np.linalg.norm(across, axis=1)[:, None]
    points = np.vstack([np.cos(angle)[:, None] * axis + np.sin(angle)[:, None] * across, rng.normal(size=(n, 3)), axis[None]])
    ra, dec = hp.vec2ang(points, lonlat=True)
    return ra, dec


@pytest.mark.parametrize("centre", CENTRES)
@pytest.mark.parametrize("radius", RADII)
def test_a_cone_holds_every_source_within_its_radius(centre: tuple[float, float], radius: float) -> None:
    ra, dec = around(centre, radius, 4000, np.random.default_rng(1))
    ranges = cone_ranges(*centre, radius)
    within = separation(ra, dec, centre) <= radius
    assert within.any() or radius == 0.0
    for number in (0, (1 << SHIFT) - 1):  # the first and the last source of each pixel
        assert inside(source_ids(ra, dec, number), ranges)[within].all()
    assert inside(source_ids(ra, dec), ranges)[-1]


@pytest.mark.parametrize("centre", CENTRES)
@pytest.mark.parametrize("radius", RADII)
def test_ranges_are_ascending_apart_few_and_not_much_larger_than_the_cone(centre: tuple[float, float], radius: float) -> None:
    ranges = np.array(cone_ranges(*centre, radius))
    assert ranges[0, 0] >= 0
    assert ranges[-1, 1] <= END
    assert (ranges[:, 0] < ranges[:, 1]).all()
    assert (ranges[1:, 0] > ranges[:-1, 1]).all()
    assert len(ranges) <= 60
    area = (ranges[:, 1] - ranges[:, 0]).sum() / END * 4 * np.pi
    cap = 2 * np.pi * (1 - np.cos(np.radians(radius)))
    assert area <= 3.5 * cap + 16 * 4 * np.pi / (12 * NSIDE**2)


@pytest.mark.parametrize("radius", [180.0, 200.0, 1e9])
def test_a_cone_over_all_the_sky_is_one_range(radius: float) -> None:
    assert cone_ranges(10.0, -20.0, radius) == [(0, END)]
    assert END < 2**63


@pytest.mark.parametrize(
    ("ra", "dec", "radius", "padding"),
    [
        *((np.nan, 0, 1, 0), (np.inf, 0, 1, 0), (0, 91, 1, 0), (0, np.nan, 1, 0)),
        *((0, 0, -1, 0), (0, 0, np.nan, 0), (0, 0, np.inf, 0), (0, 0, 1, -1)),
    ],
)
def test_a_cone_that_is_not_on_the_sky_is_refused(ra: float, dec: float, radius: float, padding: float) -> None:
    with pytest.raises(UsageError):
        cone_ranges(ra, dec, radius, padding)


@given(
    pixel=st.integers(0, 12 * NSIDE**2 - 1) | st.sampled_from([k * NSIDE**2 - below for k in range(1, 12) for below in (0, 1)]),
    displacement=st.floats(0.0, MAX_PADDING),
    displaced_towards=st.floats(0.0, 360.0),
    edge=st.floats(0.0, 1.0),
    radius=st.sampled_from(RADII[:7]),
    towards=st.floats(0.0, 360.0),
)
@settings(max_examples=150, deadline=None)
def test_no_displaced_source_is_lost_by_a_cone_padded_by_its_offset(
    pixel: int, displacement: float, displaced_towards: float, edge: float, radius: float, towards: float
) -> None:
    corners = hp.boundaries(NSIDE, pixel, step=16, nest=True).T
    position = moved(corners[int(edge * 63)], displacement, displaced_towards)
    centre = moved(position, radius, towards)
    (ra, centre_ra), (dec, centre_dec) = hp.vec2ang(np.array([position, centre]), lonlat=True)
    source_id = np.array([pixel << SHIFT])
    offset = pixel_offset(source_id, np.array([ra]), np.array([dec]))[0]
    assert offset <= displacement + 0.01 * ARCSEC
    assert inside(source_id, cone_ranges(centre_ra, centre_dec, radius, offset)).all()
    assert inside(source_id, cone_ranges(centre_ra, centre_dec, radius, MAX_PADDING)).all()


def moved(vector: np.ndarray, distance: float, towards: float) -> np.ndarray:
    """A unit vector moved along a great circle by a distance, into a direction, both in degrees."""
    other = np.eye(3)[np.argmin(np.abs(vector))]
    east = np.cross(other, vector) / np.linalg.norm(np.cross(other, vector))
    direction = np.cos(np.radians(towards)) * east + np.sin(np.radians(towards)) * np.cross(vector, east)
    result = np.cos(np.radians(distance)) * vector + np.sin(np.radians(distance)) * direction
    return np.asarray(result / np.linalg.norm(result))


def test_offsets_agree_with_a_search_along_finely_sampled_edges() -> None:
    rng = np.random.default_rng(2)
    pixels = np.concatenate([rng.integers(0, 12 * NSIDE**2, 40), [0, NSIDE**2 - 1, NSIDE**2 - 6, 4 * NSIDE**2 - 1, 8 * NSIDE**2]])
    for pixel in pixels.tolist():
        corners = hp.boundaries(NSIDE, pixel, step=20_000, nest=True).T
        positions = np.array([moved(corners[int(i)], d * ARCSEC, a) for i, d, a in rng.random((30, 3)) * [len(corners), 12, 360]])
        ra, dec = hp.vec2ang(positions, lonlat=True)
        found = pixel_offset(np.full(30, pixel << SHIFT), ra, dec)
        nearest = np.array([np.linalg.norm(corners - position, axis=1).min() for position in positions])
        expected = np.where(hp.ang2pix(NSIDE, ra, dec, nest=True, lonlat=True) == pixel, 0.0, np.degrees(2 * np.arcsin(nearest / 2)))
        assert np.abs(found - expected).max() < 0.015 * ARCSEC


def test_far_sources_have_their_true_distance() -> None:
    at = pixel_offset(np.array([0, 0]), np.array([225.0, 45.0]), np.array([0.0, 60.0]))  # pixel 0 begins at (45, 0)
    assert at == pytest.approx([180.0 - 52 * ARCSEC, 60.0 - 52 * ARCSEC], abs=60 * ARCSEC)


@pytest.mark.parametrize(("source_id", "ra", "dec"), [(-1, 0, 0), (END, 0, 0), (0, np.nan, 0), (0, 0, np.nan), (0, 0, 90.1)])
def test_identifiers_and_positions_that_cannot_be_are_refused(source_id: int, ra: float, dec: float) -> None:
    with pytest.raises(DataError, match=str(source_id)):
        pixel_offset(np.array([5, source_id]), np.array([0.0, ra]), np.array([0.0, dec]))


def test_no_rows_have_no_offsets() -> None:
    assert pixel_offset(np.array([], np.int64), np.array([]), np.array([])).shape == (0,)


def test_real_sources_outside_their_pixel_are_found(real_data: Path) -> None:
    labels = real_data / "labels"
    gaia = pq.read_table(labels / "gaia_source_1457.parquet", columns=["source_id", "ra", "dec"])
    offset = pixel_offset(*(gaia[name].to_numpy() for name in ("source_id", "ra", "dec")))
    assert len(offset) == 1457
    assert (offset > 0).sum() == 8
    assert offset.max() / ARCSEC == pytest.approx(5.507, abs=0.01)

    with fits.open(labels / "ocCastroGinard_tmass.fits.gz") as file:
        table = file[1].data
        source_id, ra, dec = (np.array(table[name]).astype(kind) for name, kind in (("GaiaEDR3", "i8"), ("RAdeg", "f8"), ("DEdeg", "f8")))
    offset = pixel_offset(source_id, ra, dec)
    assert len(offset) == 24440
    assert (offset > 0).sum() == 78
    for row in np.flatnonzero(offset > 0):  # each is within a cone about itself only because the cone is padded
        assert inside(source_id[row : row + 1], cone_ranges(ra[row], dec[row], 0.0, offset.max())).all()
