"""Random regions: the service's SQL says of them what the vectors of the oracle say, as a value, as a condition and in a join."""

import math
from collections.abc import Iterator
from typing import Any

import healpy
import numpy as np
import psycopg
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from psycopg import sql

from catalog.database import Database
from catalog.schema.column import Position
from tap_service.adql import AdqlError, translate
from tap_service.table_set import TableSet, TapColumn, TapTable
from tests.tap_service.fuzz.amount import SLOW, amount
from tests.tap_service.fuzz.oracle_geometry import UNSURE, Circle, Polygon, Region, contains, intersects, separation, towards, vector

pytestmark = SLOW

SCHEMA = "places__p0001"
_COLUMNS = (
    TapColumn("source_id", "long"),
    TapColumn("ra", "double", unit="deg"),
    TapColumn("dec", "double", unit="deg"),
    TapColumn("r", "double"),
)
PLACES = TableSet(1, (TapTable("places", "sky", None, _COLUMNS, permanent=SCHEMA, position=Position(), padding=1 / 3600),))
CENTRES = ((56.75, 24.12), (0.0, 0.0), (0.0, 90.0), (120.0, -90.0), (359.9999, -60.0), (180.0, 45.0), (45.0, 41.8103), (270.0, 89.9))
"""Where regions lie, and where many of the places do: poles, the meridian 0, corners of HEALPix pixels."""


class Sky:
    """A connection to the table, and its places in arrays; the last three rows have none."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        random = np.random.default_rng(3)
        lon = random.uniform(0, 360, 150)
        lat = np.degrees(np.arcsin(random.uniform(-1, 1, 150)))
        near = [
            towards(*centre, float(10 ** random.uniform(-5, 1.6)), float(random.uniform(0, 360))) for centre in CENTRES for _ in range(30)
        ]
        self.lon = np.concatenate((lon, [each[0] for each in near], [centre[0] for centre in CENTRES]))
        self.lat = np.concatenate((lat, [each[1] for each in near], [centre[1] for centre in CENTRES]))
        self.vectors = vector(self.lon, self.lat)
        self.radius = np.round(10 ** random.uniform(-3, 1.3, len(self.lon)), 6)
        pixel = healpy.ang2pix(4096, self.lon, self.lat, nest=True, lonlat=True).astype(np.int64)
        self.source_id = (pixel << 35) + np.arange(len(self.lon))
        self.absent = [2**62 + number for number in range(3)]

    def values(self, expression: str) -> dict[int, Any]:
        """What an expression comes to for each place, by source_id."""
        return dict(self.rows(f"SELECT source_id, {expression} FROM places.sky"))

    def ids(self, condition: str) -> list[int]:
        """The places for which a condition holds."""
        return sorted(row[0] for row in self.rows(f"SELECT source_id FROM places.sky WHERE {condition}"))

    def rows(self, text: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(translate(text, PLACES).statement).fetchall()

    def one(self, expression: str) -> Any:
        """A value that no place matters for."""
        return self.rows(f"SELECT TOP 1 {expression} FROM places.sky")[0][0]


@pytest.fixture(scope="module")
def sky(fuzzed: Database) -> Iterator[Sky]:
    """The places in a database whose functions are the service's."""
    with fuzzed.connect(None, autocommit=True) as connection:
        found = Sky(connection)
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(SCHEMA)))
        connection.execute(
            f"CREATE TABLE {SCHEMA}.sky (source_id bigint PRIMARY KEY, ra double precision, dec double precision, r double precision)"
        )
        rows = zip(found.source_id.tolist(), found.lon.tolist(), found.lat.tolist(), found.radius.tolist(), strict=True)
        with connection.cursor() as cursor:
            cursor.executemany(
                f"INSERT INTO {SCHEMA}.sky VALUES (%s, %s, %s, %s)", [*rows, *((id_, None, None, 1.0) for id_ in found.absent)]
            )
        connection.execute(f"ANALYZE {SCHEMA}.sky")
        yield found


# -- regions at random, and how they are written

_CENTRE = st.one_of(
    st.sampled_from(CENTRES),
    st.tuples(st.floats(0, 360, exclude_max=True, width=32), st.floats(-1, 1, width=32).map(lambda z: math.degrees(math.asin(z)))),
)


def _sizes(largest: float) -> st.SearchStrategy[float]:
    return st.floats(-4, math.log10(largest)).map(lambda power: round(10**power, 7))


_CIRCLES = st.builds(lambda centre, radius: Circle(*centre, radius), _CENTRE, _sizes(80))


@st.composite
def _polygons(draw: st.DrawFn) -> Polygon:
    """Corners in all directions around a centre: edges of such a polygon never cross, whatever its distances."""
    lon, lat = draw(_CENTRE)
    size, count = draw(_sizes(60)), draw(st.integers(3, 8))
    places = []
    for number in range(count):
        bearing = 360 * (number + draw(st.floats(0, 0.6))) / count
        places.append(towards(lon, lat, size * draw(st.floats(0.2, 1)), bearing))
    if draw(st.booleans()):
        places.reverse()
    found = Polygon(tuple(places))
    assume(found.within_hemisphere)
    return found


_BOXES = st.builds(lambda centre, width, height: (centre, width, height), _CENTRE, _sizes(80), _sizes(80))


@st.composite
def _written_regions(draw: st.DrawFn) -> tuple[Region, str]:
    """A region, and one of the ways to write it."""
    kind = draw(st.sampled_from(["circle", "polygon", "box"]))
    frame = draw(st.sampled_from(["", "'ICRS', ", "'', "]))
    if kind == "circle":
        circle = draw(_CIRCLES)
        centre = f"{circle.lon!r}, {circle.lat!r}"
        centre = draw(st.sampled_from([centre, f"POINT({centre})", f"{circle.lon!r} + 360, {circle.lat!r}"]))
        return circle, draw(
            st.sampled_from([f"CIRCLE({frame}{centre}, {circle.radius!r})", f"CIRCLE({centre}, 2 * {circle.radius!r} / 2.0)"])
        )
    if kind == "polygon":
        polygon = draw(_polygons())
        plain = ", ".join(f"{lon!r}, {lat!r}" for lon, lat in polygon.places)
        points = ", ".join(f"POINT({lon!r}, {lat!r})" for lon, lat in polygon.places)
        return polygon, f"POLYGON({frame}{draw(st.sampled_from([plain, points]))})"
    (lon, lat), width, height = draw(_BOXES)
    return Polygon.box(lon, lat, width, height), f"BOX({frame}{lon!r}, {lat!r}, {width!r}, {height!r})"


# -- promises


def _agree(found: dict[int, Any], sky: Sky, margin: np.ndarray, wrong: str) -> None:
    """A value of 1 where the margin is above 0, 0 where below, either where it is too small to tell, NULL where there is no place."""
    values = np.array([found[key] for key in sky.source_id.tolist()])
    sure = np.abs(margin) > UNSURE
    bad = np.flatnonzero(sure & (values != (margin > 0)))
    assert not len(bad), (
        f"{wrong} of place {sky.lon[bad[0]]!r}, {sky.lat[bad[0]]!r} is {values[bad[0]]}, margin {margin[bad[0]]:.3g} degrees"
    )
    assert [found[key] for key in sky.absent] == [None] * len(sky.absent), wrong


def _same_ids(found: list[int], sky: Sky, margin: np.ndarray, wrong: str) -> None:
    must = set(sky.source_id[margin > UNSURE].tolist())
    may = set(sky.source_id[margin > -UNSURE].tolist())
    assert must <= set(found) <= may and len(set(found)) == len(found), f"{wrong}: lacks {must - set(found)}, has also {set(found) - may}"


@amount(25, 0.02)
@given(written=_written_regions())
def test_places_lie_in_a_region_as_the_oracle_says(sky: Sky, written: tuple[Region, str]) -> None:
    region, text = written
    margin = -region.outside(sky.vectors)
    for form in (
        f"CONTAINS(POINT(ra, dec), {text})", f"INTERSECTS(POINT('ICRS', ra, dec), {text})", f"INTERSECTS({text}, POINT(ra, dec))",
        f"1 - CONTAINS(POINT(ra + 0, dec), {text}) + 2 * CONTAINS(POINT(ra, dec), {text}) - 1",
    ):  # fmt: skip
        _agree(sky.values(form), sky, margin, form)
    for form in (
        f"1 = CONTAINS(POINT(ra, dec), {text})", f"CONTAINS(POINT('ICRS', ra, dec), {text}) = 1", f"1 = INTERSECTS({text}, POINT(ra, dec))",
        f"0 < CONTAINS(POINT(ra, dec), {text})", f"NOT (0 = CONTAINS(POINT(ra, dec), {text}))", f"1 = CONTAINS(POINT(ra, dec), {text}) AND r > 0",
        f"1 = CONTAINS(POINT(ra, dec), {text}) OR source_id = -1", f"NOT (NOT 1 = CONTAINS(POINT(ra, dec), {text}))",
        f"CONTAINS(POINT(ra, dec), {text}) <> 0", f"CONTAINS(POINT(ra, dec), {text}) IN (1, 2)",
    ):  # fmt: skip
        _same_ids(sky.ids(form), sky, margin, form)
    for form in (f"0 = CONTAINS(POINT(ra, dec), {text})", f"NOT (1 = CONTAINS(POINT(ra, dec), {text}))"):
        _same_ids(sky.ids(form), sky, -margin, form)


@amount(20, 0.02)
@given(written=_written_regions())
def test_circles_around_places_meet_a_region_as_the_oracle_says(sky: Sky, written: tuple[Region, str]) -> None:
    region, text = written
    outside = region.outside(sky.vectors)
    for form, margin in (
        (f"INTERSECTS(CIRCLE(ra, dec, r), {text})", sky.radius - outside),
        (f"INTERSECTS({text}, CIRCLE(POINT(ra, dec), r))", sky.radius - outside),
        (f"CONTAINS(CIRCLE(ra, dec, r), {text})", -sky.radius - outside),
        (f"CONTAINS({text}, CIRCLE(ra, dec, r))", sky.radius - region.furthest(sky.vectors)),
        (f"CONTAINS({text}, POINT(ra, dec))", -region.furthest(sky.vectors)),
    ):
        _agree(sky.values(form), sky, margin, form)
        _same_ids(sky.ids(f"1 = {form}"), sky, margin, form)


@amount(100, 0.1)
@given(first=_written_regions(), second=_written_regions())
def test_two_regions_meet_as_the_oracle_says(sky: Sky, first: tuple[Region, str], second: tuple[Region, str]) -> None:
    expected = contains(first[0], second[0]), contains(second[0], first[0]), intersects(first[0], second[0])
    a, b = first[1], second[1]
    [found] = sky.rows(
        f"SELECT TOP 1 CONTAINS({b}, {a}) AS x, CONTAINS({a}, {b}) AS y, INTERSECTS({a}, {b}) AS z, INTERSECTS({b}, {a}) AS w FROM places.sky"
    )
    for value, sure in zip(found, (*expected, expected[2]), strict=True):
        assert sure is None or value == sure, f"{found}, expected {expected}: {a}, {b}"


@amount(25, 0.05)
@given(written=_written_regions(), centre=_CENTRE)
def test_areas_and_separations_are_those_of_the_oracle(sky: Sky, written: tuple[Region, str], centre: tuple[float, float]) -> None:
    region, text = written
    # An angle at a corner is good to 1e-15, of which the area is the difference.
    rounding = 1e-11 if isinstance(region, Polygon) else 0.0
    assert sky.one(f"AREA({text})") == pytest.approx(region.area, rel=1e-9, abs=rounding), text
    lon, lat = centre
    expected = separation(sky.vectors, vector(lon, lat))
    for form in (f"DISTANCE(ra, dec, {lon!r}, {lat!r})", f"DISTANCE(POINT({lon!r}, {lat!r}), POINT(ra, dec))"):
        found = sky.values(form)
        # The haversine of an angle near 180 degrees tells it no better than to the root of the rounding.
        near = np.where(expected > 179.9, 1e-5, 1e-10)
        assert (np.abs(np.array([found[key] for key in sky.source_id.tolist()]) - expected) < near).all(), form
        assert [found[key] for key in sky.absent] == [None] * 3


@amount(20, 0.02)
@given(centre=_CENTRE, radius=_sizes(170), strict=st.booleans())
def test_a_condition_on_the_distance_is_a_cone(sky: Sky, centre: tuple[float, float], radius: float, strict: bool) -> None:
    lon, lat = centre
    margin = radius - separation(sky.vectors, vector(lon, lat))
    below, above = ("<", ">") if strict else ("<=", ">=")
    for form in (
        f"DISTANCE(ra, dec, {lon!r}, {lat!r}) {below} {radius!r}", f"{radius!r} {above} DISTANCE(POINT({lon!r}, {lat!r}), POINT(ra, dec))",
        f"NOT DISTANCE(ra, dec, {lon!r}, {lat!r}) {above} {radius!r}", f"DISTANCE(ra, dec, {lon!r}, {lat!r}) BETWEEN -1 AND {radius!r}",
        f"DISTANCE(ra, dec, {lon!r}, {lat!r}) * 2 {below} 2 * {radius!r}",
    ):  # fmt: skip
        _same_ids(sky.ids(form), sky, margin, form)
    _same_ids(sky.ids(f"DISTANCE(ra, dec, {lon!r}, {lat!r}) > {radius!r}"), sky, -margin, "above")


_JOINS = (
    "SELECT a.source_id, b.source_id FROM places.sky AS a JOIN places.sky AS b ON DISTANCE(a.ra, a.dec, b.ra, b.dec) < {r}",
    "SELECT a.source_id, b.source_id FROM places.sky AS a, places.sky AS b WHERE DISTANCE(POINT(a.ra, a.dec), POINT(b.ra, b.dec)) <= {r}",
    "SELECT a.source_id, b.source_id FROM places.sky AS a JOIN places.sky AS b ON 1 = CONTAINS(POINT(a.ra, a.dec), CIRCLE(b.ra, b.dec, {r}))",
    "SELECT a.source_id, b.source_id FROM places.sky AS a CROSS JOIN places.sky AS b WHERE 1 = CONTAINS(POINT(b.ra, b.dec), CIRCLE('ICRS', a.ra, a.dec, {r})) AND a.r > 0",
    "SELECT a.source_id, b.source_id FROM places.sky AS a JOIN (SELECT * FROM places.sky WHERE r < 1000) AS b ON DISTANCE(b.ra, b.dec, a.ra, a.dec) < {r}",
)


@amount(5, 0.005)
@given(radius=_sizes(10), form=st.sampled_from(_JOINS))
def test_a_join_on_position_pairs_what_the_oracle_pairs(sky: Sky, radius: float, form: str) -> None:
    margin = radius - separation(sky.vectors[:, None], sky.vectors[None])
    pairs = sky.rows(form.format(r=repr(radius)))
    order = {key: number for number, key in enumerate(sky.source_id.tolist())}
    found = np.zeros(margin.shape, int)
    for a, b in pairs:
        found[order[a], order[b]] += 1
    sure = np.abs(margin) > UNSURE
    assert (found <= 1).all() and (found == (margin > 0))[sure].all(), form.format(r=radius)


@amount(4, 0.005)
@given(factor=st.sampled_from([0.1, 1.0, 3.0]), outer=st.booleans())
def test_a_join_with_a_radius_of_each_row_pairs_what_the_oracle_pairs(sky: Sky, factor: float, outer: bool) -> None:
    apart = separation(sky.vectors[:, None], sky.vectors[None])
    margin = factor * sky.radius[None] - apart
    join = "LEFT JOIN" if outer else "JOIN"
    text = f"SELECT a.source_id, b.source_id FROM places.sky AS a {join} places.sky AS b ON 1 = CONTAINS(POINT(a.ra, a.dec), CIRCLE(b.ra, b.dec, {factor!r} * b.r))"
    pairs = sky.rows(text)
    order = {key: number for number, key in enumerate(sky.source_id.tolist())}
    found = np.zeros(margin.shape, int)
    for a, b in pairs:
        if b is not None and a is not None:
            found[order[a], order[b]] += 1
    sure = np.abs(margin) > UNSURE
    assert (found <= 1).all() and (found == (margin > 0))[sure].all(), text
    lonely = {a for a, b in pairs if b is None}
    assert lonely == (set(sky.absent) if outer else set())


def test_nonsense_for_a_region_is_refused_or_unknown(sky: Sky) -> None:
    """What is no region never counts as one: an error where it is written, NULL where it comes out of a row."""
    for text in (
        "CIRCLE(1, 2, -1)",
        "CIRCLE(1, 91, 1)",
        "POINT(1, -90.5)",
        "POLYGON(0, 0, 1, 1)",
        "POLYGON(0, 0, 10, 0, 20)",
        "BOX(1, 2, -3, 4)",
    ):
        try:
            value = sky.one(f"CONTAINS(POINT(1, 2), {text})")
        except AdqlError:
            continue
        assert value in (None, 0), text
