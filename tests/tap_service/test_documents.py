"""Documents that are made once: who has one is not sent it again, and addresses follow the proxy that stands before the service."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest
from starlette.requests import Request

from tap_service.documents import Document, takes_gzip

MADE = datetime(2026, 5, 1, 12, 0, 0, 250_000, tzinfo=UTC)
DOCUMENT = Document(b"<tables/>", modified=MADE)
CHANGING = Document(b"<availability/>")


def asked(**headers: str) -> Request:
    return Request({"type": "http", "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]})


def date(**later: int) -> str:
    return format_datetime(MADE + timedelta(**later), usegmt=True)


KNOWN: dict[str, tuple[dict[str, str], int]] = {
    "nothing": ({}, 200),
    "its_tag": ({"if_none_match": DOCUMENT.tag}, 304),
    "its_tag_as_a_strong_one": ({"if_none_match": DOCUMENT.tag.removeprefix("W/")}, 304),
    "its_tag_among_others": ({"if_none_match": f'"x", {DOCUMENT.tag}'}, 304),
    "any_tag": ({"if_none_match": "*"}, 304),
    "another_tag": ({"if_none_match": 'W/"x"'}, 200),
    "another_tag_and_a_later_date": ({"if_none_match": 'W/"x"', "if_modified_since": date(days=1)}, 200),
    "its_own_date": ({"if_modified_since": date()}, 304),
    "a_later_date": ({"if_modified_since": date(days=1)}, 304),
    "an_earlier_date": ({"if_modified_since": date(days=-1)}, 200),
    "no_date_at_all": ({"if_modified_since": "yesterday"}, 200),
}


@pytest.mark.parametrize("case", KNOWN)
def test_who_has_it_is_not_sent_it_again(case: str) -> None:
    headers, status = KNOWN[case]
    answer = DOCUMENT.response(asked(**headers))
    assert answer.status_code == status
    assert answer.body == (b"" if status == 304 else DOCUMENT.body)
    assert answer.headers["etag"] == DOCUMENT.tag
    assert answer.headers["last-modified"] == date()


def test_what_may_change_at_any_time_is_never_kept() -> None:
    answer = CHANGING.response(asked(if_none_match=CHANGING.tag))
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert "etag" not in answer.headers


GZIP = {
    "gzip": True, "gzip, deflate": True, "deflate, GZIP;q=0.5": True, "gzip;q=1.0": True, "gzip; q=0": False, "gzip;q=0.0": False,
    "identity": False, "deflate": False, "": False, "*": False,
}  # fmt: skip


@pytest.mark.parametrize("offered", GZIP)
def test_gzip_goes_to_who_asked_for_it(offered: str) -> None:
    assert takes_gzip(asked(accept_encoding=offered)) == GZIP[offered]


@pytest.mark.parametrize("path", ["capabilities", "tables", "tables/tap_schema.tables", "examples"])
def test_a_client_that_asks_again_gets_no_body(service: Any, path: str) -> None:
    first = httpx.get(f"{service.url}/{path}")
    again = httpx.get(f"{service.url}/{path}", headers={"If-None-Match": first.headers["etag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")


def test_addresses_are_those_that_the_proxy_has(serve: Any, stars: Any) -> None:
    with serve(stars, public_url="https://catalogue.example.org/kiel/") as service, httpx.Client() as client:
        root = service.url.removesuffix("/tap")
        urls = [found.text for found in ET.fromstring(client.get(f"{root}/tap/capabilities").content).iter("accessURL")]
        assert urls[0] == "https://catalogue.example.org/kiel/tap"
        assert all(str(url).startswith("https://catalogue.example.org/kiel/tap") for url in urls)
        for path in ("/tap", "/tap/examples", "/scs/gaiadr3.gaia_source/capabilities", "/datalink/capabilities"):
            page = client.get(root + path).text
            assert "https://catalogue.example.org/kiel" in page
            assert "127.0.0.1" not in page
        result = client.get(f"{root}/tap/sync", params={"QUERY": "SELECT TOP 1 source_id FROM gaiadr3.gaia_source"}).text
        assert 'value="https://catalogue.example.org/kiel/datalink/links"' in result


WRONG = {
    "a_path_that_is_not_there": ("GET", "/tap/nothing", 404, "There is nothing at /tap/nothing"),
    "a_path_below_a_document": ("GET", "/tap/examples/x", 404, "There is nothing at"),
    "a_table_that_is_not_there": ("GET", "/tap/tables/gaiadr3.gaia_sourc", 404, "did you mean gaiadr3.gaia_source"),
    "a_list_with_an_unknown_table": ("GET", "/tap/tables?tables=tap_schema.tables,x.y", 404, "There is no table x.y"),
    "a_document_that_cannot_be_changed": ("POST", "/tap/tables", 405, "POST is not offered at /tap/tables; use "),
    "a_document_that_cannot_be_deleted": ("DELETE", "/tap/capabilities", 405, "DELETE is not offered"),
    "a_cone_on_a_table_without_positions": ("GET", "/scs/gaiadr3.two_mass?RA=1&DEC=1&SR=1", 404, "has no positions"),
    "a_cone_on_no_table": ("GET", "/scs/x.y?RA=1&DEC=1&SR=1", 404, "There is no table x.y"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_address_is_answered_where_programs_and_people_read(service: Any, case: str) -> None:
    method, path, status, message = WRONG[case]
    url = service.url.removesuffix("/tap") + path
    answer = httpx.request(method, url, headers={"Accept": "*/*"})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/x-votable+xml")
    [info] = ET.fromstring(answer.content).iter("{http://www.ivoa.net/xml/VOTable/v1.3}INFO")
    assert (info.get("name"), info.get("value")) == ("QUERY_STATUS", "ERROR")
    assert message in str(info.text)


def test_a_browser_reads_a_sentence(service: Any) -> None:
    answer = httpx.get(f"{service.url}/nothing", headers={"Accept": "text/html,*/*"})
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (404, "text/plain")
    assert "There is nothing at /tap/nothing" in answer.text


@pytest.mark.parametrize("path", ["/tap/tables", "/tap/sync", "/scs/gaiadr3.gaia_source", "/datalink/links", "/tap/examples", "/tap"])
def test_options_tells_the_methods(service: Any, path: str) -> None:
    answer = httpx.options(service.url.removesuffix("/tap") + path)
    assert answer.status_code == 204
    assert "GET" in answer.headers["allow"]


def test_tables_can_be_asked_for_by_name(service: Any) -> None:
    """astroquery's load_table does."""
    answer = httpx.get(f"{service.url}/tables", params={"tables": "gaiadr3.gaia_source,tap_schema.keys"})
    root = ET.fromstring(answer.content)
    assert [table.findtext("name") for table in root.iter("table")] == ["gaiadr3.gaia_source", "tap_schema.keys"]
    assert [schema.findtext("name") for schema in root.iter("schema")] == ["gaiadr3", "tap_schema"]
    assert len(list(root.iter("column"))) > 50
