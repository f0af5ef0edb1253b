"""kiel ingest verify: what differs between ledger, files and tables is found, each kind by itself."""

from pathlib import Path
from typing import Any

import pytest

from catalog.database import Database, Role
from ingest.audit import audit
from ingest.load import add_paths

DR3 = "gaia_dr3"
GOOD = 4295806720


@pytest.fixture
def loaded(archive: Any, database: Database, tmp_path: Path) -> Path:
    """Two loaded files: three sources, a duplicate and a bad row."""
    archive.csv(tmp_path / "a.csv", [archive.source(GOOD), archive.source(GOOD + 128), archive.source(0)])
    archive.csv(tmp_path / "b.csv", [archive.source(GOOD, teff_gspphot=5000.0), archive.source(GOOD + 256)])
    assert add_paths(database, DR3, [tmp_path], work=True).count("loaded") == 2
    return tmp_path


def test_what_was_loaded_agrees(loaded: Path, database: Database) -> None:
    found = audit(database, DR3, strict=True)
    assert (found.files, found.rows, found.rejects, found.gone, found.differences) == (2, 3, 2, (), ())


TAMPERINGS = {
    "a row is gone": (f"DELETE FROM store.gaia_source WHERE source_id = {GOOD + 128}", "rows in gaia_source, the ledger says"),
    "a reject is gone": ("DELETE FROM store.ingest_reject WHERE reason = 'source_id_not_positive'", "rejects, the ledger says"),
    "the ledger's counts are wrong": ("UPDATE store.ingest_file SET rows_in = rows_in + 1 WHERE name LIKE '%a.csv'", "rows read, but"),
    "rows of a file that is not loaded": ("UPDATE store.ingest_file SET state = 'planned' WHERE name LIKE '%b.csv'", "has not been loaded"),
}


@pytest.mark.parametrize(("tampering", "told"), TAMPERINGS.values(), ids=TAMPERINGS)
def test_a_table_that_differs_from_the_ledger_is_found(tampering: str, told: str, loaded: Path, database: Database) -> None:
    with database.connect(Role.OWNER) as connection:
        connection.execute(tampering)
    assert any(told in difference for difference in audit(database, DR3).differences)


def test_a_file_with_other_bytes_differs_unless_it_is_not_read(loaded: Path, database: Database) -> None:
    with (loaded / "a.csv").open("a") as stream:
        stream.write("\n")
    (difference,) = audit(database, DR3).differences
    assert "other bytes" in difference and "a.csv" in difference
    assert audit(database, DR3, hashed=False).differences == ()


def test_a_file_that_is_gone_is_told_and_differs_only_where_that_is_asked(loaded: Path, database: Database) -> None:
    (loaded / "a.csv").unlink()
    found = audit(database, DR3)
    assert len(found.gone) == 1 and "a.csv" in found.gone[0]
    assert found.differences == ()
    assert audit(database, DR3, strict=True).differences == found.gone
