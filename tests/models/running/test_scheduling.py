"""A run ends in the same tables however its workers die: real networks, real Dask workers, real SIGKILLs. The spectra are simulated."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import pytest
from distributed import LocalCluster

from catalog.database import Database, Role
from catalog.errors import RunError, TransientError, UsageError
from catalog.runs import Run, create_run, read_run
from catalog.spectra import SpectrumBatch
from catalog.version import ROOT
from models.learning.versions import train_version
from models.running.run_batch import run_chunk
from models.running.scheduling import dask_client, work

STARS, CHUNK = 1200, 100
Build = Callable[..., SpectrumBatch]


@pytest.fixture
def run(database: Database, simulated_spectra: Build, without: Build, load_spectra: Callable[..., None]) -> Run:
    """A run of a quickly trained scatter_vae over simulated stars, some without errors, some without BP."""
    stars = simulated_spectra(STARS)
    stars = without(stars, np.arange(0, STARS, 50), "bp_errors", "rp_errors")
    stars = without(stars, np.arange(7, STARS, 50), "bp_coefficients", "bp_errors")
    load_spectra(database, stars, "field.fits")
    train_version(database, "scatter_vae", "gaia_dr3", "short", 0, lambda progress: None, {"steps": 30})
    return create_run(database, "scatter_vae", "gaia_dr3", chunk_sources=CHUNK)


def contents(database: Database, run_id: int) -> list[tuple[object, ...]]:
    """Every row of a run, without the run's number."""
    with database.connect(Role.WORKER) as connection:
        labels = connection.execute(
            "SELECT source_id, latent, e_latent, chi2, chi2_scatter, n_coefficients, flux_scale, quality_flags "
            "FROM store.label_scatter_vae WHERE run_id = %s ORDER BY 1", (run_id,),
        ).fetchall()  # fmt: skip
        reasons = connection.execute(
            "SELECT source_id, reason, detail FROM store.no_label WHERE run_id = %s ORDER BY 1", (run_id,)
        ).fetchall()
        sums = connection.execute(
            "SELECT chunk, labelled, unlabelled, residual_sums FROM store.run_chunk WHERE run_id = %s ORDER BY 1", (run_id,)
        ).fetchall()
    return [*labels, *reasons, *sums]


def undisturbed(database: Database, run: Run) -> list[tuple[object, ...]]:
    """The rows of a run of the same version, done chunk by chunk in this process."""
    other = create_run(database, "scatter_vae", "gaia_dr3", version=run.version, chunk_sources=CHUNK, allow_simulated_weights=True)
    assert other.run_id == run.run_id, "the same command gives the same run"
    with database.connect(Role.OWNER) as connection:
        # The run under test has to be passed over to get a second one of the very same configuration.
        connection.execute("UPDATE store.run SET state = 'retired' WHERE run_id = %s", (run.run_id,))
    second = create_run(database, "scatter_vae", "gaia_dr3", version=run.version, chunk_sources=CHUNK)
    for chunk in range(STARS // CHUNK):
        assert run_chunk(database, second.run_id, chunk, 60).ended == "done"
    return contents(database, second.run_id)


def command(database: Database, run: Run) -> subprocess.Popen[str]:
    """``kiel run work`` as a process group of its own."""
    environment = os.environ | {"KIEL_DATABASE_URL": database.url, "KIEL_LEASE_SECONDS": "2", "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "kiel_main", "run", "work", str(run.run_id), "--workers", "1"]
    return subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def chunks_done(database: Database, run: Run) -> int:
    with database.connect(Role.WORKER) as connection:
        row = connection.execute("SELECT count(*) FROM store.run_chunk WHERE run_id = %s AND state = 'done'", (run.run_id,)).fetchone()
    assert row is not None
    return int(row[0])


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "what the test waits for has not come"
        time.sleep(0.01)


def test_every_star_of_a_run_has_a_label_or_a_reason(database: Database, run: Run) -> None:
    told: list[int] = []
    summary = work(database, run.run_id, workers=2, report=lambda outcome, left: told.append(left))
    assert summary.run.state == "complete"
    assert len(told) == STARS // CHUNK and told == sorted(told, reverse=True) and told[-1] == 0, told
    assert summary.run.labelled is not None and summary.run.unlabelled is not None
    assert summary.run.labelled + summary.run.unlabelled == STARS
    assert summary.labelled == summary.run.labelled
    assert contents(database, run.run_id) == undisturbed(database, run)
    again = work(database, run.run_id, workers=2)
    assert again.chunks == 0 and again.run.state == "retired"


@pytest.mark.parametrize("signalled", ["the command with its workers", "the command alone"])
def test_a_run_killed_and_started_again_ends_in_the_same_tables(database: Database, run: Run, signalled: str) -> None:
    first = command(database, run)
    wait_until(lambda: chunks_done(database, run) >= 2)
    if signalled == "the command alone":
        os.kill(first.pid, signal.SIGKILL)
    else:
        os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    left = STARS // CHUNK - chunks_done(database, run)
    second = command(database, run)
    out, err = second.communicate(timeout=120)
    assert second.returncode == 0, err
    assert f"run {run.run_id} is complete" in out
    assert left > 0, "the kill came too late to test anything"
    assert contents(database, run.run_id) == undisturbed(database, run)


def test_a_worker_that_dies_in_a_chunk_costs_nothing_but_time(database: Database, run: Run) -> None:
    import psutil

    process = command(database, run)
    wait_until(lambda: chunks_done(database, run) >= 1)
    workers = [child for child in psutil.Process(process.pid).children(recursive=True) if "spawn_main" in " ".join(child.cmdline())]
    assert workers
    for worker in workers:
        worker.kill()
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err
    assert contents(database, run.run_id) == undisturbed(database, run)


def test_a_chunk_that_always_fails_ends_the_command_with_its_reason_and_leaves_the_rest(database: Database, run: Run) -> None:
    with database.connect(Role.OWNER) as connection:
        spoilt = connection.execute("SELECT min(source_id) FROM store.xp_spectrum").fetchone()
        assert spoilt is not None
        connection.execute("UPDATE store.xp_spectrum SET head = '\\x00000000'::bytea WHERE source_id = %s", spoilt)
    told: list[tuple[str, int]] = []
    with pytest.raises(RunError, match=f"chunk 0 of run {run.run_id} failed 3 times.*{spoilt[0]}"):
        work(database, run.run_id, workers=1, report=lambda outcome, left: told.append((outcome.ended, left)))
    assert told.count(("failed", 0)) == 0 and len([1 for ended, _ in told if ended == "failed"]) == 2, "a failed chunk is still left"
    with database.connect(Role.WORKER) as connection:
        assert read_run(connection, run.run_id).state == "working"
        row = connection.execute("SELECT state, attempt, error FROM store.run_chunk WHERE chunk = 0").fetchone()
    assert row is not None and row[:2] == ("failed", 3) and str(spoilt[0]) in row[2]


def test_a_scheduler_that_is_not_there_is_a_passing_fault(database: Database, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.running.scheduling.WAIT_FOR_WORKERS_SECONDS", 1)
    with pytest.raises(TransientError, match=r"tcp://127\.0\.0\.1:9"):
        work(database, run.run_id, scheduler="tcp://127.0.0.1:9")


def test_workers_that_all_leave_end_the_command_with_the_reason_instead_of_a_wait_for_ever(
    database: Database, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.running.scheduling.WAIT_FOR_WORKERS_SECONDS", 1)
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        pytest.raises(TransientError, match=r"no Dask worker is left at \S+; .* goes on with the others"),
    ):
        work(database, run.run_id, scheduler=cluster.scheduler_address, report=lambda outcome, left: cluster.scale(0))
    assert 1 <= chunks_done(database, run) < STARS // CHUNK
    assert work(database, run.run_id, workers=1).run.state == "complete"


@pytest.mark.parametrize("address", ["tcp:nonsense", "carrier-pigeon://host:1"])
def test_a_scheduler_that_is_no_address_is_wrong_usage(address: str) -> None:
    with pytest.raises(UsageError, match=rf"{address}.*tcp://HOST:8786"), dask_client(1, address):
        pass
