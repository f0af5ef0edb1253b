"""The process that runs jobs (`kiel tap work`): threads that claim and run them, and one connection that listens for all.

The listening session holds an advisory lock, the worker's sign of life. When it ends, however it ends, the worker's jobs go back to
the queue: other workers look for them, and a worker whose session broke lets go of what it was running and begins anew. So a job may
run twice, which a SELECT bears; only the newest attempt ends the job.
"""

import logging
import os
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import psycopg
from psycopg import errors as postgres

from catalog.database import Database, Role
from catalog.errors import TransientError
from catalog.publish import pinned_publication
from tap_service.answer import Answer
from tap_service.connections import Connections
from tap_service.errors import BusyError, DatabaseDownError, as_tap_error
from tap_service.execute import RunningQuery
from tap_service.jobs.expiry import expire
from tap_service.jobs.job import Job, Phase
from tap_service.jobs.job_table import JobTable, live_worker, recover_lost
from tap_service.jobs.results import JobFiles, StorageError
from tap_service.limits import Limits
from tap_service.parameters import read_parameters
from tap_service.publication_tables import TableCache

log = logging.getLogger(__name__)

_TICK_SECONDS = 1.0
"""How often a worker looks for jobs of dead workers, and for jobs that no notification told of."""
_CANCEL_AGAIN_SECONDS = 0.1
_RECONNECT_SECONDS = 0.5
_EXPIRE_SECONDS = 60.0


class _Why(Enum):
    """Why a query has to end before it is done."""

    NOT_OURS = auto()
    """The job was aborted, deleted, or given to another worker."""
    TIME = auto()
    """Its execution duration is over."""
    STOP = auto()
    """The worker stops."""


@dataclass(eq=False)
class _Running:
    """A job that a thread of this worker runs."""

    job: Job
    query: RunningQuery
    worker: int
    until: float
    why: _Why | None = None
    ended: bool = False
    """Whether its query has ended: from then on there is nothing to cancel."""


class Worker:
    """Runs jobs in threads until told to stop."""

    def __init__(self, database: Database, limits: Limits, files: JobFiles, threads: int) -> None:
        self._database = database
        self._limits = limits
        self._files = files
        self._threads = threads
        self._connections = Connections(database, keep=2 * threads + 1)
        self._cache = TableCache()
        self._table = JobTable(self._connections, limits)
        self._worker: int | None = None
        self._running: set[_Running] = set()
        self._claiming = threading.Lock()
        self._news = threading.Condition()
        self._calls = 0
        self._stopping = False
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)

    # --- the main thread ------------------------------------------------------------------------------------------------------

    def run(self, lifeline: int | None = None) -> None:
        """Works until ``stop``, or until the file descriptor ``lifeline`` comes to its end: whoever started the worker is gone then."""
        threads = [threading.Thread(target=self._work, name=f"jobs-{number}") for number in range(self._threads)]
        for thread in threads:
            thread.start()
        try:
            while not self._stopping:
                try:
                    self._listen(lifeline)
                except (psycopg.Error, TransientError) as error:
                    log.warning("the worker lost the database and begins anew: %s", " ".join(str(error).split()))
                    self._worker = None
                    self._cancel()
                    self._wait(None, lifeline, _RECONNECT_SECONDS)
        finally:
            self._stopping = True
            with self._news:
                self._news.notify_all()
            for thread in threads:
                while thread.is_alive():
                    self._cancel()
                    thread.join(_CANCEL_AGAIN_SECONDS)
            self._connections.close()
            os.close(self._woken)
            os.close(self._wake)

    def stop(self) -> None:
        """Ends ``run`` soon: running queries are stopped, their jobs go back to the queue. For any thread and signal handlers."""
        self._stopping = True
        with suppress(OSError):  # it has been woken often enough, or has ended
            os.write(self._wake, b"x")

    def _listen(self, lifeline: int | None) -> None:
        """One life of the worker: as long as its session."""
        with self._database.connect(Role.TAP_SERVICE, autocommit=True) as connection:
            worker = live_worker(connection)
            self._warm(connection)
            self._worker = worker
            self._call(self._threads)
            look = expiry = 0.0
            while not self._stopping:
                now = time.monotonic()
                if now >= look:
                    for job_id, phase in recover_lost(connection):
                        log.warning("job %s lost its worker: %s", job_id, phase)
                    self._call(1)
                    look = now + _TICK_SECONDS
                if now >= expiry:
                    self._expire()
                    expiry = now + _EXPIRE_SECONDS
                for told in connection.notifies(timeout=0):
                    self._hear(*told.payload.split())
                busy = self._cancel()
                self._wait(connection, lifeline, _CANCEL_AGAIN_SECONDS if busy else min(look, *self._deadlines()) - time.monotonic())

    def _expire(self) -> None:
        """Removes what is past its time; a failure (no connection to be had) can wait, and is no reason to let go of what runs."""
        try:
            expire(self._table, self._files)
        except (psycopg.Error, TransientError) as error:
            log.warning("expired jobs cannot be removed just now: %s", " ".join(str(error).split()))

    def _warm(self, connection: psycopg.Connection[Any]) -> None:
        """What the first job would wait for: the tables of the current publication."""
        try:
            with pinned_publication(connection) as publication:
                self._cache.table_set(connection, publication)
        except TransientError as error:
            log.warning("%s", error)

    def _wait(self, connection: psycopg.Connection[Any] | None, lifeline: int | None, seconds: float) -> None:
        """Until something happens, at most so long."""
        sources = [self._woken, *([connection.fileno()] if connection else []), *([lifeline] if lifeline is not None else [])]
        ready, _, _ = select.select(sources, [], [], max(0.0, seconds))
        if self._woken in ready:
            os.read(self._woken, 4096)
        if lifeline in ready and not os.read(lifeline, 4096):
            log.info("standard input has ended: the worker stops")
            self._stopping = True

    def _hear(self, job_id: str, phase: str) -> None:
        # PENDING, QUEUED and EXECUTING are never the end of what runs here: a thread may have claimed the job before they were heard.
        if phase == Phase.QUEUED:
            self._call(1)
        elif phase not in (Phase.PENDING, Phase.EXECUTING):
            for running in list(self._running):
                if running.job.job_id == job_id:
                    self._end(running, _Why.NOT_OURS)

    def _deadlines(self) -> list[float]:
        """When the running jobs' time is over; never, so that there always is one."""
        return [float("inf"), *(running.until for running in list(self._running))]

    def _end(self, running: _Running, why: _Why) -> None:
        if running.why is None:
            running.why = why

    def _cancel(self) -> bool:
        """Stops the queries that have to end, once more as long as they have not; whether there are any."""
        busy = False
        for running in list(self._running):
            if self._stopping:
                self._end(running, _Why.STOP)
            elif running.worker != self._worker:
                self._end(running, _Why.NOT_OURS)
            elif time.monotonic() >= running.until:
                self._end(running, _Why.TIME)
            if running.why is not None and not running.ended:
                # Again until its thread is back: a cancel that arrives between two statements stops neither.
                running.query.cancel()
                busy = True
        return busy

    # --- the threads ----------------------------------------------------------------------------------------------------------

    def _call(self, threads: int) -> None:
        """There may be jobs for so many threads."""
        with self._news:
            self._calls = min(self._calls + threads, self._threads)
            self._news.notify(threads)

    def _work(self) -> None:
        """One thread: job after job."""
        while not self._stopping:
            running = None
            try:
                running = self._claim()
            except (psycopg.Error, TransientError) as error:
                log.warning("no job can be claimed: %s", " ".join(str(error).split()))
                time.sleep(_RECONNECT_SECONDS)
            if running is not None:
                self._call(1)  # there may be more
                try:
                    self._settle(running)
                except Exception:
                    log.exception("job %s is left to the next who looks for lost jobs", running.job.job_id)
                    with suppress(psycopg.Error, TransientError):
                        self._table.disown(running.job)
                finally:
                    self._running.discard(running)
                continue
            with self._news:
                while not self._calls and not self._stopping:
                    self._news.wait()
                self._calls = max(0, self._calls - 1)

    def _claim(self) -> _Running | None:
        """The next job. The last free thread is kept for addresses that have nothing running: they shall not wait for others' long jobs."""
        with self._claiming:
            worker = self._worker
            if worker is None or self._stopping:
                return None
            last_free = self._threads > 1 and len(self._running) == self._threads - 1
            job = self._table.claim(worker, 1 if last_free else self._limits.jobs_per_address)
            if job is None:
                return None
            # PostgreSQL's own limit comes a little later than ours, for a worker that cannot cancel any more.
            query = RunningQuery(self._connections, self._cache, self._limits, job.execution_duration + 5)
            running = _Running(job, query, worker, time.monotonic() + job.execution_duration)
            self._running.add(running)
            return running

    def _settle(self, running: _Running) -> None:
        """Runs a job and writes down how it ended; again as long as the database does not answer and the job is ours."""
        job, began = running.job, time.monotonic()
        write_down = self._run(running)
        while True:
            try:
                ended = write_down()
                break
            except (psycopg.Error, TransientError) as error:
                log.warning("job %s: its end cannot be written down just now: %s", job.job_id, " ".join(str(error).split()))
                if self._stopping or self._worker != running.worker:
                    return  # whoever looks for lost jobs finds it
                time.sleep(_RECONNECT_SECONDS)
        log.info("job %s of %s, attempt %d: %s after %.3f s", job.job_id, job.client, job.attempt, ended, time.monotonic() - began)

    def _run(self, running: _Running) -> Callable[[], str]:
        """Runs a job's query into its file; what then writes down the end, and says it in a few words."""
        job, query = running.job, running.query
        try:
            try:
                parameters = read_parameters(job.parameters, self._limits, self._files.uploads(job))
                answer = Answer(query, parameters, links=job.links)
                size = self._files.write_result(job, answer.document())
            finally:
                query.close()
                running.ended = True
        except Exception as error:
            return self._failed(running, error)
        return lambda: self._completed(job, answer, size)

    def _completed(self, job: Job, answer: Answer, size: int) -> str:
        if self._table.complete(job, answer.parameters.format.media_type, size, answer.rows, answer.query.overflow):
            return f"COMPLETED, {answer.rows} rows, {size} bytes"
        return self._dropped(job)

    def _failed(self, running: _Running, error: Exception) -> Callable[[], str]:
        job = running.job
        if running.why is _Why.NOT_OURS:
            return lambda: self._lost(job)
        if running.why is _Why.STOP:
            return lambda: "back in the queue" if self._table.give_back(job) else self._dropped(job)
        cancelled = isinstance(error, postgres.QueryCanceled)
        if running.why is _Why.TIME or (cancelled and time.monotonic() >= running.until):
            message = (
                f"The job was stopped when its execution duration of {job.execution_duration} s was over. Ask for fewer rows, use conditions on "
                f"indexed columns, or give a new job more time with EXECUTIONDURATION: at most {self._limits.job_hard_seconds} s."
            )
            return lambda: self._ended(job, Phase.ABORTED, message, transient=False)
        if cancelled:
            message = "The operators of the database stopped the query; it may run at another time."
            return lambda: self._ended(job, Phase.ERROR, message, transient=True)
        told = as_tap_error(error, job.execution_duration)
        if isinstance(told, DatabaseDownError):
            return lambda: self._lost(job)
        return lambda: self._ended(job, Phase.ERROR, str(told), transient=isinstance(told, (BusyError, StorageError)))

    def _ended(self, job: Job, phase: Phase, error: str, *, transient: bool) -> str:
        return f"{phase}: {error}" if self._table.fail(job, phase, error, transient=transient) else self._dropped(job)

    def _lost(self, job: Job) -> str:
        """The job may still be this attempt's where its worker's session or its connection broke: then it is found as a lost one."""
        self._table.disown(job)
        return self._dropped(job)

    def _dropped(self, job: Job) -> str:
        """What nobody waits for any more goes; of a job that was deleted, everything."""
        self._files.remove_result(job)
        if not self._table.known([job.job_id]):
            self._files.remove(job.job_id)
        return "let go"
