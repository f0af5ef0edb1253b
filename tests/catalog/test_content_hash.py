"""Hashes of tables: equal for equal content whatever the numbers and times, unequal for any other value."""

import pytest

from catalog.content_hash import LOADED_TABLES, content_hashes
from catalog.database import Database, Role
from catalog.schema import STORE_TABLES

ADD_FILE = "INSERT INTO store.ingest_file (release_id, sha256, name, size) VALUES (1, %s, %s, 1) RETURNING file_id"
ADD_SOURCE = "INSERT INTO store.gaia_source (release_id, source_id, ra, dec, file_id) VALUES (1, %s, %s, 0, %s)"
ADD_REJECT = "INSERT INTO store.ingest_reject (file_id, row_number, reason) VALUES (%s, %s, 'a')"


def hashes(database: Database) -> dict[str, str]:
    with database.connect(Role.WORKER) as connection:
        return content_hashes(connection)


def fill(database: Database, order: tuple[str, ...], ra: float = 1.0) -> None:
    with database.connect(Role.WORKER) as connection:
        for place, sha256 in enumerate(order):
            row = connection.execute(ADD_FILE, [sha256, f"file {sha256}"]).fetchone()
            assert row is not None
            connection.execute(ADD_SOURCE, [ord(sha256), ra, row[0]])
            connection.execute(ADD_REJECT, [row[0], 7])
            connection.execute("UPDATE store.ingest_file SET attempts = %s WHERE file_id = %s", [place, row[0]])


def emptied(database: Database) -> None:
    with database.connect(Role.OWNER) as connection:
        connection.execute("TRUNCATE store.gaia_source, store.ingest_reject, store.ingest_file")


def test_numbers_times_and_attempts_make_no_difference_and_values_do(database: Database) -> None:
    fill(database, ("a", "b", "c"))
    first = hashes(database)
    emptied(database)
    fill(database, ("c", "a", "b"))
    assert hashes(database) == first
    emptied(database)
    fill(database, ("a", "b", "c"), ra=1.0 + 2**-50)
    changed = hashes(database)
    assert {name for name in first if first[name] != changed[name]} == {"gaia_source"}


@pytest.mark.parametrize("name", ["ingest_file", "ingest_reject", "gaia_source", "xp_spectrum", "displaced_source", "release"])
def test_the_tables_follow_from_their_descriptions(name: str) -> None:
    assert name in [table.name for table in LOADED_TABLES]
    assert {table.name for table in LOADED_TABLES} >= {table.name for table in STORE_TABLES if table.partition_by == "release_id"}
