"""Loading on workers: the same tables as without, a file that takes its workers with it fails alone, two operators load once."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from distributed import LocalCluster

from catalog.content_hash import content_hashes
from catalog.database import Database, Role
from catalog.errors import TransientError, UsageError
from catalog.releases import release_named
from catalog.version import ROOT
from ingest import ledger, scheduling
from ingest.audit import audit
from ingest.effort import Effort
from ingest.ledger import Step
from ingest.load import add_paths, load_pending
from ingest.load_file import loader_connection

DR3 = "gaia_dr3"
GOOD = 4295806720


@pytest.fixture
def folder(archive: Any, tmp_path: Path) -> Path:
    """Eight files that share sources."""
    place = tmp_path / "files"
    place.mkdir()
    for number in range(8):
        level = ("full", "err", "coef")[number % 3]
        rows = [archive.spectrum(GOOD + 128 * (3 * number + row), level, seed=number) for row in range(6)]
        archive.csv(place / f"{number}.csv.gz", rows)
    return place


def hashes(database: Database) -> dict[str, str]:
    with database.connect(Role.WORKER) as connection:
        return content_hashes(connection)


def attempts(database: Database) -> list[int]:
    with database.connect(Role.WORKER) as connection:
        return [count for (count,) in connection.execute("SELECT attempts FROM store.ingest_file")]


def test_workers_give_the_same_tables_as_no_workers(folder: Path, database: Database, emptied: Callable[[Database], None]) -> None:
    add_paths(database, DR3, [folder], work=True)
    expected = hashes(database)
    emptied(database)
    steps: list[Step] = []
    summary = add_paths(database, DR3, [folder], work=True, effort=Effort(workers=2), report=steps.append)
    assert summary.count("loaded") == 8
    assert hashes(database) == expected
    assert attempts(database) == [1] * 8
    assert sorted(step.number for step in steps if step.action == "loaded") == list(range(1, 9))
    assert load_pending(database, DR3, effort=Effort(workers=2)).files == ()


def _votable_of_many_rows(path: Path, rows: int) -> None:
    fields = "".join(
        f'<FIELD name="{name}" datatype="{kind}"/>' for name, kind in (("source_id", "long"), ("ra", "double"), ("dec", "double"))
    )
    row = "<TR><TD>4295806720</TD><TD>45.0</TD><TD>0.5</TD></TR>\n"
    path.write_text(
        '<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE><TABLE>'
        f"{fields}<DATA><TABLEDATA>{row * rows}</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"
    )


def test_a_file_that_needs_too_much_memory_fails_with_that_reason_and_the_others_load(
    archive: Any, database: Database, tmp_path: Path
) -> None:
    _votable_of_many_rows(tmp_path / "a.xml", 700_000)
    for number in range(3):
        archive.csv(tmp_path / f"b{number}.csv", [archive.source(GOOD + 128 * number)])
    lost: list[str] = []

    def note(step: Step) -> None:
        if step.action == "loader_lost":
            lost.append(Path(step.file.name).name)

    summary = add_paths(database, DR3, [tmp_path], work=True, effort=Effort(workers=1, memory_limit="500MB"), report=note)
    assert summary.count("loaded") == 3
    (failed,) = summary.failed
    assert failed.name.endswith("a.xml")
    assert "500MB" in str(failed.reason) and "--memory-limit" in str(failed.reason)
    assert lost == ["a.xml"] * (scheduling.MAX_DEATHS - 1)
    assert failed.attempts == scheduling.MAX_DEATHS


def test_workers_that_cannot_live_on_their_memory_are_told(folder: Path, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduling, "WAIT_FOR_WORKERS_SECONDS", 6)
    with pytest.raises(TransientError, match="60MB is less memory than a worker needs by itself"):
        add_paths(database, DR3, [folder], work=True, effort=Effort(memory_limit="60MB"))
    assert load_pending(database, DR3).count("loaded") == 8


def test_a_file_that_another_loader_has_loaded_meanwhile_is_not_given_up(folder: Path, database: Database) -> None:
    add_paths(database, DR3, [folder])
    with loader_connection(database) as connection:
        release = release_named(connection, DR3)
        seen = ledger.pending(connection, release)
        expected = load_pending(database, DR3).files
        tasks = scheduling._Tasks(None, DR3, [file.sha256 for file in seen], "2GB", print)
        for file in seen:
            tasks._give_up(connection, release, file)
        assert ledger.files(connection, release) == list(expected)
    assert audit(database, DR3).differences == ()


def test_two_operators_who_start_the_same_load_at_once_load_each_file_once(
    folder: Path, database: Database, emptied: Callable[[Database], None], database_url_env: dict[str, str]
) -> None:
    add_paths(database, DR3, [folder], work=True)
    expected = hashes(database)
    emptied(database)
    words = [sys.executable, "-m", "kiel_main", "ingest", "add", str(folder), "--work"]
    commands = [
        subprocess.Popen([*words, *more], cwd=ROOT, env=database_url_env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for more in ([], ["--workers", "2"])
    ]
    said = [command.communicate(timeout=120) for command in commands]
    assert [command.returncode for command in commands] == [0, 0], said
    assert hashes(database) == expected
    assert attempts(database) == [1] * 8


def test_a_scheduler_of_ones_own_is_used(folder: Path, database: Database) -> None:
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None, silence_logs="CRITICAL") as cluster:
        summary = add_paths(database, DR3, [folder], work=True, effort=Effort(scheduler=cluster.scheduler_address))
    assert summary.count("loaded") == 8


def test_a_scheduler_that_is_not_there_and_one_without_workers(folder: Path, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    add_paths(database, DR3, [folder])
    monkeypatch.setattr(scheduling, "WAIT_FOR_WORKERS_SECONDS", 1)
    with pytest.raises(UsageError, match="tcp://"):
        load_pending(database, DR3, effort=Effort(scheduler="nonsense://x"))
    with pytest.raises(TransientError, match="no Dask worker answers"):
        load_pending(database, DR3, effort=Effort(scheduler="tcp://127.0.0.1:1"))
    with (
        LocalCluster(n_workers=0, dashboard_address=None, silence_logs="CRITICAL") as cluster,
        pytest.raises(TransientError, match="worker"),
    ):
        load_pending(database, DR3, effort=Effort(scheduler=cluster.scheduler_address))
    with pytest.raises(UsageError, match="memory limit"):
        load_pending(database, DR3, effort=Effort(memory_limit="much"))
