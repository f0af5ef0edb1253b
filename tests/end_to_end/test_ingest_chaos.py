"""Workers, commands and PostgreSQL killed at random while a simulated sky is loaded: the tables end as those of an undisturbed load.

CHAOS_ROUNDS=20 in the environment gives as many kills; without it there are fewer, so that the suite stays quick.
"""

import contextlib
import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from catalog.content_hash import content_hashes
from catalog.database import Database, Role
from catalog.embedded_server import EmbeddedServer
from catalog.migrate import upgrade
from catalog.postmaster import Postmaster
from catalog.releases import add_release
from catalog.version import ROOT
from ingest.link_commands import link_loaded
from ingest.load import add_paths
from ingest.sky.make import SkySettings, make_sky

RELEASE = "sim_dr3"
ROUNDS = int(os.environ.get("CHAOS_ROUNDS", "8"))
VICTIMS = ("worker", "postgres", "worker", "command", "worker", "postgres", "worker")
ROWS_A_FILE = 5


@pytest.fixture(scope="module")
def sky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated sky whose spectra and sources lie in many small files, each row in two of them."""
    folder = tmp_path_factory.mktemp("chaos") / "sky"
    make_sky(SkySettings(stars=100, seed=5), folder, workers=1)
    for path in sorted([*folder.glob("xp_*/*.gz"), *folder.glob("gaia_*/*.gz")]):
        lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
        first = next(number for number, line in enumerate(lines) if not line.startswith(b"#")) + 1
        for start in range(first, len(lines), ROWS_A_FILE):
            rows = lines[start : start + 2 * ROWS_A_FILE]
            part = path.with_name(f"{start:05d}_{path.name}")
            part.write_bytes(gzip.compress(b"".join([*lines[:first], *rows]), 1, mtime=0))
        path.unlink()
    return folder


@pytest.fixture
def home() -> Iterator[Path]:
    """The home of a server that may be killed."""
    # Not in pytest's own folder, which is closed to the account that root's server runs as.
    folder = Path(tempfile.mkdtemp(prefix="kiel-chaos-"))
    folder.chmod(0o711)
    yield folder / "home"
    EmbeddedServer(folder / "home").down()
    shutil.rmtree(folder, ignore_errors=True)


class Operator:
    """One command `kiel ingest` after the other on the server of a home."""

    def __init__(self, home: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("KIEL_")}
        self._environment = kept | {"KIEL_HOME": str(home), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        self._said = home.parent / "said.txt"

    def start(self, *words: str | Path) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "kiel_main", "ingest", *map(str, words), "--release", RELEASE]
        with self._said.open("wb") as said:
            return subprocess.Popen(command, env=self._environment, stdout=said, stderr=subprocess.STDOUT)

    def run(self, *words: str | Path) -> None:
        assert self.start(*words).wait(timeout=170) == 0, self.said()

    def said(self) -> str:
        return self._said.read_text(errors="replace")


def workers_of(command: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The processes that load for a command."""
    try:
        below = psutil.Process(command.pid).children(recursive=True)
        return [process for process in below if "spawn_main" in " ".join(process.cmdline())]
    except psutil.NoSuchProcess:
        return []


def states(home: Path) -> Counter[str]:
    """The files of the ledger by state, asked of a server that may just be starting again."""
    database = EmbeddedServer(home).up()
    with database.connect(Role.WORKER) as connection:
        return Counter(state for (state,) in connection.execute("SELECT state FROM store.ingest_file"))


def hashes(database: Database) -> dict[str, str]:
    with database.connect(Role.WORKER) as connection:
        return content_hashes(connection)


def emptied(database: Database) -> None:
    """Every file and row out again: the tables that `content_hashes` knows, but the release itself."""
    with database.connect(Role.OWNER) as connection:
        tables = connection.execute(
            "SELECT string_agg(format('store.%%I', name), ', ') FROM unnest(%s::text[]) AS name",
            [[name for name in hashes(database) if name != "release"]],
        ).fetchone()
        assert tables is not None
        connection.execute(f"TRUNCATE {tables[0]} CASCADE")
        connection.execute("UPDATE store.release SET largest_pixel_offset = 0")


def test_a_load_that_is_killed_again_and_again_ends_in_the_same_tables(sky: Path, home: Path, empty_database: Database) -> None:
    database = empty_database
    upgrade(database)
    add_release(database, RELEASE)
    summary = add_paths(database, RELEASE, [sky], work=True)
    link_loaded(database, RELEASE)
    assert summary.failed == () and summary.count("loaded") > 30
    expected = hashes(database)
    with database.connect(Role.WORKER) as connection:
        duplicates = connection.execute("SELECT count(*) FROM store.ingest_reject WHERE reason LIKE 'duplicate%'").fetchone()
    assert duplicates is not None and duplicates[0] >= 100

    server = EmbeddedServer(home)
    upgrade(server.up())
    add_release(server.database(), RELEASE)
    operator = Operator(home)
    operator.run("add", sky)
    chance = random.Random(20261121)
    kills: Counter[str] = Counter()
    command = operator.start("work", "--workers", "2")
    while (rounds := kills.total()) < ROUNDS:
        deadline = time.monotonic() + 30
        while not (workers := workers_of(command)) and command.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(chance.uniform(0.5, 2.0))
        if not states(home).keys() & {"planned", "verified", "loading"}:
            assert command.wait(timeout=60) == 0, operator.said()
            assert hashes(server.database()) == expected
            emptied(server.database())
            operator.run("add", sky)
        victim = VICTIMS[rounds % len(VICTIMS)]
        if command.poll() is None:
            kills[victim] += 1
            if victim == "worker":
                with contextlib.suppress(psutil.NoSuchProcess, IndexError):
                    chance.choice(workers).send_signal(signal.SIGKILL)
            elif victim == "postgres":
                running = Postmaster(home / "data", home / "postgres.log").running()
                assert running is not None
                os.kill(running.pid, signal.SIGKILL)
            else:
                command.kill()
                command.wait()
        if command.poll() is not None:
            assert command.returncode in (0, 1, -signal.SIGKILL), operator.said()
            command = operator.start("work", "--workers", "2")
    assert command.wait(timeout=170) in (0, 1), operator.said()

    operator.run("add", sky, "--retry", "--work")  # a file that lost three workers in one call has failed with that reason
    assert hashes(server.database()) == expected
    operator.run("verify", "--strict", "--json")
    assert json.loads(operator.said().splitlines()[-1])["differences"] == []
