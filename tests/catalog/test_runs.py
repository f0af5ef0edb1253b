"""A chunk is there whole or not at all, whoever is late, killed or started twice; and people see one complete run."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from catalog import runs
from catalog.database import Database, Role
from catalog.errors import DataError, RunError, UsageError
from catalog.runs import Run, claim_chunk, create_run, heartbeat, open_chunks, publish_run, read_run, withdraw_run, write_chunk
from catalog.version import ROOT

MakeRun = Callable[[], Run]
Finish = Callable[[Run], Run]
LabelsOf = Callable[[runs.ClaimedChunk], tuple[runs.Rows, runs.Rows]]


def count(database: Database, table: str) -> int:
    with database.connect(Role.WORKER) as connection:
        row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert row is not None
    return int(row[0])


def test_a_run_is_cut_into_chunks_that_hold_every_source_once(database: Database, new_run: MakeRun, source_ids: np.ndarray) -> None:
    run = new_run()
    with database.connect(Role.WORKER) as connection:
        chunks = connection.execute("SELECT first_source_id, last_source_id, sources FROM store.run_chunk ORDER BY chunk").fetchall()
    assert [c[2] for c in chunks] == [100] * 5
    assert [c[0] for c in chunks] == source_ids[::100].tolist()
    assert [c[1] for c in chunks] == source_ids[99::100].tolist()
    assert run.state == "created" and run.sources == 500


def test_creating_the_same_run_again_gives_the_run_that_is_there(database: Database, new_run: MakeRun) -> None:
    run = new_run()
    assert create_run(database, "scatter_vae", "gaia_dr3", version=run.version, chunk_sources=100).run_id == run.run_id
    assert create_run(database, "scatter_vae", "gaia_dr3", version=run.version, chunk_sources=50).run_id != run.run_id


def test_a_run_created_while_ingest_goes_on_is_of_one_moment(
    database: Database, new_run: MakeRun, add_spectra: Callable[[np.ndarray], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    statement, later = runs.statement, [6_900_000_000_000_001_000 + np.arange(i, i + 10, dtype=np.int64) for i in range(0, 1000, 10)]

    def loaded_between(name: str) -> object:
        add_spectra(later.pop())  # before each statement, somebody's file is loaded
        return statement(name)

    with monkeypatch.context() as patch:
        patch.setattr(runs, "statement", loaded_between)
        run = new_run()
    with database.connect(Role.WORKER) as connection:
        assert connection.execute("SELECT sum(sources) FROM store.run_chunk WHERE run_id = %s", (run.run_id,)).fetchone() == (run.sources,)
    assert len(later) < 98 and run.sources > 500


def test_the_same_run_created_by_several_at_once_is_one_run(database: Database, new_run: MakeRun) -> None:
    version, made = new_run().version, []
    words = {"version": version, "chunk_sources": 50}
    threads = [
        threading.Thread(target=lambda: made.append(create_run(database, "scatter_vae", "gaia_dr3", **words).run_id)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(made) == 4 and len(set(made)) == 1


REFUSED = [
    ("a model that does not exist", {"model": "scater_vae"}, UsageError, "scatter_vae"),
    ("a version that does not exist", {"version": 99}, UsageError, "no version 99"),
    ("a release that does not exist", {"release": "gaia_dr9"}, UsageError, "gaia_dr3"),
]


@pytest.mark.parametrize(("changed", "error", "told"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_run_is_refused_of(database: Database, new_run: MakeRun, changed: dict[str, object], error: type[Exception], told: str) -> None:
    arguments: dict[str, object] = {"model": "scatter_vae", "release": "gaia_dr3", "version": new_run().version, **changed}
    with pytest.raises(error, match=told):
        create_run(database, **arguments)  # type: ignore[arg-type]


def test_a_release_without_spectra_makes_no_run(database: Database, new_version: Callable[[str], int]) -> None:
    new_version("real")
    with pytest.raises(DataError, match="kiel ingest add"):
        create_run(database, "scatter_vae", "gaia_dr3")


def test_simulated_weights_on_a_real_release_need_to_be_allowed_and_mark_the_run(
    database: Database, new_run: MakeRun, new_version: Callable[[str], int]
) -> None:
    new_run()
    version = new_version("simulated")
    with pytest.raises(UsageError, match="--allow-simulated-weights"):
        create_run(database, "scatter_vae", "gaia_dr3", version=version)
    assert create_run(database, "scatter_vae", "gaia_dr3", version=version, allow_simulated_weights=True).simulated


def test_a_chunk_is_claimed_by_one_worker_until_its_lease_runs_out(database: Database, new_run: MakeRun) -> None:
    run = new_run()
    with database.connect(Role.WORKER, autocommit=True) as connection:
        first = claim_chunk(connection, run.run_id, 0, 0.3)
        assert first is not None and first.attempt == 1
        assert claim_chunk(connection, run.run_id, 0, 0.3) is None
        time.sleep(0.4)
        second = claim_chunk(connection, run.run_id, 0, 60)
        assert second is not None and second.attempt == 2
        assert read_run(connection, run.run_id).state == "working"


def test_a_heartbeat_keeps_a_claim_longer_than_its_lease(database: Database, new_run: MakeRun) -> None:
    run = new_run()
    with database.connect(Role.WORKER, autocommit=True) as connection:
        claimed = claim_chunk(connection, run.run_id, 0, 0.6)
        assert claimed is not None
        with heartbeat(database, claimed, 0.6):
            time.sleep(1.5)
            assert claim_chunk(connection, run.run_id, 0, 0.6) is None
        time.sleep(0.8)
        assert claim_chunk(connection, run.run_id, 0, 0.6) is not None


def test_a_worker_that_wakes_after_another_has_done_its_chunk_writes_nothing(
    database: Database, new_run: MakeRun, labels_of: LabelsOf
) -> None:
    run = new_run()
    with database.connect(Role.WORKER, autocommit=True) as sleeper, database.connect(Role.WORKER, autocommit=True) as other:
        late = claim_chunk(sleeper, run.run_id, 0, 0.2)
        assert late is not None
        time.sleep(0.3)
        winner = claim_chunk(other, run.run_id, 0, 60)
        assert winner is not None
        for_winner, for_late = labels_of(winner), labels_of(late)
        write_chunk(other, winner, "label_scatter_vae", *for_winner, np.zeros((3, 2)), 0.1)
        with pytest.raises(runs.LateAttemptError):
            write_chunk(sleeper, late, "label_scatter_vae", *for_late, np.zeros((3, 2)), 0.1)
    assert count(database, "store.label_scatter_vae") == 90
    assert count(database, "store.no_label") == 10


def test_a_late_attempt_is_fenced_out_even_before_the_other_has_written(database: Database, new_run: MakeRun, labels_of: LabelsOf) -> None:
    run = new_run()
    with database.connect(Role.WORKER, autocommit=True) as connection:
        late = claim_chunk(connection, run.run_id, 0, 0.1)
        time.sleep(0.2)
        newest = claim_chunk(connection, run.run_id, 0, 60)
        assert late is not None and newest is not None
        with pytest.raises(runs.LateAttemptError):
            write_chunk(connection, late, "label_scatter_vae", *labels_of(late), np.zeros((3, 2)), 0.1)
        runs.fail_chunk(connection, late, "a late failure must not free the chunk either")
        assert claim_chunk(connection, run.run_id, 0, 60) is None
    assert count(database, "store.label_scatter_vae") == 0


def test_an_interrupted_write_leaves_no_row_behind(database: Database, new_run: MakeRun, labels_of: LabelsOf) -> None:
    run = new_run()
    with database.connect(Role.WORKER, autocommit=True) as connection:
        claimed = claim_chunk(connection, run.run_id, 0, 60)
        assert claimed is not None
        labels, reasons = labels_of(claimed)
        twice = runs.Rows.concatenate([reasons.take(np.arange(10)), reasons.take(np.array([0]))])
        with pytest.raises(Exception, match="duplicate key"):
            write_chunk(connection, claimed, "label_scatter_vae", labels.take(np.arange(89)), twice, np.zeros((3, 2)), 0.1)
    assert count(database, "store.label_scatter_vae") == 0


def test_a_chunk_whose_sources_changed_under_the_run_is_refused(database: Database, new_run: MakeRun, labels_of: LabelsOf) -> None:
    run = new_run()
    with database.connect(Role.WORKER, autocommit=True) as connection:
        claimed = claim_chunk(connection, run.run_id, 0, 60)
        assert claimed is not None
        labels, reasons = labels_of(claimed)
        with pytest.raises(RunError, match="Create a new run"):
            write_chunk(connection, claimed, "label_scatter_vae", labels.take(np.arange(5)), reasons, np.zeros((3, 2)), 0.1)


STOPPED_WORKER = """
import sys, time
import numpy as np
from catalog.binary_copy import Rows, copy_fields
from catalog.database import Database, Role
from catalog.runs import LateAttemptError, claim_chunk, write_chunk
from catalog.schema.label_table import LABEL_SCATTER_VAE
from catalog.schema.model_run import NO_LABEL
database = Database(sys.argv[1], sys.argv[1])
with database.connect(Role.WORKER, autocommit=True) as connection:
    claimed = claim_chunk(connection, int(sys.argv[2]), 0, 0.5)
    print("claimed", flush=True)
    sys.stdin.readline()
    n = claimed.sources
    reasons = Rows(copy_fields(NO_LABEL.columns), {"run_id": np.full(n, claimed.run_id, np.int32), "source_id": claimed.first_source_id + np.arange(n),
        "reason": np.full(n, "late", object), "detail": np.full(n, "", object)}, {})
    try:
        write_chunk(connection, claimed, "label_scatter_vae", Rows.empty(copy_fields(LABEL_SCATTER_VAE.columns)), reasons, np.zeros((3, 2)), 0.1)
        print("written", flush=True)
    except LateAttemptError:
        print("late", flush=True)
"""


def test_a_process_stopped_beyond_its_lease_and_woken_again_is_fenced_out(
    database: Database, new_run: MakeRun, finish: Finish, source_ids: np.ndarray
) -> None:
    run = new_run()
    worker = subprocess.Popen(
        [sys.executable, "-c", STOPPED_WORKER, database.url, str(run.run_id)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert worker.stdout is not None and worker.stdin is not None
    assert worker.stdout.readline() == "claimed\n"
    worker.send_signal(signal.SIGSTOP)
    time.sleep(0.6)
    finish(run)
    worker.send_signal(signal.SIGCONT)
    out, _ = worker.communicate("go\n", timeout=30)
    assert out == "late\n"
    assert count(database, "store.label_scatter_vae") == 450
    assert count(database, "store.no_label") == 50


def test_many_workers_at_once_do_each_chunk_exactly_once(database: Database, new_run: MakeRun, labels_of: LabelsOf) -> None:
    run = new_run()
    late: list[int] = []

    def work() -> None:
        with database.connect(Role.WORKER, autocommit=True) as connection:
            while left := open_chunks(connection, run.run_id):
                for chunk in left:
                    claimed = claim_chunk(connection, run.run_id, chunk.chunk, 0.05)
                    if claimed is None:
                        continue
                    time.sleep(np.random.default_rng().uniform(0, 0.1))
                    try:
                        write_chunk(connection, claimed, "label_scatter_vae", *labels_of(claimed), np.zeros((3, 2)), 0.1)
                    except runs.LateAttemptError:
                        late.append(claimed.chunk)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
    assert count(database, "store.label_scatter_vae") == 450
    assert count(database, "store.no_label") == 50


def test_only_a_complete_run_is_published_and_a_withdrawn_one_is_out_of_sight(database: Database, new_run: MakeRun, finish: Finish) -> None:
    run = new_run()
    with pytest.raises(RunError, match="5 chunks to do"):
        publish_run(database, run.run_id)
    with pytest.raises(UsageError, match="nothing to withdraw"):
        withdraw_run(database, run.run_id)
    finish(run)
    publish_run(database, run.run_id)
    assert count(database, "labels_dr3.scatter_vae") == count(database, "labels.scatter_vae") == 450
    assert count(database, "labels_dr3.no_label") == 50
    second = finish(new_run())
    publish_run(database, second.run_id)
    with database.connect(Role.WORKER) as connection:
        shown = connection.execute("SELECT DISTINCT run_id FROM labels.scatter_vae").fetchall()
        states = [each.state for each in runs.list_runs(connection)]
    assert shown == [(second.run_id,)] and states == ["published", "complete"]
    for _ in range(2):  # safe to repeat
        withdraw_run(database, second.run_id)
    assert count(database, "labels.scatter_vae") == count(database, "labels.no_label") == 0
    assert count(database, "labels.scatter_vae_all_runs") == 900


def test_rows_that_do_not_add_up_are_not_published(database: Database, new_run: MakeRun, finish: Finish) -> None:
    run = finish(new_run())
    with database.connect(Role.WORKER) as connection:
        connection.execute("DELETE FROM store.no_label WHERE source_id = (SELECT min(source_id) FROM store.no_label)")
    with pytest.raises(RunError, match="450 labels and 49 reasons"):
        publish_run(database, run.run_id)
