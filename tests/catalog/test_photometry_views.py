"""Photometry by source_id is found through indexes, also from a cone of gaia_source that it is joined to."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from catalog.database import Database, Role

N = 100_000
FIRST = 4295806720
APART = 1 << 30
"""Between two source_ids: 32 a level-12 pixel."""


@pytest.fixture
def crowded(database: Database) -> Iterator[Database]:
    """100,000 sources with a counterpart, and the archive's tables of them."""
    rows = """
    INSERT INTO store.gaia_source (release_id, source_id, ra, dec, phot_g_mean_mag, file_id)
    SELECT 1, %(first)s + %(apart)s * i, 45, 0.5, 15, 1 FROM generate_series(0, %(n)s::bigint) AS i;
    INSERT INTO store.two_mass_photometry (release_id, source_id, designation, j_m, ks_m, ph_qual)
    SELECT 1, %(first)s + %(apart)s * i, 'd' || i, 5, 4, 'AAA' FROM generate_series(0, %(n)s::bigint) AS i;
    INSERT INTO store.tmass_best_neighbour (release_id, source_id, original_ext_source_id, clean_tmass_psc_xsc_oid, file_id)
    SELECT 1, %(first)s + %(apart)s * i, 'd' || i, 7 * i, 1 FROM generate_series(0, %(n)s::bigint) AS i;
    INSERT INTO store.tmass_psc (release_id, designation, ra, dec, position_key, file_id)
    SELECT 1, 'd' || i, 45, 0.5, i, 1 FROM generate_series(0, %(n)s::bigint) AS i;
    """
    with database.connect(Role.OWNER, autocommit=True) as connection:
        for statement in rows.strip().rstrip(";").split(";\n"):
            connection.execute(statement, {"first": FIRST, "n": N, "apart": APART})  # type: ignore[arg-type]
        connection.execute("ANALYZE store.gaia_source, store.tmass_best_neighbour, store.tmass_psc, store.two_mass_photometry")
    yield database


def plan(database: Database, query: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    """Every node of the query's plan."""
    with database.connect(Role.TAP_READER) as connection:
        row = connection.execute("EXPLAIN (FORMAT JSON) " + query, values).fetchone()  # type: ignore[arg-type]
    assert row is not None
    nodes, found = [(row[0] if isinstance(row[0], list) else json.loads(row[0]))[0]["Plan"]], []
    while nodes:
        found.append(nodes.pop())
        nodes += found[-1].get("Plans", [])
    return found


RANGE = "g.source_id BETWEEN %(first)s AND %(first)s + %(apart)s::bigint * 60"
CONE = f"({RANGE} OR g.source_id BETWEEN %(first)s + %(apart)s::bigint * 900 AND %(first)s + %(apart)s::bigint * 950)"
JOIN = "SELECT g.source_id, t.j_m FROM gaiadr3.gaia_source AS g JOIN gaiadr3.two_mass AS t USING (source_id)"
QUERIES = {
    "one source": "SELECT * FROM gaiadr3.two_mass WHERE source_id = %(first)s + %(apart)s::bigint * 17",
    "a range of sources": "SELECT * FROM gaiadr3.two_mass WHERE source_id BETWEEN %(first)s AND %(first)s + %(apart)s::bigint * 60",
    "a source of gaia_source": f"{JOIN} WHERE g.source_id = %(first)s",
    "a range of gaia_source": f"{JOIN} WHERE {RANGE}",
    "a cone of gaia_source": f"{JOIN} WHERE {CONE}",
    "a cone of gaia_source, with counterpart or without": f"{JOIN.replace('JOIN', 'LEFT JOIN')} WHERE {CONE} AND g.phot_g_mean_mag < 16",
    "one best neighbour": "SELECT * FROM gaiadr3.tmass_psc_xsc_best_neighbour WHERE source_id = %(first)s",
    "one point source": "SELECT * FROM gaiadr3.tmass_original_valid WHERE designation = 'd17'",
    "point sources of a pixel": "SELECT * FROM gaiadr3.tmass_original_valid WHERE position_key BETWEEN 17 AND 40",
}


def test_every_look_up_goes_through_indexes_and_scans_no_table(crowded: Database) -> None:
    full_scans, tables = {}, {}
    for name, query in QUERIES.items():
        scans = [node for node in plan(crowded, query, {"first": FIRST, "apart": APART}) if "Relation Name" in node or "Index Name" in node]
        full_scans[name] = [node["Relation Name"] for node in scans if node["Node Type"] == "Seq Scan"]
        tables[name] = {node["Relation Name"].removesuffix("_00") for node in scans if "Relation Name" in node}
    assert full_scans == {name: [] for name in QUERIES}
    joined = {"gaia_source_dr3", "two_mass_photometry_dr3"}
    assert {name: found for name, found in tables.items() if "gaia_source" in name} == {
        name: joined for name in QUERIES if "gaia_source" in name
    }
