"""What any HTTP client may send, by the rules' numbers: A1 resources, A2 parameters, A4 /sync, A6 documents, A8 VOSI, and the traffic of browsers."""

import csv
import gzip
import io
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import httpx
import numpy as np
import pytest
from astropy.io import votable
from astropy.io.votable.tree import VOTableFile

ONE = "SELECT TOP 1 source_id FROM gaiadr3.gaia_source"
XSI = "{http://www.w3.org/2001/XMLSchema-instance}"


def document(answer: httpx.Response) -> VOTableFile:
    return votable.parse(io.BytesIO(answer.content), verify="exception")


def status_of(answer: httpx.Response) -> list[tuple[str, str]]:
    """Value and text of each QUERY_STATUS, in the order of the document."""
    root = ET.fromstring(answer.content)
    return [
        (info.get("value", ""), info.text or "")
        for info in root.iter("{http://www.ivoa.net/xml/VOTable/v1.3}INFO")
        if info.get("name") == "QUERY_STATUS"
    ]


def fields(*pairs: tuple[str, str]) -> list[tuple[str, str]]:
    return list(pairs)


@dataclass(frozen=True)
class Case:
    """A request at /sync: its pairs, and what the answer must be."""

    pairs: list[tuple[str, str]]
    status: int = 200
    type: str = ""
    """How Content-Type begins."""
    says: str = ""
    """What the body holds."""
    also: dict[str, str] = field(default_factory=dict)
    """Headers of the request."""


VOTABLE = "application/x-votable+xml"
SYNC = {
    "A2.1 names in lower case": Case(fields(("lang", "ADQL"), ("query", ONE), ("format", "csv")), type="text/csv"),
    "A2.1 names in mixed case": Case(fields(("Lang", "ADQL"), ("qUERY", ONE), ("ResponseFormat", "csv")), type="text/csv"),
    "A2.2 a parameter that nobody knows": Case(fields(("QUERY", ONE), ("DUMMY", "ignore-me"), ("DUMMY", "twice"))),
    "A2.2 what astroquery adds": Case(fields(("QUERY", ONE), ("REQUEST", "doQuery"), ("tapclient", "aqtappy"), ("PHASE", "RUN"), ("jobname", "x"))),
    "A2.2 the version that TAP 1.0 clients send": Case(fields(("QUERY", ONE), ("REQUEST", "doQuery"), ("VERSION", "1.0"))),
    "A2.3 QUERY twice": Case(fields(("QUERY", ONE), ("QUERY", ONE)), 400, VOTABLE, "QUERY stands more than once"),
    "A2.3 LANG twice": Case(fields(("QUERY", ONE), ("LANG", "ADQL"), ("lang", "ADQL")), 400, VOTABLE, "LANG stands more than once"),
    "A2.3 MAXREC twice": Case(fields(("QUERY", ONE), ("MAXREC", "1"), ("MAXREC", "2")), 400, VOTABLE, "MAXREC stands more than once"),
    "A2.3 RESPONSEFORMAT twice": Case(fields(("QUERY", ONE), ("RESPONSEFORMAT", "csv"), ("RESPONSEFORMAT", "tsv")), 400, VOTABLE, "more than once"),
    "A2.3 RUNID twice": Case(fields(("QUERY", ONE), ("RUNID", "a"), ("RUNID", "b")), 400, VOTABLE, "RUNID stands more than once"),
    "A2.3 FORMAT twice alike, as astroquery sends it with a table": Case(fields(("FORMAT", "csv"), ("QUERY", ONE), ("format", "votable")), type="text/csv"),
    "A2.4 LANG=ADQL": Case(fields(("QUERY", ONE), ("LANG", "ADQL"))),
    "A2.4 LANG=ADQL-2.0": Case(fields(("QUERY", ONE), ("LANG", "ADQL-2.0"))),
    "A2.4 LANG=ADQL-2.1": Case(fields(("QUERY", ONE), ("LANG", "ADQL-2.1"))),
    "A2.4 no LANG": Case(fields(("QUERY", ONE))),
    "A2.4 another language": Case(fields(("QUERY", ONE), ("LANG", "PQL")), 400, VOTABLE, "LANG=PQL is not offered"),
    "A2.4 another version": Case(fields(("QUERY", ONE), ("LANG", "ADQL-1.0")), 400, VOTABLE, "LANG=ADQL-1.0 is not offered"),
    "A2.5 no QUERY": Case(fields(("LANG", "ADQL")), 400, VOTABLE, "QUERY is missing"),
    "A2.6 RESPONSEFORMAT before FORMAT": Case(fields(("QUERY", ONE), ("FORMAT", "tsv"), ("RESPONSEFORMAT", "csv")), type="text/csv"),
    "A2.6 a format that nobody knows": Case(fields(("QUERY", ONE), ("FORMAT", "docx")), 400, VOTABLE, "docx"),
    "A2.6 an empty format": Case(fields(("QUERY", ONE), ("FORMAT", "")), type=VOTABLE),
    "A2.7 votable": Case(fields(("QUERY", ONE), ("FORMAT", "votable")), type=VOTABLE, says="BINARY2"),
    "A2.7 VOTABLE": Case(fields(("QUERY", ONE), ("FORMAT", "VOTABLE")), type=VOTABLE),
    "A2.7 votable/td": Case(fields(("QUERY", ONE), ("FORMAT", "votable/td")), type=VOTABLE, says="<TR><TD>"),
    "A2.7 votable/b2": Case(fields(("QUERY", ONE), ("FORMAT", "votable/b2")), type=VOTABLE, says="BINARY2"),
    "A2.7 votable_plain": Case(fields(("QUERY", ONE), ("FORMAT", "votable_plain")), type=VOTABLE, says="<TR><TD>"),
    "A2.7 votable_gzip, astroquery.gaia's own": Case(fields(("QUERY", ONE), ("FORMAT", "votable_gzip")), type="application/gzip"),
    "A2.7 a plus that nobody escaped": Case(fields(("QUERY", ONE), ("FORMAT", "application/x-votable xml")), type=VOTABLE),
    "A2.7 TSV": Case(fields(("QUERY", ONE), ("FORMAT", "tsv")), type="text/tab-separated-values", says="source_id"),
    "A2.8 text/xml": Case(fields(("QUERY", ONE), ("FORMAT", "text/xml")), type="text/xml", says="VOTABLE"),
    "A2.8 the serialization after a semicolon": Case(
        fields(("QUERY", ONE), ("RESPONSEFORMAT", "application/x-votable+xml; serialization=tabledata")), type=VOTABLE, says="<TR><TD>"
    ),
    "A2.8 text/csv": Case(fields(("QUERY", ONE), ("FORMAT", "text/csv")), type="text/csv;header=present"),
    "A2.9 CSV without its header": Case(fields(("QUERY", ONE), ("FORMAT", "text/csv;header=absent")), type="text/csv;header=absent"),
    "A2.10 MAXREC above the rows": Case(fields(("QUERY", ONE), ("MAXREC", "10")), says='value="OK"'),
    "A2.10 a negative MAXREC": Case(fields(("QUERY", ONE), ("MAXREC", "-1")), 400, VOTABLE, "MAXREC=-1"),
    "A2.13 a RUNID": Case(fields(("QUERY", ONE), ("RUNID", "x" * 64))),
    "A2.13 a RUNID that is too long": Case(fields(("QUERY", ONE), ("RUNID", "x" * 65)), 400, VOTABLE, "RUNID"),
    "A4 Accept: text/plain, astroquery's": Case(fields(("QUERY", ONE)), type=VOTABLE, also={"Accept": "text/plain"}),
    "A4 Accept of a browser": Case(fields(("QUERY", ONE)), type=VOTABLE, also={"Accept": "text/html,application/xhtml+xml;q=0.9"}),
    "A6.4 an error of a CSV": Case(fields(("QUERY", "SELEC 1"), ("FORMAT", "csv")), 400, "", "line 1"),
}  # fmt: skip


@pytest.mark.parametrize("way", ["GET", "POST urlencoded", "POST multipart"])
@pytest.mark.parametrize("rule", SYNC)
def test_sync(http: httpx.Client, rule: str, way: str) -> None:
    case = SYNC[rule]
    if way == "GET":
        answer = http.get("sync", params=case.pairs, headers=case.also)
    elif way == "POST urlencoded":
        body = str(httpx.QueryParams(case.pairs))
        answer = http.post("sync", content=body, headers={"Content-Type": "application/x-www-form-urlencoded", **case.also})
    else:
        parts = [(name, (None, value)) for name, value in case.pairs]
        answer = http.post("sync", files=parts, headers=case.also)  # type: ignore[arg-type]
    assert answer.status_code == case.status, answer.text
    assert answer.headers["content-type"].startswith(case.type)
    assert case.says in answer.text
    if case.status != 200 and answer.headers["content-type"].startswith(VOTABLE):
        [(value, message)] = status_of(answer)
        assert value == "ERROR"
        assert case.says in message
        assert b"<TABLE" not in answer.content


def test_a2_parameters_of_the_address_and_of_the_body_go_together(http: httpx.Client) -> None:
    answer = http.post("sync?FORMAT=csv", data={"QUERY": ONE})
    assert answer.text.startswith("source_id\n")
    assert "more than once" in http.post("sync?QUERY=x", data={"QUERY": ONE}).text


def test_a2_10_rows_that_were_cut_are_told_after_the_table_and_only_then(http: httpx.Client) -> None:
    for maxrec, rows, statuses in ((3, 3, ["OK", "OVERFLOW"]), (800, 800, ["OK"]), (801, 800, ["OK"])):
        answer = http.get("sync", params={"QUERY": "SELECT source_id FROM gaiadr3.gaia_source", "MAXREC": maxrec})
        assert [value for value, _ in status_of(answer)] == statuses
        assert len(document(answer).get_first_table().array) == rows
    assert answer.content.index(b"QUERY_STATUS") < answer.content.index(b"<TABLE")


def test_a2_11_maxrec_zero_gives_the_columns_of_a_query_that_would_never_end(http: httpx.Client) -> None:
    tables = ", ".join(f"gaiadr3.gaia_source AS t{i}" for i in range(6))
    answer = http.get("sync", params={"QUERY": f"SELECT t0.ra + t1.ra AS total, t5.source_id FROM {tables}", "MAXREC": 0})
    assert answer.elapsed.total_seconds() < 2
    table = document(answer).get_first_table()
    assert [(column.name, column.datatype) for column in table.fields] == [("total", "double"), ("source_id", "long")]
    assert not len(table.array)
    assert [value for value, _ in status_of(answer)][-1] == "OVERFLOW"


def test_a2_an_address_of_eight_kilobytes_is_read(http: httpx.Client) -> None:
    query = f"{ONE} WHERE source_id > 0 {' ' * 8000} AND ra >= 0"
    answer = http.get("sync", params={"QUERY": query, "FORMAT": "csv"})
    assert (answer.status_code, answer.text.count("\n")) == (200, 2)


def test_a2_a_query_of_a_megabyte_is_answered(http: httpx.Client, member: dict[str, Any]) -> None:
    identifiers = ",".join(str(10**18 + i) for i in range(50_000))
    query = f"SELECT source_id FROM gaiadr3.gaia_source WHERE source_id IN ({identifiers},{member['source_id']})"
    assert len(query) > 1_000_000
    answer = http.post("sync", data={"QUERY": query, "FORMAT": "csv"})
    assert answer.text == f"source_id\n{member['source_id']}\n"


def test_a4_a_connection_is_kept_through_answers_and_errors(tap: Any) -> None:
    place = urlsplit(tap.url)
    connections = []
    with httpx.Client(base_url=tap.url + "/", trust_env=False) as client:
        for path in ("sync?QUERY=" + ONE, "sync?QUERY=nonsense", "capabilities", "sync?FORMAT=csv&QUERY=" + ONE, "no/such/place"):
            answer = client.get(path)
            connections.append(answer.extensions["network_stream"].get_extra_info("client_addr"))
            assert answer.headers.get("connection", "keep-alive") == "keep-alive"
    assert len(set(connections)) == 1, f"{place.netloc} closed a connection"


@pytest.mark.parametrize("path", ["capabilities", "tables", "sync?QUERY=" + ONE])
def test_a4_7_compressed_only_for_who_asks(http: httpx.Client, path: str) -> None:
    plain = http.get(path, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    asked = http.get(path, headers={"Accept-Encoding": "gzip"})
    if path != "sync?QUERY=" + ONE:
        assert asked.headers["content-encoding"] == "gzip"
        assert asked.content == plain.content
    assert "content-encoding" not in http.get(path, headers={"Accept-Encoding": "gzip;q=0"}).headers


def test_a2_7_votable_gzip_is_a_document_in_gzip_for_who_asked_for_it(http: httpx.Client) -> None:
    """astroquery.gaia asks for it by default and unpacks the body itself."""
    answer = http.post("sync", data={"QUERY": ONE, "FORMAT": "votable_gzip"}, headers={"Accept-Encoding": "identity"})
    assert answer.headers["content-type"] == "application/gzip"
    body = gzip.decompress(answer.content)
    assert len(votable.parse(io.BytesIO(body)).get_first_table().array) == 1


@pytest.mark.parametrize("path", ["", "/capabilities", "/tables", "/availability", "/tables/gaiadr3.gaia_source"])
def test_head_tells_of_a_document_without_sending_it(http: httpx.Client, tap: Any, path: str) -> None:
    answer = http.head(tap.url + path)
    assert answer.status_code == 200
    assert not answer.content
    assert answer.headers["content-type"].startswith(("text/xml", "text/html"))


WRONG_METHODS = [
    ("HEAD", "sync"), ("PUT", "sync"), ("DELETE", "sync"), ("POST", "capabilities"), ("PUT", "tables"), ("POST", "tables"), ("DELETE", "tables"),
    ("PUT", "tables/gaiadr3.gaia_source"), ("POST", "availability"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), WRONG_METHODS)
def test_a8_9_other_methods_are_refused_and_those_there_are_named(http: httpx.Client, method: str, path: str) -> None:
    answer = http.request(method, path)
    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize("path", ["sync", "capabilities", "tables", "availability"])
def test_browsers_may_ask_from_any_page(http: httpx.Client, path: str) -> None:
    preflight = http.options(
        path,
        headers={"Origin": "https://aladin.example", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-own"},
    )
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert "POST" in preflight.headers["access-control-allow-methods"]
    answer = http.get(path, headers={"Origin": "https://aladin.example"}, params={"QUERY": ONE})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-expose-headers"] == "*"


def test_errors_reach_pages_of_other_sites_too(http: httpx.Client) -> None:
    for path in ("sync?QUERY=nonsense", "no/such/place"):
        assert http.get(path, headers={"Origin": "https://aladin.example"}).headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("path", ["nothing", "tables/no.such_table", "sync/x", "capabilities/x"])
def test_a1_what_is_not_there_is_404(http: httpx.Client, path: str) -> None:
    assert http.get(path).status_code == 404


def test_a1_9_the_base_answers_people_with_and_without_its_slash(http: httpx.Client, tap: Any) -> None:
    for url in (tap.url, tap.url + "/", tap.url.removesuffix("/tap") + "/"):
        answer = http.get(url, follow_redirects=True)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/html")
        assert tap.url in answer.text
        assert "//sync" not in answer.text


def test_every_answer_names_its_software(http: httpx.Client) -> None:
    for path in ("capabilities", "tables", "availability", "sync?QUERY=" + ONE, "sync", "nothing"):
        assert http.get(path).headers.get_list("server") and http.get(path).headers["server"].startswith("kiel/")


def test_a8_1_capabilities_and_tables_tell_their_date(http: httpx.Client) -> None:
    for path in ("capabilities", "tables"):
        assert http.get(path).headers["last-modified"].endswith("GMT")


def test_a8_capabilities_name_the_address_that_was_asked(tap: Any) -> None:
    """Behind whatever name a person reaches the service."""
    place = urlsplit(tap.url)
    with httpx.Client(trust_env=False) as client:
        for host in (place.netloc, f"localhost:{place.port}", "kiel.example.org"):
            root = ET.fromstring(client.get(f"{tap.url}/capabilities", headers={"Host": host}).content)
            urls = [element.text for element in root.iter("accessURL")]
            assert urls[0] == f"http://{host}/tap"
            assert all(str(url).startswith(f"http://{host}/") and "//" not in str(url)[8:] for url in urls)


def test_a8_7_every_table_has_a_document_of_its_own(http: httpx.Client, tap: Any) -> None:
    root = ET.fromstring(http.get("tables?detail=min").content)
    names = [str(table.findtext("name")) for table in root.iter("table")]
    assert sorted(names) == sorted(name for (name,) in tap.sql("SELECT table_name FROM tap_schema.tables"))
    assert not list(root.iter("column"))
    whole = ET.fromstring(http.get("tables").content)
    sizes = {table.findtext("name"): len(table.findall("column")) for table in whole.iter("table")}
    for name in names[::7]:
        one = ET.fromstring(http.get(f"tables/{name}").content)
        assert (one.tag.rpartition("}")[2], one.findtext("name"), len(one.findall("column"))) == ("table", name, sizes[name])


def test_a6_5_unnamed_columns_get_names_that_differ_and_can_be_written(http: httpx.Client) -> None:
    query = "SELECT TOP 1 ra + 1, dec * 2, COUNT(*), ra + 3, AVG(ra), AVG(dec), source_id{} FROM gaiadr3.gaia_source GROUP BY ra, dec, source_id"
    names = [column.name for column in document(http.get("sync", params={"QUERY": query.format(", source_id")})).get_first_table().fields]
    assert len({name.lower() for name in names}) == 8
    assert all(name.isidentifier() for name in names)
    again = ", ".join(f"q.{name}" for name in names[:-1])
    answer = http.get("sync", params={"QUERY": f"SELECT {again} FROM ({query.format('')}) AS q"})
    assert answer.status_code == 200, answer.text


def test_a6_6_columns_keep_their_metadata_through_names_and_derived_tables(http: httpx.Client, tap: Any) -> None:
    query = "SELECT q.parallax AS p, q.source_id, q.bp_rp FROM (SELECT * FROM gaiadr3.gaia_source) AS q WHERE q.parallax > 0"
    seen = [
        (column.name, column.datatype, str(column.unit or ""), column.ucd, column.description)
        for column in document(http.get("sync", params={"QUERY": query, "MAXREC": 0})).get_first_table().fields
    ]
    stored = {
        row[0]: row[1:]
        for row in tap.sql(
            "SELECT column_name, datatype, coalesce(unit, ''), ucd, description FROM tap_schema.columns WHERE table_name = 'gaiadr3.gaia_source'"
        )
    }
    assert seen == [("p", *stored["parallax"]), ("source_id", *stored["source_id"]), ("bp_rp", *stored["bp_rp"])]


def test_a6_9_positions_belong_to_a_system_of_the_releases_epoch(http: httpx.Client) -> None:
    table = document(
        http.get(
            "sync", params={"QUERY": "SELECT TOP 1 source_id, ra, dec, pmra, pmdec, parallax, phot_g_mean_mag FROM gaiadr3.gaia_source"}
        )
    )
    [system] = table.resources[0].coordinate_systems
    assert (system.system, system.epoch) == ("ICRS", "J2016.0")
    assert [column.name for column in table.get_first_table().fields if column.ref == system.ID] == [
        "ra",
        "dec",
        "pmra",
        "pmdec",
        "parallax",
    ]


def test_nulls_are_empty_cells_in_csv_and_masked_in_votable(http: httpx.Client, tap: Any) -> None:
    query = "SELECT source_id, radial_velocity, teff_gspphot, ref_epoch FROM gaiadr3.gaia_source ORDER BY source_id"
    stored = tap.sql(query)
    lines = list(csv.reader(io.StringIO(http.get("sync", params={"QUERY": query, "FORMAT": "csv"}).text)))[1:]
    assert [[cell == "" for cell in line] for line in lines] == [[value is None for value in row] for row in stored]
    assert {cell.lower() for line in lines for cell in line}.isdisjoint({"nan", "null", "none"})
    table = document(http.get("sync", params={"QUERY": query})).get_first_table()
    assert [list(map(bool, row)) for row in table.array.mask.tolist()] == [[value is None for value in row] for row in stored]
    assert sum(row[1] is None for row in stored) > 10


def test_numbers_come_back_to_the_last_bit_in_every_format(http: httpx.Client, tap: Any) -> None:
    query = "SELECT source_id, ra, parallax, phot_g_mean_mag FROM gaiadr3.gaia_source ORDER BY source_id"
    stored = tap.sql(query)
    for name in ("votable", "votable/td"):
        array = document(http.get("sync", params={"QUERY": query, "FORMAT": name})).get_first_table().array
        np.testing.assert_array_equal(array["source_id"], [row[0] for row in stored])
        np.testing.assert_array_equal(array["ra"], [row[1] for row in stored])
    lines = list(csv.reader(io.StringIO(http.get("sync", params={"QUERY": query, "FORMAT": "csv"}).text)))[1:]
    assert [(int(line[0]), float(line[1])) for line in lines] == [row[:2] for row in stored]
    assert [np.float32(line[3]) for line in lines] == [np.float32(row[3]) for row in stored]


def test_errors_speak_to_the_person_who_asked(http: httpx.Client) -> None:
    [(value, message)] = status_of(http.get("sync", params={"QUERY": "SELECT source_id,\n  paralax\nFROM gaiadr3.gaia_source"}))
    assert value == "ERROR"
    sentence, place, line, caret = message.split("\n")[0], *message.split("\n")[0:1], *message.split("\n")[1:3]
    assert "parallax" in sentence
    assert "(line 2, column 3)" in place
    assert line.strip() == "paralax"
    assert caret.index("^") == line.index("paralax")


@pytest.mark.parametrize("value", ["LOG10(parallax - 1000)", "1 / (source_id - source_id)", "SQRT(-1 * ra)"])
def test_a_value_that_some_row_has_not_is_told_with_a_way_out(http: httpx.Client, value: str) -> None:
    [(status, message)] = status_of(http.get("sync", params={"QUERY": f"SELECT {value} AS x FROM gaiadr3.gaia_source"}))
    assert status == "ERROR"
    assert "some row" in message and "WHERE" in message
