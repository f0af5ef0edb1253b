"""Joins on position: looked up by ranges of the key, they give the rows that the test of every pair gives."""

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import healpy as hp
import numpy as np
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import sql

from catalog.database import Database
from catalog.schema.column import Position
from tap_service.adql import translate
from tap_service.table_set import TableSet, TapColumn, TapTable

ARCSEC = 1 / 3600
PADDING = 5.5 * ARCSEC
DISPLACED = (17, 18, 1 << 50)
EXAMPLES = int(os.environ.get("SKY_JOINS", "6"))

COLUMNS = (TapColumn("source_id", "long"), TapColumn("ra", "double"), TapColumn("dec", "double"), TapColumn("mag", "float"))
STARS = TapTable(
    "sky", "stars", None, COLUMNS, permanent="sky__p0007", position=Position(), padding=PADDING, displaced=DISPLACED
)  # fmt: skip
SPECTRA = TapTable(
    "sky", "spectra", None,
    (TapColumn("obsid", "int"), TapColumn("ra", "double"), TapColumn("dec", "double"), TapColumn("position_key", "long")),
    permanent="sky__p0007", position=Position(key="position_key"),
)  # fmt: skip
LABELS = TapTable("sky", "labels", None, (TapColumn("source_id", "long"), TapColumn("teff", "float")), permanent="sky__p0007")
UPLOAD = TapTable(
    "tap_upload", "u", None, (TapColumn("id", "int"), TapColumn("ra", "double"), TapColumn("dec", "float"), TapColumn("r", "double")),
    permanent="pg_temp",
)  # fmt: skip
LOOKED_UP = TableSet(7, (STARS, SPECTRA, LABELS, UPLOAD))
EVERY_PAIR = TableSet(7, (replace(STARS, position=None), replace(SPECTRA, position=None), LABELS, UPLOAD))
"""The same tables, of which nobody says where a position is found."""

Rows = list[tuple[Any, ...]]


class Sky:
    """A connection to the tables, filled anew for every sky."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        connection.execute("""
            CREATE SCHEMA sky__p0007; SET jit = off;
            CREATE TABLE sky__p0007.stars (source_id bigint PRIMARY KEY, ra double precision, dec double precision, mag real);
            CREATE TABLE sky__p0007.spectra (obsid integer, ra double precision, dec double precision, position_key bigint);
            CREATE INDEX ON sky__p0007.spectra (position_key);
            CREATE TABLE sky__p0007.labels (source_id bigint PRIMARY KEY, teff real);
            CREATE TEMP TABLE u (id integer, ra double precision, dec real, r double precision);
        """)

    def fill(self, table: str, rows: Rows) -> None:
        name = sql.Identifier("pg_temp" if table == "u" else "sky__p0007", table)
        self.connection.execute(sql.SQL("TRUNCATE {}").format(name))
        with self.connection.cursor() as cursor, cursor.copy(sql.SQL("COPY {} FROM STDIN").format(name)) as copy:
            for row in rows:
                copy.write_row(row)

    def rows(self, text: str, tables: TableSet = LOOKED_UP) -> Rows:
        found = self.connection.execute(translate(text, tables).statement).fetchall()
        return sorted(found, key=lambda row: tuple((cell is None, cell if cell is not None else 0) for cell in row))


@pytest.fixture(scope="module")
def sky(catalogue: Database) -> Iterator[Sky]:
    with catalogue.connect(None, autocommit=True) as connection:
        yield Sky(connection)


def random_sky(seed: int, places: list[tuple[float, float]], width: float) -> dict[str, Rows]:
    """Stars, spectra and an upload within some widths of the places, with rows that are doubled, have no position or tell it wrongly."""
    rng = np.random.default_rng(seed)

    def positions(count: int) -> tuple[np.ndarray, np.ndarray]:
        around = np.array(places)[rng.integers(0, len(places), count)]
        dec = np.clip(around[:, 1] + width * rng.normal(size=count), -90, 90)
        ra = around[:, 0] + width * rng.normal(size=count) / np.maximum(np.cos(np.radians(dec)), 1e-3)
        return ra % 360, dec

    ra, dec = positions(50)
    ra, dec = np.append(ra, ra[:8]), np.append(dec, dec[:8])
    seen = positions_off(ra, dec, PADDING, rng)
    ids = (hp.ang2pix(4096, *seen, nest=True, lonlat=True).astype(np.int64) << 35) + 100 + np.arange(len(ra))
    ids[: len(DISPLACED)] = DISPLACED
    stars: Rows = list(zip(ids.tolist(), ra.tolist(), dec.tolist(), rng.integers(8, 18, len(ra)).tolist(), strict=True))
    stars += [(9_000_000_000_000_000_000 + number, None, None, 10) for number in range(3)]
    ra, dec = positions(25)
    keys = hp.ang2pix(4096, ra, dec, nest=True, lonlat=True).astype(np.int64) << 35
    spectra: Rows = list(zip(range(25), ra.tolist(), dec.tolist(), keys.tolist(), strict=True))
    spectra += [spectra[0], (25, None, None, None)]
    ra, dec = positions(12)
    radii = np.abs(width * rng.normal(size=12))
    upload: Rows = list(zip(range(12), (ra + rng.choice([0, 360, -360], 12)).tolist(), dec.tolist(), radii.tolist(), strict=True))
    upload += [upload[0], (40, None, 1.0, 1.0), (41, 1.0, None, 1.0), (42, ra[0], dec[0], None), (43, ra[0], dec[0], -1.0)]
    upload += [(44, ra[0], 180 - dec[0], width), (45, float("nan"), 1.0, 1.0), (46, ra[0], dec[0], 200.0), (47, 1e9, dec[0], 1.0)]
    labels: Rows = [(star[0], 4000 + 10 * number) for number, star in enumerate(stars) if number % 3]
    return {"stars": stars, "spectra": spectra, "u": upload, "labels": labels}


def positions_off(ra: np.ndarray, dec: np.ndarray, most: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Places up to ``most`` degrees from the given ones."""
    axis = hp.ang2vec(ra, dec, lonlat=True)
    across = np.cross(axis, rng.normal(size=(len(ra), 3)))
    across *= (np.radians(most) * rng.random(len(ra)) / np.linalg.norm(across, axis=1))[:, None]
    lon, lat = hp.vec2ang(axis + across, lonlat=True)
    return lon, lat


# Every query of these becomes a lookup. {r} stands for a radius.
LOOKUPS = {
    "distance in ON": "SELECT u.id, s.source_id FROM tap_upload.u AS u JOIN sky.stars AS s ON DISTANCE(u.ra, u.dec, s.ra, s.dec) < {r}",
    "distance of points, turned": "SELECT u.id, s.source_id FROM sky.stars AS s JOIN tap_upload.u AS u ON {r} >= DISTANCE(POINT('ICRS', s.ra, s.dec), POINT(u.ra, u.dec))",
    "contains in WHERE": "SELECT u.id, s.source_id FROM tap_upload.u AS u, sky.stars AS s WHERE 1 = CONTAINS(POINT(s.ra, s.dec), CIRCLE(u.ra, u.dec, {r}))",
    "contains = 1, stars in the circle": "SELECT u.id, s.source_id FROM sky.stars AS s, tap_upload.u AS u WHERE CONTAINS(POINT('ICRS', u.ra, u.dec), CIRCLE('ICRS', s.ra, s.dec, {r})) = 1",
    "intersects with CROSS JOIN": "SELECT u.id, s.source_id FROM tap_upload.u AS u CROSS JOIN sky.stars AS s WHERE INTERSECTS(POINT(s.ra, s.dec), CIRCLE(POINT(u.ra, u.dec), {r})) = 1",
    "circles that touch": "SELECT u.id, s.source_id FROM tap_upload.u AS u JOIN sky.stars AS s ON 1 = INTERSECTS(CIRCLE(s.ra, s.dec, {r}), CIRCLE(u.ra, u.dec, {r} / 2))",
    "circles within circles": "SELECT u.id, s.source_id FROM tap_upload.u AS u JOIN sky.stars AS s ON 1 = CONTAINS(CIRCLE(s.ra, s.dec, s.mag * {r} / 20), CIRCLE(u.ra, u.dec, {r}))",
    "radius of the upload": "SELECT u.id, s.source_id FROM tap_upload.u AS u JOIN sky.stars AS s ON DISTANCE(u.ra, u.dec, s.ra, s.dec) < u.r",
    "radius in an expression": "SELECT u.id, s.source_id FROM tap_upload.u AS u JOIN sky.stars AS s ON 1 = CONTAINS(POINT(s.ra, s.dec), CIRCLE(u.ra, u.dec, 2 * u.r + {r}))",
    "not further": "SELECT u.id, s.source_id FROM tap_upload.u AS u JOIN sky.stars AS s ON NOT (DISTANCE(u.ra, u.dec, s.ra, s.dec) > {r})",
    "further conditions": "SELECT u.id, s.source_id FROM tap_upload.u AS u JOIN sky.stars AS s ON u.id < 10 AND DISTANCE(u.ra, u.dec, s.ra, s.dec) < {r} AND s.mag > 9 WHERE s.mag - u.id < 5 AND u.r > 0",
    "left join": "SELECT u.id, s.source_id FROM tap_upload.u AS u LEFT JOIN sky.stars AS s ON DISTANCE(u.ra, u.dec, s.ra, s.dec) < {r}",
    "left join with conditions": "SELECT u.id, s.source_id, s.mag FROM tap_upload.u AS u LEFT JOIN sky.stars AS s ON DISTANCE(u.ra, u.dec, s.ra, s.dec) < {r} AND s.mag < 14 AND u.id > 3 WHERE u.id < 11",
    "right join": "SELECT u.id, s.source_id FROM sky.stars AS s RIGHT JOIN tap_upload.u AS u ON DISTANCE(u.ra, u.dec, s.ra, s.dec) < {r}",
    "left join of a join": "SELECT u.id, l.teff, p.obsid FROM tap_upload.u AS u JOIN sky.stars AS s ON DISTANCE(u.ra, u.dec, s.ra, s.dec) < {r} LEFT JOIN sky.labels AS l USING (source_id) LEFT JOIN sky.spectra AS p ON DISTANCE(p.ra, p.dec, s.ra, s.dec) < {r}",
    "self join": "SELECT a.source_id, b.source_id FROM sky.stars AS a JOIN sky.stars AS b ON DISTANCE(a.ra, a.dec, b.ra, b.dec) < {r} AND a.source_id < b.source_id",
    "self join within a cone": "SELECT a.source_id, b.source_id FROM sky.stars AS a, sky.stars AS b WHERE DISTANCE(a.ra, a.dec, b.ra, b.dec) < {r} AND DISTANCE(b.ra, b.dec, 10, 20) < 60",
    "neighbours of some": "SELECT a.source_id, b.source_id FROM sky.stars AS a, sky.stars AS b WHERE DISTANCE(a.ra, a.dec, b.ra, b.dec) < {r} AND b.source_id IN (17, 18, 19)",
    "neighbours of one": "SELECT a.source_id FROM sky.stars AS a, sky.stars AS b WHERE DISTANCE(a.ra, a.dec, b.ra, b.dec) < {r} AND b.source_id = 17",
    "with its labels": "SELECT u.id, l.teff FROM sky.labels AS l JOIN sky.stars AS s USING (source_id) JOIN tap_upload.u AS u ON DISTANCE(u.ra, u.dec, s.ra, s.dec) < {r} WHERE l.teff > 4100",
    "three by position": "SELECT u.id, s.source_id, p.obsid FROM tap_upload.u AS u JOIN sky.stars AS s ON DISTANCE(u.ra, u.dec, s.ra, s.dec) < {r} JOIN sky.spectra AS p ON DISTANCE(s.ra, s.dec, p.ra, p.dec) < {r}",
    "three in WHERE": "SELECT u.id, s.source_id, p.obsid FROM sky.spectra AS p, sky.stars AS s, tap_upload.u AS u WHERE DISTANCE(u.ra, u.dec, s.ra, s.dec) < {r} AND DISTANCE(u.ra, u.dec, p.ra, p.dec) < {r}",
    "another key": "SELECT p.obsid, s.source_id FROM sky.spectra AS p JOIN sky.stars AS s ON DISTANCE(p.ra, p.dec, s.ra, s.dec) < {r}",
    "a query is looked up": "SELECT u.id, s.id FROM tap_upload.u AS u JOIN (SELECT source_id AS id, dec AS y, ra AS x FROM sky.stars WHERE mag < 15) AS s ON DISTANCE(u.ra, u.dec, s.x, s.y) < {r}",
    "a table of WITH is looked up": "WITH s AS (SELECT ra, dec, source_id FROM sky.stars WHERE mag < 15) SELECT u.id, s.source_id FROM tap_upload.u AS u JOIN s ON DISTANCE(u.ra, u.dec, s.ra, s.dec) < {r}",
    "a query leads": "SELECT m.n, s.source_id FROM (SELECT id AS n, AVG(ra) AS x, AVG(dec) AS y FROM tap_upload.u GROUP BY id) AS m JOIN sky.stars AS s ON DISTANCE(m.x, m.y, s.ra, s.dec) < {r}",
    "some stars of a table lead": "SELECT m.source_id, s.source_id FROM (SELECT TOP 20 * FROM sky.stars ORDER BY source_id) AS m JOIN sky.stars AS s ON DISTANCE(m.ra, m.dec, s.ra, s.dec) < {r}",
    "place from two tables": "SELECT u.id, p.obsid, s.source_id FROM tap_upload.u AS u, sky.spectra AS p, sky.stars AS s WHERE DISTANCE(u.ra, p.dec, s.ra, s.dec) < {r} AND u.id = p.obsid",
    "exists": "SELECT u.id FROM tap_upload.u AS u WHERE EXISTS (SELECT 1 FROM sky.stars AS s WHERE DISTANCE(u.ra, u.dec, s.ra, s.dec) < {r})",
    "not exists": "SELECT u.id FROM tap_upload.u AS u WHERE NOT EXISTS (SELECT 1 FROM sky.stars AS s, sky.labels AS l WHERE s.source_id = l.source_id AND DISTANCE(u.ra, u.dec, s.ra, s.dec) < {r})",
    "a count for each": "SELECT u.id, (SELECT COUNT(*) FROM sky.stars AS s WHERE DISTANCE(u.ra, u.dec, s.ra, s.dec) < {r}) FROM tap_upload.u AS u",
    "grouped": "SELECT u.id, COUNT(*), MIN(DISTANCE(u.ra, u.dec, s.ra, s.dec)) FROM tap_upload.u AS u JOIN sky.stars AS s ON DISTANCE(u.ra, u.dec, s.ra, s.dec) < {r} GROUP BY u.id HAVING COUNT(*) > 1",
    "in an operand of UNION": "SELECT u.id FROM tap_upload.u AS u JOIN sky.stars AS s ON DISTANCE(u.ra, u.dec, s.ra, s.dec) < {r} UNION ALL SELECT source_id FROM sky.stars",
}  # fmt: skip

# These stand as they are written.
PLAIN = {
    "full join": "SELECT u.id, s.source_id FROM tap_upload.u AS u LEFT JOIN (SELECT TOP 200 * FROM sky.stars ORDER BY source_id) AS s ON DISTANCE(u.ra, u.dec, s.ra, s.dec) < {r}",
    "stars may be alone": "SELECT u.id, s.source_id FROM sky.stars AS s LEFT JOIN tap_upload.u AS u ON DISTANCE(u.ra, u.dec, s.ra, s.dec) < {r}",
    "or": "SELECT u.id, s.source_id FROM tap_upload.u AS u JOIN sky.stars AS s ON DISTANCE(u.ra, u.dec, s.ra, s.dec) < {r} OR u.id = s.mag",
    "far apart": "SELECT COUNT(*) FROM tap_upload.u AS u JOIN sky.stars AS s ON DISTANCE(u.ra, u.dec, s.ra, s.dec) > {r}",
    "radius of the star": "SELECT u.id, s.source_id FROM tap_upload.u AS u JOIN sky.stars AS s ON DISTANCE(u.ra, u.dec, s.ra, s.dec) < {r} * s.mag",
    "place of both": "SELECT u.id, s.source_id FROM tap_upload.u AS u JOIN sky.stars AS s ON DISTANCE(u.ra, s.dec, s.ra, s.dec) < {r}",
    "both in no table with a place": "SELECT a.id, b.id FROM tap_upload.u AS a JOIN tap_upload.u AS b ON DISTANCE(a.ra, a.dec, b.ra, b.dec) < {r}",
    "other coordinates": "SELECT u.id, s.source_id FROM tap_upload.u AS u JOIN sky.stars AS s ON DISTANCE(u.ra, u.dec, s.ra + 1, s.dec) < {r}",
}  # fmt: skip

PLACES = {
    "north pole": (0.0, 90.0), "south pole": (77.0, -90.0), "ra 0": (0.0, 12.0), "corner of three faces": (0.0, 41.8103148957786),
    "border of faces": (45.0, 0.0), "polar face": (30.0, 60.0), "meridian between polar faces": (90.0, 70.0), "field": (10.0, 20.0),
}  # fmt: skip


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.sampled_from(sorted(PLACES.values())), min_size=1, max_size=3),
    st.sampled_from([0.3 * ARCSEC, 3 * ARCSEC, 30 * ARCSEC, 0.02, 0.5, 8.0, 60.0]),
    st.floats(0, 3),
)
def test_a_lookup_gives_the_rows_of_every_pair(sky: Sky, seed: int, places: list[tuple[float, float]], width: float, radii: float) -> None:
    for table, rows in random_sky(seed, places, width).items():
        sky.fill(table, rows)
    for name, query in {**LOOKUPS, **PLAIN}.items():
        text = query.format(r=radii * width)
        assert sky.rows(text) == sky.rows(text, EVERY_PAIR), name


@pytest.mark.parametrize("query", LOOKUPS.values(), ids=LOOKUPS.keys())
def test_a_join_on_position_is_a_lookup(query: str) -> None:
    statement = translate(query.format(r=0.01), LOOKED_UP).statement.as_string(None)
    assert "sky_cover" in statement


@pytest.mark.parametrize("query", PLAIN.values(), ids=PLAIN.keys())
def test_what_fits_no_lookup_stays_as_it_is(query: str) -> None:
    text = query.format(r=0.01)
    assert translate(text, LOOKED_UP).statement.as_string(None) == translate(text, EVERY_PAIR).statement.as_string(None)
