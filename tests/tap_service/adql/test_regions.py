"""What PostgreSQL answers about points, circles, boxes and polygons, against an independent reckoning; values, errors and texts of regions."""

import math
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from catalog.database import Database
from catalog.schema.column import ColumnType
from tap_service.adql import AdqlError, AdqlTypeError, AdqlUnsupportedError, translate
from tap_service.table_set import TableSet, TapColumn, TapTable
from tests.tap_service.adql import sky_oracle as oracle

EXAMPLES = int(os.environ.get("FUZZ_REGIONS", "25"))
"""How many regions each comparison draws."""
quick = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

PLACES = TapTable(
    "t",
    "p",
    "Places and regions.",
    (
        TapColumn("n", "int"),
        TapColumn("lon", "double"),
        TapColumn("lat", "double"),
        TapColumn("r", "double"),
        TapColumn("spot", "double", "2", "point"),
        TapColumn("disc", "double", "3", "circle"),
        TapColumn("patch", "double", "*", "polygon"),
        TapColumn("words", "char", "*"),
    ),
    permanent="pg_temp",
)
Row = tuple[Any, ...]
NOTHING: Row = (None,) * 7


class Table:
    """The table PLACES, filled anew for each question."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection

    def fill(self, rows: list[Row]) -> None:
        """Rows of (lon, lat, r, spot, disc, patch, words); n counts them from 0."""
        self.connection.execute("TRUNCATE p")
        with self.connection.cursor() as cursor, cursor.copy("COPY p FROM STDIN") as copy:
            for n, row in enumerate(rows):
                copy.write_row((n, *row))

    def ask(self, select_list: str, version: str = "2.1") -> list[Row]:
        """The rows that SELECT gives, in the order of n."""
        translation = translate(f"SELECT {select_list} FROM t.p ORDER BY n", TableSet(1, (PLACES,)), version)
        return self.connection.execute(translation.statement).fetchall()

    def one(self, expression: str, row: Row = NOTHING) -> Any:
        """The value of one expression for one row."""
        self.fill([row])
        return self.ask(f"{expression} AS x")[0][0]


@pytest.fixture(scope="module")
def table(upgraded: Database) -> Iterator[Table]:
    """A connection with the rights of a query."""
    with upgraded.connect(None, autocommit=True) as connection:
        connection.execute("""
            CREATE TEMP TABLE p (n integer, lon double precision, lat double precision, r double precision,
                spot double precision[], disc double precision[], patch double precision[], words text);
            GRANT SELECT, INSERT, TRUNCATE ON p TO tap_reader; SET ROLE tap_reader
        """)
        yield Table(connection)


def written(numbers: Any) -> str:
    """Numbers as arguments."""
    return ", ".join(repr(float(number)) for number in np.ravel(numbers))


def rows_at(places: np.ndarray, **more: list[float]) -> list[Row]:
    return [(float(lon), float(lat), None, None, more.get("disc"), more.get("patch"), None) for lon, lat in places]


# -- places and polygons


@given(drawn=oracle.polygons(), seed=st.integers(0, 2**32))
@quick
def test_a_place_lies_in_a_polygon_as_its_border_winds_around_it(
    table: Table, drawn: tuple[np.ndarray, np.ndarray, float], seed: int
) -> None:
    polygon, middle, size = drawn
    places = oracle.around(polygon, middle, size, np.random.default_rng(seed), 40)
    places[:, 1] = np.clip(places[:, 1], -90, 90)
    at = oracle.vectors(places)
    far = oracle.edge_separation(at, polygon) > size * 1e-9 + 1e-12
    expected = oracle.winds(at, polygon, middle)
    table.fill(rows_at(places, patch=np.ravel(polygon).tolist()))
    answers = table.ask(
        f"CONTAINS(POINT(lon, lat), POLYGON({written(polygon)})), CONTAINS(POINT(lon, lat), patch), INTERSECTS(patch, POINT(lon, lat)), "
        f"CONTAINS(POINT(lon, lat), POLYGON({', '.join(f'POINT({written(vertex)})' for vertex in polygon)}))"
    )
    for column in zip(*answers, strict=True):
        assert (np.array(column, bool) == expected)[far].all()
    assert far.mean() > 0.5


def test_vertices_edges_and_meridians_of_a_polygon_belong_to_it(table: Table) -> None:
    square = "POLYGON(0, 0, 10, 0, 10, 10, 0, 10)"
    for lon, lat in ((0, 0), (10, 0), (10, 10), (0, 10), (5, 0), (0, 5), (10, 3), (360, 5)):
        assert table.one(f"CONTAINS(POINT({lon}, {lat}), {square})") == 1, (lon, lat)
    for lon, lat in ((5, -1e-9), (-1e-9, 5), (10.000000001, 3), (5, 10.1), (180, 0), (185, -5), (180, -10)):
        assert table.one(f"CONTAINS(POINT({lon}, {lat}), {square})") == 0, (lon, lat)
    assert table.one("CONTAINS(POINT(10, 21), BOX(10, 20, 2, 2))") == 1
    assert table.one(f"CONTAINS(POINT(5, 10), {square})") == 1  # the great circle between (0, 10) and (10, 10) passes north of it
    assert table.one(f"CONTAINS(POINT(5, 10.03), {square})") == 1


@pytest.mark.parametrize("lat", [90, -90, 89.9])
@pytest.mark.parametrize("reverse", [False, True])
def test_a_polygon_around_a_pole_holds_the_pole(table: Table, lat: float, reverse: bool) -> None:
    side = math.copysign(80, lat)
    corners = [(20, side), (110, side), (200, side), (290, side)]
    polygon = f"POLYGON({written(corners[::-1] if reverse else corners)})"
    assert table.one(f"CONTAINS(POINT(77, {lat}), {polygon})") == 1
    assert table.one(f"CONTAINS(POINT(77, {-lat}), {polygon})") == 0


# -- pairs of regions


@given(
    middle=oracle.centres(),
    size=oracle.SIZES,
    distance=st.floats(0, 3),
    towards=st.floats(0, 360),
    radii=st.tuples(st.floats(0.01, 2), st.floats(0.01, 2)),
)
@quick
def test_circles_overlap_by_their_separation(
    table: Table, middle: tuple[float, float], size: float, distance: float, towards: float, radii: tuple[float, float]
) -> None:
    other = oracle.moved(np.array([middle]), min(distance * size, 179.0), towards)
    first, second = radii[0] * size, radii[1] * size
    apart = float(oracle.separation(oracle.vectors(np.array([middle])), oracle.vectors(other))[0])
    table.fill([(*middle, first, None, [float(other[0, 0]), float(other[0, 1]), second], None, None)])
    [answers] = table.ask(
        f"CONTAINS(CIRCLE(lon, lat, r), CIRCLE({written(other)}, {second!r})), CONTAINS(CIRCLE(lon, lat, r), disc), "
        f"INTERSECTS(CIRCLE(lon, lat, r), CIRCLE({written(other)}, {second!r})), INTERSECTS(disc, CIRCLE(lon, lat, r))"
    )
    margin = 1e-9 * size + 1e-12 + (1e-6 if apart > 170 else 0)
    if abs(apart + first - second) > margin and second < 180:
        assert answers[:2] == (apart + first < second,) * 2
    if abs(apart - first - second) > margin:
        assert answers[2:] == (apart < first + second,) * 2


@given(drawn=oracle.polygons(), distance=st.floats(0, 2), towards=st.floats(0, 360), reach=st.floats(0.01, 3))
@quick
def test_circles_and_polygons_overlap_by_the_distance_of_the_border(
    table: Table, drawn: tuple[np.ndarray, np.ndarray, float], distance: float, towards: float, reach: float
) -> None:
    polygon, middle, size = drawn
    centre = oracle.moved(oracle.places(middle), min(distance * size, 179.0), towards)
    radius = min(reach * size, 179.0)
    at = oracle.vectors(centre)
    border = float(oracle.edge_separation(at, polygon)[0])
    inside = bool(oracle.winds(at, polygon, middle)[0])
    furthest = float(oracle.separation(at, oracle.vectors(polygon)).max())
    table.fill([(*centre[0].tolist(), radius, None, None, np.ravel(polygon).tolist(), None)])
    disc, patch = f"CIRCLE({written(centre)}, {radius!r})", f"POLYGON({written(polygon)})"
    [answers] = table.ask(
        f"INTERSECTS({disc}, {patch}), INTERSECTS(patch, CIRCLE(lon, lat, r)), CONTAINS({disc}, {patch}), CONTAINS(CIRCLE(lon, lat, r), patch), "
        f"CONTAINS({patch}, {disc}), CONTAINS(patch, CIRCLE(lon, lat, r))"
    )
    if min(abs(border - radius), border, abs(furthest - radius)) <= 1e-9 * size + 1e-11:
        return
    assert answers[:2] == (inside or border < radius,) * 2
    assert answers[2:4] == (inside and border > radius,) * 2
    if radius <= 90:
        assert answers[4:] == (furthest < radius,) * 2
    else:
        behind = oracle.vectors(np.array([[centre[0, 0] + 180, -centre[0, 1]]]))
        free = float(oracle.edge_separation(behind, polygon)[0]) >= 180 - radius and not oracle.winds(behind, polygon, middle)[0]
        assert answers[4:] == (free,) * 2


@given(data=st.data(), size=oracle.SIZES, ratio=st.floats(0.1, 2), distance=st.floats(0, 2.5), towards=st.floats(0, 360))
@quick
def test_polygons_overlap_by_their_corners_and_edges(
    table: Table, data: st.DataObject, size: float, ratio: float, distance: float, towards: float
) -> None:
    one, middle, _ = data.draw(oracle.polygons(size=size))
    at = oracle.moved(oracle.places(middle), min(distance * size, 179.0), towards)[0]
    other, other_middle, _ = data.draw(oracle.polygons(middle=(float(at[0]), float(at[1])), size=min(size * ratio, 80.0)))
    table.fill([(None, None, None, None, None, np.ravel(other).tolist(), None)])
    first, second = f"POLYGON({written(one)})", f"POLYGON({written(other)})"
    [answers] = table.ask(
        f"INTERSECTS({first}, {second}), INTERSECTS(patch, {first}), CONTAINS({second}, {first}), CONTAINS(patch, {first})"
    )
    a, b = oracle.vectors(one), oracle.vectors(other)
    if min(oracle.edge_separation(a, other).min(), oracle.edge_separation(b, one).min()) <= 1e-7 * size + 1e-11:
        return
    b_in_a, a_in_b = oracle.winds(b, one, middle), oracle.winds(a, other, other_middle)
    cross = oracle.edges_cross(one, other)
    assert answers[:2] == (bool(b_in_a.any() or a_in_b.any() or cross),) * 2
    assert answers[2:] == (bool(b_in_a.all() and not cross),) * 2


PAIRS = {
    # CONTAINS, INTERSECTS of two regions that touch, or have a side or corner in common
    "a polygon and itself": ("POLYGON(0, 0, 10, 0, 10, 10, 0, 10)", "POLYGON(0, 0, 10, 0, 10, 10, 0, 10)", 1, 1),
    "one half": ("POLYGON(0, 0, 10, 0, 10, 10)", "POLYGON(0, 0, 10, 0, 10, 10, 0, 10)", 1, 1),
    "neighbours": ("POLYGON(0, 0, 10, 0, 10, 10, 0, 10)", "POLYGON(10, 0, 20, 0, 20, 10, 10, 10)", 0, 1),
    "a common corner": ("POLYGON(0, 0, 10, 0, 10, 10, 0, 10)", "POLYGON(10, 10, 20, 10, 20, 20, 10, 20)", 0, 1),
    "across a notch": ("POLYGON(0, 0, 10, 0, 5, -5)", "POLYGON(0, 0, 5, -3, 10, 0, 10, -10, 0, -10)", 0, 1),
    "a cross": ("POLYGON(-10, -1, 10, -1, 10, 1, -10, 1)", "POLYGON(-1, -10, 1, -10, 1, 10, -1, 10)", 0, 1),
    "antipodes": ("POLYGON(0, 0, 10, 0, 10, 10, 0, 10)", "POLYGON(180, 0, 190, 0, 190, -10, 180, -10)", 0, 0),
    "a cross and its antipode": ("POLYGON(-10, -1, 10, -1, 10, 1, -10, 1)", "POLYGON(179, -10, 181, -10, 181, 10, 179, 10)", 0, 0),
    "a point and itself": ("POINT(1, 2)", "POINT(361, 2)", 1, 1),
    "a point and another": ("POINT(1, 2)", "POINT(1, 2.0000000001)", 0, 0),
    "a point and a circle of no size": ("POINT(1, 2)", "CIRCLE(1, 2, 0)", 1, 1),
    "a circle of no size and a point": ("CIRCLE(1, 2, 0)", "POINT(1, 2)", 1, 1),
    "a circle and a point in it": ("CIRCLE(1, 2, 1)", "POINT(1, 2)", 0, 1),
    "a polygon and a point in it": ("POLYGON(0, 0, 10, 0, 10, 10, 0, 10)", "POINT(5, 5)", 0, 1),
    "anything and the whole sky": ("CIRCLE(1, 2, 170)", "CIRCLE(180, 2, 180)", 1, 1),
    "a polygon and the whole sky": ("POLYGON(0, 0, 10, 0, 10, 10, 0, 10)", "CIRCLE(180, 2, 200)", 1, 1),
    "a polygon and nearly the whole sky": ("POLYGON(0, 0, 10, 0, 10, 10, 0, 10)", "CIRCLE(0, -45, 150)", 1, 1),
    "boxes at a pole": ("BOX(0, 90, 2, 2)", "BOX(45, 90, 2, 4)", 0, 1),
    "a box in a circle": ("BOX(10, 20, 1, 1)", "CIRCLE(10, 20, 0.71)", 1, 1),
    "a circle in a box": ("CIRCLE(10, 20, 0.499999)", "BOX(10, 20, 1, 1)", 1, 1),
    "a circle just out of a box": ("CIRCLE(10, 20, 0.500001)", "BOX(10, 20, 1, 1)", 0, 1),
}


@pytest.mark.parametrize(("one", "other", "contained", "met"), PAIRS.values(), ids=PAIRS.keys())
def test_regions_that_touch(table: Table, one: str, other: str, contained: int, met: int) -> None:
    table.fill([NOTHING])
    assert table.ask(f"CONTAINS({one}, {other}), INTERSECTS({one}, {other}), INTERSECTS({other}, {one})") == [(contained, met, met)]


# -- numbers of regions


@given(drawn=oracle.polygons())
@quick
def test_the_area_of_a_polygon_is_its_spherical_excess(table: Table, drawn: tuple[np.ndarray, np.ndarray, float]) -> None:
    polygon, middle, size = drawn
    area = table.one(f"AREA(POLYGON({written(polygon)}))")
    if size > 0.1:  # Girard's sum cancels below
        assert area == pytest.approx(oracle.polygon_area(polygon, middle), rel=1e-6)
    assert 0 < area < 2 * np.pi * size**2


@given(drawn=oracle.polygons(), seed=st.integers(0, 2**32))
@quick
def test_the_centroid_of_a_polygon_is_its_mean_position(table: Table, drawn: tuple[np.ndarray, np.ndarray, float], seed: int) -> None:
    polygon, middle, size = drawn
    centroid = oracle.vectors(np.array([table.one(f"CENTROID(POLYGON({written(polygon)}))")]))
    random = np.random.default_rng(seed)
    # Places spread evenly over the circle around the polygon: those inside have its mean position.
    count = 20_000
    angle = np.degrees(2 * np.arcsin(np.sqrt(random.random(count)) * np.sin(np.radians(size) / 2)))
    spread = oracle.vectors(oracle.moved(np.repeat(oracle.places(middle), count, axis=0), angle, random.random(count) * 360))
    inside = spread[oracle.winds(spread, polygon, middle)]
    mean = inside.mean(axis=0)[None]
    assert oracle.separation(centroid, mean)[0] < 5 * size / math.sqrt(len(inside))


VALUES = {
    "area of a small square": ("AREA(POLYGON(10, 0, 10.0002777, 0, 10.0002777, 0.0002777, 10, 0.0002777))", 0.0002777**2),
    "area of an octant": ("AREA(POLYGON(0, 0, 90, 0, 0, 90))", 360 * 360 / math.pi / 8),
    "area of a box": ("AREA(BOX(40, 70, 0.01, 0.02))", 0.0002),
    "area of a large box": ("AREA(BOX(40, 70, 90, 90))", 360 * 360 / math.pi / 6),
    "area of a circle": ("AREA(CIRCLE(40, 70, 90))", 180 * 360 / math.pi),
    "area of a circle beyond the sky": ("AREA(CIRCLE(40, 70, 400))", 360 * 360 / math.pi),
    "area in another frame": ("AREA(ivo_geom_transform('GALACTIC', 'ICRS', POLYGON(0, 0, 90, 0, 0, 90)))", 360 * 360 / math.pi / 8),
    "area of a row in another frame": (
        "AREA(ivo_geom_transform('GALACTIC', 'ICRS', POLYGON(lon, 0, 90, 0, 0, 90)))",
        360 * 360 / math.pi / 8,
    ),
    "area of a box in another frame": ("AREA(BOX('GALACTIC', lon, 70, 90, 90))", 360 * 360 / math.pi / 6),
    "pixel of a point": ("ivo_healpix_index(0, CAST('45 41' AS POINT)) + ivo_healpix_index(0, COALESCE(POINT(lon, 90), spot))", 0),
    "area of a point": ("AREA(POINT(40, 70))", 0.0),
    "latitude of a centroid": ("COORD2(CENTROID(POLYGON(0, 0, 90, 0, 0, 90)))", math.degrees(math.asin(1 / math.sqrt(3)))),
    "longitude of a box": ("COORD1(CENTROID(BOX(359.9999, 70, 1, 1)))", 359.9999),
    "longitude normalised": ("COORD1(POINT(-10, 5))", 350.0),
    "longitude of a value": ("COORD1(POINT(-10 + 0 * n, 5))", 350.0),
    "distance across 0": ("DISTANCE(POINT(359.999999, 0), POINT(1e-6, 0))", 2e-6),
    "distance over a pole": ("DISTANCE(10, 89, 190, 89)", 2.0),
    "distance of nearly one place": ("DISTANCE(10, 20, 10, 20.0000000001)", 1e-10),
    "distance of centroids": ("DISTANCE(CENTROID(BOX(10, 20, 1, 1)), CENTROID(BOX(10, 21, 1, 1)))", 1.0),
}


@pytest.mark.parametrize(("expression", "value"), VALUES.values(), ids=VALUES.keys())
def test_numbers_of_regions(table: Table, expression: str, value: float) -> None:
    assert table.one(expression, (0.0, *NOTHING[1:])) == pytest.approx(value, rel=3e-6 if "0.0000000001" in expression else 1e-7, abs=1e-12)


REGIONS = {
    # what comes out, in degrees
    "point": ("POINT(370, -5)", [10, -5]),
    "circle": ("CIRCLE(POINT('ICRS GEOCENTER', -1, 2), 3)", [359, 2, 3]),
    "polygon the right way round": ("POLYGON(0, 0, 0, 10, 10, 0)", [0, 0, 0, 10, 10, 0]),
    "polygon the wrong way round": ("POLYGON(0, 0, 10, 0, 0, 10)", [0, 0, 0, 10, 10, 0]),
    "polygon closed": ("POLYGON(0, 0, 0, 10, 10, 0, 360, 0)", [0, 0, 0, 10, 10, 0]),
    "polygon of points": ("POLYGON(POINT(0, 0), POINT(0, 10), POINT(10, 0))", [0, 0, 0, 10, 10, 0]),
    "polygon of rows": ("POLYGON(lon, lat, 10, 0, 0, 10)", [0, 0, 0, 10, 10, 0]),
    "polygon of columns": ("POLYGON(spot, POINT(0, 10), POINT(10, 0))", [0, 0, 0, 10, 10, 0]),
    "polygon of values": ("POLYGON(COALESCE(spot, spot), POINT(0, 10), POINT(10, 0))", [0, 0, 0, 10, 10, 0]),
    "box on the equator": ("BOX(0, 0, 2, 2)", [1, 0.999848, 1, -0.999848, 359, -0.999848, 359, 0.999848]),
    "box of a row": ("BOX(lon, lat, 2, 2)", [1, 0.999848, 1, -0.999848, 359, -0.999848, 359, 0.999848]),
    "box around a value": ("BOX(COALESCE(spot, spot), 2, 2)", [1, 0.999848, 1, -0.999848, 359, -0.999848, 359, 0.999848]),
    "box around a point": ("BOX('', POINT(0, 90), 2, 2)", [135, 88.58593, 45, 88.58593, 315, 88.58593, 225, 88.58593]),
    "circle around a value": ("CIRCLE(COALESCE(spot, spot), 2)", [0, 0, 2]),
    "galactic centre": ("POINT('GALACTIC', 0, 0)", [266.404996, -28.936173]),
    "galactic centre of a row": ("POINT('GALACTIC', lon, lat)", [266.404996, -28.936173]),
    "circle in another frame": ("CIRCLE('GALACTIC', 0, 90, 2)", [192.859484, 27.128253, 2]),
    "centroid of a point": ("CENTROID(POINT(1, 2))", [1, 2]),
    "centroid of a row's circle": ("CENTROID(CIRCLE(lon, lat, r))", [0, 0]),
    "region": ("REGION('Circle ICRS GEOCENTER SPHERICAL2 1 2 3 unit deg')", [1, 2, 3]),
    "region of few words": ("REGION('position 1 -2')", [1, -2]),
    "region of a polygon": ("REGION('POLYGON J2000 0 0 0 10 10 0')", [0, 0, 0, 10, 10, 0]),
    "region of a box": ("REGION('Box 0 0 2 2')", [1, 0.999848, 1, -0.999848, 359, -0.999848, 359, 0.999848]),
    "cast to a point": ("CAST('1 2' AS POINT)", [1, 2]),
    "cast to a circle": ("CAST(' 1 2e0\t3' AS CIRCLE)", [1, 2, 3]),
    "cast to a polygon": ("CAST('0 0 10 0 0 10' AS POLYGON)", [0, 0, 0, 10, 10, 0]),
    "cast of a row": ("CAST(words AS POLYGON)", [0, 0, 0, 10, 10, 0]),
    "column": ("spot", [0, 0]),
    "one of two": ("CASE WHEN lon > 0 THEN POINT(1, 2) ELSE spot END", [0, 0]),
    "transformed": ("ivo_geom_transform('GALACTIC', 'ICRS', CAST('0 0' AS POINT))", [266.404996, -28.936173]),
    "transformed column": ("ivo_geom_transform('GALACTIC', 'ICRS', COALESCE(spot, NULL))", [266.404996, -28.936173]),
}  # fmt: skip


@pytest.mark.parametrize(("expression", "numbers"), REGIONS.values(), ids=REGIONS.keys())
def test_a_region_comes_out_as_dali_writes_it(table: Table, expression: str, numbers: list[float]) -> None:
    row = (0.0, 0.0, 1.0, [0.0, 0.0], None, None, "0 0 0 10 10 0")
    if "J2000" in expression:
        np.testing.assert_allclose([(number + 180) % 360 - 180 for number in table.one(expression, row)], numbers, atol=3e-5)
        return
    value = table.one(expression, row)
    assert value[0::2] == pytest.approx(numbers[0::2], abs=2e-5 if "FK5" in expression else 1e-5)
    assert value == pytest.approx(numbers, abs=1e-5)
    assert all(0 <= lon < 360 for lon in (value[:1] if len(value) == 3 else value[0::2]))


MEANINGS = {
    "POINT(lon, lat)": ("point", "2", "deg"),
    "CIRCLE(spot, 1)": ("circle", "3", "deg"),
    "BOX(1, 2, 3, 4)": ("polygon", "*", "deg"),
    "CENTROID(patch)": ("point", "2", "deg"),
    "CAST(words AS CIRCLE)": ("circle", "3", "deg"),
    "COALESCE(disc, CIRCLE(1, 2, 3))": ("circle", "3", None),
    "patch": ("polygon", "*", None),
    "CAST(NULL AS POINT)": ("point", "2", None),
}


@pytest.mark.parametrize(("expression", "meaning"), MEANINGS.items(), ids=MEANINGS.keys())
def test_a_region_is_a_column_of_doubles_with_its_xtype(table: Table, expression: str, meaning: tuple[str, str, str | None]) -> None:
    table.fill([NOTHING])
    translation = translate(f"SELECT {expression} AS x FROM t.p", TableSet(1, (PLACES,)), limit=1)
    [column] = translation.columns
    assert (column.datatype, column.xtype, column.arraysize) == ("double", meaning[0], meaning[1])
    assert meaning[2] is None or column.unit == meaning[2]
    description = table.connection.execute(translation.statement).description
    assert description is not None and description[0].type_code == 1022


def test_a_region_written_as_text_is_read_back(table: Table) -> None:
    for type_, text in ((ColumnType.POINT, "1.5 -2"), (ColumnType.CIRCLE, "1 2 0.25"), (ColumnType.POLYGON, "0 0 0 10 10 0")):
        assert table.one(f"CAST(CAST('{text}' AS {type_.name}) AS VARCHAR)") == text
    assert table.one("CAST(POINT(lon, lat) AS VARCHAR(3))", (1.0, 2.0, *NOTHING[2:])) == "1 2"


# -- what is no region

UNKNOWN = [
    "POINT(lon, 2)",
    "POINT(1, lat)",
    "POINT(1, 100 + n)",
    "CIRCLE(1, 2, r)",
    "CIRCLE(1, 2, -1 - n)",
    "CIRCLE(spot, 1)",
    "CIRCLE(1, 100 + n, 1)",
    "BOX(1, 2, r, 1)",
    "BOX(1, 2, 0 * n, 1)",
    "BOX(1, 2, 1, 180 + n)",
    "POLYGON(lon, 2, 3, 4, 5, 7)",
    "POLYGON(spot, POINT(1, 2), POINT(2, 3))",
    "POLYGON(COALESCE(spot, spot), POINT(1, 2), POINT(2, 3))",
    "POLYGON(n, 0, 0, 0, 1, 1)",
    "POLYGON(n, 0, 120, 0, 240, 0)",
    "POLYGON(n, 0, 90, 5, 180, 0, 270, -5)",
    "CENTROID(patch)",
    "disc",
    "CAST(words AS POLYGON)",
]


@pytest.mark.parametrize("region", UNKNOWN)
def test_what_is_no_region_in_a_row_is_null(table: Table, region: str) -> None:
    table.fill([(*NOTHING[:6], None)])
    answers = table.ask(
        f"{region} AS x, AREA({region}), CONTAINS({region}, CIRCLE(1, 2, 3)), INTERSECTS(CIRCLE(1, 2, 3), {region}), CENTROID({region})"
    )
    assert answers == [(None,) * 5]
    if region.startswith("POINT"):
        assert table.ask(f"COORD1({region}), COORD2({region}), DISTANCE({region}, POINT(1, 2)), DISTANCE(POINT(lon, 2), {region})") == [
            (None,) * 4
        ]
    assert table.ask(
        f"CONTAINS(POINT(1, 2), {region}), CONTAINS(POLYGON(0, 0, 1, 1, 1, 0), {region}), INTERSECTS({region}, BOX(1, 2, 3, 4))"
    ) in (
        [(None,) * 3],
        [(None, None, None)],
    )


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_what_is_no_number_makes_no_region(table: Table, number: float) -> None:
    table.fill([(number, number, number, None, None, None, None)])
    assert table.ask(
        "POINT(lon, 1), POINT(1, lat), CIRCLE(1, 2, r), BOX(1, 2, r, 1), POLYGON(lon, 0, 1, 1, 1, 0), DISTANCE(lon, lat, 1, 2)"
    ) == [(None,) * 6]
    assert table.ask("CONTAINS(POINT(lon, 1), CIRCLE(1, 2, 3)), CONTAINS(POINT(1, lat), POLYGON(0, 0, 1, 1, 1, 0))") == [(None, None)]


def test_geometry_that_a_column_holds_and_is_none_is_null(table: Table) -> None:
    for disc, patch in (
        ([1.0, 2.0, -1.0], [0.0, 0.0, 120.0, 0.0, 240.0, 0.0]),
        ([1.0, 95.0, 1.0], [1.0, 2.0, 3.0, 4.0]),
        ([1.0, 2.0, 3.0], [1.0]),
    ):
        table.fill([(1.0, 2.0, 1.0, [1.0, 95.0], disc, patch, None)])
        answers = table.ask(
            "CONTAINS(POINT(lon, lat), patch), CONTAINS(disc, patch), CONTAINS(patch, disc), INTERSECTS(patch, CIRCLE(lon, lat, r)), AREA(patch)"
        )
        assert answers == [(None,) * 5]
        assert table.ask("CONTAINS(spot, CIRCLE(1, 2, 3)), DISTANCE(spot, POINT(lon, lat)), INTERSECTS(spot, disc)") == [(None,) * 3]


REFUSED = {
    "POINT(1, 91)": (AdqlTypeError, "between -90 and 90"),
    "POINT(1)": (AdqlTypeError, "POINT takes a longitude"),
    "POINT(words, 2)": (AdqlUnsupportedError, "the coordinate system of POINT is written in quotes"),
    "POINT('SUPERGALACTIC', 1, 2)": (AdqlUnsupportedError, "positions are in ICRS"),
    "CIRCLE(1, 2)": (AdqlTypeError, "CIRCLE takes longitude, latitude and radius"),
    "CIRCLE(1, 2, -3)": (AdqlTypeError, "a radius of -3 degrees is below 0"),
    "CIRCLE(1, 2, words)": (AdqlTypeError, "the radius of CIRCLE must be a number"),
    "CIRCLE(CIRCLE(1, 2, 3), 4)": (AdqlTypeError, "or a POINT and a radius"),
    "BOX(1, 2, 3)": (AdqlTypeError, "BOX takes longitude, latitude, width and height"),
    "BOX(1, 2, 180, 1)": (AdqlTypeError, "sizes lie between 0 and 180"),
    "BOX(lon, lat, 1, -1)": (AdqlTypeError, "sizes lie between 0 and 180"),
    "POLYGON(1, 2, 3, 4)": (AdqlTypeError, "POLYGON takes three or more places"),
    "POLYGON(1, 2, 3, 4, 5, 6, 7)": (AdqlTypeError, "POLYGON takes three or more places"),
    "POLYGON(POINT(1, 2), 3, 4)": (AdqlTypeError, "not both, but this is a whole number"),
    "POLYGON(1, 2, 3, 4, 1, 2)": (AdqlTypeError, "three different vertices or more, not 2"),
    "POLYGON(0, 0, 10, 10, 10, 0, 0, 10)": (AdqlTypeError, "edges of this polygon cross"),
    "POLYGON(0, 0, 120, 0, 240, 0)": (AdqlTypeError, "a little less than a hemisphere"),
    "POLYGON(0, 0, 1, 1, 2, 95)": (AdqlTypeError, "between -90 and 90"),
    "REGION(words)": (AdqlTypeError, "REGION takes one text in quotes"),
    "REGION('Union ICRS (Circle 1 2 3)')": (AdqlUnsupportedError, "by AND and OR"),
    "REGION('circle 1 2')": (AdqlTypeError, "the numbers of a CIRCLE are 3"),
    "REGION('circle 1 x 2')": (AdqlTypeError, "'x' in 'circle 1 x 2' is no number"),
    "REGION('polygon 1 2 3 4 5')": (AdqlTypeError, "six or more, in pairs"),
    "REGION('here')": (AdqlTypeError, "is no region; write"),
    "REGION('')": (AdqlTypeError, "is no region; write"),
    "REGION('Circle CARTESIAN3 1 2 3')": (AdqlUnsupportedError, "CARTESIAN3"),
    "REGION('Circle 1 2 3 unit arcsec')": (AdqlUnsupportedError, "write degrees"),
    "REGION('Circle 1 2 nan')": (AdqlTypeError, "nan in"),
    "CAST('x' AS POINT)": (AdqlTypeError, "'x' in 'x' is no number"),
    "CAST('1 2 3' AS POINT)": (AdqlTypeError, "the numbers of a POINT are 2"),
    "CAST(1 AS CIRCLE)": (AdqlTypeError, "cannot be cast"),
    "CAST(POINT(1, 2) AS CIRCLE)": (AdqlTypeError, "a POINT cannot be cast"),
    "COORD1(CIRCLE(1, 2, 3))": (AdqlTypeError, "must be a POINT, but this is a CIRCLE"),
    "DISTANCE(POINT(1, 2), CIRCLE(1, 2, 3))": (AdqlTypeError, "must be a POINT, but this is a CIRCLE"),
    "DISTANCE(POINT(1, 2), 3)": (AdqlTypeError, "must be a POINT, but this is a whole number"),
    "CONTAINS(lon, CIRCLE(1, 2, 3))": (AdqlTypeError, "a POINT, a CIRCLE or a POLYGON"),
    "CONTAINS(POINT(1, 2))": (AdqlTypeError, "CONTAINS takes two regions"),
    "AREA(1)": (AdqlTypeError, "must be a POINT, a CIRCLE or a POLYGON"),
    "POINT(1, 2) + 1": (AdqlTypeError, "but this is a POINT"),
    "CASE WHEN spot = POINT(1, 2) THEN 1 END": (AdqlTypeError, "is compared by CONTAINS"),
    "CASE WHEN disc IN (CIRCLE(1, 2, 3)) THEN 1 END": (AdqlTypeError, "is compared by CONTAINS"),
    "COALESCE(spot, disc)": (AdqlTypeError, "a POINT stands beside a CIRCLE"),
    "MAX(spot)": (AdqlTypeError, "must be a number, text or a timestamp"),
}


@pytest.mark.parametrize(("expression", "refusal"), REFUSED.items(), ids=REFUSED.keys())
def test_a_region_that_cannot_be_is_refused_with_the_reason(expression: str, refusal: tuple[type[AdqlError], str]) -> None:
    with pytest.raises(AdqlError) as caught:
        translate(f"SELECT {expression} AS x FROM t.p", TableSet(1, (PLACES,)))
    assert type(caught.value) is refusal[0]
    assert refusal[1] in caught.value.message


def test_text_that_is_no_region_is_an_error_of_the_query(table: Table) -> None:
    for text in ("1 2 3", "1 100", "", "1 x", "0 0 1 1 2"):
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            table.one("CAST(words AS POINT)", (*NOTHING[:6], text))


SENSIBLE = {
    "in a condition": "SELECT n FROM t.p WHERE CONTAINS(spot, disc) = 1 OR NOT CONTAINS(spot, disc) = 0",
    "as a truth of a case": "SELECT CASE WHEN 1 = CONTAINS(spot, disc) THEN 'in' ELSE 'out' END AS x FROM t.p",
    "counted": "SELECT CONTAINS(spot, disc) AS inside, COUNT(*) FROM t.p GROUP BY CONTAINS(spot, disc) ORDER BY inside",
    "summed": "SELECT SUM(CONTAINS(spot, disc)), COUNT(patch), AVG(DISTANCE(spot, POINT(1, 2))) FROM t.p",
    "grouped by": "SELECT spot, COUNT(*) FROM t.p GROUP BY spot",
    "grouped by a made one": "SELECT POINT(lon, lat) AS x, COUNT(*) FROM t.p GROUP BY x",
    "distinct": "SELECT DISTINCT disc FROM t.p",
    "in a union": "SELECT spot FROM t.p UNION SELECT POINT(1, 2) FROM t.p",
    "made of means": "SELECT POINT(AVG(lon), AVG(lat)) AS x FROM t.p",
    "null or not": "SELECT n FROM t.p WHERE spot IS NOT NULL OR POINT(lon, lat) IS NULL",
    "out of a query": "SELECT DISTANCE(x.s, x.c) FROM (SELECT POINT(lon, lat) AS s, CENTROID(disc) AS c FROM t.p) AS x",
    "of a query": "SELECT CONTAINS((SELECT TOP 1 q.spot FROM t.p AS q), CIRCLE((SELECT TOP 1 q.spot FROM t.p AS q), 1)) FROM t.p",
    "out of with": "WITH x AS (SELECT POLYGON(lon, lat, 1, 2, 3, 5) AS g FROM t.p) SELECT AREA(g), CENTROID(g) FROM x",
    "ordered by distance": "SELECT n FROM t.p ORDER BY DISTANCE(spot, POINT(1, 2)) DESC",
    "joined": "SELECT a.n FROM t.p AS a JOIN t.p AS b ON 1 = INTERSECTS(a.disc, b.patch)",
}


@pytest.mark.parametrize("text", SENSIBLE.values(), ids=SENSIBLE.keys())
def test_regions_stand_wherever_values_do(table: Table, text: str) -> None:
    table.fill([(1.0, 2.0, 1.0, [1.0, 2.0], [1.0, 2.0, 1.0], [0.0, 0.0, 0.0, 5.0, 5.0, 0.0], None), NOTHING])
    assert table.connection.execute(translate(text, TableSet(1, (PLACES,))).statement).fetchall()


@pytest.mark.parametrize("shape", ["spot", "disc", "patch"])
def test_rows_have_no_order_by_a_region(shape: str) -> None:
    with pytest.raises(AdqlError, match="cannot be ordered"):
        translate(f"SELECT n FROM t.p ORDER BY {shape}", TableSet(1, (PLACES,)))


def test_deeply_nested_regions_stay_small(table: Table) -> None:
    """A value is named once however deep it lies: the statement grows as the query does."""
    text = "spot"
    for _ in range(12):
        text = f"CENTROID(CIRCLE({text}, DISTANCE({text[:0]}POINT(lon, lat), POINT(1, 2))))"
    statement = translate(f"SELECT {text} AS x FROM t.p", TableSet(1, (PLACES,))).statement.as_string(None)
    assert len(statement) < 40 * len(text)
    nested = "lon"
    for _ in range(12):
        nested = f"DISTANCE({nested}, 1, {nested[:0]}2, 3)"
    statement = translate(f"SELECT {nested} AS x FROM t.p", TableSet(1, (PLACES,))).statement
    assert len(statement.as_string(None)) < 100 * len(nested)
    table.fill([NOTHING])
    table.connection.execute(statement)


def test_comparisons_run_in_parallel_and_in_indexes(table: Table) -> None:
    for name in ("separation", "region_contains", "region_intersects", "outline_holds"):
        found = table.connection.execute(
            sql.SQL(
                "SELECT every(provolatile = 'i' AND proparallel = 's') FROM pg_proc WHERE pronamespace = 'functions'::regnamespace AND proname = {}"
            ).format(sql.Literal(name))
        ).fetchone()
        assert found == (True,)
