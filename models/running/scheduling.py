"""Which chunks go to which worker, until the run is complete. Dask schedules; PostgreSQL holds the truth.

A task is one attempt on one chunk, given as numbers: workers open their own connections and read from the database. Tasks may run twice,
or die: the fence in catalog/runs makes that harmless, and this loop only asks the database again what is left. A cluster of one's own
(dask-jobqueue, Kubernetes, one worker a GPU) is given as ``scheduler``; nothing else changes.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import dask
from distributed import Client, Future, LocalCluster, wait

from catalog.database import Database, Role
from catalog.errors import RunError, TransientError, UsageError
from catalog.runs import Run, complete_run, open_chunks, read_run
from models.running.run_batch import ChunkOutcome, run_chunk

MAX_FAILURES = 3
"""Failed attempts on one chunk in one call, after which the call ends with its reason."""

WAIT_FOR_WORKERS_SECONDS = 60

Report = Callable[[ChunkOutcome, int], None]


@dataclass(frozen=True)
class WorkSummary:
    """What one call did: the run afterwards, and chunks and stars that this call's workers finished."""

    run: Run
    chunks: int
    labelled: int
    unlabelled: int
    seconds: float


def work(
    database: Database,
    run_id: int,
    *,
    workers: int = 2,
    scheduler: str | None = None,
    lease_seconds: float = 20.0,
    report: Report | None = None,
) -> WorkSummary:
    """Work on a run until it is complete, together with whoever else does; resuming is the same call.

    ``report`` hears of each finished attempt with the number of chunks left. RunError when a chunk fails MAX_FAILURES times (its reason
    is in the message and in run_chunk); TransientError when the scheduler has no workers, at first or later on; UsageError when it is no
    address.
    """
    started = time.monotonic()
    with database.connect(Role.WORKER, autocommit=True) as connection:
        run = read_run(connection, run_id)
        if run.state not in ("created", "working"):
            return WorkSummary(run, 0, 0, 0, 0.0)
        done: list[ChunkOutcome] = []
        if open_chunks(connection, run_id):
            with dask_client(workers, scheduler) as client:
                done = _work_until_done(client, database, run_id, lease_seconds, report or (lambda outcome, left: None))
        complete_run(connection, run_id)
        run = read_run(connection, run_id)
    return WorkSummary(
        run, len(done), sum(each.labelled for each in done), sum(each.unlabelled for each in done), time.monotonic() - started
    )


@contextmanager
def dask_client(workers: int, scheduler: str | None) -> Iterator[Client]:
    """A client of the given scheduler, or of a cluster on this machine: one process a worker, one thread each."""
    # Dask tells at length of every worker that comes and goes; what matters here is in run_chunk and in the outcomes.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    if scheduler is None:
        # A task whose worker died is not Dask's to try again: the loop below asks the database what is left.
        with (
            dask.config.set({"distributed.scheduler.allowed-failures": 0, "distributed.worker.daemon": True}),
            LocalCluster(
                n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs="CRITICAL"
            ) as cluster,
            Client(cluster) as client,
        ):
            yield client
        return
    try:
        with _client_at(scheduler) as client:
            client.wait_for_workers(1, timeout=WAIT_FOR_WORKERS_SECONDS)
            yield client
    except (OSError, TimeoutError) as error:
        raise TransientError(f"no Dask worker answers at {scheduler} within {WAIT_FOR_WORKERS_SECONDS} s ({error}).") from error


def _client_at(scheduler: str) -> Client:
    try:
        return Client(scheduler, timeout=WAIT_FOR_WORKERS_SECONDS)
    except ValueError as error:
        raise UsageError(f"{scheduler} is no address of a Dask scheduler ({error}); give one such as tcp://HOST:8786.") from error


def _work_until_done(client: Client, database: Database, run_id: int, lease_seconds: float, report: Report) -> list[ChunkOutcome]:
    """Submit what may be claimed, hear what ended, and ask again; the outcomes that finished a chunk."""
    running: dict[Future[ChunkOutcome], int] = {}
    failures: dict[int, int] = {}
    done: list[ChunkOutcome] = []
    with database.connect(Role.WORKER, autocommit=True) as connection:
        while True:
            left = open_chunks(connection, run_id)
            if not left and not running:
                return done
            busy = set(running.values())
            for chunk in left:
                if chunk.claimable and chunk.chunk not in busy:
                    running[client.submit(run_chunk, database, run_id, chunk.chunk, lease_seconds, pure=False)] = chunk.chunk
            if not running:
                # Only chunks that others hold are left: wait for them, or for their leases to run out.
                time.sleep(min(max(min(chunk.lease_left for chunk in left), 0.1), 1.0))
                continue
            finished = _next_finished(client, list(running))
            still_open = {chunk.chunk for chunk in left}
            for future in finished:
                chunk_number = running.pop(future)
                outcome = _outcome(future, chunk_number)
                if outcome.ended == "done":
                    done.append(outcome)
                    still_open.discard(chunk_number)
                elif outcome.ended == "failed":
                    failures[chunk_number] = failures.get(chunk_number, 0) + 1
                    if failures[chunk_number] >= MAX_FAILURES:
                        client.cancel(list(running))
                        raise RunError(f"chunk {chunk_number} of run {run_id} failed {MAX_FAILURES} times: {outcome.error}")
                report(outcome, len(still_open))


def _next_finished(client: Client, running: "list[Future[ChunkOutcome]]") -> "set[Future[ChunkOutcome]]":
    """The attempts that ended next. A chunk may take as long as it will; TransientError where no worker is left that could end it."""
    without_workers = False
    while True:
        try:
            ended: set[Future[ChunkOutcome]] = wait(running, timeout=WAIT_FOR_WORKERS_SECONDS, return_when="FIRST_COMPLETED").done
            return ended
        except TimeoutError:
            # One that died is started again in seconds: twice none, and the tasks would wait for ever.
            scheduler = client.scheduler_info(n_workers=1)
            if scheduler["workers"]:
                without_workers = False
            elif without_workers:
                raise TransientError(
                    f"no Dask worker is left at {scheduler['address']}; the run keeps the chunks that are done, and the same command goes on with the others."
                ) from None
            else:
                without_workers = True


def _outcome(future: "Future[ChunkOutcome]", chunk: int) -> ChunkOutcome:
    """What a task gave; a worker that died or lost the database is a failed attempt like any other."""
    error = future.exception()
    if error is not None:
        return ChunkOutcome(chunk, "failed", error=f"{type(error).__name__}: {error}")
    outcome: ChunkOutcome = future.result()
    return outcome
