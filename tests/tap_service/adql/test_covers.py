"""Constant regions through ranges of the key: the same rows as without, however they are written and wherever identifiers point."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import healpy as hp
import numpy as np
import psycopg
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.database import Database
from catalog.healpix import ARCSEC, END, MAX_PADDING, NSIDE, SHIFT, pixel_offset
from catalog.schema.column import Position
from tap_service.adql import translate
from tap_service.adql.covers import MOST_RANGES
from tap_service.table_set import TableSet, TapColumn, TapTable
from tests.tap_service.adql import sky_oracle as oracle

EXAMPLES = int(os.environ.get("FUZZ_REGIONS", "25"))
quick = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
DISPLACED = (17, 18, 19)
"""Identifiers that tell nothing of their sources' places."""
PLAIN = TapTable(
    "t",
    "s",
    "Sources.",
    (TapColumn("source_id", "long"), TapColumn("ra", "double"), TapColumn("dec", "double"), TapColumn("w", "double")),
    permanent="pg_temp",
)
COVERED = replace(PLAIN, position=Position(), padding=MAX_PADDING, displaced=DISPLACED)


class Sources:
    """A table of sources, filled anew for each question."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection

    def fill(self, source_id: np.ndarray, places: np.ndarray) -> None:
        """Sources with half a degree in w."""
        self.connection.execute("TRUNCATE s")
        with self.connection.cursor() as cursor, cursor.copy("COPY s FROM STDIN") as copy:
            for key, (ra, dec) in zip(source_id.tolist(), places.tolist(), strict=True):
                copy.write_row((key, ra, dec, 0.5))

    def found(self, where: str, table: TapTable) -> list[int]:
        """The identifiers that a condition leaves."""
        statement = translate(f"SELECT source_id FROM t.s WHERE {where} ORDER BY source_id", TableSet(1, (table,))).statement
        return [row[0] for row in self.connection.execute(statement)]


@pytest.fixture(scope="module")
def sources(upgraded: Database) -> Iterator[Sources]:
    """An empty table of sources."""
    with upgraded.connect(None, autocommit=True) as connection:
        connection.execute("CREATE TEMP TABLE s (source_id bigint, ra double precision, dec double precision, w double precision)")
        yield Sources(connection)


FORMS = {
    # conditions that hold only in or near the region {g}; {r} is a size in degrees
    "contains = 1": "CONTAINS(POINT(ra, dec), {g}) = 1",
    "1 = contains": "1 = CONTAINS(POINT('ICRS', ra, dec), {g})",
    "contains <> 0": "CONTAINS(POINT(ra, dec), {g}) <> 0",
    "0 < contains": "0 < CONTAINS(POINT(ra, dec), {g})",
    "contains >= 1": "CONTAINS(POINT(ra, dec), {g}) >= 1",
    "contains between": "CONTAINS(POINT(ra, dec), {g}) BETWEEN 1 AND 2",
    "not zero": "NOT (CONTAINS(POINT(ra, dec), {g}) = 0)",
    "not one of": "NOT (CONTAINS(POINT(ra, dec), {g}) = 0 OR w < 0)",
    "intersects": "INTERSECTS(POINT(ra, dec), {g}) = 1",
    "intersects the other way": "1 = INTERSECTS({g}, POINT(ra, dec))",
    "a circle inside": "CONTAINS(CIRCLE(ra, dec, {r}), {g}) = 1",
    "a circle of its own inside": "CONTAINS(CIRCLE(ra, dec, w), {g}) = 1",
    "a circle met": "INTERSECTS(CIRCLE(ra, dec, {r}), {g}) = 1",
    "met by a circle": "INTERSECTS({g}, CIRCLE(POINT(ra, dec), {r})) = 1",
    "within a circle around": "CONTAINS({g}, CIRCLE(ra, dec, {r})) = 1",
    "a box inside": "CONTAINS(BOX(ra, dec, {r}, {r}), {g}) = 1",
    "a box met": "INTERSECTS({g}, BOX(ra, dec, {r}, {r})) = 1",
    "within a box around": "CONTAINS({g}, BOX(ra, dec, {r}, {r})) = 1",
    "and more": "w > 0 AND (CONTAINS(POINT(ra, dec), {g}) = 1 AND source_id <> 1)",
    "or more": "CONTAINS(POINT(ra, dec), {g}) = 1 OR source_id = 17",
    "two of them": "CONTAINS(POINT(ra, dec), {g}) = 1 AND INTERSECTS(CIRCLE(ra, dec, {r}), {g}) = 1",
}


@st.composite
def regions(draw: st.DrawFn) -> tuple[str, np.ndarray, float]:
    """A region as it is written, a place in its middle (1, 2), and its size in degrees."""
    kind = draw(st.sampled_from(["polygon", "polygon", "box", "circle"]))
    if kind == "polygon":
        polygon, middle, size = draw(oracle.polygons())
        return f"POLYGON({', '.join(repr(float(number)) for number in polygon.ravel())})", oracle.places(middle), size
    middle, size = draw(oracle.centres()), draw(oracle.SIZES)
    if kind == "circle":
        return f"CIRCLE({middle[0]!r}, {middle[1]!r}, {size!r})", np.array([middle]), size
    height = min(size * draw(st.floats(0.01, 1)), 179.0)
    return f"BOX({middle[0]!r}, {middle[1]!r}, {size!r}, {height!r})", np.array([middle]), size


def scattered(middle: np.ndarray, size: float, random: np.random.Generator, count: int = 250) -> tuple[np.ndarray, np.ndarray]:
    """Sources about a place, whose identifiers tell a place up to 10 arcsec away; three whose identifier tells none."""
    reach = np.minimum(size * random.choice([0.3, 1.0, 1.5, 3.0], count) + random.choice([0.0, 12 * ARCSEC], count), 180.0)
    places = oracle.moved(np.repeat(middle, count, axis=0), reach * np.sqrt(random.random(count)), random.random(count) * 360)
    seen = oracle.moved(places, MAX_PADDING * random.choice([0.0, 0.5, 0.999], count), random.random(count) * 360)
    pixel = hp.ang2pix(NSIDE, seen[:, 0], seen[:, 1], nest=True, lonlat=True).astype(np.int64)
    source_id = (pixel << SHIFT) + 100 + np.arange(count)
    source_id[: len(DISPLACED)] = DISPLACED
    places[:, 0] %= 360.0
    return source_id, places


@given(region=regions(), reach=st.floats(0.01, 2), seed=st.integers(0, 2**32))
@quick
def test_ranges_lose_no_source_and_add_none(sources: Sources, region: tuple[str, np.ndarray, float], reach: float, seed: int) -> None:
    text, middle, size = region
    sources.fill(*scattered(middle, size, np.random.default_rng(seed)))
    random = Random(seed)
    for name in random.sample(sorted(FORMS), 5):
        where = FORMS[name].format(g=text, r=repr(min(reach * size, 80.0)))
        assert sources.found(where, COVERED) == sources.found(where, PLAIN), name


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "region", ["CIRCLE(30, 10, 1)", "POLYGON(30, 10, 31, 10, 30.2, 10.3, 30, 11)", "BOX(POINT(30, 10), 1, 2)", "REGION('Box 30 10 1 2')"]
)
def test_every_form_is_read_by_ranges(form: str, region: str) -> None:
    where = FORMS[form].format(g=region, r="3.0" if "around" in form else "1.0")
    statement = translate(f"SELECT ra FROM t.s WHERE {where}", TableSet(1, (COVERED,))).statement.as_string(None)
    assert '"source_id" BETWEEN' in statement and '"source_id" IN (17, 18, 19)' in statement
    assert statement.count('"source_id" BETWEEN') <= 2 * MOST_RANGES


DISTANCES = {
    "between": "DISTANCE(ra, dec, 30, 10) BETWEEN 0 AND 2",
    "a ring": "DISTANCE(POINT(30, 10), POINT(ra, dec)) BETWEEN 1 AND 2",
    "not beyond": "NOT (DISTANCE(ra, dec, 30, 10) > 2)",
    "not at least": "NOT 2 <= DISTANCE(ra, dec, 30, 10)",
    "not not between": "NOT (DISTANCE(ra, dec, 30, 10) NOT BETWEEN 1 AND 2)",
    "neither": "NOT (DISTANCE(ra, dec, 30, 10) > 2 OR w > 1)",
    "equal": "DISTANCE(ra, dec, 30, 10) = 0",
    "in another frame": "1 = CONTAINS(POINT(ra, dec), CIRCLE('GALACTIC', 150, -48, 2))",
    "of a centroid": "DISTANCE(POINT(ra, dec), CENTROID(CIRCLE(30, 10, 5))) < 2",
    "a written circle": "1 = CONTAINS(POINT(ra, dec), CAST('30 10 2' AS CIRCLE))",
}


@pytest.mark.parametrize("where", DISTANCES.values(), ids=DISTANCES.keys())
def test_distances_are_read_by_ranges(sources: Sources, where: str) -> None:
    source_id, places = scattered(np.array([[30.0, 10.0]]), 2.0, np.random.default_rng(3))
    places[3] = (30.0, 10.0)
    source_id[3] = (hp.ang2pix(NSIDE, 30, 10, nest=True, lonlat=True).item() << SHIFT) + 1
    sources.fill(source_id, places)
    assert "BETWEEN" in translate(f"SELECT ra FROM t.s WHERE {where}", TableSet(1, (COVERED,))).statement.as_string(None).replace(
        "AND 2", ""
    )
    found = sources.found(where, COVERED)
    assert found == sources.found(where, PLAIN)
    assert len(found) == (1 if "= 0" in where else len(found)) and (found or "GALACTIC" in where)


@pytest.mark.parametrize(
    "where",
    [
        "CONTAINS(POINT(ra, dec), {g}) = 0",
        "NOT CONTAINS(POINT(ra, dec), {g}) = 1",
        "CONTAINS(POINT(ra, dec), {g}) < 1",
        "CONTAINS(POINT(ra, dec), {g}) >= 0",
        "CONTAINS(POINT(ra, dec), {g}) BETWEEN 0 AND 1",
        "CONTAINS(POINT(ra, dec), {g}) = w",
        "CONTAINS(POINT(dec, ra), {g}) = 1",
        "CONTAINS(POINT(ra, dec), CIRCLE(1, 2, w)) = 1",
        "INTERSECTS(CIRCLE(ra, dec, w), {g}) = 1",
        "CONTAINS({g}, CIRCLE(ra, dec, w)) = 1",
        "CONTAINS(POINT(ra, dec), CIRCLE(1, 2, 200)) = 1",
        "CASE WHEN CONTAINS(POINT(ra, dec), {g}) = 1 THEN 1 ELSE 0 END = 0",
    ],
)
@pytest.mark.parametrize("region", ["CIRCLE(30, 10, 20)", "POLYGON(30, 10, 50, 10, 40, 30)"])
def test_other_conditions_are_tested_row_by_row(sources: Sources, where: str, region: str) -> None:
    where = where.format(g=region)
    if "-" not in where:
        source_id, places = scattered(np.array([[35.0, 15.0]]), 20.0, np.random.default_rng(4))
        sources.fill(source_id, places)
    statement = translate(f"SELECT ra FROM t.s WHERE {where}", TableSet(1, (COVERED,))).statement.as_string(None)
    assert '"source_id" BETWEEN' not in statement
    assert sources.found(where, COVERED) == sources.found(where, PLAIN)


def test_regions_find_real_sources_outside_their_pixel(sources: Sources, real_data: Path) -> None:
    gaia = pq.read_table(real_data / "labels" / "gaia_source_1457.parquet", columns=["source_id", "ra", "dec"])
    source_id, ra, dec = (gaia[name].to_numpy() for name in ("source_id", "ra", "dec"))
    assert (source_id < END).all()
    offset = pixel_offset(source_id, ra, dec)
    outside = np.flatnonzero(offset > 0)
    assert len(outside) == 8
    sources.fill(source_id, np.stack((ra, dec), axis=1))
    table = replace(COVERED, padding=float(offset.max()), displaced=())
    for row in outside.tolist():
        at = f"{float(ra[row])!r}, {float(dec[row])!r}"
        for region in (
            f"BOX({at}, 0.00001, 0.00001)",
            f"CIRCLE({at}, 0.000001)",
            f"BOX({at}, 2, 0.1)",
            f"POLYGON({at}, {ra[row] + 1e-5}, {dec[row]}, {at.split(',')[0]}, {dec[row] + 1e-5})",
        ):
            where = f"1 = CONTAINS(POINT(ra, dec), {region})"
            assert int(source_id[row]) in sources.found(where, table), region
            assert sources.found(where, table) == sources.found(where, PLAIN)


def test_a_polygon_of_many_corners_is_covered_by_its_circle(sources: Sources) -> None:
    azimuth = np.linspace(0, 360, 800, endpoint=False)
    corners = oracle.moved(np.repeat([[30.0, 10.0]], 800, axis=0), 1.0 + 0.3 * np.sin(np.radians(9 * azimuth)), azimuth)
    where = f"1 = CONTAINS(POINT(ra, dec), POLYGON({', '.join(repr(float(number)) for number in corners.ravel())}))"
    source_id, places = scattered(np.array([[30.0, 10.0]]), 1.0, np.random.default_rng(6))
    sources.fill(source_id, places)
    statement = translate(f"SELECT ra FROM t.s WHERE {where}", TableSet(1, (COVERED,))).statement.as_string(None)
    assert 1 <= statement.count('"source_id" BETWEEN') <= MOST_RANGES
    assert sources.found(where, COVERED) == sources.found(where, PLAIN) != []
