"""HEALPix in SQL: pixels and centres as healpy gives them, to the last bit."""

from collections.abc import Iterator
from typing import Any

import healpy as hp
import numpy as np
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.database import Database, Role

LEVELS = [*range(14), 20, 25, 28, 29]
FACE_BORDER = np.degrees(np.arcsin(2 / 3))


Connection = psycopg.Connection[Any]


@pytest.fixture(scope="module")
def connection(catalogue: Database) -> Iterator[Connection]:
    """A connection to a catalogue."""
    with catalogue.connect(Role.WORKER, autocommit=True) as found:
        yield found


def pixels(connection: Connection, level: int, lon: np.ndarray, lat: np.ndarray) -> list[int | None]:
    """What functions.healpix_index says."""
    rows = connection.execute(
        "SELECT functions.healpix_index(%s, lon, lat) FROM unnest(%b::float8[], %b::float8[]) WITH ORDINALITY AS p (lon, lat, n) ORDER BY n",
        (level, lon.tolist(), lat.tolist()),
    )
    return [pixel for (pixel,) in rows]


def all_over_the_sky(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Random places, and those where formulas change: poles, borders of faces, turns of longitude."""
    rng = np.random.default_rng(3)
    near = 10.0 ** rng.uniform(-13, 1, count // 4)
    lon = [rng.uniform(-400, 800, count // 2), rng.uniform(0, 360, 2 * len(near))]
    lat = [np.degrees(np.arcsin(rng.uniform(-1, 1, count // 2))), 90 - near, near - 90]
    lons = [
        0.0,
        -0.0,
        -1e-20,
        45.0,
        90.0,
        180.0,
        np.nextafter(180, 0),
        270.0,
        np.nextafter(360, 0),
        360.0,
        -90.0,
        720.0,
        *rng.uniform(0, 360, 20),
    ]
    lats = [90.0, -90.0, np.nextafter(90, 0), 0.0, 1e-300, FACE_BORDER, -FACE_BORDER, 89.42, 89.43, -89.43, *rng.uniform(-90, 90, 20)]
    special = np.array([(one, other) for one in lons for other in lats])
    return np.concatenate([*lon, special[:, 0]]), np.concatenate([*lat, special[:, 1]])


def test_every_place_has_the_pixel_that_healpy_gives(any_database: Database) -> None:
    lon, lat = all_over_the_sky(100_000)
    with any_database.connect(Role.WORKER) as connection:
        connection.execute("CREATE TEMP TABLE place (number integer, lon double precision, lat double precision)")
        with connection.cursor().copy("COPY place FROM STDIN") as copy:
            for row in zip(range(len(lon)), lon.tolist(), lat.tolist(), strict=True):
                copy.write_row(row)
        for level in LEVELS:
            rows = connection.execute("SELECT functions.healpix_index(%s, lon, lat) FROM place ORDER BY number", (level,)).fetchall()
            expected = hp.ang2pix(1 << level, lon, lat, nest=True, lonlat=True)
            np.testing.assert_array_equal(np.array(rows)[:, 0], expected, err_msg=f"level {level}")


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 29), st.floats(-1e6, 1e6), st.floats(-90, 90))
def test_any_place_has_the_pixel_that_healpy_gives(connection: Connection, level: int, lon: float, lat: float) -> None:
    assert pixels(connection, level, np.array([lon]), np.array([lat])) == [hp.ang2pix(1 << level, lon, lat, nest=True, lonlat=True)]


@pytest.mark.parametrize("level", LEVELS)
def test_a_pixel_has_the_centre_that_healpy_gives(connection: Connection, level: int) -> None:
    rng = np.random.default_rng(4)
    count = 12 * 4**level
    chosen = np.unique(np.concatenate([rng.integers(0, count, 2000), np.arange(min(count, 800)), [count - 1]]))
    lon, lat = hp.pix2ang(1 << level, chosen, nest=True, lonlat=True)
    rows = connection.execute(
        "SELECT functions.healpix_lon(%(level)s, pixel), functions.healpix_lat(%(level)s, pixel),"
        " functions.healpix_index(%(level)s, (functions.healpix_center(%(level)s, pixel))[1], functions.healpix_lat(%(level)s, pixel))"
        " FROM unnest(%(pixels)s::bigint[]) AS p (pixel) ORDER BY pixel",
        {"level": level, "pixels": chosen.tolist()},
    ).fetchall()
    found_lon, found_lat, again = map(np.array, zip(*rows, strict=True))
    np.testing.assert_allclose(found_lon, lon, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found_lat, lat, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(again, chosen)


def test_no_place_has_no_pixel_and_no_pixel_no_place(connection: Connection) -> None:
    lon = np.array([1.0, 1.0, np.nan, np.inf, 1.0])
    lat = np.array([90.1, -91.0, 0.0, 0.0, np.nan])
    assert pixels(connection, 3, lon, lat) == [None] * 5
    (row,) = connection.execute(
        "SELECT functions.healpix_index(NULL, 1, 1), functions.healpix_index(1, NULL, 1),"
        " functions.healpix_lat(0, 12), functions.healpix_lon(0, -1), functions.healpix_lon(2, NULL)"
    ).fetchall()
    assert row == (None,) * 5


@pytest.mark.parametrize("call", ["healpix_index(30, 1, 1)", "healpix_index(-1, 1, 1)", "healpix_lon(30, 1)", "healpix_lat(-1, 1)"])
def test_a_level_that_is_none_is_an_error(connection: Connection, call: str) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="between 0 and 29"):
        connection.execute(f"SELECT functions.{call}".encode())
