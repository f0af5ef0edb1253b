"""ADQL 2.1 section 4, the values: what each function, operator and cast gives on PostgreSQL, and what is an error of the query."""

import decimal
import math
import re

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from catalog.database import Database, Role
from tap_service.adql import AdqlError, translate
from tap_service.adql.functions import FUNCTIONS, SPECIAL
from tap_service.adql.geometry import GEOMETRY
from tap_service.adql.substitutes import SUBSTITUTES
from tap_service.adql.udf import UDFS
from tap_service.errors import QueryError, from_postgres
from tap_service.table_set import TableSet, TapColumn, TapTable

nan, inf = float("nan"), float("inf")

VALUES = [
    # -- halves, negative places, and numbers of more than 15 digits
    ("ROUND(2.5)", 3.0),
    ("ROUND(-2.5)", -3.0),
    ("ROUND(0.5)", 1.0),
    ("ROUND(0.49999999999999994)", 0.0),
    ("ROUND(3)", 3.0),
    ("ROUND(4503599627370497.5)", 4503599627370498.0),
    ("ROUND(2.5, 0)", 3.0),
    ("ROUND(2.675, 2)", 2.68),
    ("ROUND(-2.345, 2)", -2.35),
    ("ROUND(1250, -2)", 1300.0),
    ("ROUND(1234567890123456.7, 0)", 1234567890123457.0),
    ("ROUND(0.1 + 0.2, 17)", 0.3),
    ("ROUND(1e300, 2)", 1e300),
    ("TRUNCATE(2.99)", 2.0),
    ("TRUNCATE(-2.99)", -2.0),
    ("TRUNCATE(2.999, 2)", 2.99),
    ("TRUNCATE(-2.999, 2)", -2.99),
    ("TRUNCATE(1299, -2)", 1200.0),
    ("CEILING(-1.5)", -1.0),
    ("FLOOR(-1.5)", -2.0),
    ("ABS(-2.5)", 2.5),
    ("ABS(-9223372036854775807)", 9223372036854775807),
    # -- the sign of MOD is that of its first argument; whole numbers divide to whole numbers, towards zero
    ("MOD(7, 3)", 1),
    ("MOD(-7, 3)", -1),
    ("MOD(7, -3)", 1),
    ("MOD(-7.5, 2)", -1.5),
    ("MOD(7.5, -2)", 1.5),
    ("MOD(9007199254740993, 10)", 3),
    ("-7 % 3", -1),
    ("7 / 2", 3),
    ("-7 / 2", -3),
    ("1 / 3600", 0),
    ("7 / 2.", 3.5),
    ("2 + 3 * 4 - 6 / 3", 12),
    ("(2 + 3) * 4", 20),
    ("- 2 + 3", 1),
    ("-POWER(2, 2)", -4.0),
    # -- mathematics
    ("LOG(EXP(1))", 1.0),
    ("LOG10(0.001)", -3.0),
    ("POWER(2, 0.5)", math.sqrt(2)),
    ("POWER(-8, 3)", -512.0),
    ("POWER(0, 0)", 1.0),
    ("SQRT(0)", 0.0),
    ("DEGREES(PI())", 180.0),
    ("RADIANS(180)", math.pi),
    ("ACOS(-1)", math.pi),
    ("ATAN2(1, -1)", math.atan2(1, -1)),
    ("COT(PI() / 4)", 1.0),
    ("TAN(0)", 0.0),
    ("SQRT(NULL)", None),
    ("POWER(NULL, 2)", None),
    # -- the ends of the types
    ("9223372036854775807", 9223372036854775807),
    ("-9223372036854775808", -9223372036854775808),
    ("9223372036854775808", 9223372036854775808.0),
    ("2147483647 + CAST(1 AS BIGINT)", 2147483648),
    ("00012", 12),
    ("1e-400", 0.0),
    # -- text: LIKE has no escape character of its own
    ("'a' || 'b' || ''", "ab"),
    ("'a' || NULL", None),
    ("'It''s' 'all' ' one'", "It'sall one"),
    ("UPPER('abc z')", "ABC Z"),
    ("LOWER('ABC Z')", "abc z"),
    *[
        (f"CASE WHEN {condition} THEN 1 ELSE 0 END", expected)
        for condition, expected in [
            (r"'a\b' LIKE 'a\b'", 1),
            (r"'a%' LIKE 'a\%'", 0),
            (r"'a\x' LIKE 'a\_'", 1),
            ("'a%b' LIKE 'a!%b' ESCAPE '!'", 1),
            ("'axb' LIKE 'a!%b' ESCAPE '!'", 0),
            ("'a_b' NOT LIKE 'a!_b' ESCAPE '!'", 0),
            ("'abc' LIKE 'a%'", 1),
            ("'abc' LIKE 'A%'", 0),
            ("'abc' ILIKE 'A_C'", 1),
            ("'abc' NOT ILIKE 'A_C'", 0),
            ("'' LIKE '%'", 1),
            ("NULL LIKE '%'", 0),
            ("2 BETWEEN 1 AND 3", 1),
            ("2 BETWEEN 3 AND 1", 0),
            ("2 NOT BETWEEN 3 AND 1", 1),
            ("1.0 BETWEEN 1 AND 1", 1),
            ("'b' BETWEEN 'a' AND 'c'", 1),
            ("1 IN (1)", 1),
            ("1 IN (2, 1.0, NULL)", 1),
            ("1 NOT IN (2, NULL)", 0),
            ("NULL = NULL", 0),
            ("NULL IS NULL", 1),
            ("(1 + NULL) IS NULL", 1),
            ("NOT (1 = 2 AND 1 = 1) OR 1 = 2", 1),
            ("1 = 1 OR 1 = 1 AND 1 = 2", 1),
            ("NOT 1 = 2 AND 1 = 1", 1),
            ("'a' < 'b' AND 'B' <> 'b'", 1),
            ("TRUE", 1),
            ("CAST('2016-01-01' AS TIMESTAMP) < '2016-01-01T00:00:01'", 1),
            ("CAST('2016-01-01T00:00:00Z' AS TIMESTAMP) = CAST('2016-01-01' AS TIMESTAMP)", 1),
            ("EXISTS (SELECT i FROM t.v)", 1),
            ("1 > (SELECT COUNT(i) FROM t.v)", 1),
        ]
    ],
    # -- CASE, COALESCE
    ("CASE WHEN NULL = 1 THEN 'a' END", None),
    ("CASE 3 WHEN 1 THEN 'a' WHEN 3 THEN 'c' ELSE 'x' END", "c"),
    ("COALESCE(NULL, NULL, 7)", 7),
    ("COALESCE(NULL, 2, 3.5)", 2.0),
    # -- casts
    ("CAST('abc' AS CHAR(5))", "abc  "),
    ("CAST('abcdef' AS CHAR(5))", "abcde"),
    ("CAST('abc' AS CHAR(5)) || '|'", "abc  |"),
    ("CAST('abc' AS CHAR)", "abc"),
    ("CAST(12 AS CHAR(4))", "12  "),
    ("CAST('abcdef' AS VARCHAR(4))", "abcd"),
    ("CAST('ab' AS VARCHAR(4))", "ab"),
    ("CAST(NULL AS VARCHAR(4))", None),
    ("CAST(1.5 AS VARCHAR)", "1.5"),
    ("CAST(CAST('2016-03-04T05:06:07.25' AS TIMESTAMP) AS CHAR(10))", "2016-03-04"),
    ("CAST(CAST('2016-03-04T05:06:07.25' AS TIMESTAMP) AS VARCHAR)", "2016-03-04T05:06:07.250000"),
    ("CAST('12' AS SMALLINT)", 12),
    ("CAST(' 12 ' AS INTEGER)", 12),
    ("CAST('-9223372036854775808' AS BIGINT)", -9223372036854775808),
    ("CAST('1.5e3' AS REAL)", 1500.0),
    ("CAST('.5' AS DOUBLE PRECISION)", 0.5),
    ("CAST('NaN' AS DOUBLE PRECISION)", nan),
    ("CAST('-Infinity' AS DOUBLE PRECISION)", -inf),
    ("CAST(2.7 AS INTEGER)", 3),
    ("CAST(7 AS DOUBLE PRECISION) / 2", 3.5),
    ("CAST(0.1 AS REAL)", 0.1),
    ("CAST(NULL AS TIMESTAMP)", None),
    ("CAST(x AS VARCHAR)", None),
]


def same(found: object, expected: object) -> bool:
    if isinstance(expected, float):
        return isinstance(found, float) and (found == pytest.approx(expected, rel=1e-15, nan_ok=True))
    return found == expected and type(found) is type(expected)


@pytest.mark.parametrize(("expression", "expected"), VALUES, ids=[row[0] for row in VALUES])
def test_a_value_is_what_adql_says(evaluate, expression, expected):
    ((found,),) = evaluate(f"{expression} AS res")
    assert same(found, expected), found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sixteen 16", "sixteen 16"),
        ("a\\b%_'\"", "a\\b%_'\""),
        ("{0} %s %(x)s $1", "{0} %s %(x)s $1"),
        ("\u00e9\u4e2d\U0001f600", "\u00e9\u4e2d\U0001f600"),
    ],
)
def test_a_text_passes_as_it_is_written(evaluate, text, expected):
    written = text.replace("'", "''")
    assert evaluate(
        f"'{written}' AS a, s AS b, CASE WHEN s = '{written}' THEN 1 ELSE 0 END AS c", [(None, None, text, None, None, None)]
    ) == [(expected, expected, 1)]


# What cannot be computed for a row is an error of the query, never NULL in silence; the message says what to write instead.
FAILING = [
    ("1 / i", (0,), "division by zero", "CASE WHEN y <> 0 THEN x / y END"),
    ("1.0 / i", (0,), "division by zero", "CASE WHEN y <> 0"),
    ("MOD(1, i)", (0,), "division by zero", "CASE WHEN y <> 0"),
    ("MOD(1.5, i)", (0,), "division by zero", "CASE WHEN y <> 0"),
    ("SQRT(i)", (-1,), "cannot take square root of a negative number", "WHERE"),
    ("LOG(i)", (0,), "cannot take logarithm of zero", "WHERE"),
    ("LOG10(i)", (-1,), "cannot take logarithm of a negative number", "WHERE"),
    ("ACOS(i)", (2,), "input is out of range", "WHERE"),
    ("ASIN(i)", (-2,), "input is out of range", "WHERE"),
    ("POWER(i, 0.5)", (-1,), "a negative number raised to a non-integer power", "WHERE"),
    ("POWER(i, -1)", (0,), "zero raised to a negative power", "WHERE"),
    ("POWER(10, i)", (400,), "value out of range: overflow", "CAST"),
    ("EXP(i)", (1000,), "value out of range: overflow", "CAST"),
    ("i * 1000000", (2147483647,), "integer out of range", "CAST(x AS BIGINT)"),
    ("i + 1", (2147483647,), "integer out of range", "CAST(x AS BIGINT)"),
    ("i + 9223372036854775807", (1,), "bigint out of range", "DOUBLE PRECISION"),
    ("CAST(i AS SMALLINT)", (40000,), "smallint out of range", "CAST"),
]


@pytest.mark.parametrize(("expression", "row", "reason", "hint"), FAILING, ids=[row[0] for row in FAILING])
def test_what_cannot_be_computed_is_an_error_with_what_to_write(evaluate, expression, row, reason, hint):
    with pytest.raises(psycopg.DataError) as caught:
        evaluate(f"{expression} AS res", [(*row, None, None, None, None, None)])
    told = from_postgres(caught.value, 60)
    assert isinstance(told, QueryError) and told.status == 400
    assert reason in str(told) and hint in str(told), str(told)


@pytest.mark.parametrize("expression", ["CAST(s AS INTEGER)", "CAST(s AS DOUBLE PRECISION)", "CAST(s AS TIMESTAMP)"])
def test_a_text_that_holds_no_such_value_is_an_error(evaluate, expression):
    with pytest.raises(psycopg.DataError) as caught:
        evaluate(f"{expression} AS res", [(None, None, "abc", None, None, None)])
    assert "abc" in str(from_postgres(caught.value, 60))


def test_random_numbers_lie_below_one_and_a_seed_fixes_them(evaluate):
    rows = [(i, None, None, None, None, i * 10**12) for i in range(3000)]
    found = evaluate("RAND() AS a, RAND(i) AS b, RAND(b) AS c", rows)
    again = evaluate("RAND() AS a, RAND(i) AS b, RAND(b) AS c", rows)
    for column in range(3):
        values = [row[column] for row in found]
        assert all(0 <= value < 1 for value in values) and len(set(values)) == 3000
        assert sum(values) / 3000 == pytest.approx(0.5, abs=0.03)
        assert abs(sum(value < 0.1 for value in values) - 300) < 80
        assert (values == [row[column] for row in again]) == (column > 0)
    assert evaluate("RAND(5) AS a, RAND(5) AS b, RAND(NULL) AS c")[0][0] == evaluate("RAND(5) AS a")[0][0]


def test_distinct_and_all_count_as_they_say(evaluate):
    rows = [(i % 3 or None, float(i), None, None, None, None) for i in range(9)]
    counts = "COUNT(*) AS a, COUNT(i) AS b, COUNT(ALL i) AS c, COUNT(DISTINCT i) AS d, SUM(DISTINCT i) AS e, AVG(i) AS f, MIN(x) AS g, MAX(i) AS h"
    assert evaluate(counts, rows) == [(9, 6, 6, 2, 3, 1.5, 0.0, 2)]
    assert evaluate("COUNT(*) AS a, SUM(i) AS b, AVG(x) AS c", tail="WHERE 1 = 2") == [(0, None, None)]


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        ("ORDER BY b", [1, 2, 3, 4, 5]),
        ("ORDER BY i DESC, b", [3, 4, 5, 1, 2]),
        ("ORDER BY 1 DESC", [5, 4, 3, 2, 1]),
        ("ORDER BY x * -1", [5, 4, 3, 2, 1]),
        ("ORDER BY ABS(x - 2.5), b", [2, 3, 1, 4, 5]),
        ("ORDER BY v.b OFFSET 2", [3, 4, 5]),
        ("ORDER BY n OFFSET 9", []),
        ("WHERE b > 1 ORDER BY n DESC OFFSET 1", [4, 3, 2]),
    ],
)
def test_rows_are_ordered_by_names_numbers_and_expressions(evaluate, tail, expected):
    rows = [(int(n > 2), float(n), None, None, None, n) for n in range(1, 6)]
    assert [row[0] for row in evaluate("b AS n", rows, tail=tail)] == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("TOP 2 b AS n FROM t.v ORDER BY b OFFSET 1", [2, 3]),
        ("TOP 0 b AS n FROM t.v", []),
        ("b AS n FROM t.v WHERE b < 3 UNION SELECT b FROM t.v WHERE b < 2 ORDER BY 1", [1, 2]),
        ("b AS n FROM t.v WHERE b < 3 UNION ALL SELECT b FROM t.v WHERE b < 2 ORDER BY n", [1, 1, 2]),
        ("b AS n FROM t.v WHERE b < 3 UNION SELECT b FROM t.v WHERE b > 3 INTERSECT SELECT b FROM t.v WHERE b > 4 ORDER BY 1", [1, 2, 5]),
        ("b AS n FROM t.v EXCEPT SELECT b FROM t.v WHERE b > 3 UNION SELECT b FROM t.v WHERE b = 5 ORDER BY 1", [1, 2, 3, 5]),
        ("b AS n FROM t.v EXCEPT (SELECT b FROM t.v WHERE b > 3 UNION SELECT b FROM t.v WHERE b = 1) ORDER BY 1", [2, 3]),
        ("TOP 1 b AS n FROM t.v WHERE b = 2 UNION SELECT b FROM t.v WHERE b > 3 ORDER BY 1 DESC OFFSET 1", [4, 2]),
        ("b AS n FROM t.v UNION (SELECT TOP 1 x FROM t.v ORDER BY x DESC) ORDER BY 1", [1.0, 2.0, 3.0, 4.0, 5.0]),
        ("MAX(b) AS n FROM t.v GROUP BY i, i + 1 HAVING COUNT(*) > 2", [5]),
        ("i + 1 AS n FROM t.v GROUP BY i + 1 ORDER BY i + 1", [1, 2]),
        ("DISTINCT i AS n FROM t.v ORDER BY i DESC", [1, 0]),
        ("a.b AS n FROM t.v AS a JOIN t.v AS c ON a.b = c.b + 1 WHERE c.i = 1 ORDER BY 1", [4, 5]),
        ("b AS n FROM t.v NATURAL JOIN (SELECT b, i FROM t.v WHERE b > 3) AS u ORDER BY 1", [4, 5]),
        ("b AS n FROM t.v LEFT JOIN (SELECT b, s FROM t.v WHERE b = 3) AS u USING (b) ORDER BY 1", [1, 2, 3, 4, 5]),
        ("b AS n FROM (SELECT b FROM t.v WHERE b < 3) AS u FULL JOIN (SELECT b FROM t.v WHERE b > 1) AS w USING (b) ORDER BY 1", [1, 2, 3, 4, 5]),
        ("b AS n FROM (SELECT b FROM t.v WHERE b < 3) AS u RIGHT JOIN (SELECT b FROM t.v WHERE b > 1) AS w USING (b) ORDER BY 1", [2, 3, 4, 5]),
        ("b AS n FROM t.v WHERE b IN (SELECT MAX(b) FROM t.v UNION SELECT MIN(b) FROM t.v) ORDER BY 1", [1, 5]),
        ("b AS n FROM t.v WHERE x = (SELECT MAX(u.x) FROM t.v AS u WHERE u.i = v.i) ORDER BY 1", [2, 5]),
        ("b AS n FROM t.v WHERE NOT EXISTS (SELECT * FROM t.v AS u WHERE u.b > v.b)", [5]),
        ("(SELECT COUNT(*) FROM t.v AS u WHERE u.b < v.b) AS n FROM t.v ORDER BY n", [0, 1, 2, 3, 4]),
        ("n FROM (SELECT b + 1 AS n FROM t.v WHERE b > 3) AS u ORDER BY n", [5, 6]),
    ],
)  # fmt: skip
def test_clauses_work_together(rows_of, query, expected):
    found = rows_of(f"SELECT {query}", [(int(n > 2), float(n), None, None, None, n) for n in range(1, 6)])
    assert [row[0] for row in found] == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("WITH u AS (SELECT b FROM t.v WHERE b > 3) SELECT b FROM u ORDER BY b", [4, 5]),
        ("WITH u AS (SELECT b FROM t.v WHERE b > 3), w(n) AS (SELECT b + 1 FROM u) SELECT n FROM w JOIN u ON u.b = w.n", [5]),
        ("WITH u AS (SELECT b FROM t.v) SELECT b FROM u WHERE b IN (SELECT b FROM u WHERE b > 4) UNION SELECT MIN(b) FROM u ORDER BY 1", [1, 5]),
        ("WITH u AS (SELECT TOP 2 b FROM t.v ORDER BY b OFFSET 1) SELECT SUM(b) FROM u", [5]),
        ("(SELECT TOP 1 b FROM t.v ORDER BY b) UNION ALL (SELECT TOP 1 b FROM t.v ORDER BY b DESC) ORDER BY b DESC", [5, 1]),
        ("(SELECT b FROM t.v ORDER BY b DESC) ORDER BY b OFFSET 3", [4, 5]),
    ],
)  # fmt: skip
def test_whole_queries_work(rows_of, query, expected):
    found = rows_of(query, [(int(n > 2), float(n), None, None, None, n) for n in range(1, 6)])
    assert [row[0] for row in found] == expected


def test_the_columns_of_casts_are_those_of_the_standards_table(table_set: TableSet):
    casts = {
        "SMALLINT": ("short", None, None),
        "INTEGER": ("int", None, None),
        "INT": ("int", None, None),
        "BIGINT": ("long", None, None),
        "REAL": ("float", None, None),
        "DOUBLE PRECISION": ("double", None, None),
        "CHAR(7)": ("char", "7", None),
        "CHARACTER(7)": ("char", "7", None),
        "VARCHAR(7)": ("char", "7*", None),
        "CHARACTER VARYING(7)": ("char", "7*", None),
        "VARCHAR": ("char", "*", None),
        "CHAR": ("char", "*", None),
        "TIMESTAMP": ("char", "*", "timestamp"),
    }
    columns = translate(f"SELECT {', '.join(f'CAST(name AS {type_})' for type_ in casts)} FROM sky.main", table_set).columns
    assert [(column.datatype, column.arraysize, column.xtype) for column in columns] == list(casts.values())


@pytest.mark.parametrize(
    ("item", "unit", "ucd", "description"),
    [
        ("parallax", "mas", "pos.parallax.trig", None),
        ("parallax / parallax", None, None, None),
        ("parallax / mag", "mas.mag**-1", None, None),
        ("parallax * parallax", "mas**2", None, None),
        ("ra * COS(RADIANS(dec))", "deg", None, None),
        ("1000 / parallax", None, None, None),
        ("ra * 3600", None, None, None),
        ("-parallax + 0.03", "mas", None, None),
        ("ra - dec", "deg", None, None),
        ("ra - parallax", None, None, None),
        ("ABS(dec)", "deg", None, None),
        ("ROUND(parallax, 2)", "mas", None, None),
        ("MIN(ra)", "deg", "pos.eq.ra;stat.min", "Minimum of: Right ascension."),
        ("AVG(dec)", "deg", "pos.eq.dec;stat.mean", "Mean of: Declination."),
        ("MAX(parallax) / AVG(parallax)", None, None, None),
        ("COUNT(*)", None, "meta.number", None),
        ("CASE WHEN mag < 9 THEN parallax ELSE 0 END", "mas", "pos.parallax.trig", None),
        ("COALESCE(parallax, ra)", None, None, None),
        ("IN_UNIT(parallax, 'arcsec')", "arcsec", "pos.parallax.trig", None),
        ("CAST(mag AS DOUBLE PRECISION)", "mag", "phot.mag;em.opt", None),
        ("name || 'x'", None, None, None),
    ],
)
def test_an_expression_keeps_what_can_be_told_of_its_unit(table_set: TableSet, item, unit, ucd, description):
    (column,) = translate(f"SELECT {item} AS x FROM sky.main", table_set).columns
    assert (column.unit, column.ucd, column.description) == (unit, ucd, description)


@pytest.mark.parametrize(
    ("unit", "wanted", "factor"),
    [
        ("mas", "deg", 1 / 3.6e6),
        ("mas", " arcsec ", 1e-3),
        ("mas.yr**-1", "deg/yr", 1 / 3.6e6),
        ("mas/yr", "arcsec.yr**-1", 1e-3),
        ("km/s", "m.s**-1", 1000.0),
        ("K", "kK", 1e-3),
        ("d", "yr", 1 / 365.25),
        ("Jy", "mJy", 1000.0),
        ("pc", "kpc", 1e-3),
        ("deg**2", "arcsec**2", 3600.0**2),
        ("mag", "mag", 1.0),
    ],
)
def test_in_unit_multiplies_by_the_factor_of_vounits(unit, wanted, factor):
    table = TapTable("t", "w", None, (TapColumn("x", "double", unit=unit),), permanent="pg_temp")
    translation = translate(f"SELECT IN_UNIT(x, '{wanted}') AS y FROM t.w", TableSet(1, (table,)))
    assert translation.columns[0].unit == wanted.strip()
    literal = re.search(r"CAST\(([-0-9.e+']+) AS double precision\)", translation.statement.as_string(None))
    assert literal is not None and float(literal[1].strip("'")) == pytest.approx(factor, rel=1e-14)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("IN_UNIT(3, 'deg')", "this value has no unit"),
        ("IN_UNIT(flags, 'deg')", "this value has no unit"),
        ("IN_UNIT(ra * 3600, 'deg')", "this value has no unit"),
        ("IN_UNIT(ra, 'kg')", "a value in deg cannot be given in 'kg'"),
        ("IN_UNIT(ra, '')", "this text is empty"),
        ("IN_UNIT(ra, 'furlongs')", "'furlongs' is no unit of VOUnits; write deg, arcsec"),
        ("IN_UNIT(ra, 'dex')", "'dex' is no unit of VOUnits"),
        ("IN_UNIT(ra, 'log(deg)')", "'log(deg)' is no unit of VOUnits"),
        ("IN_UNIT(mag, 'dex')", "'dex' is no unit of VOUnits"),
        ("IN_UNIT(name, 'deg')", "argument 1 of IN_UNIT must be a number, but this is text"),
        ("IN_UNIT(ra, name)", "IN_UNIT takes a number and a unit in quotes"),
        ("IN_UNIT(ra)", "IN_UNIT takes a number and a unit in quotes"),
        ("RAND(1, 2)", "RAND takes 0 or 1 arguments, not 2"),
        ("RAND('a')", "the argument of RAND must be a whole number"),
        ("ROUND(name)", "argument of ROUND must be a number"),
        ("TRUNCATE(ra, 'x')", "argument 2 of TRUNCATE must be a whole number"),
        ("PI(3)", "PI takes 0 arguments, not 1"),
        ("MOD(1)", "MOD takes 2 arguments, not 1"),
        ("LOWER(ra)", "the argument of LOWER must be text, but this is a number"),
        ("SUM(DISTINCT name)", "the argument of SUM must be a number, but this is text"),
        ("COUNT()", "COUNT takes 1 argument, not 0"),
        ("CAST(variable AS REAL)", "a boolean cannot be cast to real"),
        ("CAST(observed AS BIGINT)", "a timestamp cannot be cast to bigint"),
        ("CAST(cov AS VARCHAR)", "an array of numbers cannot be cast to text"),
        ("CAST(name AS CHAR(0))", "CHAR(0) is no length of a text"),
        ("CAST(name AS CHAR(10001))", "CHAR(10001) is no length of a text; use 1 to 10000"),
        ("CAST('2016-13-01' AS TIMESTAMP)", "'2016-13-01' is no timestamp; write YYYY-MM-DD"),
        ("CASE WHEN name LIKE 'a' ESCAPE 'ab' THEN 1 END", "ESCAPE takes one character in quotes"),
        ("CASE WHEN ra THEN 1 END", "expected a condition, but this is a number; compare it"),
        ("ra + observed", "+ goes between numbers, but this is a timestamp"),
        ("STDDEV(ra)", "there is no function STDDEV here; write SQRT(AVG(x * x) - AVG(x) * AVG(x))"),
        ("ln(ra)", "there is no function LN here; write LOG(x), which is the natural logarithm"),
        ("NULLIF(ra, 0)", "'NULLIF' is a reserved word of ADQL, not a function here; write CASE WHEN x = y THEN NULL ELSE x END"),
        ("esdc_epoch_prop_pos(ra, dec)", "write ivo_epoch_prop_pos"),
        ("SQR(ra)", "there is no function SQR here; did you mean SQRT?"),
        ("IVO_HEALPIX(ra)", "did you mean ivo_healpix_index?"),
    ],
)
def test_a_wrong_argument_is_named_with_what_it_should_be(table_set: TableSet, expression, message):
    with pytest.raises(AdqlError, match=re.escape(message)):
        translate(f"SELECT {expression} FROM sky.main", table_set)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("b IN (1, 3, 9223372036854775807)", [1, 3]),
        ("b NOT IN (1, 3)", [2, 4, 5]),
        ("b IN (1, 2.0, 2.5)", [1, 2]),
        ("b IN (-1, 2)", [2]),
        ("b IN (1, NULL)", [1]),
        ("b NOT IN (1, NULL)", []),
        ("b IN (9223372036854775808)", []),
        ("x IN (1, 2)", [1, 2]),
        ("x NOT IN (1.0, 2.5)", [2, 3, 4, 5]),
        ("i IN (1, 99999999999)", [3, 4, 5]),
        ("i + b IN (2, 6)", [2, 5]),
        ("s IN ('a''1', '{b}', '\"2', '\\', ',', 'NULL', '')", [1, 2]),
        ("s NOT IN ('a''1', 'NULL')", [2, 3, 4, 5]),
        ("s IN ('%', 'A''1')", []),
        ("seen IN ('2016-01-01', '2016-01-02T00:00:00')", [1, 2]),
        ("b IN (SELECT b FROM t.v WHERE i = 1)", [3, 4, 5]),
    ],
)
def test_in_means_the_same_for_literals_and_for_any_other_value(evaluate, condition, expected):
    rows = [(int(n > 2), float(n), ["", "a'1", "{b}", "x", "y", "z"][n], f"2016-01-{n:02}T00:00:00Z", None, n) for n in range(1, 6)]
    assert [b for (b,) in evaluate("b", rows, tail=f"WHERE {condition} ORDER BY b")] == expected


def test_a_list_of_identifiers_is_one_literal_however_long_it_is(table_set: TableSet):
    """Fifty thousand casts of their own took seconds to write and to plan."""
    text = f"SELECT ra FROM sky.main WHERE source_id IN ({', '.join(str(10**18 + 7 * n) for n in range(50_000))})"
    statement = translate(text, table_set).statement.as_string(None)
    assert statement.count("'") == 2
    assert len(statement) < len(text) + 200


def test_a_text_without_a_zone_is_utc_whatever_zone_the_server_keeps(upgraded: Database, table_set: TableSet):
    with upgraded.connect(None, autocommit=True) as connection:
        name = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("ALTER DATABASE {} SET timezone = 'Asia/Tokyo'").format(name))
        try:
            with upgraded.connect(Role.TAP_SERVICE) as service:
                found = service.execute("SELECT CAST('2016-01-01' AS timestamptz) = CAST('2016-01-01T00:00:00Z' AS timestamptz)").fetchone()
                assert found == (True,)
        finally:
            connection.execute(sql.SQL("ALTER DATABASE {} RESET timezone").format(name))


def test_what_is_suggested_instead_of_a_function_is_there(table_set: TableSet):
    known = {*FUNCTIONS, *SPECIAL, *GEOMETRY, *UDFS}
    for name, text in SUBSTITUTES.items():
        assert name not in known
        assert {word.upper() for word in re.findall(r"(\w+)\(|\b(?:ivo|gaia|kiel)_\w+", text) if word} <= {*known, "CAST", "ON"}
        assert {word.upper() for word in re.findall(r"\b(?:ivo|gaia|kiel)_\w+", text)} <= known


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(
            st.floats(allow_nan=False, allow_infinity=False), st.integers(-(10**6), 10**6).map(lambda n: n / 8), st.floats(-1e4, 1e4)
        ),
        min_size=1,
        max_size=30,
    ),
    st.integers(-3, 6),
)
def test_numbers_are_rounded_as_they_are_written(rows_of, numbers, places):
    """The oracle is Python's decimal arithmetic on the shortest text of each number."""
    rows = [(None, number, None, None, None, n) for n, number in enumerate(numbers)]
    found = rows_of(
        f"SELECT ROUND(x) AS a, ROUND(x, {places}) AS b, TRUNCATE(x) AS c, TRUNCATE(x, {places}) AS d FROM t.v ORDER BY v.b", rows
    )
    with decimal.localcontext(prec=800):
        for number, (whole, rounded, cut, truncated) in zip(numbers, found, strict=True):
            exact, written, unit = decimal.Decimal(number), decimal.Decimal(repr(number)), decimal.Decimal(1).scaleb(-places)
            assert whole == float(exact.quantize(1, decimal.ROUND_HALF_UP))
            assert rounded == float(written.quantize(unit, decimal.ROUND_HALF_UP))
            assert cut == math.trunc(number)
            assert truncated == float(written.quantize(unit, decimal.ROUND_DOWN))
