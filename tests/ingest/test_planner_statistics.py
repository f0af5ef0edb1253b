"""After a load the planner knows partitioned tables as wholes, so that joins of views are planned by what they hold."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from catalog.database import Database, Role
from ingest.link_commands import link_loaded
from ingest.load import add_paths
from ingest.planner_statistics import PARTITIONED, refresh_statistics

GOOD = 4295806720
DR3 = "gaia_dr3"


def made(database: Database) -> dict[str, datetime]:
    """When the statistics of each whole table were made."""
    with database.connect(Role.OWNER) as connection:
        rows = connection.execute(
            "SELECT relname, last_analyze FROM pg_stat_all_tables WHERE schemaname = 'store' AND relname = ANY (%s) AND last_analyze IS NOT NULL",
            [sorted(PARTITIONED)],
        )
        return dict(rows.fetchall())


@pytest.fixture
def loaded(archive: Any, tmp_path: Path, database: Database) -> Database:
    archive.csv(tmp_path / "spectra.csv", [archive.spectrum(GOOD + 128 * number, "coef") for number in range(400)])
    add_paths(database, DR3, [tmp_path], work=True)
    return database


def test_a_join_is_estimated_by_what_its_tables_hold(loaded: Database) -> None:
    query = "EXPLAIN (FORMAT JSON) SELECT * FROM store.xp_spectrum AS a JOIN store.xp_spectrum AS b USING (release_id, source_id)"
    with loaded.connect(Role.OWNER, autocommit=True) as connection:
        assert refresh_statistics(loaded) == ("xp_spectrum",)
        (plan,) = (connection.execute(query).fetchone() or ([{}],))[0]
    assert plan["Plan"]["Plan Rows"] == pytest.approx(400, rel=0.1)


def test_only_what_has_changed_is_read_again(loaded: Database, archive: Any, tmp_path: Path) -> None:
    link_loaded(loaded, DR3)
    first = made(loaded)
    assert set(first) == {"xp_spectrum"}
    link_loaded(loaded, DR3)
    assert made(loaded) == first
    archive.csv(tmp_path / "photometry.csv", [{"source_id": GOOD, "reddening": 0.1, "reddening_err": 0.02}])
    assert add_paths(loaded, DR3, [tmp_path / "photometry.csv"], work=True).count("loaded") == 1
    link_loaded(loaded, DR3)
    assert made(loaded).keys() == {"reddening", "xp_spectrum"} and made(loaded)["xp_spectrum"] == first["xp_spectrum"]


def test_what_changed_otherwise_counts_as_well(loaded: Database) -> None:
    assert refresh_statistics(loaded, ["survey_link"]) == ("survey_link", "xp_spectrum")
    assert refresh_statistics(loaded) == ()
