"""The life of a run: created (frozen, cut into chunks), worked, complete, published or withdrawn.

A chunk is written in three short steps, each its own transaction: ``claim_chunk`` (attempt + 1, a lease), reading and inference without any
transaction, ``write_chunk`` (lock the chunk's row, check that the attempt is still the newest, COPY everything, mark it done). A
late attempt finds that it is not the newest and rolls back, so a chunk is there whole or not at all, whatever is killed and however
often it is tried. Plain COPY, never ON CONFLICT: a row that is there twice would be an error to see, not to hide.
"""

import hashlib
import json
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import psycopg
from jaxtyping import Float
from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from catalog.binary_copy import Rows, write_rows
from catalog.database import Database, Role
from catalog.errors import DataError, KielError, RunError, UsageError
from catalog.publish import drop_old_publications, publication_lock, publish_in
from catalog.releases import release_named
from catalog.schema.label_table import LABEL_TABLES
from catalog.statements import statement
from catalog.store.model_store import version_of
from catalog.version import code_version

CREATION_LOCK = 0x4B_52_55_4E
"""Advisory lock of run creation. (The letters KRUN.)"""


@dataclass(frozen=True)
class Run:
    """A run as stored, with the names of its version and release."""

    run_id: int
    model: str
    model_version_id: int
    version: int
    release_id: int
    release: str
    state: str
    sources: int
    labelled: int | None
    unlabelled: int | None
    simulated: bool
    configuration_sha256: str
    created: datetime
    finished: datetime | None


@dataclass(frozen=True)
class ClaimedChunk:
    """A chunk that this worker holds: its source_id range (both ends in it) and the number of the attempt."""

    run_id: int
    chunk: int
    first_source_id: int
    last_source_id: int
    sources: int
    attempt: int


@dataclass(frozen=True)
class OpenChunk:
    """A chunk that is not done, whether it may be claimed now, the seconds for which somebody's claim holds, and what happened so far."""

    chunk: int
    claimable: bool
    lease_left: float
    attempt: int
    error: str | None


class LateAttemptError(KielError):
    """Another attempt holds or has done the chunk; nothing of this one was written."""


def worker_name() -> str:
    """Host and process of this worker, as ``run_chunk.worker`` shows it."""
    return f"{socket.gethostname()}:{os.getpid()}"


# --- creating ---------------------------------------------------------------------------------------------------------------


def create_run(
    database: Database,
    model: str,
    release: str,
    *,
    version: int | None = None,
    chunk_sources: int = 1000,
    allow_simulated_weights: bool = False,
) -> Run:
    """A run of a model version (the newest, or the one given) over every XP source of a release, cut into chunks.

    Safe to repeat: the same version, release, inputs and settings give the run that is there. UsageError if there is no such version,
    or if the version learnt from simulated stars and that was not allowed; DataError if the release has no spectra.
    """
    with database.connect(Role.OWNER, autocommit=True) as connection:
        connection.execute(statement("lock_run_creation"), {"lock": CREATION_LOCK})
        # One snapshot, taken behind the lock: count, fingerprint and chunks tell of the same sources whatever ingest loads meanwhile.
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with connection.transaction():
            run_id = _create_run(connection, model, release, version, chunk_sources, allow_simulated_weights)
        return read_run(connection, run_id)


def _create_run(
    connection: psycopg.Connection[Any], model: str, release: str, version: int | None, chunk_sources: int, allow_simulated_weights: bool
) -> int:
    """``create_run`` inside its transaction; the number of the run."""
    data_release = release_named(connection, release)
    if model not in LABEL_TABLES:
        raise UsageError(f"there is no model {model}; there are {', '.join(LABEL_TABLES)}.")
    applied = version_of(connection, model, version, trained_on="simulated" if data_release.simulated else "real")
    simulated = applied.trained_on == "simulated" and not data_release.simulated
    if simulated and not allow_simulated_weights:
        raise UsageError(
            f"version {applied.version} of {model} learnt from simulated stars and {release} is real; "
            "give --allow-simulated-weights to run it all the same (the run is marked so)."
        )
    fingerprint = connection.execute(statement("input_fingerprint"), {"release_id": data_release.release_id}).fetchone()
    assert fingerprint is not None
    sources, source_id_sum, layout_sum = fingerprint
    if sources == 0:
        raise DataError(f"the release {release} has no XP spectra; load some with `kiel ingest add DIR --release {release} --work`.")
    configuration = {
        "model": model, "model_version_id": applied.model_version_id, "release": release, "chunk_sources": chunk_sources,
        "selection": "every source of xp_spectrum", "simulated_weights": simulated,
        "inputs": {"sources": sources, "source_id_sum": source_id_sum, "layout_sum": layout_sum},
    }  # fmt: skip
    digest = hashlib.sha256(json.dumps(configuration, sort_keys=True).encode()).hexdigest()
    existing = connection.execute(statement("run_of_configuration"), {"configuration_sha256": digest}).fetchone()
    if existing is not None:
        return int(existing[0])
    row = connection.execute(
        statement("insert_run"),
        {
            "model": model, "model_version_id": applied.model_version_id, "release_id": data_release.release_id, "configuration": Jsonb(configuration),
            "configuration_sha256": digest, "sources": sources, "simulated": simulated, "code_version": code_version(),
        },
    ).fetchone()  # fmt: skip
    assert row is not None
    run_id: int = row[0]
    connection.execute(statement("cut_chunks"), {"run_id": run_id, "release_id": data_release.release_id, "chunk_sources": chunk_sources})
    for table in (LABEL_TABLES[model].name, "no_label"):
        _add_partition(connection, table, run_id)
    return run_id


def partition_name(table: str, run_id: int) -> str:
    """The partition of a run: ``label_scatter_vae_r00007``."""
    return f"{table}_r{run_id:05d}"


def _add_partition(connection: psycopg.Connection[Any], table: str, run_id: int) -> None:
    """Make a run's partition apart and attach it: readers of the table do not wait for that, as they would for PARTITION OF."""
    parent, child = sql.Identifier("store", table), sql.Identifier("store", partition_name(table, run_id))
    check = sql.Identifier(f"{partition_name(table, run_id)}_run_check")
    fields = {"parent": parent, "child": child, "check": check, "run_id": sql.Literal(run_id)}
    for step in (
        "CREATE TABLE {child} (LIKE {parent} INCLUDING ALL, CONSTRAINT {check} CHECK (run_id = {run_id}))",
        "ALTER TABLE {parent} ATTACH PARTITION {child} FOR VALUES IN ({run_id})",
        "ALTER TABLE {child} DROP CONSTRAINT {check}",
    ):
        connection.execute(sql.SQL(step).format(**fields))


# --- reading ----------------------------------------------------------------------------------------------------------------


def read_run(connection: psycopg.Connection[Any], run_id: int) -> Run:
    """The run of that number; UsageError if there is none."""
    with connection.cursor(row_factory=class_row(Run)) as cursor:
        run = cursor.execute(statement("read_run"), {"run_id": run_id}).fetchone()
    if run is None:
        raise UsageError(f"there is no run {run_id}; `kiel run status` lists those there are.")
    return run


def list_runs(connection: psycopg.Connection[Any]) -> list[Run]:
    """Every run, newest first."""
    with connection.cursor(row_factory=class_row(Run)) as cursor:
        return cursor.execute(statement("list_runs")).fetchall()


def open_chunks(connection: psycopg.Connection[Any], run_id: int) -> list[OpenChunk]:
    """The chunks of a run that are not done, in order."""
    with connection.cursor(row_factory=class_row(OpenChunk)) as cursor:
        return cursor.execute(statement("open_chunks"), {"run_id": run_id}).fetchall()


# --- the three steps of a chunk ---------------------------------------------------------------------------------------------


def claim_chunk(connection: psycopg.Connection[Any], run_id: int, chunk: int, lease_seconds: float) -> ClaimedChunk | None:
    """Step one, committed before it returns: the next attempt on a chunk. None if it is done or another claim still holds."""
    with connection.transaction(), connection.cursor(row_factory=class_row(ClaimedChunk)) as cursor:
        key = {"run_id": run_id, "chunk": chunk, "worker": worker_name(), "lease_seconds": lease_seconds}
        claimed = cursor.execute(statement("claim_chunk"), key).fetchone()
        if claimed is not None:
            cursor.execute(statement("start_run"), {"run_id": run_id})
    return claimed


@contextmanager
def heartbeat(database: Database, claimed: ClaimedChunk, lease_seconds: float) -> Iterator[None]:
    """Renew the lease on a connection of its own while the block runs, every third of the lease.

    A heartbeat that fails ends quietly: the lease then runs out, another worker takes the chunk, and the fence keeps this one out.
    """
    stop = threading.Event()

    def beat() -> None:
        try:
            with database.connect(Role.WORKER, autocommit=True) as connection:
                key = {"run_id": claimed.run_id, "chunk": claimed.chunk, "attempt": claimed.attempt, "lease_seconds": lease_seconds}
                while not stop.wait(lease_seconds / 3):
                    if connection.execute(statement("renew_lease"), key).fetchone() is None:
                        return
        except (psycopg.Error, KielError):
            return

    thread = threading.Thread(target=beat, name=f"lease of chunk {claimed.chunk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=lease_seconds)


def write_chunk(
    connection: psycopg.Connection[Any], claimed: ClaimedChunk, label_table: str, labels: Rows, no_label: Rows,
    residual_sums: Float[np.ndarray, "3 pixels"], seconds: float, device: str = "cpu",
) -> None:  # fmt: skip
    """Step three, one transaction: the fence, then labels, reasons and sums, and the chunk is done.

    LateAttemptError if another attempt has taken the chunk: nothing is written. RunError if the rows are not those of the chunk.
    """
    found = len(labels) + len(no_label)
    if found != claimed.sources:
        raise RunError(
            f"chunk {claimed.chunk} of run {claimed.run_id} had {claimed.sources} sources when the run was created and has {found} now: "
            "the release changed under the run. Create a new run."
        )
    key = {"run_id": claimed.run_id, "chunk": claimed.chunk, "attempt": claimed.attempt}
    with connection.transaction():
        if connection.execute(statement("lock_attempt"), key).fetchone() is None:
            raise LateAttemptError(
                f"attempt {claimed.attempt} on chunk {claimed.chunk} of run {claimed.run_id} came late; nothing of it was written."
            )
        for table, rows in ((label_table, labels), ("no_label", no_label)):
            if len(rows):
                write_rows(connection, sql.Identifier("store", partition_name(table, claimed.run_id)), rows)
        result: Mapping[str, Any] = {
            "labelled": len(labels), "unlabelled": len(no_label), "seconds": seconds, "residual_sums": residual_sums.ravel().tolist(),
            "device": device,
        }  # fmt: skip
        connection.execute(statement("finish_chunk"), {**key, **result})


def fail_chunk(connection: psycopg.Connection[Any], claimed: ClaimedChunk, error: str) -> None:
    """Give a chunk back with the reason; a late attempt changes nothing."""
    with connection.transaction():
        key = {"run_id": claimed.run_id, "chunk": claimed.chunk, "attempt": claimed.attempt, "error": error}
        connection.execute(statement("fail_chunk"), key)


def complete_run(connection: psycopg.Connection[Any], run_id: int) -> bool:
    """Mark the run complete if every chunk is done; whether it is complete now by this call."""
    with connection.transaction():
        return connection.execute(statement("complete_run"), {"run_id": run_id}).fetchone() is not None


# --- what people see --------------------------------------------------------------------------------------------------------


def publish_run(database: Database, run_id: int) -> int:
    """Make a complete run the one that people see for its model and release; the serial of the publication.

    RunError if the run is not complete or its rows do not add up.
    """
    with database.connect(Role.OWNER) as connection, publication_lock(connection):
        run = read_run(connection, run_id)
        if run.state not in ("complete", "published", "withdrawn"):
            left = len(open_chunks(connection, run_id))
            raise RunError(f"run {run_id} is {run.state} with {left} chunks to do; finish it with `kiel run work {run_id}`.")
        _check_rows(connection, run)
        key = {"model": run.model, "release_id": run.release_id, "run_id": run_id}
        connection.execute(statement("supersede_published"), key)
        connection.execute(statement("set_published"), key)
        connection.execute(statement("set_run_state"), {"run_id": run_id, "state": "published"})
        serial = publish_in(connection, f"run {run_id} of {run.model} published")
    drop_old_publications(database)
    return serial


def withdraw_run(database: Database, run_id: int) -> int:
    """Take a published run out of sight; the serial of the publication without it. UsageError if it was never published.

    Safe to repeat: a run that is withdrawn stays so.
    """
    with database.connect(Role.OWNER) as connection, publication_lock(connection):
        run = read_run(connection, run_id)
        key = {"model": run.model, "release_id": run.release_id, "run_id": run_id}
        if connection.execute(statement("unset_published"), key).fetchone() is None and run.state != "withdrawn":
            raise UsageError(f"run {run_id} is {run.state}, not published; there is nothing to withdraw.")
        connection.execute(statement("set_run_state"), {"run_id": run_id, "state": "withdrawn"})
        serial = publish_in(connection, f"run {run_id} of {run.model} withdrawn")
    drop_old_publications(database)
    return serial


def count_rows(connection: psycopg.Connection[Any], run: Run) -> tuple[int, int, int]:
    """How many labels a run has, how many reasons, and how many sources have both: counted in the tables, not taken from the ledger."""
    labels = sql.Identifier("store", partition_name(LABEL_TABLES[run.model].name, run.run_id))
    reasons = sql.Identifier("store", partition_name("no_label", run.run_id))
    query = sql.SQL("SELECT (SELECT count(*) FROM {0}), (SELECT count(*) FROM {1}), (SELECT count(*) FROM {0} JOIN {1} USING (source_id))")
    row = connection.execute(query.format(labels, reasons)).fetchone()
    assert row is not None
    labelled, unlabelled, both = row
    return labelled, unlabelled, both


def _check_rows(connection: psycopg.Connection[Any], run: Run) -> None:
    """Every source of the run has a label or a reason, exactly one."""
    labelled, unlabelled, both = count_rows(connection, run)
    if labelled + unlabelled != run.sources or both:
        raise RunError(
            f"run {run.run_id} has {labelled} labels and {unlabelled} reasons ({both} sources with both) for {run.sources} sources; "
            "it is not published."
        )
