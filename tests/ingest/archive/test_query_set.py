"""The named queries: what each file says of itself, and that its words are those of the archive's data model and of our tables."""

import re
from pathlib import Path
from typing import Any

import pytest

from catalog.errors import UsageError
from catalog.healpix import END
from catalog.schema.fidelity import FIDELITY
from catalog.schema.gaia_source import GAIA_SOURCE
from ingest.archive.options import WHOLE_SKY
from ingest.archive.query_set import ARCHIVE_SCHEMAS, ArchiveQuery, all_queries, parse, queries_of
from ingest.products.gaia_source import ARCHIVE_COLUMNS
from ingest.registry import product_of

GOOD = "-- name: stars\n-- sets: dr3\n-- product: gaia_source\n-- Stars.\n--\n-- More.\nSELECT source_id\nFROM t\nWHERE source_id BETWEEN {first} AND {last}\nORDER BY source_id\n"


def selected(query: ArchiveQuery) -> list[str]:
    """The names of the query's columns in its result."""
    items = query.text.partition("FROM")[0].removeprefix("SELECT").split(",")
    return [re.split(r"\s+AS\s+|\.", item.strip())[-1] for item in items]


@pytest.mark.parametrize("query", all_queries(), ids=lambda query: query.name)
def test_a_query_says_what_it_is_and_its_header_is_of_that_product(query: ArchiveQuery) -> None:
    assert query.sets
    assert query.sentence.endswith(".")
    names = selected(query)
    assert len(names) == len(set(names))
    assert query.columns == tuple(names)
    found = product_of([dict.fromkeys(names, "")])
    assert found is not None
    assert found[0].name == query.product
    assert not [field for field in found[0].required if next(f for f in found[0].fields if f.name == field).column_in(names) is None]
    assert re.search(r"has_xp_continuous = 'true'\s+AND .*source_id BETWEEN \{first\} AND \{last\}", query.text, re.DOTALL)


def test_gaia_source_asks_for_every_column_that_the_catalogue_keeps() -> None:
    (query,) = queries_of("dr3", ["gaia_source"])
    assert set(selected(query)) == {column.name for column in GAIA_SOURCE.without("release_id", "file_id", "row_number")}
    assert ARCHIVE_COLUMNS.issuperset(selected(query))


def test_fidelity_asks_for_every_column_that_the_catalogue_keeps() -> None:
    (query,) = queries_of("dr3", ["fidelity"])
    assert set(selected(query)) == {column.name for column in FIDELITY.without("release_id", "file_id", "row_number")}


def test_the_papers_queries_have_their_tables_their_columns_and_its_misprints_corrected() -> None:
    stars, matches = (queries_of("zgr23", [name])[0].in_schemas({}).text for name in ("zgr23_gaia_source", "two_mass"))
    for table in ("gaiadr3.gaia_source", "gaiadr3.astrophysical_parameters", "external.gaiaedr3_spurious"):
        assert table in stars
    for band in ("g", "bp", "rp"):
        assert f"g.phot_{band}_mean_flux, g.phot_{band}_mean_flux_error" in stars
    for table in ("gaia_source", "tmass_psc_xsc_best_neighbour", "tmass_psc_xsc_join"):
        assert f"gaiadr3.{table}" in matches
    assert "gaiadr1.tmass_original_valid" in matches
    assert re.findall(r"LIKE '([^']*)'", matches) == ["A__", "_A_", "__A"]


def test_schemas_and_ranges_are_put_in() -> None:
    (query,) = queries_of("dr3", ["gaia_source"])
    text = query.in_schemas({"gaia": "gaiasim_dr3"}).of_range(5, 7)
    assert "FROM gaiasim_dr3.gaia_source AS g" in text
    assert "BETWEEN 5 AND 7" in text
    assert "{" not in text
    assert set(ARCHIVE_SCHEMAS) == {"gaia", "tmass", "external"}


def test_counting_asks_for_the_same_rows_without_their_order() -> None:
    (query,) = queries_of("dr3", ["gaia_source"])
    counting = query.in_schemas({}).counting(5, 7)
    assert counting.startswith("SELECT COUNT(*) AS n FROM (SELECT")
    assert counting.endswith("g.source_id BETWEEN 5 AND 7) AS counted")
    assert "ORDER BY" not in counting


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"set_name": "dr9"}, "no query set dr9; there are dr3, zgr23"),
        ({"set_name": "zgr23", "only": ["fidelity"]}, "has no query fidelity; it has two_mass"),
    ],
)
def test_what_does_not_exist_is_told(words: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        queries_of(**words)


@pytest.mark.parametrize("schema", ["a b", "a;b", "", 'a"b"', "9a", "{first}"])
def test_a_schema_is_a_name_and_nothing_else(schema: str) -> None:
    (query,) = queries_of("dr3", ["gaia_source"])
    with pytest.raises(UsageError, match="no name of a schema"):
        query.in_schemas({"gaia": schema})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("-- name: stars", "-- name: planets"), "must begin"),
        (("-- sets: dr3\n", ""), "must begin"),
        (("-- Stars.\n--\n-- More.\n", ""), "must begin"),
        (("{last}", "7"), "must ask"),
        (("ORDER BY source_id\n", ""), "must ask"),
    ],
)
def test_a_file_that_does_not_say_what_it_is_is_refused(change: tuple[str, str], told: str, tmp_path: Path) -> None:
    assert parse(GOOD, "stars").text.startswith("SELECT")
    with pytest.raises(ValueError, match=told):
        parse(GOOD.replace(*change), "stars")


def test_the_whole_sky_is_every_source_id() -> None:
    assert WHOLE_SKY == (0, END - 1)
