"""/sync over HTTP: answers equal SQL, limits announce themselves, and every wrong request gets the same kind of answer."""

import csv
import io
import re
import threading
import time
from typing import Any

import httpx
import numpy as np
import pytest
from astropy.io import votable as astropy_votable
from astropy.io.votable.tree import TableElement

from catalog.database import Role
from tap_service.limits import Limits


def table_of(answer: httpx.Response) -> TableElement:
    assert answer.status_code == 200, answer.text
    return astropy_votable.parse(io.BytesIO(answer.content), verify="exception").get_first_table()


def statuses(document: bytes) -> list[tuple[str, str | None]]:
    parsed = astropy_votable.parse(io.BytesIO(document))
    infos = [*parsed.resources[0].infos, *(info for table in parsed.resources[0].tables for info in table.infos)]
    return [(info.value, info.content) for info in infos if info.name == "QUERY_STATUS"]


def get(service: Any, query: str, **parameters: str | int) -> httpx.Response:
    return httpx.get(f"{service.url}/sync", params={"LANG": "ADQL", "QUERY": query, **parameters}, timeout=60)


# Wrong requests: (method and fields) -> what the message must say. All are answered alike.
CONE = "SELECT source_id FROM gaiadr3.gaia_source"
BAD: dict[str, tuple[list[tuple[str, str]], str]] = {
    "no_query": ([("LANG", "ADQL")], "QUERY is missing"),
    "an_empty_query": ([("QUERY", "  ")], "QUERY is missing"),
    "a_second_query": ([("QUERY", CONE), ("query", CONE)], "QUERY stands more than once"),
    "a_second_maxrec": ([("QUERY", CONE), ("MAXREC", "1"), ("maxrec", "2")], "MAXREC stands more than once"),
    "an_unknown_language": ([("QUERY", CONE), ("LANG", "OOBLECK")], "LANG=OOBLECK is not offered; use one of ADQL, ADQL-2.0, ADQL-2.1"),
    "an_unknown_version": ([("QUERY", CONE), ("LANG", "ADQL-3.0")], "LANG=ADQL-3.0 is not offered"),
    "an_unknown_format": ([("QUERY", CONE), ("RESPONSEFORMAT", "docx")], "RESPONSEFORMAT 'docx' is not offered; choose one of votable"),
    "maxrec_in_words": ([("QUERY", CONE), ("MAXREC", "many")], "MAXREC=many is not a whole number"),
    "a_negative_maxrec": ([("QUERY", CONE), ("MAXREC", "-1")], "MAXREC=-1 is not a whole number"),
    "a_long_run_id": ([("QUERY", CONE), ("RUNID", "x" * 65)], "RUNID has 65 characters"),
    "an_upload": ([("QUERY", CONE), ("UPLOAD", "t,param:t")], "UPLOAD=t,param:t needs a part called 't'"),
    "another_request": ([("QUERY", CONE), ("REQUEST", "getCapabilities")], "REQUEST=getCapabilities is not offered"),
    "no_sql_at_all": ([("QUERY", "nonsense")], r"line 1, column 1\)\n  nonsense\n  \^"),
    "a_typing_error": ([("QUERY", "SELECT *\nFORM gaiadr3.gaia_source")], r"line 2, column 1\)\n  FORM gaiadr3.gaia_source\n  \^"),
    "an_unknown_table": ([("QUERY", "SELECT * FROM gaiadr3.gaia_sourc")], r"did you mean gaiadr3.gaia_source(.|\n)*\n +\^"),
    "an_unknown_column": ([("QUERY", "SELECT parallacks FROM gaiadr3.gaia_source")], r"parallax(.|\n)*line 1, column 8\)\n  SELECT parallacks(.|\n)*\n {9}\^"),
    "the_tables_underneath": ([("QUERY", "SELECT * FROM store.gaia_source")], "there is no table store.gaia_source"),
    "a_second_statement": ([("QUERY", "SELECT 1 FROM tap_schema.tables; DROP TABLE x")], r"line 1, column \d+\)"),
    "a_value_of_several_rows": ([("QUERY", "SELECT TOP 1 (SELECT source_id FROM gaiadr3.gaia_source) AS x FROM tap_schema.tables")], "cannot be computed.*more than one row"),
    "a_join_that_postgresql_has_not": (
        [("QUERY", "SELECT a.ra FROM gaiadr3.gaia_source AS a FULL JOIN gaiadr3.gaia_source AS b ON a.ra < b.ra")], "cannot run this query.*FULL JOIN",
    ),
    "a_division_by_zero": ([("QUERY", "SELECT 1 / (table_index - table_index) AS x FROM tap_schema.tables")], "cannot be computed.*division by zero"),
}  # fmt: skip


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("case", BAD)
def test_a_wrong_request_is_told_what_is_wrong(service: Any, case: str, method: str) -> None:
    fields, said = BAD[case]
    body = {"params": httpx.QueryParams(fields)} if method == "GET" else {"content": str(httpx.QueryParams(fields)), "headers": FORM}
    answer = httpx.request(method, f"{service.url}/sync", **body)  # type: ignore[arg-type]
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/x-votable+xml"
    assert '<INFO name="QUERY_STATUS" value="ERROR">' in answer.text
    [(status, message)] = statuses(answer.content)
    assert status == "ERROR"
    assert re.search(said, str(message)), message


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_a_body_too_long_is_refused(service: Any) -> None:
    answer = httpx.post(f"{service.url}/sync", data={"QUERY": "x" * (Limits().request_bytes + 1)})
    assert answer.status_code == 413
    assert "longer than" in answer.text


@pytest.mark.parametrize("kind", ["application/json", "text/plain", ""])
def test_a_body_of_another_type_is_told_not_passed_over(service: Any, kind: str) -> None:
    answer = httpx.post(f"{service.url}/sync", content=b'{"QUERY": "SELECT 1"}', headers={"Content-Type": kind} if kind else {})
    assert answer.status_code == 400
    assert f"A body of the type '{kind}' is not read" in answer.text
    empty = httpx.post(
        f"{service.url}/sync", params={"QUERY": "SELECT TOP 1 ra FROM gaiadr3.gaia_source"}, headers={"Content-Type": kind} if kind else {}
    )
    assert empty.status_code == 200, "a POST whose parameters are in its address has no body"


@pytest.mark.parametrize("form", ["urlencoded", "multipart"])
def test_a_list_of_fifty_thousand_identifiers_is_answered(service: Any, form: str) -> None:
    with service.database.connect(Role.TAP_READER) as connection:
        real = [row[0] for row in connection.execute("SELECT source_id FROM gaiadr3.gaia_source ORDER BY source_id LIMIT 100")]
    identifiers = ", ".join(map(str, (*real, *range(4 * 10**18, 4 * 10**18 + 50_000))))
    fields = {"QUERY": f"SELECT COUNT(*) AS n FROM gaiadr3.gaia_source WHERE source_id IN ({identifiers})", "FORMAT": "csv"}
    body = {"data": fields} if form == "urlencoded" else {"files": {name: (None, value) for name, value in fields.items()}}
    answer = httpx.post(f"{service.url}/sync", timeout=60, **body)  # type: ignore[arg-type]
    assert (answer.status_code, answer.text) == (200, "n\n100\n"), answer.text[:300]


def test_a_broken_multipart_body_is_the_clients_fault(service: Any) -> None:
    answer = httpx.post(f"{service.url}/sync", content=b"nothing of the kind", headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert answer.status_code == 400
    assert statuses(answer.content)[0][0] == "ERROR"


@pytest.mark.parametrize(("charset", "value"), [("undefined", b"\xff"), ("unicode_escape", b"\\ud800"), ("base64", b"ADQL-9")])
def test_a_strange_character_set_is_the_clients_fault(service: Any, charset: str, value: bytes) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="LANG"\r\n\r\n' + value + b"\r\n--x--\r\n"
    answer = httpx.post(
        f"{service.url}/sync", content=body, headers={"Content-Type": f"multipart/form-data; charset={charset}; boundary=x"}
    )
    assert answer.status_code == 400
    assert statuses(answer.content)[0][0] == "ERROR"


# Queries and the SQL that must give the same rows; views are named by their plain names.
SAME = {
    "all_columns_of_some_rows": (
        "SELECT TOP 7 source_id, ra, dec, phot_g_mean_mag FROM gaiadr3.gaia_source ORDER BY source_id",
        "SELECT source_id, ra, dec, phot_g_mean_mag FROM gaiadr3.gaia_source ORDER BY source_id LIMIT 7",
    ),
    "an_aggregate": (
        "SELECT COUNT(*) AS n, MIN(ra) AS first_ra FROM gaiadr3.gaia_source WHERE phot_g_mean_mag < 12",
        "SELECT count(*), min(ra) FROM gaiadr3.gaia_source WHERE phot_g_mean_mag < 12",
    ),
    "a_cone": (
        "SELECT source_id, ra FROM gaiadr3.gaia_source WHERE DISTANCE(ra, dec, 45, 10) < 1 ORDER BY source_id",
        "SELECT source_id, ra FROM gaiadr3.gaia_source WHERE "
        "degrees(acos(least(1, sin(radians(dec)) * sin(radians(10)) + cos(radians(dec)) * cos(radians(10)) * cos(radians(ra - 45))))) < 1 ORDER BY source_id",
    ),
    "a_join": (
        "SELECT c.column_name, t.table_name FROM tap_schema.columns AS c JOIN tap_schema.tables AS t ON t.table_name = c.table_name "
        "WHERE t.schema_name = 'tap_schema' ORDER BY t.table_name, c.column_index",
        "SELECT c.column_name, t.table_name FROM tap_schema.columns AS c JOIN tap_schema.tables AS t ON t.table_name = c.table_name "
        "WHERE t.schema_name = 'tap_schema' ORDER BY t.table_name, c.column_index",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SAME)
def test_answers_equal_sql(service: Any, case: str) -> None:
    adql, query = SAME[case]
    with service.database.connect(Role.TAP_READER) as connection:
        expected = connection.execute(query).fetchall()
    assert expected
    table = table_of(get(service, adql))
    rows = [tuple(None if masked else value for value, masked in zip(row, row.mask, strict=True)) for row in table.array]
    # A real of PostgreSQL arrives in psycopg as its shortest decimal number.
    assert [tuple(float(str(cell)) if isinstance(cell, np.float32) else cell for cell in row) for row in rows] == expected
    lines = list(csv.reader(io.StringIO(get(service, adql, FORMAT="csv").text)))
    assert lines[0] == [field.name for field in table.fields]
    assert [[float(cell) if cell and cell[0].isdigit() else cell for cell in line] for line in lines[1:]] == [
        [float(cell) if isinstance(cell, int | float) else cell or "" for cell in row] for row in expected
    ]


FORMATS = {
    "": "application/x-votable+xml",
    "votable/td": "application/x-votable+xml;serialization=TABLEDATA",
    "text/xml": "text/xml",
    "application/x-votable+xml": "application/x-votable+xml",
    "csv": "text/csv;header=present",
    "text/tab-separated-values": "text/tab-separated-values",
}


@pytest.mark.parametrize("name", FORMATS)
def test_the_answer_has_the_type_that_was_asked_for(service: Any, name: str) -> None:
    answer = get(service, "SELECT TOP 2 table_name FROM tap_schema.tables", **({"RESPONSEFORMAT": name} if name else {}))
    assert answer.headers["content-type"].startswith(FORMATS[name])
    assert answer.text.count("gaiadr3.gaia_source") == (1 if "xml" not in FORMATS[name] or "TABLEDATA" in answer.text else 0)


def test_names_of_parameters_have_no_case_and_unknown_ones_are_ignored(service: Any) -> None:
    fields = {
        "request": "doQuery",
        "lang": "ADQL-2.0",
        "qUeRy": "SELECT TOP 1 table_name FROM tap_schema.tables",
        "DUMMY": "ignore-me",
        "PHASE": "RUN",
    }
    for answer in (
        httpx.get(f"{service.url}/sync", params=fields),
        httpx.post(f"{service.url}/sync", data=fields),
        httpx.post(f"{service.url}/sync", files={name: (None, value) for name, value in fields.items()}),
    ):
        assert len(table_of(answer).array) == 1


CUTS = {
    # MAXREC, TOP -> rows, and whether the answer says that rows were cut
    "maxrec_below_the_rows": (10, "", 10, True),
    "maxrec_of_all_rows": (4000, "", 4000, False),
    "maxrec_above_the_rows": (5000, "", 4000, False),
    "top_alone_cuts_nothing": (None, "TOP 5", 5, False),
    "top_below_maxrec": (10, "TOP 5", 5, False),
    "top_equal_to_maxrec": (5, "TOP 5", 5, False),
    "maxrec_below_top": (4, "TOP 5", 4, True),
    "maxrec_zero_asks_for_the_columns": (0, "", 0, True),
}


@pytest.mark.parametrize("case", CUTS)
def test_a_limit_announces_itself_only_if_rows_were_cut(service: Any, case: str) -> None:
    maxrec, top, rows, cut = CUTS[case]
    answer = get(service, f"SELECT {top} source_id FROM gaiadr3.gaia_source", **({} if maxrec is None else {"MAXREC": maxrec}))
    table = table_of(answer)
    assert len(table.array) == rows
    assert [status for status, _ in statuses(answer.content)] == (["OK", "OVERFLOW"] if cut else ["OK"])
    assert table.fields[0].ucd == "meta.id;meta.main"
    if maxrec is not None:
        assert answer.headers["kiel-row-limit"] == str(maxrec)


def test_the_services_own_limits_announce_themselves_too(serve: Any, stars: Any) -> None:
    with serve(stars, Limits(default_rows=20, hard_rows=30)) as service:
        for maxrec, rows in ((None, 20), (25, 25), (1000, 30)):
            answer = get(service, CONE, **({} if maxrec is None else {"MAXREC": maxrec}))
            assert len(table_of(answer).array) == rows
            assert statuses(answer.content)[-1][0] == "OVERFLOW"


@pytest.mark.parametrize(("maxrec", "rows"), [("9" * 5000, 20), ("0" * 5000 + "7", 7), (" 7 ", 7), ("", 20), (str(2**63), 20)])
def test_maxrec_of_any_length_is_a_number(serve: Any, stars: Any, maxrec: str, rows: int) -> None:
    with serve(stars, Limits(default_rows=20, hard_rows=20)) as service:
        assert len(table_of(get(service, CONE, MAXREC=maxrec)).array) == rows


def test_maxrec_zero_runs_nothing(service: Any) -> None:
    answer = get(service, SLOW, MAXREC=0)
    assert answer.elapsed.total_seconds() < 2
    assert statuses(answer.content)[-1][0] == "OVERFLOW"


SLOW = "SELECT COUNT(*) AS n FROM gaiadr3.gaia_source AS a, gaiadr3.gaia_source AS b, gaiadr3.gaia_source AS c WHERE a.ra + b.ra + c.ra < 0"


def test_the_time_limit_says_its_name(serve: Any, stars: Any) -> None:
    with serve(stars, Limits(seconds=0.3)) as service:
        answer = get(service, SLOW)
    assert answer.status_code == 400
    assert "time limit of 0.3 s" in str(statuses(answer.content)[0][1])


LATE = "SELECT a.source_id, 1 / (a.source_id - {}) AS x FROM gaiadr3.gaia_source AS a"


def late_division(service: Any) -> str:
    """A query whose last row, in the order that the table is read, divides by zero."""
    with service.database.connect(Role.TAP_READER) as connection:
        row = connection.execute("SELECT source_id FROM gaiadr3.gaia_source OFFSET 3999").fetchone()
    assert row is not None
    return LATE.format(row[0])


def test_a_query_that_breaks_on_its_way_ends_its_document_with_the_reason(serve: Any, stars: Any) -> None:
    with serve(stars, Limits(block_rows=500)) as service:
        answer = get(service, late_division(service))
        assert answer.status_code == 200
        assert len(astropy_votable.parse(io.BytesIO(answer.content)).get_first_table().array) == 3500
        assert [status for status, _ in statuses(answer.content)] == ["OK", "ERROR"]
        assert "division by zero" in str(statuses(answer.content)[1][1])


def test_a_csv_that_breaks_on_its_way_never_looks_whole(serve: Any, stars: Any) -> None:
    with serve(stars, Limits(block_rows=500)) as service, pytest.raises(httpx.RemoteProtocolError):
        get(service, late_division(service), FORMAT="csv")


def test_a_full_service_asks_to_come_back(serve: Any, stars: Any) -> None:
    with serve(stars, Limits(concurrent_queries=1, wait_seconds=0.2, seconds=2)) as service, httpx.Client(timeout=30) as client:
        taken = threading.Thread(target=lambda: client.get(f"{service.url}/sync", params={"QUERY": SLOW}))
        taken.start()
        try:
            time.sleep(0.5)
            answer = get(service, "SELECT TOP 1 table_name FROM tap_schema.tables")
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "5"
            assert statuses(answer.content)[0][0] == "ERROR"
        finally:
            taken.join()
        assert len(table_of(get(service, "SELECT TOP 1 table_name FROM tap_schema.tables")).array) == 1
