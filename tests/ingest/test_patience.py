"""Passing faults while files are loaded: a server that restarts, disks that are full. Nothing is half loaded, nothing waits for good."""

import contextlib
import gzip
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from psycopg import sql

from catalog.database import Database, Role
from catalog.embedded_server import EmbeddedServer, reopened_database
from catalog.errors import TransientError
from catalog.migrate import upgrade
from catalog.releases import add_release
from catalog.settings import Settings
from ingest.effort import Effort
from ingest.ledger import Step
from ingest.load import add_paths, load_pending
from ingest.patience import Patience

DR3 = "gaia_dr3"
GOOD = 4295806720


def test_the_fault_is_raised_when_nothing_succeeds_for_so_long_and_a_success_begins_anew(database: Database) -> None:
    fault = TransientError("away.")
    with pytest.raises(TransientError, match="away"):
        Patience(database).wait(fault)
    patience = Patience(database, 1.0)
    began = time.monotonic()
    with pytest.raises(TransientError):
        while True:
            patience.wait(fault)
    assert 0.9 < time.monotonic() - began < 5.0
    patience.succeeded()
    patience.wait(fault)  # not at the end any more


@pytest.mark.parametrize("workers", [1, 2])
def test_a_connection_that_is_lost_costs_time_alone(workers: int, archive: Any, database: Database, tmp_path: Path) -> None:
    for number in range(4):
        archive.csv(tmp_path / f"{number}.csv", [archive.spectrum(GOOD + 128 * (10 * number + row)) for row in range(5)])
    cuts = []

    def cut_off(step: Step) -> None:
        if step.action == "loading" and step.number in (1, 3) and len(cuts) < 2:
            cuts.append(step.number)
            with database.connect(None, autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )

    summary = add_paths(database, DR3, [tmp_path], work=True, effort=Effort(workers=workers, patience_seconds=60.0), report=cut_off)
    assert len(cuts) == 2
    assert summary.count("loaded") == 4
    assert summary.rows_loaded == 20


@pytest.fixture
def home() -> Iterator[Path]:
    """The home of a server that may be killed."""
    # Not in pytest's own folder, which is closed to the account that root's server runs as.
    folder = Path(tempfile.mkdtemp(prefix="kiel-patience-"))
    folder.chmod(0o711)
    yield folder / "home"
    EmbeddedServer(folder / "home").down()
    shutil.rmtree(folder, ignore_errors=True)


def test_an_embedded_server_that_was_killed_is_started_again_and_one_that_was_stopped_is_not(home: Path) -> None:
    server = EmbeddedServer(home)
    settings = Settings(home=home)
    server.up()
    assert reopened_database(settings) == server.database()
    pid = server.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(pid).wait(20)
    assert server.was_killed()
    with reopened_database(settings).connect(None) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    server.down()
    assert not server.was_killed()
    with pytest.raises(TransientError, match="kiel db up"):
        reopened_database(settings)


# --- full disks ---------------------------------------------------------------------------------------------------------------


class SmallDisk:
    """A file system in memory of a size that the test chooses."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def resize(self, size: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}", str(self.folder)], check=True)

    def used(self) -> int:
        return shutil.disk_usage(self.folder).used


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    folder = Path(tempfile.mkdtemp(prefix="kiel-small-"))
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if not mounted or mounted.returncode != 0:
        folder.rmdir()
        pytest.skip("needs the right to mount a file system of its own (root), to fill it")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


def test_a_full_disk_of_postgresql_is_a_passing_fault_until_room_is_made(
    small_disk: SmallDisk, postgres: Database, archive: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with postgres.connect(None) as connection:
        row = connection.execute("SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'").fetchone()
    assert row is not None
    owner = psutil.Process(row[0]).uids().effective
    space = small_disk.folder / "space"
    space.mkdir(mode=0o700)
    os.chown(space, owner, -1)
    small_disk.folder.chmod(0o711)
    name = f"small_{os.getpid()}"
    database = postgres.named(name)
    with postgres.named("postgres").connect(None, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE TABLESPACE {} LOCATION {}").format(sql.Identifier(name), sql.Literal(str(space))))
        connection.execute(sql.SQL("CREATE DATABASE {} TABLESPACE {}").format(sql.Identifier(name), sql.Identifier(name)))
    try:
        upgrade(database)
        add_release(database, DR3)
        for number in range(3):
            template = archive.spectrum(GOOD)
            archive.csv(tmp_path / f"{number}.csv", [template | {"source_id": GOOD + 128 * (200 * number + row)} for row in range(100)])
        add_paths(database, DR3, [tmp_path])
        with database.connect(Role.WORKER, autocommit=True) as watcher:  # a full disk may refuse new sessions as well
            small_disk.resize(small_disk.used() + (1 << 20))
            with pytest.raises(TransientError, match=r"disk of PostgreSQL is full.*make room"):
                load_pending(database, DR3)
            waiting = watcher.execute("SELECT state, reason, rows_loaded FROM store.ingest_file WHERE attempts > 0").fetchall()
        assert [(state, rows) for state, _, rows in waiting] == [("planned", None)]
        assert "No space left" in waiting[0][1]
        done: list[Any] = []
        thread = threading.Thread(target=lambda: done.append(load_pending(database, DR3, effort=Effort(patience_seconds=120.0))))
        thread.start()
        _until(lambda: "Trying again" in caplog.text)
        small_disk.resize(256 << 20)
        thread.join(timeout=120)
        assert done[0].count("loaded") == 3
        assert done[0].rows_loaded == 300
        assert _states(database) == {"loaded"}
    finally:
        with postgres.named("postgres").connect(None, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
            connection.execute(sql.SQL("DROP TABLESPACE {}").format(sql.Identifier(name)))


def test_a_full_folder_for_temporary_files_is_a_passing_fault_until_room_is_made(
    small_disk: SmallDisk, database: Database, archive: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = archive.fits(tmp_path / "a.fits", [archive.spectrum(GOOD + 128 * row) for row in range(100)])
    (tmp_path / "a.fits.gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk.folder))
    small_disk.resize(small_disk.used() + (64 << 10))
    with pytest.raises(TransientError, match=r"no space.*make room"):
        add_paths(database, DR3, [tmp_path], work=True)
    assert _states(database) == {"planned"}
    small_disk.resize(64 << 20)
    (file,) = load_pending(database, DR3).files
    assert (file.state, file.rows_loaded) == ("loaded", 100)


def _states(database: Database) -> set[str]:
    with database.connect(Role.WORKER) as connection:
        return {state for (state,) in connection.execute("SELECT state FROM store.ingest_file")}


def _until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
