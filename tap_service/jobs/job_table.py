"""The rows of store.uws_job: every step of a job's life is one short transaction. All methods block."""

import json
import secrets
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import kwargs_row

from catalog.statements import statement
from tap_service.connections import Connections
from tap_service.jobs.job import Job, JobEntry, NewJob, NoSuchJobError, Pairs, Phase, PhaseError, run_id_of, with_parameters
from tap_service.limits import Limits

CHANNEL = "uws_job"
"""NOTIFY tells here of every change of a phase: "JOB_ID PHASE", or "JOB_ID DELETED" (sql/functions/jobs.sql)."""

WORKER_LOCK_CLASS = 0x4B_4A_4F_42
"""First key of the advisory lock that a worker holds for as long as it lives. (The letters KJOB.)"""

CLAIM_LOCK = 0x4B_43_4C_4D
"""Advisory lock of claims. (The letters KCLM.)"""

LOSSES = 3
"""So often a worker or the database may be lost under a job before it fails: it may be the job that kills them."""

_LOST = (
    f"The service lost its worker or the database {LOSSES} times while it ran this job, and does not try again. "
    "Ask for less at a time, or tell the operators."
)


def new_job_id() -> str:
    """A name that nobody can guess (128 bits): who knows it may do everything with the job."""
    return secrets.token_hex(16)


class JobTable:
    """Jobs in the database. TransientError when PostgreSQL does not answer."""

    def __init__(self, connections: Connections, limits: Limits) -> None:
        self._connections = connections
        self._limits = limits

    # --- what clients do ------------------------------------------------------------------------------------------------------

    def create(self, job: NewJob, *, run: bool) -> None:
        """A new job, PENDING, or in the queue at once."""
        limits = self._limits
        row = {
            "job_id": job.job_id, "client": job.client, "parameters": json.dumps(job.parameters), "files": json.dumps(dict(job.files)),
            "links": job.links, "run_id": _storable(job.run_id), "retention": limits.retention_seconds, "execution_duration": limits.job_seconds,
        }  # fmt: skip
        with self._connections.using() as connection, connection.transaction():
            connection.execute(statement("insert_job"), row)
            if run:
                connection.execute(statement("queue_job"), {"job_id": job.job_id})

    def read(self, job_id: str) -> Job:
        """The job; NoSuchJobError."""
        with self._connections.using() as connection:
            return _read(connection, job_id)

    def of_client(self, client: str, phases: Collection[Phase] | None, after: datetime | None, last: int | None) -> list[JobEntry]:
        """Jobs that came from an address, newest first."""
        wanted = {"client": client, "phases": None if phases is None else [str(phase) for phase in phases], "after": after, "last": last}
        with self._connections.using() as connection:
            rows = connection.execute(statement("jobs_of_client"), wanted).fetchall()
        return [JobEntry(job_id, Phase(phase), run_id, created) for job_id, phase, run_id, created in rows]

    def run(self, job_id: str) -> None:
        """PENDING to QUEUED; nothing for a job that waits or runs; NoSuchJobError, PhaseError."""
        self._change("queue_job", {"job_id": job_id}, "run", allowed=(Phase.QUEUED, Phase.EXECUTING))

    def abort(self, job_id: str) -> None:
        """To ABORTED, its query is stopped; nothing for a job that is there; NoSuchJobError, PhaseError."""
        self._change("abort_job", {"job_id": job_id}, "aborted", allowed=(Phase.ABORTED,))

    def delete(self, job_id: str) -> None:
        """The job goes and its query is stopped; NoSuchJobError."""
        self._change("delete_job", {"job_id": job_id}, "deleted")

    def add_parameters(self, job_id: str, parameters: Pairs, files: Mapping[str, str]) -> None:
        """More parameters, or others, while the job is PENDING; NoSuchJobError, PhaseError."""
        with self._connections.using() as connection, connection.transaction():
            row = connection.execute(statement("lock_pending_job"), {"job_id": job_id}).fetchone()
            if row is None:
                raise _not_in(_read(connection, job_id), "given parameters")
            pairs, all_files = with_parameters(json.loads(row[0]), parameters), {**json.loads(row[1]), **files}
            changed = {"parameters": json.dumps(pairs), "files": json.dumps(all_files), "run_id": _storable(run_id_of(pairs))}
            connection.execute(statement("set_job_parameters"), {"job_id": job_id, **changed})

    def set_destruction(self, job_id: str, destruction: datetime) -> None:
        """When job and result go, within what the service keeps; NoSuchJobError."""
        longest = self._limits.retention_hard_seconds
        self._change("set_job_destruction", {"job_id": job_id, "destruction": destruction, "longest": longest}, "kept")

    def set_execution_duration(self, job_id: str, seconds: int) -> None:
        """How long the query may take, within what the service allows (0, no limit, is the longest); NoSuchJobError, PhaseError."""
        longest = self._limits.job_hard_seconds
        self._change("set_job_execution_duration", {"job_id": job_id, "execution_duration": min(seconds or longest, longest)}, "given time")

    def _change(self, name: str, key: Mapping[str, Any], done: str, allowed: Collection[Phase] = ()) -> None:
        with self._connections.using() as connection:
            if connection.execute(statement(name), key).fetchone() is None:
                job = _read(connection, key["job_id"])
                if job.phase not in allowed:
                    raise _not_in(job, done)

    # --- what workers do ------------------------------------------------------------------------------------------------------

    def claim(self, worker: int, jobs_per_address: int) -> Job | None:
        """The next job, EXECUTING from now on; None if no address with fewer jobs than that has one in the queue."""
        key = {"worker": worker, "jobs_per_address": jobs_per_address}
        with self._connections.using() as connection, connection.transaction():
            connection.execute(statement("lock_claims"), {"lock": CLAIM_LOCK})
            return connection.cursor(row_factory=kwargs_row(_job)).execute(statement("claim_job"), key).fetchone()

    def complete(self, job: Job, result_type: str, result_bytes: int, result_rows: int, overflow: bool) -> bool:
        """COMPLETED with its result; False if the job is no longer this attempt's."""
        result = {"result_type": result_type, "result_bytes": result_bytes, "result_rows": result_rows, "overflow": overflow}
        return self._end("complete_job", job, result)

    def fail(self, job: Job, phase: Phase, error: str, *, transient: bool) -> bool:
        """ERROR or ABORTED with a reason; False if the job is no longer this attempt's."""
        return self._end("fail_job", job, {"phase": str(phase), "error": _storable(error), "transient": transient})

    def give_back(self, job: Job) -> bool:
        """Back into the queue; False if the job is no longer this attempt's."""
        return self._end("give_back_job", job, {})

    def disown(self, job: Job) -> None:
        """The attempt was lost: ``lost_jobs`` finds the job."""
        with self._connections.using() as connection:
            connection.execute(statement("disown_job"), {"job_id": job.job_id, "attempt": job.attempt})

    def _end(self, name: str, job: Job, values: Mapping[str, Any]) -> bool:
        with self._connections.using() as connection:
            return connection.execute(statement(name), {"job_id": job.job_id, "attempt": job.attempt, **values}).fetchone() is not None

    def expire(self) -> list[str]:
        """Jobs whose time of destruction has come go; their names."""
        with self._connections.using() as connection:
            return [row[0] for row in connection.execute(statement("expire_jobs"))]

    def known(self, names: Collection[str]) -> set[str]:
        """Which of the names are jobs."""
        with self._connections.using() as connection:
            return {row[0] for row in connection.execute(statement("jobs_of_those"), {"names": list(names)})}


def live_worker(connection: psycopg.Connection[Any]) -> int:
    """Makes the session the sign of life of a worker, and has it told of every change of a phase; the worker's number."""
    worker = secrets.randbits(31)
    # A worker whose machine is gone is missed within a minute, not within hours.
    connection.execute("SELECT set_config('tcp_keepalives_idle', '20', false), set_config('tcp_keepalives_interval', '10', false)")
    connection.execute(f"LISTEN {CHANNEL}")
    connection.execute(statement("lock_worker"), {"lock_class": WORKER_LOCK_CLASS, "worker": worker})
    return worker


def recover_lost(connection: psycopg.Connection[Any]) -> list[tuple[str, str]]:
    """Jobs of workers that died go back to the queue, or fail after LOSSES times; their names and phases."""
    return connection.execute(
        statement("lost_jobs"), {"lock_class": WORKER_LOCK_CLASS, "losses": LOSSES, "error": _LOST}
    ).fetchall()  # fmt: skip


def _storable(text: str | None) -> str | None:
    """The text without characters that PostgreSQL does not store, which people's parameters, and messages that show them, may have."""
    return None if text is None else text.replace("\0", "").encode(errors="replace").decode()


def _job(**row: Any) -> Job:
    parameters = tuple((name, value) for name, value in json.loads(row.pop("parameters")))
    return Job(phase=Phase(row.pop("phase")), parameters=parameters, files=json.loads(row.pop("files")), **row)


def _read(connection: psycopg.Connection[Any], job_id: str) -> Job:
    job = connection.cursor(row_factory=kwargs_row(_job)).execute(statement("read_job"), {"job_id": job_id}).fetchone()
    if job is None:
        raise NoSuchJobError(f"There is no job {job_id}; it may have been deleted, or its time of destruction has come.")
    return job


def _not_in(job: Job, done: str) -> PhaseError:
    return PhaseError(f"The job is {job.phase}; it cannot be {done} now.")
