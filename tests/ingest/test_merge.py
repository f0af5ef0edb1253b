"""The fullest row of a key stays, whichever loader came first and wherever the other one stood when they met."""

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from catalog.database import Database, Role
from ingest.load import add_paths

DR3 = "gaia_dr3"
GOOD = 4295806720
SHARED = GOOD + 128
Holdings = Callable[[Database], dict[str, list[tuple[Any, ...]]]]

NEAR = {"ra": 44.997, "dec": 0.006}
FULL = {"teff_gspphot": 5000.0, "logg_gspphot": 4.5}
"""Columns that make a row fuller."""
CASES = {
    "the first loader's row is fuller": (FULL, {}),
    "the second loader's row is fuller": ({}, FULL),
    "the rows tie": ({}, {}),
}
SECOND = {
    "goes straight into the table": [],
    "merges, since a key comes twice in its own file": [GOOD + 512, GOOD + 512],
}


@contextmanager
def held(database: Database, table: str) -> Iterator[None]:
    """A loader goes as far as writing into this table, and waits there with all that it did before and did not commit."""
    with database.connect(Role.OWNER) as connection:
        connection.execute(sql.SQL("LOCK TABLE {} IN SHARE MODE").format(sql.Identifier("store", table)))
        yield


def waiting(database: Database, kind: str, loaders: int = 1) -> bool:
    """Whether so many loaders wait for a lock of this kind within ten seconds."""
    deadline = time.monotonic() + 10
    with database.connect(None, autocommit=True) as connection:
        while time.monotonic() < deadline:
            row = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = %s",
                [kind],
            ).fetchone()
            if row is not None and row[0] >= loaders:
                return True
            time.sleep(0.02)
    return False


def load(database: Database, path: Path) -> threading.Thread:
    thread = threading.Thread(target=add_paths, args=(database, DR3, [path]), kwargs={"work": True})
    thread.start()
    return thread


@pytest.mark.parametrize("second", SECOND)
@pytest.mark.parametrize("name", CASES)
def test_a_loader_that_meets_rows_not_yet_committed_ends_in_the_same_catalogue(
    name: str, second: str, archive: Any, database: Database, holdings: Holdings, emptied: Callable[[Database], None], tmp_path: Path
) -> None:
    first_more, second_more = CASES[name]
    displaced = archive.source(GOOD, ra=120.0, dec=0.006)
    one = archive.csv(
        tmp_path / "one.csv", [displaced | dict.fromkeys(first_more), archive.source(SHARED, parallax=1.0, **NEAR, **first_more)]
    )
    rows = [archive.source(source_id, parallax=2.0, **NEAR, **second_more) for source_id in (*SECOND[second], SHARED)]
    two = archive.csv(tmp_path / "two.csv", rows)
    add_paths(database, DR3, [two, one], work=True)
    expected = holdings(database)
    assert [row[3] for row in expected["rejects"]] == ["duplicate_source"] * (1 + len(SECOND[second]) // 2)
    emptied(database)
    with held(database, "displaced_source"):
        threads = [load(database, one)]
        assert waiting(database, "relation")
        threads.append(load(database, two))
        assert waiting(database, "transactionid")
    for thread in threads:
        thread.join(60)
    assert holdings(database) == expected


def test_loaders_that_wait_for_each_others_keys_both_end(
    archive: Any, database: Database, holdings: Holdings, emptied: Callable[[Database], None], tmp_path: Path
) -> None:
    """Each file begins with a key that stands in the second block of the other one."""
    paths = []
    for number in range(2):
        rows = [archive.source(GOOD + 128 * (1000 * number + i), **NEAR) for i in range(999)]
        rows += [archive.source(GOOD, dec=None), archive.source(GOOD + 128 * 1000 * (1 - number), parallax=3.0 + number, **NEAR)]
        paths.append(archive.parquet(tmp_path / f"{number}.parquet", rows))
    add_paths(database, DR3, paths, work=True)
    expected = holdings(database)
    assert len(expected["sources"]) == 1998
    assert [row[3] for row in expected["rejects"]].count("duplicate_source") == 2
    emptied(database)
    with held(database, "ingest_reject"):
        threads = [load(database, path) for path in paths]
        assert waiting(database, "relation", 2)
    for thread in threads:
        thread.join(60)
    assert holdings(database) == expected
    with database.connect(None, autocommit=True) as connection:
        deadline = time.monotonic() + 10
        deadlocks = 0
        while not deadlocks and time.monotonic() < deadline:
            (deadlocks,) = connection.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").fetchone() or (
                0,
            )
            time.sleep(0.05)
    assert deadlocks


def test_the_rows_of_a_loader_that_fails_late_are_in_nobodys_way(
    archive: Any, database: Database, holdings: Holdings, tmp_path: Path
) -> None:
    """A file that is cut short has copied its rows into the table when that shows; another file with the same keys waits, then loads."""
    whole = archive.csv(tmp_path / "whole.csv.gz", [archive.source(GOOD + 128 * i, **NEAR) for i in range(100)])
    cut = tmp_path / "cut.csv"
    cut.write_bytes(gzip.decompress(whole.read_bytes())[:-3])
    summary = add_paths(database, DR3, [cut, whole], work=True)
    assert [file.state for file in summary.files] == ["failed", "loaded"]
    found = holdings(database)
    assert len(found["sources"]) == 100
    assert found["rejects"] == []
