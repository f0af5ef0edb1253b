"""The example queries: one list behind /examples, the query guide and the tests."""

from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest

from catalog.publish import pinned_publication
from tap_service.adql import parse
from tap_service.examples import EXAMPLES, GUIDE_SCHEMA, examples_of
from tap_service.examples_page import GUIDE, with_section
from tap_service.publication_tables import PublicationTables, read_tables

XHTML = "{http://www.w3.org/1999/xhtml}"


@pytest.fixture
def published(stars: Any) -> PublicationTables:
    from catalog.database import Role

    with stars.connect(Role.TAP_SERVICE, autocommit=True) as connection, pinned_publication(connection) as publication:
        return read_tables(connection, publication)


def test_the_guide_prints_the_examples() -> None:
    assert GUIDE.read_text() == with_section(GUIDE.read_text()), "run `python -m tap_service.examples_page`"


def test_there_are_enough_and_none_twice() -> None:
    assert len(EXAMPLES) >= 12
    for part in ("key", "name", "query"):
        assert len({getattr(example, part) for example in EXAMPLES}) == len(EXAMPLES), part


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.key)
def test_an_example_is_adql_of_either_version_and_names_its_tables(example: Any) -> None:
    shown = example.on(GUIDE_SCHEMA)
    for version in ("2.0", "2.1"):
        parse(shown.query, version)
    assert shown.tables
    assert all(table in shown.query for table in shown.tables)
    assert shown.query.count("FROM ") + shown.query.count("JOIN ") - shown.query.count("FROM (") >= len(shown.tables)


def test_the_page_keeps_the_rules_of_dali(service: Any) -> None:
    answer = httpx.get(f"{service.url}/examples")
    assert answer.headers["content-type"].startswith("application/xhtml+xml")
    root = ET.fromstring(answer.content)
    assert [element.get("vocab") for element in root.iter() if element.get("vocab")] == ["http://www.ivoa.net/rdf/examples#"]
    found = [element for element in root.iter() if element.get("typeof") == "example"]
    assert len(found) == len(EXAMPLES)
    for element in found:
        assert element.get("resource") == f"#{element.get('id')}"
        for name in ("name", "query"):
            [part] = [inner for inner in element.iter() if inner.get("property") == name]
            assert part.text
            assert not list(part)
        assert [inner.text for inner in element.iter() if inner.get("property") == "table"]


def test_an_example_whose_tables_are_not_published_is_left_out(published: PublicationTables) -> None:
    assert len(list(examples_of(published))) == len(EXAMPLES)
    without = replace(published, tables=tuple(table for table in published.tables if table.name != "two_mass"))
    assert {example.key for example in EXAMPLES} - {example.key for example in examples_of(without)} == {"infrared"}


def test_without_a_release_only_what_needs_none_is_left(published: PublicationTables) -> None:
    kept = ("runs", "tap_schema")
    bare = replace(
        published,
        schemas=tuple(schema for schema in published.schemas if schema.name in kept),
        tables=tuple(table for table in published.tables if table.schema in kept),
    )
    assert {example.key for example in examples_of(bare)} == {"find-columns", "runs"}
