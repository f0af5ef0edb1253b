"""Tables that come with a query, over HTTP: they are read and joined like any other, and are gone afterwards."""

import gzip
from typing import Any

import httpx
import pytest
from astropy.table import Table

from catalog.database import Database, Role
from tap_service.connections import Connections
from tap_service.execute import RunningQuery
from tap_service.limits import Limits
from tap_service.publication_tables import TableCache
from tap_service.uploads.upload import Upload
from tests.tap_service.uploads.votable_answer import read
from tests.tap_service.uploads.votable_writer import Column, document

NUMBERS = [Column("a", "int"), Column("b c", "char", "*")]
ROWS = [[1, "one"], [None, "two"]]


def asked(service: Any, query: str, table: bytes, upload: str = "t1,param:x", **more: Any) -> httpx.Response:
    form = {"QUERY": query, "LANG": "ADQL", "UPLOAD": upload, "FORMAT": "csv", **more}
    return httpx.post(f"{service.url}/sync", data=form, files={"x": ("x.xml", table)}, timeout=60)


# Queries on a table of a (1, null) and "b c" (one, two), and their answers as CSV.
QUERIES = {
    "all_of_it": ("SELECT * FROM TAP_UPLOAD.t1", 'a,b c\n1,"one"\n,"two"\n'),
    "in_any_case": ('SELECT A FROM tap_upload.T1 WHERE "b c" = \'one\'', "a\n1\n"),
    "without_its_schema": ("SELECT a FROM t1 WHERE a > 0", "a\n1\n"),
    "under_an_alias": ('SELECT u."b c" AS name FROM TAP_UPLOAD.t1 AS u ORDER BY name DESC', 'name\n"two"\n"one"\n'),
    "in_a_subquery": ("SELECT n FROM (SELECT COUNT(*) AS n FROM TAP_UPLOAD.t1) AS s", "n\n2\n"),
    "beside_itself": ("SELECT COUNT(*) AS n FROM TAP_UPLOAD.t1 AS x, TAP_UPLOAD.t1 AS y", "n\n4\n"),
    "with_another_table": ("SELECT t.schema_name FROM tap_schema.schemas AS t JOIN TAP_UPLOAD.t1 AS u ON u.a = 1 WHERE t.schema_name = 'tap_schema'", 'schema_name\n"tap_schema"\n'),
    "not_at_all": ("SELECT COUNT(*) AS n FROM tap_schema.tables WHERE table_name = 'tap_schema.tables'", "n\n1\n"),
    "not_in_tap_schema": ("SELECT COUNT(*) AS n FROM tap_schema.tables WHERE schema_name = 'tap_upload'", "n\n0\n"),
}  # fmt: skip


@pytest.mark.parametrize("case", QUERIES)
def test_an_upload_is_queried_as_any_table(service: Any, case: str) -> None:
    query, answer = QUERIES[case]
    found = asked(service, query, document(NUMBERS, ROWS))
    assert (found.status_code, found.text) == (200, answer)


def test_columns_only_are_asked_for_with_an_upload(service: Any) -> None:
    answer = asked(service, "SELECT * FROM TAP_UPLOAD.t1", document(NUMBERS, ROWS), MAXREC="0", FORMAT="votable")
    columns, rows = read(answer.content)
    assert ([column.name for column in columns], rows) == (["a", "b c"], [])
    assert 'value="OVERFLOW"' in answer.text


def test_several_tables_come_in_one_value_or_in_several(service: Any) -> None:
    tables = {name: (name, document([Column("n", "int")], [[number]])) for number, name in enumerate(("p", "q", "r", "unused"))}
    query = "SELECT t1.n AS p, t2.n AS q, t3.n AS r FROM TAP_UPLOAD.t1, TAP_UPLOAD.t2, TAP_UPLOAD.t3"
    form = {"QUERY": query, "FORMAT": "csv", "UPLOAD": ["t1,param:p;t2,param:q", "t3,param:r"]}
    answer = httpx.post(f"{service.url}/sync", data=form, files=tables, timeout=60)
    assert (answer.status_code, answer.text) == (200, "p,q,r\n0,1,2\n")


def test_what_a_field_says_is_kept_for_select(service: Any) -> None:
    more = {"unit": "mas/yr", "ucd": "pos.pm;pos.eq.ra", "utype": "my:pm"}
    field = '<FIELD name="pm" datatype="double" unit="mas/yr" ucd="pos.pm;pos.eq.ra" utype="my:pm"><DESCRIPTION>How it\nmoves &amp; where</DESCRIPTION></FIELD>'
    table = document([Column("pm", "double")], [[1.5]]).replace(b'<FIELD name="pm" datatype="double"/>', field.encode())
    columns, _ = read(asked(service, "SELECT * FROM TAP_UPLOAD.t1", table, FORMAT="votable").content)
    assert {name: columns[0].more.get(name) for name in (*more, "description")} == {**more, "description": "How it\nmoves & where"}


NAMES = [
    "source_id",
    "RA",
    "ra",
    "Ra",
    "e (mag)",
    'a "quoted" one',
    "select",
    "ctid",
    "123",
    "größe",
    "c1",
    "x" * 100,
    "x" * 99 + "y",
    "2 RA",
]


def test_any_names_of_columns_come_back_as_they_are(service: Any) -> None:
    table = document([Column(name, "int") for name in NAMES], [list(range(len(NAMES)))])
    columns, rows = read(asked(service, "SELECT * FROM TAP_UPLOAD.t1", table, FORMAT="votable").content)
    assert ([column.name for column in columns], rows) == (NAMES, [list(range(len(NAMES)))])
    for number, name in enumerate(NAMES):
        delimited = name.replace('"', '""')
        query = f'SELECT "{delimited}" AS back FROM (SELECT * FROM TAP_UPLOAD.t1) AS t'
        assert asked(service, query, table).text == f"back\n{number}\n", name


def test_two_columns_of_one_name_are_told_apart_by_select_only(service: Any) -> None:
    table = document([Column("x", "int"), Column("x", "int")], [[1, 2]])
    assert asked(service, "SELECT * FROM TAP_UPLOAD.t1", table).text == "x,x_2\n1,2\n"
    assert "more than once" in asked(service, "SELECT x FROM TAP_UPLOAD.t1", table).text


@pytest.mark.parametrize("serialization", ["TABLEDATA", "BINARY", "BINARY2"])
def test_rows_keep_their_order_over_many_blocks(service: Any, serialization: str) -> None:
    # Long and short rows in turn, which a table with holes would put into other places.
    rows = [[number, "x" * (number * 7919 % 3000 if number % 3 else 1)] for number in range(12_000)]
    table = document([Column("n", "int"), Column("t", "char", "*")], rows, serialization)
    answer = asked(service, "SELECT n FROM TAP_UPLOAD.t1", table)
    assert answer.text.split() == ["n", *map(str, range(12_000))]


def test_a_gzipped_table_is_read(service: Any) -> None:
    assert asked(service, "SELECT a FROM TAP_UPLOAD.t1", gzip.compress(document(NUMBERS, ROWS))).text == "a\n1\n\n"


SMALL_TYPES = [
    Column("x", "double", "1"),
    Column("n", "short", "1"),
    Column("u", "unsignedByte"),
    Column("b", "bit"),
    Column("o", "boolean"),
]


def test_small_types_compute_as_numbers(service: Any) -> None:
    table = document(SMALL_TYPES, [[2.5, 7, 200, 1, True], [1.5, -7, 100, 0, False]])
    query = "SELECT x * 2 AS x, n + 1 AS n, u + u AS u, -u AS m, b + b AS b, SUM(u) AS s FROM TAP_UPLOAD.t1 WHERE o = 'true' AND u > 150 GROUP BY x, n, u, b"
    assert asked(service, query, table).text == "x,n,u,m,b,s\n5,8,400,-200,2,200\n"
    both = "SELECT u FROM TAP_UPLOAD.t1 UNION ALL SELECT n FROM TAP_UPLOAD.t1"
    columns, rows = read(asked(service, both, table, FORMAT="votable").content)
    every, _ = read(asked(service, "SELECT * FROM TAP_UPLOAD.t1", table, FORMAT="votable").content)
    assert [column.arraysize for column in every] == [None] * 5, "arraysize 1 is how older tools write a scalar"
    assert asked(service, "SELECT COALESCE(n, 0) AS n FROM TAP_UPLOAD.t1 ORDER BY n", table).text == "n\n-7\n7\n"
    assert (columns[0].datatype, sorted(row[0] for row in rows)) == ("short", [-7, 7, 100, 200])


def test_a_char_column_with_other_characters_becomes_unicode(service: Any) -> None:
    table = document([Column("t", "char", "3"), Column("s", "char", "3")], [["äöü", "abc"]])
    for query in ("SELECT * FROM TAP_UPLOAD.t1", "SELECT LOWER(t) AS t, s FROM TAP_UPLOAD.t1", "SELECT COALESCE(s, t) AS s, MAX(t) AS t FROM TAP_UPLOAD.t1 GROUP BY s, t",
                  "SELECT s, t FROM TAP_UPLOAD.t1 UNION SELECT t, s FROM TAP_UPLOAD.t1"):  # fmt: skip
        columns, rows = read(asked(service, query, table, FORMAT="votable").content)
        assert next(column for column in columns if column.name == "t").datatype == "unicodeChar"
        assert "äöü" in [cell for row in rows for cell in row], query


@pytest.mark.parametrize(("arraysize", "text"), [(None, "two"), ("3", "seven"), ("3*", "seven"), ("2", "\U0001f31f\U0001f31f")])
def test_a_text_longer_than_its_arraysize_is_kept_whole(service: Any, arraysize: str | None, text: str) -> None:
    table = document([Column("t", "unicodeChar", arraysize)], [[text]])
    columns, rows = read(asked(service, "SELECT * FROM TAP_UPLOAD.t1", table, FORMAT="votable").content)
    assert (columns[0].arraysize, rows) == ("*", [[text]])


@pytest.mark.parametrize(
    ("arraysize", "given", "back"),
    [
        ("*", "2020-02-29", "2020-02-29T00:00:00.000000"),
        ("*", "2020-02-29T01:02:03Z", "2020-02-29T01:02:03.000000"),
        ("*", "2020-02-29 01:02:03.1234560", "2020-02-29T01:02:03.123456"),
        ("10", "2020-02-29", "2020-02-29"),
        ("19", "2020-02-29T01:02:03", "2020-02-29T01:02:03"),
        ("20", "2020-02-29T01:02:03Z", "2020-02-29T01:02:03"),
        ("23*", "2020-02-29T01:02:03.25", "2020-02-29T01:02:03.250"),
    ],
)
def test_times_come_back_without_zone_within_their_arraysize(service: Any, arraysize: str, given: str, back: str) -> None:
    table = document([Column("t", "char", arraysize, "timestamp")], [[given], [None]])
    columns, rows = read(asked(service, "SELECT * FROM TAP_UPLOAD.t1", table, FORMAT="votable").content)
    assert (columns[0].arraysize, columns[0].xtype, rows) == (arraysize, "timestamp", [[back], [None]])
    assert asked(service, "SELECT COUNT(*) AS n FROM TAP_UPLOAD.t1 WHERE t >= '2020-02-29' AND t < '2020-03-01'", table).text == "n\n1\n"


GEOMETRY = {
    "point": (Column("g", "double", "2", "point"), [45.0, 10.0]),
    "circle": (Column("g", "double", "3", "circle"), [45.0, 10.0, 0.5]),
    "polygon": (Column("g", "double", "*", "polygon"), [44.0, 9.0, 46.0, 9.0, 45.0, 11.0]),
}


@pytest.mark.parametrize("case", GEOMETRY)
def test_places_are_places_in_queries(service: Any, case: str) -> None:
    column, place = GEOMETRY[case]
    table = document([column], [[place], [None]])
    columns, rows = read(asked(service, "SELECT * FROM TAP_UPLOAD.t1", table, FORMAT="votable").content)
    assert ((columns[0].arraysize, columns[0].xtype), rows[0]) == ((column.arraysize, column.xtype), [place])
    assert asked(service, "SELECT INTERSECTS(CIRCLE(45, 10, 1), g) AS near FROM TAP_UPLOAD.t1", table).text == "near\n1\n\n"


def test_unknown_xtypes_are_kept_and_read_as_plain_values(service: Any) -> None:
    table = document(
        [Column("a", "char", "*", "my:thing"), Column("b", "double", "2", "interval"), Column("c", "long", None, "x:y")],
        [["what", [1.0, 2.0], 3]],
    )
    columns, rows = read(asked(service, "SELECT * FROM TAP_UPLOAD.t1", table, FORMAT="votable").content)
    assert ([column.xtype for column in columns], rows) == (["my:thing", "interval", "x:y"], [["what", [1.0, 2.0], 3]])


# -- the catalogue's tables


def test_a_list_of_identifiers_finds_its_rows_and_tells_what_is_missing(service: Any) -> None:
    with service.database.connect(Role.TAP_READER) as connection:
        known = [row[0] for row in connection.execute("SELECT source_id FROM gaiadr3.gaia_source ORDER BY source_id LIMIT 3")]
    table = document([Column("source_id", "long")], [[known[1]], [5], [known[0]]])
    query = (
        "SELECT u.source_id, g.source_id AS known FROM TAP_UPLOAD.t1 AS u LEFT JOIN gaiadr3.gaia_source AS g ON g.source_id = u.source_id"
    )
    answer = asked(service, query, table)
    assert sorted(answer.text.split()[1:]) == sorted([f"{known[1]},{known[1]}", "5,", f"{known[0]},{known[0]}"])


def test_pyvo_uploads_an_astropy_table(service: Any) -> None:
    import pyvo

    table = Table({"source_id": [1, 2, 3], "x": [0.5, 1.5, 2.5], "s": ["a", "bb", "ccc"]})
    query = "SELECT t.x, t.source_id, t.s FROM TAP_UPLOAD.mine AS t WHERE t.x > 1"
    found = pyvo.dal.TAPService(service.url).search(query, uploads={"mine": table}).to_table()
    assert (list(found["source_id"]), list(found["s"])) == ([2, 3], ["bb", "ccc"])


# -- underneath


@pytest.fixture
def any_connections(any_database: Database) -> Any:
    kept = Connections(any_database, keep=2)
    yield kept
    kept.close()


def test_a_query_only_reads_its_uploads_and_leaves_none(any_connections: Connections, tmp_path: Any) -> None:
    path = tmp_path / "t1"
    path.write_bytes(document(NUMBERS, ROWS))
    query = RunningQuery(any_connections, TableCache(), Limits())
    query.start("SELECT a FROM TAP_UPLOAD.t1", "2.1", None, (Upload("t1", path),))
    connection = query._connection
    assert connection is not None
    assert connection.execute("SELECT current_user, current_setting('transaction_read_only')").fetchone() == ("tap_reader", "on")
    for statement in ("INSERT INTO pg_temp.t1 (a) VALUES (3)", "CREATE TEMPORARY TABLE t2 (x int)", "DROP TABLE pg_temp.t1"):
        connection.execute("SAVEPOINT here")
        with pytest.raises(Exception, match=r"permission denied|read-only|must be owner"):
            connection.execute(statement)  # type: ignore[arg-type]
        connection.execute("ROLLBACK TO SAVEPOINT here")
    assert sum(len(block) for block in query.blocks()) == 2
    query.close()
    assert not connection.closed
    assert connection.execute("SELECT count(*) FROM pg_class WHERE relpersistence = 't'").fetchone() == (0,)


def test_two_queries_have_tables_of_one_name(service: Any) -> None:
    for number in (1, 2):
        assert asked(service, "SELECT n FROM TAP_UPLOAD.t1", document([Column("n", "int")], [[number]])).text == f"n\n{number}\n"
