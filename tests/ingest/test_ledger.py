"""What the ledger promises of a file: verified bytes, the header against the contract, exact counts, progress."""

import hashlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import sql

from catalog.database import Database, Role
from catalog.releases import release_named
from catalog.version import ROOT
from ingest.ledger import LedgerFile
from ingest.load import add_paths, load_pending
from ingest.manifest import Manifest, manifest_sum
from ingest.status import FileStatus, contract_notes, file_status, totals

DR3 = "gaia_dr3"
GOOD = 4295806720


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def state_of(database: Database) -> list[FileStatus]:
    with database.connect(Role.WORKER) as connection:
        return file_status(connection, release_named(connection, DR3))


def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


# --- manifests ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "sums"),
    [
        ("0123456789abcdef0123456789ABCDEF  a.csv.gz", {"a.csv.gz": "0123456789abcdef0123456789abcdef"}),
        ("0123456789abcdef0123456789abcdef *a b.csv", {"a b.csv": "0123456789abcdef0123456789abcdef"}),
        ("0123456789abcdef0123456789abcdef  ./a.csv\r", {"a.csv": "0123456789abcdef0123456789abcdef"}),
        ("0123456789abcdef  a.csv", {}),
        ("no sum at all", {}),
        ("", {}),
    ],
)
def test_a_manifest_line_is_a_sum_and_a_name(line: str, sums: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "_MD5SUM.txt").write_text(line + "\n")
    manifest = Manifest.read(tmp_path / "_MD5SUM.txt")
    assert manifest.sums == sums
    assert manifest.not_understood == ((1,) if line and not sums else ())


_NAMES = st.text(st.characters(exclude_characters="\0\n\r/", exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
    lambda name: not name.startswith("./") and name not in (".", "..")
)


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(_NAMES, st.binary(max_size=50), max_size=8))
def test_every_sum_of_a_manifest_is_read_whatever_the_names(files: dict[str, bytes]) -> None:
    sums = {name: hashlib.md5(content).hexdigest() for name, content in files.items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "_MD5SUM.txt"
        path.write_bytes(b"".join(f"{sum_}  {name}\n".encode() for name, sum_ in sums.items()))
        manifest = Manifest.read(path)
    assert (manifest.sums, manifest.not_understood) == (sums, ())


def test_a_manifest_tells_what_it_names_and_is_not_there(archive: Any, database: Database, tmp_path: Path) -> None:
    path = archive.csv(tmp_path / "a.csv", [archive.source(GOOD)])
    (tmp_path / "_MD5SUM.txt").write_text(f"{md5(path)}  a.csv\n{'0' * 32}  b.csv\nwhat is this\n")
    summary = add_paths(database, DR3, [tmp_path], work=True)
    (file,) = summary.files
    assert file.state == "loaded"
    assert summary.unreadable == ()
    assert summary.notes == (
        f"{tmp_path / '_MD5SUM.txt'} names 2 files, of which 1 are not there: b.csv",
        f"{tmp_path / '_MD5SUM.txt'} has lines that are no MD5 sum: 3",
    )
    with database.connect(Role.WORKER) as connection:
        assert connection.execute("SELECT md5 FROM store.ingest_file").fetchall() == [(md5(path),)]
    assert manifest_sum(tmp_path / "c.csv") is None


def test_a_file_with_another_md5_than_its_manifest_fails_and_both_are_told(archive: Any, database: Database, tmp_path: Path) -> None:
    path = archive.csv(tmp_path / "a.csv", [archive.source(GOOD)])
    (tmp_path / "_MD5SUM.txt").write_text(f"{'0' * 32}  a.csv\n")
    (file,) = add_paths(database, DR3, [tmp_path], work=True).files
    assert file.state == "failed"
    assert md5(path) in str(file.reason) and "0" * 32 in str(file.reason)
    (tmp_path / "_MD5SUM.txt").write_text(f"{md5(path)}  a.csv\n")
    (file,) = add_paths(database, DR3, [tmp_path], work=True, retry=True).files
    assert file.state == "loaded"


# --- files that change --------------------------------------------------------------------------------------------------------


@contextmanager
def loader_stopped_before_its_rows(database: Database) -> Iterator[list[LedgerFile]]:
    """A loader in a thread that has verified its file and cannot go on until the block ends; the list has its files then."""
    ended: list[LedgerFile] = []
    with database.connect(Role.OWNER) as barrier:
        barrier.execute("LOCK TABLE store.gaia_source IN ACCESS EXCLUSIVE MODE")
        thread = threading.Thread(target=lambda: ended.extend(load_pending(database, DR3).files))
        thread.start()
        until(lambda: [each.file.state for each in state_of(database)] == ["loading"])
        yield ended
    thread.join()


def _rewrite(path: Path) -> None:
    """Other bytes of the same length under the same name, the time of change as it was."""
    before = path.stat()
    path.write_text(path.read_text().replace("45.0", "45.1"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _grow(path: Path) -> None:
    with path.open("a") as stream:
        stream.write(path.read_text().splitlines(keepends=True)[-1])


CHANGES: dict[str, tuple[Callable[[Path], None], bool]] = {
    "it grows": (_grow, True),
    "it is rewritten in place and its time set back": (_rewrite, True),
    "it is cut": (lambda path: os.truncate(path, 80), True),
    "it is deleted": (lambda path: path.unlink(), True),
    "its rights change and its bytes do not": (lambda path: path.chmod(0o640), False),
}


@pytest.mark.parametrize(("change", "fails"), CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("age", [0, 3600])
def test_a_file_that_changes_while_it_is_read_fails_whole(
    change: Callable[[Path], None], fails: bool, age: int, archive: Any, database: Database, tmp_path: Path
) -> None:
    path = archive.csv(tmp_path / "a.csv", [archive.source(GOOD), archive.source(GOOD + 128)])
    os.utime(path, (time.time() - age, time.time() - age))
    add_paths(database, DR3, [path])
    with loader_stopped_before_its_rows(database) as ended:
        change(path)
    (file,) = ended
    assert file.state == ("failed" if fails else "loaded")
    assert not fails or "changed while it was read" in str(file.reason) or "cannot be read" in str(file.reason)
    with database.connect(Role.WORKER) as connection:
        assert connection.execute("SELECT count(*) FROM store.gaia_source").fetchone() == (0 if fails else 2,)


# --- contract and counts ------------------------------------------------------------------------------------------------------


def test_the_ledger_keeps_how_the_header_differs_and_the_nulls_of_each_column(archive: Any, database: Database, tmp_path: Path) -> None:
    rows = [archive.source(GOOD + 128 * i, parallax=None if i % 2 else 1.0, own_column=1) for i in range(5)]
    archive.csv(tmp_path / "a.csv", rows)
    archive.csv(tmp_path / "b.csv", [row | {"source_id": row["source_id"] + 128 * 10} for row in rows])
    summary = add_paths(database, DR3, [tmp_path], work=True)
    contract = summary.files[0].contract
    assert contract is not None
    assert contract["unknown_columns"] == ["own_column"]
    assert "ruwe" in contract["missing_columns"] and "ra" not in contract["missing_columns"]
    assert (contract["nulls"]["parallax"], contract["nulls"]["ra"]) == (2, 0)
    assert contract_notes(summary.files) == ["note: gaia_source, 2 files: 1 columns that are unknown and were not read: own_column"]


def _fits(archive: Any, path: Path) -> Path:
    return archive.fits(path, [archive.spectrum(GOOD), archive.spectrum(GOOD), archive.spectrum(0)])


def _parquet(archive: Any, path: Path) -> Path:
    return archive.parquet(path, [archive.spectrum(GOOD), archive.spectrum(GOOD), archive.spectrum(0)])


def _csv(archive: Any, path: Path) -> Path:
    return archive.csv(path, [archive.spectrum(GOOD), archive.spectrum(GOOD), archive.spectrum(0)])


def _votable(archive: Any, path: Path, promised: int = 3) -> Path:
    archive.votable(path, [archive.spectrum(GOOD), archive.spectrum(GOOD), archive.spectrum(0)])
    path.write_text(re.sub(r"<TABLE\b", f'<TABLE nrows="{promised}"', path.read_text(), count=1))
    return path


@pytest.mark.parametrize(("write", "stated"), [(_fits, 3), (_parquet, 3), (_votable, 3), (_csv, None)])
def test_rows_are_counted_at_each_stage(
    write: Callable[[Any, Path], Path], stated: int | None, archive: Any, database: Database, tmp_path: Path
) -> None:
    (file,) = add_paths(database, DR3, [write(archive, tmp_path / "file")], work=True).files
    assert (file.rows_stated, file.rows_in, file.rows_kept, file.rows_loaded, file.rows_rejected) == (stated, 3, 2, 1, 2)
    assert file.attempts == 1


def test_a_votable_that_promises_more_rows_than_it_has_fails(archive: Any, database: Database, tmp_path: Path) -> None:
    (file,) = add_paths(database, DR3, [_votable(archive, tmp_path / "file", promised=4)], work=True).files
    assert file.state == "failed"
    assert "4 rows" in str(file.reason)


def test_the_sums_are_by_product_and_state(archive: Any, database: Database, tmp_path: Path) -> None:
    archive.csv(tmp_path / "a.csv", [archive.source(GOOD), archive.source(0)])
    archive.csv(tmp_path / "b.csv", [archive.source(GOOD + 128)])
    fits.PrimaryHDU().writeto(tmp_path / "c.fits")
    add_paths(database, DR3, [tmp_path], work=True)
    archive.csv(tmp_path / "d.csv", [archive.spectrum(GOOD)])
    add_paths(database, DR3, [tmp_path])
    found = {(total.product, total.state): total for total in totals(state_of(database))}
    assert set(found) == {("gaia_source", "loaded"), (None, "not_a_product"), (None, "planned")}
    loaded = found["gaia_source", "loaded"]
    assert (loaded.files, loaded.rows_in, loaded.rows_kept, loaded.rows_loaded, loaded.rows_rejected) == (2, 3, 2, 2, 1)


# --- progress -----------------------------------------------------------------------------------------------------------------

_LOADER = """
import sys
import ingest.progress
from catalog.database import Database
from ingest.load import load_pending
ingest.progress.TELL_SECONDS = 0.0  # tell at every block
load_pending(Database(sys.argv[1], sys.argv[2]), "gaia_dr3")
"""


def test_progress_is_seen_while_a_file_is_loaded_and_so_is_a_loader_that_died(archive: Any, database: Database, tmp_path: Path) -> None:
    archive.csv(tmp_path / "a.csv", [archive.source(GOOD, ra=45.0, dec=-0.001), archive.source(GOOD + 128, ra=45.0, dec=0.005)])
    add_paths(database, DR3, [tmp_path])
    (planned,) = state_of(database)
    assert (planned.loader, planned.progress) == (None, None)
    with database.connect(Role.OWNER) as barrier:
        barrier.execute("SELECT FROM store.release FOR NO KEY UPDATE")  # where the loader is to note the offset of its first source
        command = [sys.executable, "-c", _LOADER, database.url, database.tap_url]
        process = subprocess.Popen(command, cwd=ROOT)
        merging = until(lambda: [each for each in state_of(database) if each.progress and each.progress.stage == "merging"])[0]
        assert merging.loader == "at work"
        assert merging.file.state == "loading"
        assert str(process.pid) in merging.as_dict()["progress"]["loader"]
        assert "merging" in merging.line()
        process.send_signal(signal.SIGKILL)
        process.wait()
        lost = until(lambda: [each for each in state_of(database) if not each.held])[0]
        assert lost.loader == "lost"
        assert "loader lost, will be loaded again" in lost.line()
    (file,) = load_pending(database, DR3).files
    assert (file.state, file.attempts) == ("loaded", 2)
    with database.connect(Role.WORKER) as connection:
        assert connection.execute("SELECT count(*) FROM store.ingest_progress").fetchone() == (0,)


def test_rate_and_time_left_follow_from_what_was_told(archive: Any, database: Database, tmp_path: Path) -> None:
    path = archive.csv(tmp_path / "a.csv", [archive.source(GOOD)])
    add_paths(database, DR3, [path])
    with database.connect(Role.WORKER) as connection:
        query = sql.SQL(
            "INSERT INTO store.ingest_progress SELECT file_id, 'host:1', 'reading', {}, 5, now() - interval '10 s', now() FROM store.ingest_file"
        )
        connection.execute(query.format(path.stat().st_size // 4))
        connection.execute("UPDATE store.ingest_file SET state = 'loading'")
    told = state_of(database)[0].as_dict()["progress"]
    assert told["rows_per_second"] == pytest.approx(0.5)
    assert told["bytes_per_second"] == pytest.approx(path.stat().st_size // 4 / 10)
    assert told["seconds_left"] == pytest.approx(30.0, rel=0.05)
    at_work = replace(state_of(database)[0], held=True)
    assert re.search(r"reading: 0 of 0 MB, 5 rows, 0\.0 MB/s, (29|30|31) s left$", at_work.line())
