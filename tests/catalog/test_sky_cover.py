"""Discs as ranges of a HEALPix key, in SQL: no place within is lost, wherever the disc lies and however large it is."""

from collections.abc import Iterator
from typing import Any

import healpy as hp
import numpy as np
import psycopg
import pytest

from catalog.database import Database, Role
from catalog.healpix import ARCSEC, MARGIN, NSIDE, SHIFT

FACE_BORDER = float(np.degrees(np.arcsin(2 / 3)))
CENTRES = [
    *((0.0, 90.0), (123.0, -90.0), (45.0, 89.9999), (90.0, 89.99999), (359.9999, -89.999), (200.0, 80.0)),
    *(
        (0.0, 0.0),
        (45.0, 0.0),
        (45.0, -1e-9),
        (0.0, FACE_BORDER),
        (90.0, -FACE_BORDER),
        (30.0, FACE_BORDER),
        (44.999999, 60.0),
        (90.0, 60.0),
    ),
    *((-700.0, 12.0), (719.9, -12.0), (1e6, 33.0), (360.0, 12.0), (-1e-13, 5.0), (22.5, 19.4712206344907)),
]
RADII = [0.0, 0.3 * ARCSEC, 1 * ARCSEC, 6.5 * ARCSEC, 1 / 60, 0.1, 0.999, 1.0, 5.0, 20.0, 60.0, 95.0, 150.0, 179.9, 180.0]


@pytest.fixture(scope="module")
def connection(catalogue: Database) -> Iterator[psycopg.Connection[Any]]:
    """A connection to a catalogue."""
    with catalogue.connect(Role.WORKER, autocommit=True) as found:
        yield found


def covers(connection: psycopg.Connection[Any], lon: np.ndarray, lat: np.ndarray, radius: float) -> list[np.ndarray]:
    """The ranges of each disc, ascending."""
    rows = connection.execute(
        "SELECT number - 1, first, last FROM unnest(%b::float8[], %b::float8[]) WITH ORDINALITY AS place (lon, lat, number),"
        " LATERAL functions.sky_cover(lon, lat, %s) ORDER BY number, first",
        (lon.tolist(), lat.tolist(), radius),
    ).fetchall()
    return [np.array([row[1:] for row in rows if row[0] == number], np.int64).reshape(-1, 2) for number in range(len(lon))]


def within(lon: np.ndarray, lat: np.ndarray, radius: float, count: int, rng: np.random.Generator) -> np.ndarray:
    """Unit vectors (places, count, 3) within the radius of each place, half of them at its very border."""
    axis = hp.ang2vec(lon % 360, lat, lonlat=True)[:, None, :]
    across = np.cross(axis, rng.normal(size=(len(lon), count, 3)))
    across /= np.linalg.norm(across, axis=2, keepdims=True)
    share = np.where(np.arange(count) % 2, np.sqrt(rng.random((len(lon), count))), 1 - 1e-9)
    angle = np.radians(radius * share)[..., None]
    return np.cos(angle) * axis + np.sin(angle) * across


@pytest.mark.parametrize("radius", RADII)
def test_a_cover_holds_every_place_within(connection: psycopg.Connection[Any], radius: float) -> None:
    rng = np.random.default_rng(8)
    lon = np.append([lon for lon, _ in CENTRES], rng.uniform(0, 360, 60))
    lat = np.append([lat for _, lat in CENTRES], np.degrees(np.arcsin(rng.uniform(-1, 1, 60))))
    places = within(lon, lat, radius, 100, rng)
    keys = hp.vec2pix(NSIDE, *np.moveaxis(places, 2, 0), nest=True).astype(np.int64) << SHIFT
    for number, ranges in enumerate(covers(connection, lon, lat, radius + MARGIN)):
        assert (ranges[1:, 0] > ranges[:-1, 1]).all(), "ranges apart, so that no row is found twice"
        assert len(ranges) <= 60
        for key in (keys[number], keys[number] + (1 << SHIFT) - 1):
            before = np.searchsorted(ranges[:, 0], key, side="right") - 1
            assert ((before >= 0) & (key <= ranges[np.maximum(before, 0), 1])).all(), f"around {lon[number]}, {lat[number]}"


def test_most_discs_of_an_arcsecond_are_one_range(connection: psycopg.Connection[Any]) -> None:
    rng = np.random.default_rng(9)
    lon, lat = rng.uniform(0, 360, 2000), np.degrees(np.arcsin(rng.uniform(-1, 1, 2000)))
    counts = np.array([len(ranges) for ranges in covers(connection, lon, lat, ARCSEC)])
    assert (counts == 1).mean() > 0.85 and counts.max() <= 4


@pytest.mark.parametrize(
    "disc", ["NULL, 1, 1", "1, NULL, 1", "1, 1, NULL", "1, 90.1, 1", "'NaN', 1, 1", "1, 'NaN', 1", "'Infinity', 1, 1", "1, 1, -0.1"]
)
def test_no_disc_has_no_ranges(connection: psycopg.Connection[Any], disc: str) -> None:
    assert connection.execute(f"SELECT * FROM functions.sky_cover({disc})".encode()).fetchall() == []
