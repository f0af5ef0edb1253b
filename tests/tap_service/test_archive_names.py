"""Gaia DR3 stands under the archive's own names: what people paste from the archive runs as it is."""

from typing import Any

import pytest
import pyvo

from catalog.database import Database, Role
from catalog.publish import publish
from catalog.releases import add_release
from ingest.archive.query_set import ArchiveQuery, queries_of

SOURCE = 4295806720


def served_stars(database: Database) -> None:
    with database.connect(Role.WORKER) as connection:
        row = connection.execute(
            "INSERT INTO store.ingest_file (release_id, sha256, name, size) VALUES (1, '00', 'stars', 1) RETURNING file_id"
        ).fetchone()
        assert row is not None
        connection.execute(
            "INSERT INTO store.gaia_source (release_id, source_id, ra, dec, has_xp_continuous, file_id) VALUES (1, %s, 45, 0.5, true, %s)",
            (SOURCE, *row),
        )
        connection.execute(
            "INSERT INTO store.fidelity (release_id, source_id, fidelity_v2, file_id) VALUES (1, %s, 0.75, %s)", (SOURCE, *row)
        )
        connection.execute(
            "INSERT INTO store.astrophysical_parameters (release_id, source_id, teff_gspphot, file_id) VALUES (1, %s, 5000, %s)",
            (SOURCE, *row),
        )
        connection.execute(
            "INSERT INTO store.tmass_best_neighbour (release_id, source_id, clean_tmass_psc_xsc_oid, file_id) VALUES (1, %s, 7, %s)",
            (SOURCE, *row),
        )
        connection.execute(
            "INSERT INTO store.tmass_join (release_id, clean_tmass_psc_xsc_oid, original_psc_source_id, file_id) VALUES (1, 7, 'J', %s)",
            row,
        )
        connection.execute(
            "INSERT INTO store.tmass_psc (release_id, designation, ra, dec, ks_m, ph_qual, file_id) VALUES (1, 'J', 45, 0.5, 0.75, 'UUA', %s)",
            row,
        )


def test_the_archives_names_are_published_described_and_answered(serve: Any, database: Database) -> None:
    served_stars(database)
    with serve(database) as service:
        tap = pyvo.dal.TAPService(service.url)
        query = """SELECT g.source_id, spur.fidelity_v2 FROM gaiadr3.gaia_source AS g
            LEFT OUTER JOIN external.gaiaedr3_spurious AS spur ON g.source_id = spur.source_id WHERE g.has_xp_continuous = 'True'"""
        (found,) = tap.search(query).to_table()
        assert (found["source_id"], found["fidelity_v2"]) == (SOURCE, 0.75)
        names = {row["table_name"] for row in tap.search("SELECT table_name FROM tap_schema.tables WHERE schema_name = 'external'")}
        assert names == {"external.gaiaedr3_spurious"}
        assert tap.tables["external.gaiaedr3_spurious"].description == tap.tables["gaiadr3.gaiaedr3_spurious"].description
        columns = [{c.name for c in tap.tables[f"{schema}.gaiaedr3_spurious"].columns} for schema in ("external", "gaiadr3")]
        assert columns[0] == columns[1]


def test_they_go_on_through_publications_and_are_only_of_gaia_dr3(empty_database: Database) -> None:
    from catalog.migrate import upgrade

    def schemas() -> list[str]:
        with empty_database.connect(Role.TAP_READER) as connection:
            found = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname IN ('external', 'gaiadr1') ORDER BY 1").fetchall()
        return [row[0] for row in found]

    upgrade(empty_database)
    add_release(empty_database, "sim_dr3")
    assert schemas() == []
    add_release(empty_database, "gaia_dr3")
    there = schemas()
    assert there == ["external", "gaiadr1"]
    publish(empty_database, "again")
    assert schemas() == there
    with empty_database.connect(Role.TAP_READER) as connection:
        assert connection.execute("SELECT count(*) FROM external.gaiaedr3_spurious").fetchone() == (0,)


@pytest.mark.parametrize("query", queries_of("zgr23"), ids=lambda query: query.name)
def test_the_papers_queries_run_as_they_are(query: ArchiveQuery, serve: Any, database: Database) -> None:
    served_stars(database)
    with serve(database) as service:
        (row,) = pyvo.dal.TAPService(service.url).search(query.in_schemas({}).of_range(0, 2**62)).to_table()
    assert row["source_id"] == SOURCE
    assert row["ks_m" if query.name == "two_mass" else "fidelity_v2"] == 0.75
