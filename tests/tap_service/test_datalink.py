"""DataLink: every identifier gets an answer, a link leads to rows, and a result's descriptor leads to the links."""

import io
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest
from astropy.io import votable

from catalog.database import Role
from tap_service.datalink import FIELDS, LINKS
from tap_service.limits import Limits

VOTABLE = "{http://www.ivoa.net/xml/VOTable/v1.3}"
COLUMNS = ["ID", "access_url", "service_def", "error_message", "description", "semantics", "content_type", "content_length"]
BEYOND = 2**63


@pytest.fixture(scope="module")
def stars_ids(service: Any) -> list[int]:
    with service.database.connect(Role.TAP_READER) as connection:
        return [row[0] for row in connection.execute("SELECT source_id FROM gaiadr3.gaia_source ORDER BY source_id LIMIT 5").fetchall()]


def links(service: Any, *identifiers: object, **parameters: object) -> list[dict[str, str]]:
    pairs = [("ID", str(identifier)) for identifier in identifiers] + [(name, str(value)) for name, value in parameters.items()]
    answer = httpx.get(f"{service.url.removesuffix('/tap')}/datalink/links", params=pairs)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-votable+xml;content=datalink"
    rows = [[cell.text or "" for cell in row] for row in ET.fromstring(answer.content).iter(f"{VOTABLE}TR")]
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows]


def test_the_columns_are_those_of_the_standard() -> None:
    assert [field.name for field in FIELDS] == COLUMNS
    assert FIELDS[-1].unit == "byte"
    assert {link.semantics for link in LINKS} <= {"#this", "#progenitor", "#derivation", "#auxiliary"}


@pytest.mark.parametrize("form", ["{}", "gaiadr3/{}", "ivo://example.org/gaiadr3?{}", " {} "])
def test_a_source_is_found_by_any_form_of_its_identifier(service: Any, stars_ids: list[int], form: str) -> None:
    [link] = links(service, form.format(stars_ids[0]))
    assert (link["ID"], link["semantics"], link["error_message"]) == (form.format(stars_ids[0]).strip(), "#this", "")
    [row] = votable.parse(io.BytesIO(httpx.get(link["access_url"]).content)).get_first_table().array
    assert row["source_id"] == stars_ids[0]
    assert link["content_type"] == "application/x-votable+xml"


FAULTS = {
    "a_source_that_is_not_there": ("4", "NotFoundFault: gaiadr3 has no source 4"),
    "a_release_that_is_not_there": ("gaiadr9/4", "NotFoundFault: there is no release gaiadr9; there are gaiadr3"),
    "a_number_too_large": (str(BEYOND), f"NotFoundFault: {BEYOND} is larger than any source_id"),
    "a_number_of_a_thousand_digits": ("9" * 1000, "is larger than any source_id"),
    "a_name": ("Sirius", "UsageFault: 'Sirius' is no source_id"),
    "digits_of_another_script": ("१२३", "UsageFault"),
    "nothing": ("", "UsageFault: '' is no source_id"),
    "a_number_below_zero": ("-4", "UsageFault"),
    "markup": ("<x>&", "UsageFault: '<x>&' is no source_id"),
    "another_statement": ("4; DROP TABLE x", "UsageFault"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_what_is_not_known_gets_a_fault(service: Any, case: str) -> None:
    identifier, message = FAULTS[case]
    [link] = links(service, identifier)
    assert message in link["error_message"]
    assert (link["ID"], link["access_url"], link["service_def"]) == (identifier, "", "")


def test_every_identifier_gets_its_answer_in_its_place(service: Any, stars_ids: list[int]) -> None:
    asked = [str(stars_ids[2]), "4", str(stars_ids[0]), "x", str(stars_ids[2])]
    assert [link["ID"] for link in links(service, *asked)] == asked
    posted = httpx.post(f"{service.url.removesuffix('/tap')}/datalink/links", data={"id": asked, "RELEASE": "gaiadr3"})
    assert [row[0].text for row in ET.fromstring(posted.content).iter(f"{VOTABLE}TR")] == asked


def test_the_release_may_stand_apart(service: Any, stars_ids: list[int]) -> None:
    assert links(service, stars_ids[0], RELEASE="gaiadr3")[0]["error_message"] == ""
    assert "no release gaiadr4" in links(service, stars_ids[0], RELEASE="gaiadr4")[0]["error_message"]


def test_without_an_identifier_there_are_no_rows(service: Any) -> None:
    assert links(service) == []


def test_limits_are_told(serve: Any, stars: Any, service: Any, stars_ids: list[int]) -> None:
    with serve(stars, Limits(datalink_ids=2)) as small:
        answer = httpx.get(f"{small.url.removesuffix('/tap')}/datalink/links", params=[("ID", "1")] * 3)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/x-votable+xml")
    assert "3 identifiers are too many for one request; send at most 2" in answer.text
    url = f"{service.url.removesuffix('/tap')}/datalink/links"
    cut = httpx.get(url, params=[("ID", str(number)) for number in stars_ids] + [("MAXREC", "3")])
    statuses = [info.get("value") for info in ET.fromstring(cut.content).iter(f"{VOTABLE}INFO") if info.get("name") == "QUERY_STATUS"]
    assert (len(list(ET.fromstring(cut.content).iter(f"{VOTABLE}TR"))), statuses) == (3, ["OK", "OVERFLOW"])
    assert httpx.get(url, params={"ID": "1", "RESPONSEFORMAT": "csv"}).status_code == 400


def test_many_identifiers_take_one_request(service: Any) -> None:
    answer = httpx.post(
        f"{service.url.removesuffix('/tap')}/datalink/links", data={"ID": [str(number) for number in range(10_000)]}, timeout=30
    )
    assert len(list(ET.fromstring(answer.content).iter(f"{VOTABLE}TR"))) == 10_000


def test_the_service_tells_of_itself(service: Any) -> None:
    base = f"{service.url.removesuffix('/tap')}/datalink"
    urls = [str(url.text) for url in ET.fromstring(httpx.get(f"{base}/capabilities").content).iter("accessURL")]
    assert urls[0] == f"{base}/links"
    assert all(httpx.get(url).status_code == 200 for url in urls)


DESCRIBED = {
    "a_column_of_sources": ("SELECT TOP 1 source_id FROM gaiadr3.gaia_source", {"source_id": "gaiadr3"}),
    "a_column_with_another_name": ("SELECT TOP 1 ra, source_id AS id FROM gaiadr3.gaia_source", {"id": "gaiadr3"}),
    "a_name_that_is_no_xml_id": ('SELECT TOP 1 source_id AS "my star" FROM gaiadr3.gaia_source', {"source-1": "gaiadr3"}),
    "two_columns": ("SELECT TOP 1 a.source_id, b.source_id FROM labels.no_label AS a JOIN gaiadr3.gaia_source AS b ON a.source_id = b.source_id", {"source_id": "gaiadr3", "source_id_2": "gaiadr3"}),
    "a_column_out_of_a_query": ("SELECT TOP 1 s.n FROM (SELECT source_id AS n FROM surveys.apogee) AS s", {"n": "gaiadr3"}),
    "both_sides_of_a_union": ("SELECT source_id FROM gaiadr3.two_mass UNION SELECT source_id FROM labels.no_label", {"source_id": "gaiadr3"}),
    "one_side_of_a_union": ("SELECT source_id FROM gaiadr3.two_mass UNION SELECT run_id FROM labels.no_label", {}),
    "a_number_made_of_it": ("SELECT TOP 1 source_id / 34359738368 AS pixel FROM gaiadr3.gaia_source", {}),
    "an_identifier_of_another_release": ("SELECT TOP 1 dr2_source_id FROM gaiadr3.dr2_neighbourhood", {}),
    "no_source_at_all": ("SELECT TOP 1 table_name FROM tap_schema.tables", {}),
}  # fmt: skip


@pytest.mark.parametrize("case", DESCRIBED)
@pytest.mark.parametrize("named", ["votable", "votable/td"])
def test_a_result_leads_to_the_links_of_its_rows(service: Any, case: str, named: str) -> None:
    query, expected = DESCRIBED[case]
    root = ET.fromstring(httpx.get(f"{service.url}/sync", params={"QUERY": query, "FORMAT": named}).content)
    found = {}
    for resource in root.iterfind(f"{VOTABLE}RESOURCE[@utype='adhoc:service']"):
        parameters = {str(parameter.get("name")): parameter for parameter in resource.iter(f"{VOTABLE}PARAM")}
        assert parameters["standardID"].get("value") == "ivo://ivoa.net/std/DataLink#links-1.1"
        assert parameters["accessURL"].get("value") == f"{service.url.removesuffix('/tap')}/datalink/links"
        found[parameters["ID"].get("ref")] = parameters["RELEASE"].get("value")
    assert found == expected
    assert {field.get("ID") for field in root.iter(f"{VOTABLE}FIELD") if field.get("ID")} == set(expected)


def test_a_long_answer_holds_nobody_up(service: Any, stars_ids: list[int]) -> None:
    """Ten thousand identifiers take a while; whoever asks something else meanwhile does not wait for them."""
    root = service.url.removesuffix("/tap")
    waited: list[float] = []
    with ThreadPoolExecutor(1) as others, httpx.Client() as client:
        client.get(f"{service.url}/nothing")
        asked = others.submit(httpx.post, f"{root}/datalink/links", data={"ID": [str(i) for i in stars_ids * 2000]}, timeout=60)
        while not asked.done():
            began = time.monotonic()
            client.get(f"{service.url}/nothing")
            waited.append(time.monotonic() - began)
        assert asked.result().status_code == 200
    assert max(waited) < 0.25 * sum(waited), waited
