"""Photometry by source_id is found through indexes, and each source has one row of it, whichever way it came."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from catalog.database import Database, Role

N = 100_000
FIRST = 4295806720


@pytest.fixture
def crowded(database: Database) -> Iterator[Database]:
    """100,000 sources with a counterpart by the archive's three tables; every tenth of them, and others, with a row of its own."""
    rows = """
    INSERT INTO store.tmass_best_neighbour (release_id, source_id, original_ext_source_id, angular_distance, clean_tmass_psc_xsc_oid,
        number_of_mates, file_id)
    SELECT 1, %(first)s + 128 * i, 'd' || i, 0.25, 7 * i, 0, 1 FROM generate_series(1, %(n)s) AS i;
    INSERT INTO store.tmass_join (release_id, clean_tmass_psc_xsc_oid, original_psc_source_id, file_id)
    SELECT 1, 7 * i, 'd' || i, 1 FROM generate_series(1, %(n)s) AS i;
    INSERT INTO store.tmass_psc (release_id, designation, ra, dec, j_m, ks_m, ph_qual, ext_key, position_key, file_id)
    SELECT 1, 'd' || i, 45, 0.5, 10 + i::real / %(n)s, 9, 'AAU', CASE WHEN i %% 100 = 0 THEN i END, i, 1 FROM generate_series(1, %(n)s) AS i;
    INSERT INTO store.two_mass (release_id, source_id, designation, j_m, ks_m, ph_qual, angular_distance, file_id)
    SELECT 1, %(first)s + 128 * i, 'own', 5, 4, 'AAA', 0.5, 1 FROM generate_series(10, %(n)s + 400000, 10) AS i;
    """
    with database.connect(Role.OWNER, autocommit=True) as connection:
        for statement in rows.strip().rstrip(";").split(";\n"):
            connection.execute(statement, {"first": FIRST, "n": N})  # type: ignore[arg-type]
        connection.execute("ANALYZE store.tmass_best_neighbour, store.tmass_join, store.tmass_psc, store.two_mass")
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


QUERIES = {
    "one source": "SELECT * FROM gaiadr3.two_mass WHERE source_id = %(first)s + 128 * 17",
    # A chunk of 65,000 of 470 million sources with a counterpart is a smaller part than this.
    "a range of sources": "SELECT * FROM gaiadr3.two_mass WHERE source_id BETWEEN %(first)s AND %(first)s + 128 * 60",
    "a source that gaia_source is joined to": "SELECT t.* FROM gaiadr3.gaia_source g JOIN gaiadr3.two_mass t USING (source_id) WHERE source_id = %(first)s",
    "a range of sources in a join, stated for both": (
        "SELECT t.* FROM gaiadr3.gaia_source g JOIN gaiadr3.two_mass t ON t.source_id = g.source_id "
        "WHERE g.source_id BETWEEN %(first)s AND %(first)s + 128 * 60 AND t.source_id BETWEEN %(first)s AND %(first)s + 128 * 60"
    ),
    "one best neighbour": "SELECT * FROM gaiadr3.tmass_psc_xsc_best_neighbour WHERE source_id = %(first)s",
    "one point source": "SELECT * FROM gaiadr3.tmass_original_valid WHERE designation = 'd17'",
    "point sources of a pixel": "SELECT * FROM gaiadr3.tmass_original_valid WHERE position_key BETWEEN 17 AND 40",
}


def test_every_look_up_goes_through_indexes_and_scans_no_table(crowded: Database) -> None:
    full_scans, without_index = {}, []
    for name, query in QUERIES.items():
        scans = [(node["Node Type"], node.get("Relation Name", "")) for node in plan(crowded, query, {"first": FIRST})]
        full_scans[name] = [table for kind, table in scans if kind == "Seq Scan" and table.startswith(("tmass", "two_mass"))]
        without_index += [] if any("Index" in kind for kind, _ in scans) else [name]
    assert (full_scans, without_index) == ({name: [] for name in QUERIES}, [])


def test_a_source_has_the_row_that_was_loaded_by_source_id_else_the_joined_one(crowded: Database) -> None:
    with crowded.connect(Role.TAP_READER) as connection:
        counts = connection.execute(
            "SELECT count(*), count(DISTINCT source_id), count(*) FILTER (WHERE designation = 'own') FROM gaiadr3.two_mass"
        ).fetchone()
        rows = connection.execute(
            "SELECT designation, round(j_m::numeric, 2), ph_qual, ext_key, angular_distance, number_of_mates FROM gaiadr3.two_mass "
            "WHERE source_id IN (%s, %s, %s) ORDER BY source_id",
            (FIRST + 128 * 17, FIRST + 128 * 100, FIRST + 128 * (N + 10)),
        ).fetchall()
    assert counts == (N + 40000, N + 40000, N // 10 + 40000)
    assert [(row[0], float(row[1]), *row[2:]) for row in rows] == [
        ("d17", 10.0, "AAU", None, 0.25, 0), ("own", 5.0, "AAA", None, 0.5, None), ("own", 5.0, "AAA", None, 0.5, None),
    ]  # fmt: skip
