"""Names, types and the columns of the result: what is found, and what a wrong query is told."""

import pytest

from catalog.schema.column import ColumnType
from tap_service.adql import AdqlError, AdqlNameError, AdqlTypeError, AdqlUnsupportedError, OutputColumn, translate
from tap_service.table_set import TableSet

# query, kind, line, column, part of the message
WRONG = [
    ("SELECT decc FROM sky.main", AdqlNameError, 1, 8, "did you mean dec?"),
    ("SELECT ra,\n  parralax FROM sky.main", AdqlNameError, 2, 3, "did you mean parallax?"),
    ("SELECT ra FROM sky.mian", AdqlNameError, 1, 16, "did you mean sky.main"),
    ("SELECT ra FROM gaiadr3.main", AdqlNameError, 1, 16, "did you mean sky.main"),
    ("SELECT ra FROM zzzzzzz", AdqlNameError, 1, 16, "TAP_SCHEMA.tables"),
    ("SELECT ra FROM cat.sky.main", AdqlNameError, 1, 16, "there is no table"),
    ("SELECT teff FROM forward", AdqlNameError, 1, 18, "labels.forward or labels_dr4.forward"),
    ('SELECT "RA" FROM sky.main', AdqlNameError, 1, 8, "did you mean ra?"),
    ('SELECT ra FROM "SKY".main', AdqlNameError, 1, 16, "did you mean sky.main"),
    ("SELECT source_id FROM sky.main AS a JOIN labels.forward AS b ON a.source_id = b.source_id", AdqlNameError, 1, 8, "more than once"),
    ("SELECT main.ra FROM sky.main AS m", AdqlNameError, 1, 8, "is called m in this query"),
    ("SELECT n.ra FROM sky.main AS m", AdqlNameError, 1, 8, "there is m"),
    ("SELECT m.decc FROM sky.main AS m", AdqlNameError, 1, 10, "did you mean dec?"),
    ("SELECT n.* FROM sky.main AS m", AdqlNameError, 1, 8, "there is no table n"),
    ("SELECT a.ra FROM sky.main AS a, labels.forward AS A", AdqlNameError, 1, 18, "give one an alias"),
    ("SELECT ra FROM sky.main JOIN labels.forward USING (source_idd)", AdqlNameError, 1, 52, "did you mean source_id?"),
    ("SELECT ra FROM sky.main WHERE teff > 1", AdqlNameError, 1, 31, "there is no column teff"),
    ("SELECT ra AS x FROM sky.main WHERE x > 1", AdqlNameError, 1, 36, "there is no column x"),
    ("SELECT x.ra FROM sky.main, (SELECT main.ra FROM labels.forward) AS x", AdqlNameError, 1, 36, "there is no table main"),
    ("SELECT x.a FROM (SELECT ra AS a, dec AS a FROM sky.main) AS x", AdqlNameError, 1, 10, "more than once"),
    ("SELECT ra AS a, dec AS a FROM sky.main ORDER BY a", AdqlNameError, 1, 49, "order by its number, 1 or 2"),
    ("SELECT ra FROM sky.main ORDER BY 2", AdqlNameError, 1, 34, "numbered 1 to 1"),
    ("SELECT ra FROM sky.main ORDER BY " + "0" * 5000 + "2", AdqlNameError, 1, 34, "numbered 1 to 1"),
    ("SELECT ra FROM sky.main UNION SELECT dec FROM sky.main ORDER BY dec", AdqlNameError, 1, 65, "one of its columns: ra"),
    ("WITH x AS (SELECT ra FROM sky.main), X AS (SELECT ra FROM sky.main) SELECT ra FROM x", AdqlNameError, 1, 38, "defines X twice"),
    ("WITH x AS (SELECT ra FROM y), y AS (SELECT ra FROM sky.main) SELECT ra FROM x", AdqlNameError, 1, 27, "there is no table y"),
    ("SELECT SQRTT(ra) FROM sky.main", AdqlNameError, 1, 8, "did you mean SQRT?"),
    ("SELECT gavo_histogram(ra, 1) FROM sky.main", AdqlNameError, 1, 8, "write ivo_histogram"),
    ("SELECT zzzz(ra, 1) FROM sky.main", AdqlNameError, 1, 8, "Functions are ABS"),
    ("SELECT RAND(5.5) FROM sky.main", AdqlTypeError, 1, 13, "a whole number"),
    ("SELECT name + 1 FROM sky.main", AdqlTypeError, 1, 8, "joined with ||"),
    ("SELECT ra * 'x' FROM sky.main", AdqlTypeError, 1, 13, "* goes between numbers, but this is text"),
    ("SELECT ra || name FROM sky.main", AdqlTypeError, 1, 8, "CAST a number AS VARCHAR"),
    ("SELECT ra % 2 FROM sky.main", AdqlTypeError, 1, 11, "MOD(x, y)"),
    ("SELECT -name FROM sky.main", AdqlTypeError, 1, 9, "must be a number"),
    ("SELECT ra > 3 FROM sky.main", AdqlTypeError, 1, 11, "CASE WHEN"),
    ("SELECT (ra > 3) + 1 FROM sky.main", AdqlTypeError, 1, 12, "CASE WHEN"),
    ("SELECT ra FROM sky.main WHERE dec", AdqlTypeError, 1, 31, "expected a condition, but this is a number"),
    ("SELECT ra FROM sky.main WHERE CONTAINS(POINT(ra, dec), CIRCLE(1, 2, 3))", AdqlTypeError, 1, 31, "expected a condition"),
    ("SELECT ra FROM sky.main WHERE POINT(ra, dec) AND 1 = 1", AdqlTypeError, 1, 31, "but this is a POINT"),
    ("SELECT ra FROM sky.main WHERE ra = '3'", AdqlTypeError, 1, 34, "without quotes"),
    ("SELECT ra FROM sky.main WHERE name > 3", AdqlTypeError, 1, 36, "text cannot be compared with a whole number"),
    ("SELECT ra FROM sky.main WHERE ra IN (1, 'x')", AdqlTypeError, 1, 41, "cannot be compared"),
    ("SELECT ra FROM sky.main WHERE ra IN (SELECT name FROM sky.main)", AdqlTypeError, 1, 31, "cannot be compared"),
    ("SELECT ra FROM sky.main WHERE ra IN (SELECT ra, dec FROM sky.main)", AdqlTypeError, 1, 31, "one column, not 2"),
    ("SELECT ra FROM sky.main WHERE ra LIKE 'x'", AdqlTypeError, 1, 31, "must be text"),
    ("SELECT ra FROM sky.main WHERE variable = 'perhaps'", AdqlTypeError, 1, 42, "'true' or 'false'"),
    ("SELECT ra FROM sky.main WHERE variable > 'true'", AdqlTypeError, 1, 40, "compared with = and <>"),
    ("SELECT ra FROM sky.main WHERE observed > 'yesterday'", AdqlTypeError, 1, 42, "YYYY-MM-DD"),
    ("SELECT SQRT(name) FROM sky.main", AdqlTypeError, 1, 13, "argument of SQRT must be a number, but this is text"),
    ("SELECT SQRT(cov) FROM sky.main", AdqlTypeError, 1, 13, "an array of numbers"),
    ("SELECT ATAN2(ra) FROM sky.main", AdqlTypeError, 1, 8, "takes 2 arguments, not 1"),
    ("SELECT ROUND(ra, 1.5) FROM sky.main", AdqlTypeError, 1, 18, "a whole number"),
    ("SELECT MAX(variable) FROM sky.main", AdqlTypeError, 1, 12, "a number, text or a timestamp"),
    ("SELECT MAX(*) FROM sky.main", AdqlTypeError, 1, 8, "only COUNT takes *"),
    ("SELECT SQRT(DISTINCT ra) FROM sky.main", AdqlTypeError, 1, 8, "DISTINCT goes with COUNT"),
    ("SELECT COALESCE(ra, name) FROM sky.main", AdqlTypeError, 1, 21, "must have one type"),
    ("SELECT CASE WHEN ra > 1 THEN 1 ELSE 'x' END FROM sky.main", AdqlTypeError, 1, 37, "must have one type"),
    ("SELECT CAST(name AS REAL), CAST(observed AS REAL) FROM sky.main", AdqlTypeError, 1, 33, "cannot be cast"),
    ("SELECT CAST(name AS VARCHAR(0)) FROM sky.main", AdqlTypeError, 1, 8, "no length"),
    ("SELECT 1e999 FROM sky.main", AdqlTypeError, 1, 8, "larger than a double"),
    ("SELECT IN_UNIT(flags, 'deg') FROM sky.main", AdqlTypeError, 1, 16, "no unit"),
    ("SELECT IN_UNIT(ra, 'kg') FROM sky.main", AdqlTypeError, 1, 20, "cannot be given in 'kg'"),
    ("SELECT IN_UNIT(ra, 'furlongs per fortnight') FROM sky.main", AdqlTypeError, 1, 20, "no unit of VOUnits"),
    ("SELECT IN_UNIT(ra, name) FROM sky.main", AdqlTypeError, 1, 8, "a unit in quotes"),
    ("SELECT ra FROM sky.main WHERE DISTANCE(ra, dec, 10, 95) < 1", AdqlTypeError, 1, 53, "between -90 and 90"),
    ("SELECT ra FROM sky.main WHERE DISTANCE(ra, dec, 10) < 1", AdqlTypeError, 1, 31, "lon1, lat1, lon2, lat2"),
    ("SELECT ra FROM sky.main WHERE COUNT(*) > 1", AdqlTypeError, 1, 31, "HAVING"),
    ("SELECT ra FROM sky.main JOIN labels.forward ON COUNT(*) > 1", AdqlTypeError, 1, 48, "cannot stand in ON"),
    ("SELECT flags FROM sky.main GROUP BY COUNT(*)", AdqlTypeError, 1, 37, "cannot stand in GROUP BY"),
    ("SELECT AVG(MAX(ra)) FROM sky.main", AdqlTypeError, 1, 12, "cannot stand in another aggregate"),
    ("SELECT ra, COUNT(*) FROM sky.main", AdqlTypeError, 1, 8, "ra must stand in GROUP BY"),
    ("SELECT flags, mag FROM sky.main GROUP BY flags", AdqlTypeError, 1, 15, "mag must stand in GROUP BY"),
    ("SELECT flags FROM sky.main GROUP BY flags HAVING mag > 1", AdqlTypeError, 1, 50, "mag must stand in GROUP BY"),
    ("SELECT flags FROM sky.main GROUP BY flags ORDER BY mag", AdqlTypeError, 1, 52, "mag must stand in GROUP BY"),
    ("SELECT ra FROM sky.main ORDER BY COUNT(*)", AdqlTypeError, 1, 8, "ra must stand in GROUP BY"),
    ("SELECT * FROM sky.main GROUP BY flags", AdqlTypeError, 1, 8, "source_id must stand in GROUP BY"),
    (
        "SELECT flags, (SELECT MAX(teff) FROM labels.forward WHERE logg > mag) FROM sky.main GROUP BY flags",
        AdqlTypeError,
        1,
        66,
        "mag must",
    ),
    ("SELECT (SELECT MAX(ra) FROM labels.forward) FROM sky.main", AdqlUnsupportedError, 1, 16, "query around"),
    ("SELECT ra FROM sky.main WHERE 1 < (SELECT COUNT(ra) FROM labels.forward)", AdqlUnsupportedError, 1, 43, "query around"),
    ("SELECT flags FROM sky.main GROUP BY 1", AdqlTypeError, 1, 37, "not positions"),
    ("SELECT DISTINCT ra FROM sky.main ORDER BY dec", AdqlTypeError, 1, 43, "with DISTINCT"),
    ("SELECT ra FROM sky.main UNION SELECT ra, dec FROM sky.main", AdqlTypeError, 1, 25, "here are 1 and 2"),
    ("SELECT ra FROM sky.main UNION SELECT name FROM sky.main", AdqlTypeError, 1, 25, "in one column"),
    ("SELECT cov FROM sky.main ORDER BY cov", AdqlTypeError, 1, 35, "cannot be ordered by an array"),
    ("SELECT ra, cov FROM sky.main ORDER BY 2", AdqlTypeError, 1, 39, "cannot be ordered by an array"),
    ("SELECT ra FROM sky.main ORDER BY cov", AdqlTypeError, 1, 34, "cannot be ordered by an array"),
    ("SELECT cov FROM sky.main UNION SELECT cov FROM sky.main ORDER BY 1", AdqlTypeError, 1, 66, "cannot be ordered by an array"),
    ("SELECT ra FROM sky.main WHERE cov < cov", AdqlTypeError, 1, 35, "an array of numbers is compared with = and <>"),
    ("SELECT ra FROM sky.main WHERE cov BETWEEN cov AND cov", AdqlTypeError, 1, 31, "BETWEEN goes with"),
    ("WITH x(a, b) AS (SELECT ra FROM sky.main) SELECT a FROM x", AdqlTypeError, 1, 6, "names 2 columns"),
]


@pytest.mark.parametrize(("text", "kind", "line", "column", "hint"), WRONG, ids=[row[0][:60] for row in WRONG])
def test_a_wrong_query_is_told_where_and_why(
    table_set: TableSet, text: str, kind: type[AdqlError], line: int, column: int, hint: str
) -> None:
    with pytest.raises(AdqlError) as caught:
        translate(text, table_set)
    assert hint in caught.value.message, str(caught.value)
    assert (type(caught.value), caught.value.line, caught.value.column) == (kind, line, column), str(caught.value)


def _columns(text: str, table_set: TableSet) -> tuple[OutputColumn, ...]:
    return translate(text, table_set).columns


def test_a_plain_column_keeps_all_that_is_said_of_it(table_set: TableSet) -> None:
    expected = OutputColumn("ra", "double", None, None, "deg", "pos.eq.ra;meta.main", "stc:ra", "Right ascension.", ColumnType.DOUBLE)
    for text in (
        "SELECT RA FROM sky.main",
        "SELECT m.ra FROM sky.main AS m",
        "SELECT x.ra FROM (SELECT ra FROM sky.main) AS x",
        "WITH x AS (SELECT ra FROM sky.main) SELECT ra FROM x",
        "SELECT ra FROM sky.main UNION SELECT mag FROM sky.main",
        "SELECT ra FROM sky.main JOIN labels.forward USING (source_id)",
    ):
        assert _columns(text, table_set) == (expected,), text


def test_a_star_gives_every_column_as_it_is_described(table_set: TableSet) -> None:
    declared = table_set.tables[0].columns
    found = _columns("SELECT * FROM sky.main", table_set)
    keys = ("name", "datatype", "arraysize", "xtype", "unit", "ucd", "utype", "description")
    assert [[getattr(column, key) for key in keys] for column in found] == [[getattr(column, key) for key in keys] for column in declared]


@pytest.mark.parametrize(
    ("items", "names"),
    [
        ("ra, dec", ["ra", "dec"]),
        ("RA, main.Dec, sky.main.ra AS x", ["ra", "dec", "x"]),
        ("ra AS a, dec b", ["a", "b"]),
        ("ra, ra, ra", ["ra", "ra_2", "ra_3"]),
        ("ra, dec AS ra_2, mag AS RA", ["ra", "ra_2", "RA_3"]),
        ("COUNT(*), AVG(ra), AVG(ra + 1)", ["count_all", "avg_ra", "avg_3"]),
        ('MAX("Teff [K]"), 1 + 1, -1', ["max_1", "column_2", "column_3"]),
        ('MIN(main.ra) AS "T [K]"', ["T [K]"]),
    ],
)
def test_columns_have_unique_names_in_the_order_asked_for(table_set: TableSet, items: str, names: list[str]) -> None:
    assert [column.name for column in _columns(f"SELECT {items} FROM sky.main", table_set)] == names


@pytest.mark.parametrize("join", ["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
def test_a_merged_column_is_called_as_it_is_declared(table_set: TableSet, join: str) -> None:
    [column] = _columns(f"SELECT SOURCE_ID FROM labels.forward {join} labels_dr4.forward AS b USING (source_id)", table_set)
    assert column.name == "source_id"


def test_a_long_name_is_shown_as_it_was_given_whatever_the_case_it_is_asked_by(table_set: TableSet) -> None:
    name = "mean_" * 15
    [column] = _columns(f"SELECT x.{name.upper()} FROM (SELECT ra AS {name} FROM sky.main) AS x", table_set)
    assert column.name == name


@pytest.mark.parametrize(
    ("left", "right", "type_"),
    [
        ("NULL", "visits", ColumnType.SMALLINT),
        ("CAST(NULL AS DOUBLE PRECISION)", "visits", ColumnType.DOUBLE),
        ("visits", "CAST(NULL AS REAL)", ColumnType.DOUBLE),
        ("NULL", "NULL", ColumnType.TEXT),
    ],
)
def test_a_null_that_is_cast_has_its_type_in_a_set_operation(table_set: TableSet, left: str, right: str, type_: ColumnType) -> None:
    [column] = _columns(f"SELECT {left} AS x FROM sky.main UNION SELECT {right} FROM sky.main", table_set)
    assert column.type is type_


def test_using_merges_columns_and_a_star_shows_them_once(table_set: TableSet) -> None:
    names = [
        column.name for column in _columns("SELECT * FROM labels.forward JOIN labels_dr4.forward AS b USING (source_id, teff)", table_set)
    ]
    assert names == ["source_id", "teff", "e_teff", "logg", "e_teff_2", "logg_2"]
    names = [column.name for column in _columns("SELECT b.* FROM labels.forward JOIN labels_dr4.forward AS b USING (source_id)", table_set)]
    assert names == ["source_id", "teff", "e_teff", "logg"]


@pytest.mark.parametrize(
    ("item", "type_", "unit", "ucd"),
    [
        ("COUNT(*)", ColumnType.BIGINT, None, "meta.number"),
        ("COUNT(ra)", ColumnType.BIGINT, None, "meta.number"),
        ("AVG(parallax)", ColumnType.DOUBLE, "mas", "pos.parallax.trig;stat.mean"),
        ("AVG(mag)", ColumnType.DOUBLE, "mag", "phot.mag;em.opt;stat.mean"),
        ("MIN(mag)", ColumnType.REAL, "mag", "phot.mag;em.opt;stat.min"),
        ("MAX(ra)", ColumnType.DOUBLE, "deg", "pos.eq.ra;stat.max"),
        ("SUM(visits)", ColumnType.BIGINT, None, "meta.number"),
        ("SUM(mag)", ColumnType.DOUBLE, "mag", "phot.mag;em.opt"),
        ("MIN(name)", ColumnType.TEXT, None, "meta.id;stat.min"),
        ("-MAX(parallax)", ColumnType.DOUBLE, "mas", None),
        ("MAX(parallax) + 0.03", ColumnType.DOUBLE, "mas", None),
        ("MAX(parallax) - MIN(ra)", ColumnType.DOUBLE, None, None),
        ("MAX(ra) * 3600", ColumnType.DOUBLE, None, None),
        ("ROUND(MAX(mag), 2)", ColumnType.DOUBLE, "mag", None),
        ("RADIANS(MAX(ra))", ColumnType.DOUBLE, "rad", None),
        ("ATAN2(1, 2)", ColumnType.DOUBLE, "rad", None),
        ("IN_UNIT(MAX(parallax), 'arcsec')", ColumnType.DOUBLE, "arcsec", "pos.parallax.trig;stat.max"),
        ("DISTANCE(1, 2, 3, 4)", ColumnType.DOUBLE, "deg", "pos.angDistance"),
        ("CONTAINS(POINT(1, 2), CIRCLE(3, 4, 5))", ColumnType.INTEGER, None, None),
        ("COALESCE(MAX(mag), 0)", ColumnType.DOUBLE, "mag", "phot.mag;em.opt;stat.max"),
    ],
)
def test_an_expression_is_described_by_what_it_is_made_of(
    table_set: TableSet, item: str, type_: ColumnType, unit: str | None, ucd: str | None
) -> None:
    [column] = _columns(f"SELECT {item} AS x FROM sky.main", table_set)
    assert (column.type, column.datatype, column.unit, column.ucd) == (type_, type_.votable, unit, ucd)


def test_text_keeps_its_length_and_json_is_text(table_set: TableSet) -> None:
    short, info, cov = _columns("SELECT CAST(ra AS VARCHAR(12)), info, cov FROM sky.main", table_set)
    assert (short.datatype, short.arraysize) == ("char", "12*")
    assert (info.datatype, info.arraysize, info.xtype, info.type) == ("char", "*", "json", ColumnType.TEXT)
    assert (cov.datatype, cov.arraysize, cov.type) == ("float", "3", ColumnType.VECTOR)


ARRAYSIZES = {
    # a column of the result -> its arraysize, which every value must go into
    "one_length": ("SELECT cov AS x FROM sky.main", "3"),
    "null_in_case": ("SELECT CASE WHEN ra > 1 THEN NULL ELSE cov END AS x FROM sky.main", "3"),
    "null_in_coalesce": ("SELECT COALESCE(NULL, cov) AS x FROM sky.main", "3"),
    "null_in_a_union": ("SELECT NULL AS x FROM sky.main UNION SELECT cov FROM sky.main", "3"),
    "null_on_the_right": ("SELECT cov AS x FROM sky.main UNION (SELECT NULL FROM sky.main UNION SELECT NULL FROM sky.main)", "3"),
    "two_lengths_in_case": ("SELECT CASE WHEN ra > 1 THEN CAST('a' AS VARCHAR(2)) ELSE 'longer' END AS x FROM sky.main", "*"),
    "two_lengths_in_a_union": ("SELECT CAST('a' AS VARCHAR(2)) AS x FROM sky.main UNION SELECT 'longer' FROM sky.main", "*"),
    "numbers": ("SELECT COALESCE(ra, 1) AS x FROM sky.main", None),
}


@pytest.mark.parametrize("case", ARRAYSIZES)
def test_the_arraysize_holds_every_value(table_set: TableSet, case: str) -> None:
    text, arraysize = ARRAYSIZES[case]
    assert translate(text, table_set).columns[0].arraysize == arraysize
