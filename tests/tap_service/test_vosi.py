"""VOSI documents: what they declare is what the service does, and /tables says what TAP_SCHEMA says."""

import gzip
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest
from psycopg.conninfo import make_conninfo

from catalog.database import Database, Role
from catalog.publish import pinned_publication
from catalog.schema.public_views import PUBLIC_VIEWS
from catalog.tap_schema import tap_schema_rows
from tap_service.adql import translate
from tap_service.adql.tokens import RESERVED
from tap_service.capabilities import FEATURES
from tap_service.publication_tables import TableCache
from tap_service.results.formats import FORMATS

XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
DOCUMENTS = ("capabilities", "tables", "availability", "tables/tap_schema.columns")

FORMS = {
    "POINT": "DISTANCE(POINT(ra, dec), POINT(45, 10)) < 1",
    "CIRCLE": "1 = CONTAINS(POINT('ICRS', ra, dec), CIRCLE('ICRS', 45, 10, 1))",
    "BOX": "1 = CONTAINS(POINT(ra, dec), BOX(45, 10, 2, 2))",
    "POLYGON": "1 = CONTAINS(POINT(ra, dec), POLYGON(44, 9, 46, 9, 45, 11))",
    "REGION": "1 = CONTAINS(POINT(ra, dec), REGION('CIRCLE ICRS 45 10 1'))",
    "DISTANCE": "DISTANCE(ra, dec, 45, 10) < 1",
    "CONTAINS": "CONTAINS(POINT(45, 10), CIRCLE(ra, dec, 1)) = 1",
    "INTERSECTS": "INTERSECTS(CIRCLE(ra, dec, 0.1), CIRCLE(45, 10, 1)) = 1",
    "CENTROID": "COORD1(CENTROID(CIRCLE(ra, dec, 1))) < 10",
    "AREA": "AREA(CIRCLE(ra, dec, 1)) > 3",
    "COORD1": "COORD1(POINT(ra, dec)) < 10",
    "COORD2": "COORD2(POINT(ra, dec)) < 10",
    "COORDSYS": "COORDSYS(POINT('ICRS', ra, dec)) = 'ICRS'",
    "LOWER": "LOWER(phot_variable_flag) = 'x'",
    "UPPER": "UPPER(phot_variable_flag) = 'X'",
    "ILIKE": "phot_variable_flag ILIKE 'x%'",
    "CAST": "CAST(source_id AS DOUBLE PRECISION) > 0",
    "COALESCE": "COALESCE(phot_g_mean_mag, 99) < 12",
    "IN_UNIT": "IN_UNIT(ra, 'rad') < 1",
}
QUERIES = {
    "UNION": "SELECT ra FROM gaiadr3.gaia_source UNION SELECT dec FROM gaiadr3.gaia_source",
    "EXCEPT": "SELECT ra FROM gaiadr3.gaia_source EXCEPT SELECT dec FROM gaiadr3.gaia_source",
    "INTERSECT": "SELECT ra FROM gaiadr3.gaia_source INTERSECT SELECT dec FROM gaiadr3.gaia_source",
    "WITH": "WITH t AS (SELECT ra FROM gaiadr3.gaia_source) SELECT TOP 3 ra FROM t",
    "OFFSET": "SELECT ra FROM gaiadr3.gaia_source ORDER BY source_id OFFSET 3990",
} | {form: f"SELECT TOP 3 source_id FROM gaiadr3.gaia_source WHERE {condition}" for form, condition in FORMS.items()}


def document(service: Any, path: str, **parameters: str) -> ET.Element:
    answer = httpx.get(f"{service.url}/{path}", params=parameters)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/xml")
    return ET.fromstring(answer.content)


def declared(service: Any) -> ET.Element:
    [tap] = [found for found in document(service, "capabilities") if found.get("standardID") == "ivo://ivoa.net/std/TAP"]
    return tap


def test_the_capability_points_at_the_service_itself(service: Any) -> None:
    tap = declared(service)
    [interface] = tap.findall("interface")
    assert (interface.get("role"), interface.get("version"), interface.findtext("accessURL")) == ("std", "1.1", service.url)
    assert [version.get("ivo-id") for version in tap.findall("language/version")] == [
        "ivo://ivoa.net/std/ADQL#v2.0",
        "ivo://ivoa.net/std/ADQL#v2.1",
    ]
    urls = [found.text for found in document(service, "capabilities").iter("accessURL")]
    for url in urls[1:]:
        assert httpx.get(str(url)).status_code == 200


@pytest.mark.parametrize("form", [form for forms in FEATURES.values() for form in forms])
def test_a_declared_feature_runs(service: Any, form: str) -> None:
    assert f"<form>{form}</form>" in httpx.get(f"{service.url}/capabilities").text
    answer = httpx.get(f"{service.url}/sync", params={"QUERY": QUERIES[form], "FORMAT": "csv"})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("result_format", FORMATS, ids=lambda known: known.media_type)
def test_a_declared_format_is_delivered(service: Any, result_format: Any) -> None:
    assert result_format.media_type in [mime.text for mime in declared(service).findall("outputFormat/mime")]
    answer = httpx.get(
        f"{service.url}/sync", params={"QUERY": "SELECT TOP 1 ra FROM gaiadr3.gaia_source", "RESPONSEFORMAT": result_format.media_type}
    )
    assert answer.headers["content-type"] == result_format.media_type


def test_tables_say_what_tap_schema_says(service: Any) -> None:
    with service.database.connect(Role.TAP_READER) as connection:
        expected = connection.execute(
            "SELECT table_name, column_name, datatype, arraysize, xtype, unit, ucd, description, indexed, principal, std FROM tap_schema.columns "
            "ORDER BY table_name, column_index"
        ).fetchall()
        keys = connection.execute(
            "SELECT from_table, target_table, from_column, target_column FROM tap_schema.keys JOIN tap_schema.key_columns USING (key_id)"
        ).fetchall()
    root = document(service, "tables")
    seen, seen_keys = [], []
    for table in root.iter("table"):
        name = table.findtext("name")
        for column in table.findall("column"):
            kind = column.find("dataType")
            assert kind is not None
            flags = [flag.text for flag in column.findall("flag")]
            seen.append(
                (
                    name, column.findtext("name"), kind.text, kind.get("arraysize"), kind.get("extendedType"), column.findtext("unit"), column.findtext("ucd"),
                    column.findtext("description"), int("indexed" in flags), int("principal" in flags), int(column.get("std") == "true"),
                )
            )  # fmt: skip
        for key in table.findall("foreignKey"):
            seen_keys.append(
                (name, key.findtext("targetTable"), key.findtext("fkColumn/fromColumn"), key.findtext("fkColumn/targetColumn"))
            )
    assert sorted(seen, key=lambda row: row[:2]) == sorted(expected, key=lambda row: row[:2])
    assert sorted(seen_keys) == sorted(keys)
    assert {name for name, *_ in seen} >= {"gaiadr3.gaia_source", "labels.scatter_vae", "tap_schema.tables"}
    assert ("tap_schema.columns", '"size"') in [row[:2] for row in seen]


def test_detail_min_leaves_the_columns_out(service: Any) -> None:
    full, least = document(service, "tables"), document(service, "tables", DETAIL="min")
    assert [table.findtext("name") for table in least.iter("table")] == [table.findtext("name") for table in full.iter("table")]
    assert not list(least.iter("column"))
    assert ET.tostring(document(service, "tables", detail="max")) == ET.tostring(full)


def test_one_table_stands_alone_and_an_unknown_one_is_not_found(service: Any) -> None:
    table = document(service, "tables/gaiadr3.gaia_source")
    assert table.tag == "{http://www.ivoa.net/xml/VOSITables/v1.0}table"
    assert "ra" in [column.findtext("name") for column in table.findall("column")]
    assert httpx.get(f"{service.url}/tables/gaiadr3.nothing").status_code == 404


@pytest.mark.parametrize("path", DOCUMENTS)
def test_a_document_is_compressed_only_on_request(service: Any, path: str) -> None:
    with httpx.Client(headers={"Accept-Encoding": "identity"}) as client:
        plain = client.get(f"{service.url}/{path}")
        assert "content-encoding" not in plain.headers
        with client.stream("GET", f"{service.url}/{path}", headers={"Accept-Encoding": "gzip"}) as asked:
            body = b"".join(asked.iter_raw())
        if len(plain.content) > 1000:
            assert asked.headers["content-encoding"] == "gzip"
            assert gzip.decompress(body) == plain.content


@pytest.mark.parametrize("path", ["", *DOCUMENTS])
def test_head_and_cross_origin_requests_are_answered(service: Any, path: str) -> None:
    url = f"{service.url}/{path}".rstrip("/")
    head = httpx.head(url, headers={"Origin": "https://example.org"})
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["access-control-allow-origin"] == "*"
    assert head.headers["server"].startswith("kiel/")
    preflight = httpx.options(url, headers={"Origin": "https://example.org", "Access-Control-Request-Method": "POST"})
    assert preflight.status_code == 200


def test_head_never_runs_a_query(service: Any) -> None:
    assert httpx.head(f"{service.url}/sync", params={"QUERY": QUERIES["CAST"]}).status_code == 405


@pytest.mark.parametrize("path", ["examples/nothing", "nothing"])
def test_what_is_not_offered_is_not_found(service: Any, path: str) -> None:
    answer = httpx.get(f"{service.url}/{path}")
    assert answer.status_code == 404
    assert answer.headers["server"].startswith("kiel/")


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
def test_tables_cannot_be_changed(service: Any, method: str) -> None:
    assert httpx.request(method, f"{service.url}/tables").status_code == 405


def test_availability_asks_the_database(service: Any, serve: Any) -> None:
    name = "{http://www.ivoa.net/xml/VOSIAvailability/v1.0}available"
    assert document(service, "availability").findtext(name) == "true"
    away = Database(make_conninfo(service.database.url, port=1), make_conninfo(service.database.tap_url, port=1))
    with serve(away) as broken:
        assert document(broken, "availability").findtext(name) == "false"
        for path in ("tables", "sync?QUERY=SELECT+TOP+1+ra+FROM+gaiadr3.gaia_source"):
            answer = httpx.get(f"{broken.url}/{path}")
            assert (answer.status_code, answer.headers["content-type"]) == (503, "application/x-votable+xml")
            assert "database does not answer" in answer.text
            assert "port" not in answer.text
        assert "does not answer just now" in httpx.get(broken.url).text


def test_people_get_a_page(service: Any) -> None:
    for url in (service.url, service.url.removesuffix("/tap")):
        page = httpx.get(url)
        assert page.headers["content-type"].startswith("text/html")
        assert f"<pre>{service.url}</pre>" in page.text
        assert "gaiadr3.gaia_source" in page.text


def test_padding_follows_the_release_without_a_new_publication(database: Database) -> None:
    """A load that finds sources further from their pixels widens the very next cone."""
    cache = TableCache()

    def table(connection: Any) -> Any:
        with pinned_publication(connection) as publication:
            found, epoch = cache.table_set(connection, publication)
            assert epoch == 2016.0
            assert translate("SELECT TOP 1 ra FROM gaiadr3.gaia_source", found)
            return found.find("gaia_source", "gaiadr3")[0]

    with database.connect(Role.TAP_SERVICE, autocommit=True) as connection:
        assert (table(connection).padding, table(connection).displaced) == (0.0, ())
        with database.connect(Role.OWNER) as owner:
            owner.execute("UPDATE store.release SET largest_pixel_offset = 0.001")
            owner.execute("INSERT INTO store.displaced_source (release_id, source_id, offset_deg) VALUES (1, 42, 0.1)")
        assert (table(connection).padding, table(connection).displaced) == (0.001, (42,))


def test_a_slash_behind_tables_means_all_of_them(service: Any) -> None:
    answer = httpx.get(f"{service.url}/tables/", follow_redirects=True)
    assert (answer.status_code, answer.content) == (200, httpx.get(f"{service.url}/tables").content)


def test_every_public_column_with_a_reserved_name_stands_in_quotes() -> None:
    written = [
        row["column_name"] for view in PUBLIC_VIEWS for row in tap_schema_rows(0, [(view.schema, "", (view,))])["tap_columns"]
    ]  # fmt: skip
    reserved = {name for name in written if str(name).strip('"').upper() in RESERVED}
    assert reserved == {'"size"', '"distance"'}
