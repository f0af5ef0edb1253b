"""The statements run: rows as SQL and brute force give them, types as declared, names of one publication."""

import contextlib
from collections.abc import Iterator
from typing import Any

import healpy as hp
import numpy as np
import psycopg
import pytest
from psycopg import sql

from catalog.database import Database
from catalog.schema.column import ColumnType
from tap_service.adql import AdqlError, translate
from tap_service.table_set import TableSet

ARCSEC = 1 / 3600
OIDS = {
    21: ColumnType.SMALLINT, 23: ColumnType.INTEGER, 20: ColumnType.BIGINT, 700: ColumnType.REAL, 701: ColumnType.DOUBLE,
    16: ColumnType.BOOLEAN, 25: ColumnType.TEXT, 1184: ColumnType.TIMESTAMP, 17: ColumnType.VECTOR,
}  # fmt: skip


class Sky:
    """A connection to a small sky in the permanent schemas, and its positions in arrays."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        random = np.random.default_rng(5)
        count = 3000
        ra = random.uniform(0, 360, count)
        dec = np.degrees(np.arcsin(random.uniform(-1, 1, count)))
        around = [(0.0, 90.0), (120.0, -90.0), (0.0, 10.0), (359.999, -60.0), (56.75, 24.12)]
        for lon, lat in around:
            ra = np.append(ra, (lon + random.normal(0, 0.3, 150) / max(np.cos(np.radians(lat)), 0.01)) % 360)
            dec = np.append(dec, np.clip(lat + random.normal(0, 0.3, 150), -90, 90))
        ra, dec = np.append(ra, [56.75, 200.0, 210.0]), np.append(dec, [24.12, -30.0, 40.0])
        seen_ra, seen_dec = ra + random.uniform(-3, 3, len(ra)) * ARCSEC, np.clip(dec + random.uniform(-3, 3, len(ra)) * ARCSEC, -90, 90)
        pixel = hp.ang2pix(4096, seen_ra, seen_dec, nest=True, lonlat=True).astype(np.int64)
        self.source_id = (pixel << 35) + np.arange(len(ra))
        self.source_id[-2:] = [17, 18]  # displaced: their identifier tells nothing of their place
        self.ra, self.dec = ra, dec

    def separation(self, ra: float, dec: float) -> np.ndarray:
        first = hp.ang2vec(self.ra, self.dec, lonlat=True)
        second = hp.ang2vec(ra, dec, lonlat=True)
        return np.degrees(2 * np.arcsin(np.clip(np.linalg.norm(first - second, axis=1) / 2, 0, 1)))

    def within(self, ra: float, dec: float, radius: float) -> list[int]:
        return sorted(self.source_id[self.separation(ra, dec) <= radius].tolist())

    def rows(self, text: str, table_set: TableSet, limit: int | None = None) -> list[tuple[Any, ...]]:
        return self.connection.execute(translate(text, table_set, limit=limit).statement).fetchall()


@pytest.fixture(scope="module")
def sky(upgraded: Database) -> Iterator[Sky]:
    """The tables of ``table_set`` with rows: 3,753 stars with positions, ten without."""
    with upgraded.connect(None, autocommit=True) as connection:
        found = Sky(connection)
        _make_tables(connection, found)
        yield found
        connection.execute("DROP SCHEMA sky__p0007, labels__p0007, labels_dr4__p0007 CASCADE")


def _make_tables(connection: psycopg.Connection[Any], sky: Sky) -> None:
    connection.execute("""
        CREATE SCHEMA sky__p0007; CREATE SCHEMA labels__p0007; CREATE SCHEMA labels_dr4__p0007;
        CREATE TABLE sky__p0007.main (
            source_id bigint PRIMARY KEY, ra double precision, dec double precision, parallax double precision, mag real, flags integer,
            visits smallint, name text, size integer, "Teff [K]" real, variable boolean, observed timestamptz, cov bytea, info jsonb);
        CREATE TABLE labels__p0007.forward (source_id bigint PRIMARY KEY, teff real, e_teff real, logg real);
        CREATE TABLE labels_dr4__p0007.forward (source_id bigint PRIMARY KEY, teff real, e_teff real, logg real);
    """)
    with connection.cursor() as cursor, cursor.copy("COPY sky__p0007.main (source_id, ra, dec) FROM STDIN") as copy:
        for row in zip(sky.source_id.tolist(), sky.ra.tolist(), sky.dec.tolist(), strict=True):
            copy.write_row(row)
        for number in range(10):
            copy.write_row((9_000_000_000_000_000_000 + number, None, None))
    connection.execute("""
        UPDATE sky__p0007.main SET
            parallax = 1 + source_id % 7, mag = 10.1 + source_id % 5, flags = source_id % 8, visits = source_id % 3,
            name = 'Star ' || source_id % 100, size = source_id % 4, "Teff [K]" = 5000, variable = source_id % 2 = 0,
            observed = '2020-01-01 00:00:00+00'::timestamptz + (source_id % 100) * interval '1 day',
            cov = float4send(1) || float4send(2) || float4send(3), info = jsonb_build_object('n', source_id % 3);
        INSERT INTO labels__p0007.forward SELECT source_id, 4000 + flags * 500, 50, 4.5 FROM sky__p0007.main WHERE flags <> 3;
        ANALYZE;
    """)


CONES = {
    "north pole": (10.0, 90.0, 0.5),
    "near the north pole": (250.0, 89.9, 0.4),
    "south pole": (0.0, -90.0, 0.3),
    "across ra 0": (0.0, 10.0, 0.5),
    "across ra 360": (359.999, -60.0, 0.7),
    "one star": (56.75, 24.12, 0.5 * ARCSEC),
    "field": (56.75, 24.12, 0.5),
    "wide": (180.0, 0.0, 20.0),
    "hemisphere": (30.0, -30.0, 90.0),
    "displaced stars": (205.0, 5.0, 40.0),
    "whole sky": (1.0, 2.0, 180.0),
}

FORMS = {
    "1 = contains": "1=CONTAINS(POINT('ICRS', ra, dec), CIRCLE('ICRS', {ra}, {dec}, {r}))",
    "contains = 1": "CONTAINS(POINT(ra, dec), CIRCLE({ra}, {dec}, {r})) = 1",
    "circle around a point": "1 = CONTAINS(POINT(ra, dec), CIRCLE(POINT({ra}, {dec}), {r}))",
    "columns in the circle": "1 = CONTAINS(POINT('', {ra}, {dec}), CIRCLE('', ra, dec, {r}))",
    "intersects": "1 = INTERSECTS(POINT(ra, dec), CIRCLE({ra}, {dec}, {r}))",
    "intersects the other way": "INTERSECTS(CIRCLE({ra}, {dec}, {r}), POINT(ra, dec)) = 1",
    "distance of points": "DISTANCE(POINT('ICRS', ra, dec), POINT('ICRS', {ra}, {dec})) <= {r}",
    "distance of numbers": "DISTANCE(ra, dec, {ra}, {dec}) < {r}",
    "distance mirrored": "{r} > DISTANCE({ra}, {dec}, ra, dec)",
    "arithmetic in the constants": "DISTANCE(ra, dec, {ra} + 360.0, -(-({dec}))) <= {r} * 3600 / 3600.0",
    "qualified names": "DISTANCE(m.ra, sky.main.dec, {ra}, {dec}) <= {r}",
    "and something true": "source_id IS NOT NULL AND (1 = 1 AND DISTANCE(ra, dec, {ra}, {dec}) <= {r})",
    "or something false": "DISTANCE(ra, dec, {ra}, {dec}) <= {r} OR source_id = -1",
    "not outside": "NOT (DISTANCE(ra, dec, {ra}, {dec}) > {r})",
    "not not": "NOT (NOT (1 = CONTAINS(POINT(ra, dec), CIRCLE({ra}, {dec}, {r}))))",
    "zero is outside": "NOT (0 = CONTAINS(POINT(ra, dec), CIRCLE({ra}, {dec}, {r})))",
    "radius from a column": "1 = CONTAINS(POINT(ra, dec), CIRCLE({ra}, {dec}, {r} + 0 * flags))",
}


@pytest.mark.parametrize("cone", CONES.values(), ids=CONES.keys())
def test_every_form_of_a_cone_gives_the_stars_of_brute_force(sky: Sky, table_set: TableSet, cone: tuple[float, float, float]) -> None:
    ra, dec, radius = cone
    expected = sky.within(ra, dec, radius)
    assert expected
    for name, form in FORMS.items():
        where = form.format(ra=ra, dec=dec, r=radius)
        alias = "" if "sky.main" in where else " AS m"
        where = where.replace("m.ra", "main.ra")
        rows = sky.rows(f"SELECT source_id FROM sky.main{alias} WHERE {where} ORDER BY source_id", table_set)
        assert [row[0] for row in rows] == expected, name


@pytest.mark.parametrize(
    "where",
    [
        "DISTANCE(ra, dec, 56.75, 24.12) < -1",
        "1 = CONTAINS(CIRCLE(ra, dec, 2), CIRCLE(56.75, 24.12, 1))",
        "1 = CONTAINS(POINT(ra, dec), CIRCLE(56.75, 24.12, -flags - 1))",
    ],
)
def test_an_empty_region_holds_nothing(sky: Sky, table_set: TableSet, where: str) -> None:
    assert sky.rows(f"SELECT source_id FROM sky.main WHERE {where}", table_set) == []


def test_regions_with_extent_overlap_by_their_radii(sky: Sky, table_set: TableSet) -> None:
    touched = "SELECT source_id FROM sky.main WHERE 1 = INTERSECTS(CIRCLE(ra, dec, 2), CIRCLE(56.75, 24.12, 3)) ORDER BY 1"
    inside = "SELECT source_id FROM sky.main WHERE 1 = CONTAINS(CIRCLE(ra, dec, 2), CIRCLE(56.75, 24.12, 3)) ORDER BY 1"
    assert [row[0] for row in sky.rows(touched, table_set)] == sky.within(56.75, 24.12, 5)
    assert [row[0] for row in sky.rows(inside, table_set)] == sky.within(56.75, 24.12, 1)


def test_contains_is_1_or_0_and_null_without_a_position(sky: Sky, table_set: TableSet) -> None:
    rows = sky.rows("SELECT source_id, CONTAINS(POINT(ra, dec), CIRCLE(56.75, 24.12, 0.5)) AS inside FROM sky.main", table_set)
    assert sorted(source_id for source_id, inside in rows if inside == 1) == sky.within(56.75, 24.12, 0.5)
    assert sum(inside is None for _, inside in rows) == 10


def test_distance_is_in_degrees(sky: Sky, table_set: TableSet) -> None:
    rows = dict(sky.rows("SELECT source_id, DISTANCE(ra, dec, 0, 90) AS d FROM sky.main WHERE ra IS NOT NULL", table_set))
    np.testing.assert_allclose([rows[key] for key in sky.source_id.tolist()], sky.separation(0.0, 90.0), atol=1e-9)


def test_a_cone_reads_the_key_by_its_index(sky: Sky, table_set: TableSet) -> None:
    for where in (FORMS["1 = contains"], FORMS["columns in the circle"], FORMS["distance of numbers"], FORMS["or something false"]):
        query = f"SELECT source_id FROM sky.main WHERE {where.format(ra=56.75, dec=24.12, r=0.1)}"
        plan = sky.connection.execute(sql.SQL("EXPLAIN ") + translate(query, table_set).statement).fetchall()
        assert "main_pkey" in str(plan) and "Seq Scan" not in str(plan), plan


@pytest.mark.parametrize(
    "query",
    [
        "SELECT x.source_id FROM (SELECT source_id, ra AS lon, dec AS lat FROM sky.main WHERE flags < 9) AS x WHERE DISTANCE(x.lon, x.lat, {0}) < {1}",
        "WITH x AS (SELECT dec, ra, source_id AS id FROM sky.main) SELECT id FROM x WHERE DISTANCE(ra, dec, {0}) < {1}",
        "SELECT a.source_id FROM sky.main AS a JOIN sky.main AS b ON a.source_id = b.source_id AND DISTANCE(b.ra, b.dec, {0}) < {1}",
    ],
)
def test_a_cone_reaches_through_a_query_in_from(sky: Sky, table_set: TableSet, query: str) -> None:
    text = query.format("56.75, 24.12", 0.5)
    statement = translate(text, table_set).statement
    assert "BETWEEN" in statement.as_string(None)
    assert sorted(row[0] for row in sky.connection.execute(statement)) == sky.within(56.75, 24.12, 0.5)


def test_tables_join_on_position(sky: Sky, table_set: TableSet) -> None:
    text = """
        SELECT a.source_id, b.source_id FROM sky.main AS a JOIN sky.main AS b
        ON 1 = CONTAINS(POINT(a.ra, a.dec), CIRCLE(b.ra, b.dec, 0.05)) WHERE DISTANCE(b.ra, b.dec, 0, 10) < 0.6
    """
    centres = np.flatnonzero(sky.separation(0.0, 10.0) < 0.6)
    expected = {
        (found, int(sky.source_id[centre]))
        for centre in centres
        for found in sky.within(float(sky.ra[centre]), float(sky.dec[centre]), 0.05)
    }
    assert set(sky.rows(text, table_set)) == expected
    assert len(expected) > len(centres)


# Every kind of expression, with the SQL that it must equal.
EQUAL = {
    "integer division": ("7 / 2", "3"),
    "negative division": ("-7 / 2", "-3"),
    "division of floats": ("7 / 2.0", "3.5::float8"),
    "minus minus": ("3 - -2", "5"),
    "large": ("9223372036854775807 - 1", "9223372036854775806"),
    "logarithm": ("LOG(10.0)", "ln(10::float8)"),
    "decimal logarithm": ("LOG10(1000)", "3::float8"),
    "truncate": ("TRUNCATE(-2.567, 2)", "-2.56::float8"),
    "truncate to whole": ("TRUNCATE(-2.567)", "-2::float8"),
    "round": ("ROUND(2.567, 1)", "2.6::float8"),
    "round to hundreds": ("ROUND(1234.5, -2)", "1200::float8"),
    "mod of whole numbers": ("MOD(-7, 3)", "-1"),
    "mod of floats": ("MOD(7.5, 2)", "1.5::float8"),
    "percent": ("7 % 4", "3"),
    "power": ("POWER(2, 10)", "1024::float8"),
    "cotangent": ("COT(1)", "cot(1::float8)"),
    "atan2": ("ATAN2(1, 2)", "atan2(1::float8, 2)"),
    "degrees": ("DEGREES(PI())", "180::float8"),
    "ceiling": ("CEILING(1.2)", "2::float8"),
    "absolute": ("ABS(-3)", "3"),
    "text": ("'it''s ' || UPPER('x') || LOWER('Y\\\\')", "'it''s Xy' || E'\\\\\\\\'"),
    "a backslash in a pattern is one": (r"CASE WHEN 'a\b%' LIKE 'a\b\%' OR 'a_c' LIKE 'a\_c' THEN 1 END", "NULL::int"),
    "a backslash ends a pattern": (r"CASE WHEN 'a\' LIKE '%\' AND 'A\' ILIKE 'a\' AND '100\%' LIKE '100\%' THEN 1 END", "1"),
    "percent in text": ("'100%s {0} %(x)s'", "'100%s {0} %(x)s'"),
    "cast to text": ("CAST(12 AS VARCHAR)", "'12'"),
    "cast to short text": ("CAST('abcdef' AS CHAR(3))", "'abc'"),
    "cast to whole": ("CAST('12' AS BIGINT)", "12::bigint"),
    "cast to timestamp": ("CAST('2020-01-02T03:04:05' AS TIMESTAMP)", "'2020-01-02 03:04:05+00'::timestamptz"),
    "timestamp as text": ("CAST(CAST('2020-01-02' AS TIMESTAMP) AS VARCHAR)", "'2020-01-02T00:00:00.000000'"),
    "null": ("NULL", "NULL::text"),
    "coalesce": ("COALESCE(NULL, 2, 3.5)", "2::float8"),
    "case": ("CASE WHEN 1 > 2 THEN 1 WHEN NULL = 1 THEN 2 ELSE 3 END", "3"),
    "simple case": ("CASE 2 WHEN 1 THEN 'a' WHEN 2 THEN 'b' END", "'b'"),
    "area": ("AREA(CIRCLE(1, 2, 180))", "(360 * 360 / pi())"),
    "coordinate": ("COORD2(CENTROID(CIRCLE(POINT(1, 2), 3)))", "2::float8"),
    "frame": ("COORDSYS(POINT(1, 2))", "'ICRS'"),
    "scalar query": ("(SELECT COUNT(*) FROM labels_dr4.forward)", "0::bigint"),
    "separation": ("DISTANCE(POINT(359.5, 0), POINT(0.5, 0))", "1::float8"),
}


@pytest.mark.parametrize(("adql", "equal"), EQUAL.values(), ids=EQUAL.keys())
def test_an_expression_means_its_sql(sky: Sky, table_set: TableSet, adql: str, equal: str) -> None:
    [(value,)] = sky.rows(f"SELECT TOP 1 {adql} FROM sky.main", table_set)
    [(expected,)] = sky.connection.execute(f"SELECT {equal}".encode()).fetchall()
    assert type(value) is type(expected)
    assert value == (pytest.approx(expected, rel=1e-12) if isinstance(value, float) else expected)


PLAIN = "source_id, ra, mag, flags, visits, name, variable, observed, cov, info"
TYPED = {
    "columns": PLAIN,
    "star": "*",
    "arithmetic of every pair": ", ".join(
        f"{a} {o} {b}"
        for a in ("source_id", "ra", "mag", "flags", "visits")
        for b in ("source_id", "ra", "mag", "flags", "visits", "1", "2.5", "NULL")
        for o in "+*"
    ),
    "signs": "-source_id, -ra, -mag, -flags, -visits, +visits, ABS(visits), ABS(mag), ABS(source_id)",
    "functions": "ROUND(mag, 1), ROUND(flags), MOD(visits, 2), MOD(mag, 2), MOD(source_id, visits + 1), FLOOR(visits), SQRT(flags), EXP(visits), RAND(), PI()",
    "aggregates": "COUNT(*), COUNT(DISTINCT name), SUM(source_id % 10), SUM(flags), SUM(visits), SUM(mag), SUM(DISTINCT ra), AVG(flags), AVG(mag), AVG(source_id), MIN(visits), MAX(mag), MIN(name), MAX(observed)",
    "casts": "CAST(ra AS REAL), CAST(flags AS SMALLINT), CAST(mag AS DOUBLE PRECISION), CAST(visits AS VARCHAR(3)), CAST(variable AS INTEGER), CAST(NULL AS BIGINT), CAST(info AS VARCHAR), CAST(visits AS BIGINT)",
    "alternatives": "COALESCE(mag, 0), COALESCE(visits, flags), COALESCE(mag, ra), CASE WHEN flags > 2 THEN visits END, CASE WHEN flags > 2 THEN mag ELSE mag END, COALESCE(name, 'x')",
    "geometry": "DISTANCE(ra, dec, 1, 2), CONTAINS(POINT(ra, dec), CIRCLE(1, 2, 3)), COORD1(POINT(mag, dec)), AREA(CIRCLE(ra, dec, 1))",
    "literals": "1, 2147483648, 1.5, 'x', NULL, TRUE, -1",
    "units": "IN_UNIT(parallax, 'arcsec'), IN_UNIT(ra, 'rad')",
}


@pytest.mark.parametrize("items", TYPED.values(), ids=TYPED.keys())
def test_the_database_sends_the_types_that_are_declared(sky: Sky, table_set: TableSet, items: str) -> None:
    translation = translate(f"SELECT {items} FROM sky.main", table_set, limit=0)
    description = sky.connection.execute(translation.statement).description
    assert description is not None
    assert [OIDS[column.type_code] for column in description] == [column.type for column in translation.columns]
    assert [column.name for column in description] == [column.name for column in translation.columns]
    names = [column.name.casefold() for column in translation.columns]
    assert len(set(names)) == len(names)


QUERIES = {
    "order by number, name, expression": ("SELECT TOP 3 source_id, parallax FROM sky.main ORDER BY 2 DESC, source_id, -ra", 3),
    "order by alias in an expression": ("SELECT TOP 3 mag * 2 AS twice FROM sky.main ORDER BY twice + 1, TWICE", 3),
    "offset": ("SELECT source_id FROM sky.main ORDER BY source_id OFFSET 3760", 3),
    "grouped": ("SELECT flags, COUNT(*) AS n, AVG(mag) FROM sky.main GROUP BY flags HAVING COUNT(*) > 1 ORDER BY n DESC, flags", 8),
    "grouped by alias": ("SELECT flags / 2 AS half, COUNT(*) FROM sky.main GROUP BY half", 4),
    "grouped by expression": ("SELECT MOD(flags, 2) + 1, COUNT(*) FROM sky.main GROUP BY MOD(flags, 2)", 2),
    "ordered by an aggregate": ("SELECT flags FROM sky.main GROUP BY flags ORDER BY COUNT(*), SUM(mag) DESC", 8),
    "distinct": ("SELECT DISTINCT flags FROM sky.main ORDER BY flags", 8),
    "union": ("SELECT flags FROM sky.main UNION SELECT 8.5 FROM sky.main ORDER BY flags", 9),
    "union with nulls": ("SELECT flags, name FROM sky.main WHERE flags < 0 UNION SELECT DISTINCT NULL, NULL FROM sky.main", 1),
    "sets": ("SELECT flags FROM sky.main EXCEPT SELECT flags FROM sky.main WHERE flags < 4 INTERSECT SELECT visits FROM sky.main", 5),
    "top in an operand": ("(SELECT TOP 2 source_id FROM sky.main ORDER BY source_id) UNION ALL SELECT TOP 3 source_id FROM sky.main", 5),
    "query around a query": ("(SELECT TOP 5 source_id FROM sky.main ORDER BY ra) ORDER BY 1 OFFSET 2", 3),
    "left join": ("SELECT m.source_id, teff FROM sky.main AS m LEFT JOIN labels.forward AS f ON m.source_id = f.source_id", 3763),
    "using": ("SELECT source_id, ra, teff FROM sky.main JOIN labels.forward USING (source_id) WHERE flags = 5 AND teff > 6000", None),
    "full join": ("SELECT source_id FROM sky.main FULL JOIN labels.forward USING (source_id) WHERE source_id IS NOT NULL", 3763),
    "right join": ("SELECT source_id FROM labels.forward RIGHT JOIN sky.main USING (source_id) WHERE source_id IS NOT NULL", 3763),
    "natural join": ("SELECT * FROM sky.main NATURAL JOIN labels.forward WHERE flags = 3", 0),
    "cross join": ("SELECT COUNT(*) FROM sky.main, labels_dr4.forward", 1),
    "three joined": ("SELECT a.ra FROM sky.main a JOIN labels.forward b USING (source_id) JOIN sky.main c USING (source_id) WHERE a.flags = 3", 0),
    "in query": ("SELECT source_id FROM sky.main WHERE source_id NOT IN (SELECT source_id FROM labels.forward)", None),
    "exists": ("SELECT source_id FROM sky.main AS m WHERE NOT EXISTS (SELECT 1 FROM labels.forward AS f WHERE f.source_id = m.source_id)", None),
    "correlated value": ("SELECT m.source_id FROM sky.main m WHERE (SELECT MAX(teff) FROM labels.forward f WHERE f.source_id = m.source_id) = 4000", None),
    "booleans": ("SELECT source_id FROM sky.main WHERE variable = 'true' AND variable = 1 AND variable AND variable <> 'f'", None),
    "timestamps": ("SELECT source_id FROM sky.main WHERE observed BETWEEN '2020-01-01' AND '2020-01-04T12:00:00'", None),
    "like": ("SELECT DISTINCT name FROM sky.main WHERE name LIKE 'Star 1%' AND name ILIKE 'star _' AND name NOT LIKE '%9'", 1),
    "delimited": ('SELECT "size", "Teff [K]" AS "a ""b""" FROM sky.main WHERE "Teff [K]" > 1 AND main."size" = 1', None),
    "with": ("WITH x(a, b) AS (SELECT flags, COUNT(*) FROM sky.main GROUP BY flags), y AS (SELECT a FROM x) SELECT x.b FROM x JOIN y USING (a)", 8),
    "json": ("SELECT DISTINCT info FROM sky.main WHERE info LIKE '%2%'", 1),
    "identifiers near 2^63": ("SELECT source_id FROM sky.main WHERE source_id BETWEEN 9000000000000000003 AND 9000000000000000005", 3),
    "shifted identifiers": ("SELECT source_id FROM sky.main WHERE source_id / 34359738368 = 0", 2),
    "long alias": (f"SELECT x.{'n' * 80} FROM (SELECT ra AS {'n' * 80}, dec AS {'n' * 79}m FROM sky.main) AS x", 3763),
    "group of constants": ("SELECT COUNT(*) FROM sky.main GROUP BY -1, 'a', +1 ORDER BY -1, 'b'", 1),
}  # fmt: skip


@pytest.mark.parametrize(("text", "count"), QUERIES.values(), ids=QUERIES.keys())
def test_a_query_runs_and_gives_its_rows(sky: Sky, table_set: TableSet, text: str, count: int | None) -> None:
    translation = translate(text, table_set)
    cursor = sky.connection.execute(translation.statement)
    rows = cursor.fetchall()
    assert len(rows) == count if count is not None else len(rows) > 50
    assert cursor.description is not None and len(cursor.description) == len(translation.columns)
    for column, sent in zip(translation.columns, cursor.description, strict=True):
        assert OIDS[sent.type_code] is column.type


def test_order_by_and_limit_hold_together(sky: Sky, table_set: TableSet) -> None:
    expected = sorted(sky.source_id.tolist())
    text = "SELECT TOP 10 source_id FROM sky.main ORDER BY source_id"
    assert [row[0] for row in sky.rows(text, table_set)] == expected[:10]
    assert [row[0] for row in sky.rows(text, table_set, limit=4)] == expected[:4]
    assert [row[0] for row in sky.rows(f"{text} OFFSET 3", table_set, limit=50)] == expected[3:13]
    assert len(sky.rows("SELECT source_id FROM sky.main UNION SELECT flags FROM sky.main", table_set, limit=7)) == 7
    assert sky.rows(text, table_set, limit=0) == []


def test_a_query_reads_the_permanent_names_of_its_publication(table_set: TableSet) -> None:
    text = translate("SELECT a.ra FROM SKY.Main AS a JOIN labels.forward AS b USING (source_id)", table_set).statement.as_string(None)
    assert '"sky__p0007"."main"' in text and '"labels__p0007"."forward"' in text


@pytest.mark.parametrize(
    "text",
    [
        "SELECT name FROM sky.main WHERE name = '''; DROP TABLE sky__p0007.main; --'",
        'SELECT name AS "x""; DROP TABLE sky__p0007.main; --" FROM sky.main',
        "SELECT name FROM sky.main WHERE name = '\\''",
    ],
)
def test_no_text_of_a_query_becomes_sql(sky: Sky, table_set: TableSet, text: str) -> None:
    with contextlib.suppress(AdqlError):
        sky.rows(text, table_set)
    assert sky.rows("SELECT COUNT(*) FROM sky.main", table_set) == [(3763,)]


def test_a_deep_query_is_refused_or_runs(sky: Sky, table_set: TableSet) -> None:
    for depth in (10, 50, 100, 200, 400, 800, 3000):
        for text in ("(" * depth + "1" + ")" * depth, " + ".join(["flags"] * depth), "ABS(" * depth + "1" + ")" * depth):
            try:
                statement = translate(f"SELECT TOP 1 {text} AS x FROM sky.main", table_set).statement
            except AdqlError as error:
                assert depth > 50 and "nested too deeply" in error.message
            else:
                assert len(sky.connection.execute(statement).fetchall()) == 1
