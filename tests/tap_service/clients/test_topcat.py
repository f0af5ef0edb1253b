"""What TOPCAT sends behind its TAP window, request by request, as it was read from its classes: opening a service, and a job from upload to deletion."""

import io
import re
import time
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest
from astropy.io import votable
from astropy.table import Table

UWS = "{http://www.ivoa.net/xml/UWS/v1.0}"
XLINK = "{http://www.w3.org/1999/xlink}href"
BOUNDARY = "<<<--------------MULTIPART-BOUNDARY------->>>"


def rows(answer: httpx.Response) -> list[list[Any]]:
    table = votable.parse(io.BytesIO(answer.content), verify="exception").get_first_table()
    return [list(row) for row in table.array.tolist()]


def ask(http: httpx.Client, query: str, **fields: str) -> httpx.Response:
    answer = http.post("sync", data={"LANG": "ADQL", "QUERY": query, **fields}, headers={"Accept-Encoding": "gzip"})
    assert answer.status_code == 200, answer.text
    return answer


def test_the_window_opens_with_capabilities_examples_and_the_tables(http: httpx.Client, tap: Any) -> None:
    capabilities = ET.fromstring(http.get("capabilities", headers={"Accept-Encoding": "gzip"}).content)
    [access] = [element for element in capabilities.iter("capability") if element.get("standardID") == "ivo://ivoa.net/std/TAP"]
    assert access.find("interface").get("version") == "1.1"  # type: ignore[union-attr]
    assert access.findtext("interface/accessURL") == tap.url
    examples = http.get("examples")
    assert examples.status_code == 200
    root = ET.fromstring(examples.content)
    shown = [element for element in root.iter() if element.get("typeof") == "example"]
    assert len(shown) >= 10
    for example in shown:
        [query] = [element for element in example.iter() if element.get("property") == "query"]
        ask(http, "".join(query.itertext()))

    [[count]] = rows(ask(http, "SELECT COUNT(*) AS nrow FROM TAP_SCHEMA.columns"))
    assert count <= 5000, "TOPCAT would read the columns table by table"
    tables = http.get("tables?detail=max", headers={"Accept-Encoding": "gzip"})
    assert tables.headers["content-encoding"] == "gzip"
    assert len(list(ET.fromstring(tables.content).iter("column"))) == count


def test_metadata_by_tap_schema_where_there_are_many_columns(http: httpx.Client, tap: Any) -> None:
    """The other way, which TOPCAT takes for large services: schemas, tables and keys whole, columns by table."""
    for name in ("schemas", "tables", "columns", "keys", "key_columns"):
        seen = votable.parse(io.BytesIO(ask(http, f"SELECT TOP 1 * FROM TAP_SCHEMA.{name}", MAXREC="1").content)).get_first_table()
        assert len(seen.array) == 1
    assert rows(ask(http, "SELECT COUNT(*) AS nrow FROM TAP_SCHEMA.key_columns"))[0][0] > 0
    assert rows(ask(http, "SELECT schema_name, description, utype FROM TAP_SCHEMA.schemas"))
    tables = rows(ask(http, "SELECT schema_name, table_name, table_type, description, utype FROM TAP_SCHEMA.tables"))
    assert len(tables) == len(tap.sql("SELECT 1 FROM tap_schema.tables"))
    asked = (
        "SELECT column_name, description, unit, ucd, utype, datatype, indexed, principal, std FROM TAP_SCHEMA.columns WHERE table_name='{}'"
    )
    assert all(rows(ask(http, asked.format(table))) for _, table, *_ in tables[:5])


def multipart(fields: dict[str, str], tables: dict[str, bytes]) -> Iterator[bytes]:
    """A body as TOPCAT writes it: a line end before the first boundary, file parts with a name of their own, sent in chunks."""
    for name, value in fields.items():
        yield f'\r\n--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode()
    for name, content in tables.items():
        head = f'Content-Disposition: form-data; name="{name}"; filename="{name}"\r\nContent-Type: application/x-votable+xml\r\n\r\n'
        yield f"\r\n--{BOUNDARY}\r\n{head}".encode()
        for begin in range(0, len(content), 700):
            yield content[begin : begin + 700]
    yield f"\r\n--{BOUNDARY}--\r\n".encode()


@pytest.fixture
def loaded(tap: Any) -> bytes:
    """A table of TOPCAT's as it uploads it."""
    stars = tap.sql("SELECT source_id, ra, dec FROM gaiadr3.gaia_source ORDER BY source_id DESC LIMIT 40")
    document = io.BytesIO()
    source_id, ra, dec = zip(*stars, strict=True)
    Table({"source_id": source_id, "ra": ra, "dec": dec}).write(document, format="votable", tabledata_format="binary")
    return document.getvalue()


SKY = "SELECT TOP 1000 * FROM gaiadr3.gaia_source AS db JOIN TAP_UPLOAD.t1 AS tc ON 1=CONTAINS(POINT('ICRS', db.ra, db.dec), CIRCLE('ICRS', tc.ra, tc.dec, 1.0/3600.0))"


def test_an_upload_join_on_the_sky(http: httpx.Client, loaded: bytes) -> None:
    body = multipart({"LANG": "ADQL", "QUERY": SKY, "UPLOAD": "t1,param:t1", "MAXREC": "1000"}, {"t1": loaded})
    answer = http.post("sync", content=body, headers={"Content-Type": f'multipart/form-data; boundary="{BOUNDARY}"'})
    assert answer.status_code == 200, answer.text
    assert len(rows(answer)) >= 40


def test_a_job_with_uploads_from_creation_to_deletion(http: httpx.Client, tap: Any, loaded: bytes) -> None:
    query = "SELECT a.source_id, b.ra FROM TAP_UPLOAD.t1 AS a JOIN TAP_UPLOAD.t2 AS b ON a.source_id = b.source_id"
    body = multipart({"LANG": "ADQL", "QUERY": query, "UPLOAD": "t1,param:t1;t2,param:t2"}, {"t1": loaded, "t2": loaded})
    created = http.post("async", content=body, headers={"Content-Type": f'multipart/form-data; boundary="{BOUNDARY}"'})
    assert created.status_code == 303, created.text
    url = created.headers["location"]
    assert url.startswith(f"{tap.url}/async/")
    job = ET.fromstring(http.get(url).content)
    assert (job.tag, job.get("version"), job.findtext(f"{UWS}phase")) == (f"{UWS}job", "1.1", "PENDING")
    assert http.post(f"{url}/phase", data={"PHASE": "RUN"}).status_code == 303
    phase, deadline = "QUEUED", time.monotonic() + 60
    while phase in ("PENDING", "QUEUED", "EXECUTING") and time.monotonic() < deadline:
        job = ET.fromstring(http.get(url, params={"WAIT": "-1", "PHASE": phase}).content)
        phase = str(job.findtext(f"{UWS}phase"))
    assert phase == "COMPLETED", http.get(f"{url}/error").text
    [result] = list(job.iter(f"{UWS}result"))
    assert result.get(XLINK) == f"{url}/results/result"
    assert len(rows(http.get(f"{url}/results/result"))) == 40
    assert http.delete(url).status_code == 303
    assert http.get(url).status_code == 404


def test_what_it_says_of_a_failed_query_is_ours(http: httpx.Client) -> None:
    """An error's body is read where its media type is that of a VOTable."""
    answer = http.post("sync", data={"LANG": "ADQL", "QUERY": "SELECT * FROM nowhere"})
    assert answer.status_code == 400
    assert re.match(r"(application/x-votable\+xml|text/xml)", answer.headers["content-type"])
    assert "there is no table nowhere" in answer.text
