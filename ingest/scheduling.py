"""Which file goes to which worker. Dask schedules; PostgreSQL holds the truth.

A task is one file, named by its number: workers open their own connections and ask the database. A task may die with its worker, or find its
file held by another loader; this loop only asks the database again what waits. A cluster of one's own is given as ``scheduler``.
"""

import logging
import time
import warnings
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import dask
import psycopg
from distributed import Client, Future, LocalCluster, wait
from distributed.scheduler import KilledWorker

from catalog.database import Database
from catalog.errors import TransientError, UsageError
from catalog.releases import DataRelease, release_named
from ingest import ledger
from ingest.effort import Effort
from ingest.ledger import LedgerFile, Report, Step
from ingest.load_file import load_if_pending, loader_connection
from ingest.patience import Patience
from ingest.progress import Progress

MAX_DEATHS = 3
"""Workers that one file may take with it in one call; then it fails with that reason."""
DEFAULT_MEMORY = "2GB"
"""Of a worker. A file of any size is loaded in under 600 MB, VOTables aside, which are held as a whole."""
WAIT_FOR_WORKERS_SECONDS = 60
_LOOK_AGAIN_SECONDS = 0.5


def load_on_workers(patience: Patience, release: str, only: Collection[str], effort: Effort, report: Report) -> None:
    """Load the files of these bytes that wait; returns when none does, wherever they were loaded."""
    with _dask_client(effort) as client:
        tasks = _Tasks(client, release, only, effort.memory_limit or DEFAULT_MEMORY, report)
        while True:
            try:
                with loader_connection(patience.database) as connection:
                    return tasks.run(connection, patience)
            except TransientError as fault:
                patience.wait(fault)


def load_task(database: Database, release: str, sha256: str) -> float:
    """What a worker does: one file, unless another loader holds it; the seconds it took."""
    started = time.monotonic()
    with loader_connection(database) as connection, Progress(database) as progress:
        data_release = release_named(connection, release)
        load_if_pending(connection, data_release, ledger.file_of(connection, data_release, sha256), progress, wait=False)
    return time.monotonic() - started


class _Tasks:
    """The tasks of one call; they outlive a connection that is lost."""

    def __init__(self, client: Client, release: str, only: Collection[str], memory: str, report: Report) -> None:
        self._client = client
        self._release = release
        self._only = only
        self._memory = memory
        self._report = report
        self._running: dict[Future[float], LedgerFile] = {}
        self._deaths: Counter[str] = Counter()
        self._done = 0
        self._sign_of_life = time.monotonic()
        """When a worker last took up a file, or none was free to be taken."""

    def run(self, connection: psycopg.Connection, patience: Patience) -> None:
        """Submit what waits, hear what ended, and ask again, until nothing waits. TransientError as tasks or the connection raise it."""
        release = release_named(connection, self._release)
        while True:
            pending = ledger.pending(connection, release, self._only)
            if not pending and not self._running:
                return
            total = self._done + len(pending)
            # One task a thread, none in a queue: a worker that dies takes one file with it, and that is the one it was loading.
            threads = sum(self._client.nthreads().values())
            taken = ledger.held_files(connection) | {file.file_id for file in self._running.values()}
            free = [file for file in pending if file.file_id not in taken]
            for file in free[: max(threads - len(self._running), 0)]:
                self._report(Step("loading", file, self._done + 1, total))
                task = self._client.submit(load_task, patience.database, self._release, file.sha256, pure=False, retries=0)
                self._running[task] = file
            if not free:
                self._sign_of_life = time.monotonic()
            if not self._running:
                self._require_life()
                time.sleep(_LOOK_AGAIN_SECONDS)  # others hold what is left, or workers are being started again
                continue
            for task in self._ended():
                self._hear(connection, release, task, total)
                patience.succeeded()

    def _require_life(self) -> None:
        if time.monotonic() - self._sign_of_life > WAIT_FOR_WORKERS_SECONDS:
            raise TransientError(
                f"files wait, and for {WAIT_FOR_WORKERS_SECONDS} s no worker has lived to take one: most likely {self._memory} is less memory than "
                "a worker needs by itself; repeat the command with a larger --memory-limit, or with the workers of your scheduler started."
            )

    def _ended(self) -> Collection["Future[float]"]:
        try:
            return wait(list(self._running), timeout=_LOOK_AGAIN_SECONDS, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            return ()

    def _hear(self, connection: psycopg.Connection, release: DataRelease, task: "Future[float]", total: int) -> None:
        """What a task gave. A worker that died is no error, unless its file has taken MAX_DEATHS with it."""
        submitted = self._running.pop(task)
        error = task.exception()
        if error is not None and not isinstance(error, KilledWorker):
            raise error
        now = ledger.file_of(connection, release, submitted.sha256)
        if error is None or now.attempts > submitted.attempts:
            self._sign_of_life = time.monotonic()
        if error is not None and now.state in ledger.PENDING and now.attempts > submitted.attempts:
            self._deaths[now.sha256] += 1
            if self._deaths[now.sha256] >= MAX_DEATHS:
                self._give_up(connection, release, now)
                now = ledger.file_of(connection, release, submitted.sha256)
        if now.state in ledger.PENDING:
            if error is not None:
                self._report(Step("loader_lost", now, self._done + 1, total))
            return
        self._done += 1
        self._report(Step(now.state, now, self._done, total, 0.0 if error is not None else task.result()))

    def _give_up(self, connection: psycopg.Connection, release: DataRelease, file: LedgerFile) -> None:
        """End the file as failed, unless another loader, which may hold it just now, has ended it."""
        with ledger.held(connection, file, wait=True):
            if ledger.file_of(connection, release, file.sha256).state not in ledger.PENDING:
                return
            ledger.end(
                connection, file, "failed",
                f"{MAX_DEATHS} workers died while they loaded {file.name}: most likely it needs more memory than {self._memory} a worker; add it "
                "again with --retry and a larger --memory-limit, or look for what killed them",
            )  # fmt: skip


@contextmanager
def _dask_client(effort: Effort) -> Iterator[Client]:
    """A client of the given scheduler, or of a cluster on this machine: one process a worker, one thread each, of bounded memory."""
    # Dask tells at length of every worker that comes and goes; what matters here is in the ledger.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    if effort.scheduler is not None:
        try:
            with _client_at(effort.scheduler) as client:
                client.wait_for_workers(1, timeout=WAIT_FOR_WORKERS_SECONDS)
                yield client
        except (OSError, TimeoutError) as error:
            raise TransientError(
                f"no Dask worker answers at {effort.scheduler} within {WAIT_FOR_WORKERS_SECONDS} s ({error}); start one, then repeat the command."
            ) from error
        return
    settings = {
        "distributed.scheduler.allowed-failures": 0,  # a task whose worker died is not Dask's to try again: the ledger knows what waits
        "distributed.worker.daemon": True,
        "distributed.worker.memory.target": False,
        "distributed.worker.memory.spill": False,
        "distributed.worker.memory.pause": False,
        "distributed.worker.memory.terminate": 0.95,
        "distributed.nanny.pre-spawn-environ": {"OMP_NUM_THREADS": 1, "OPENBLAS_NUM_THREADS": 1, "MKL_NUM_THREADS": 1},
    }
    with dask.config.set(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Port \\d+ is already in use")  # of several commands at a time; nobody asks for the port
        try:
            cluster = LocalCluster(
                n_workers=effort.workers, threads_per_worker=1, processes=True, memory_limit=effort.memory_limit or DEFAULT_MEMORY,
                dashboard_address=None, silence_logs="CRITICAL",
            )  # fmt: skip
        except ValueError as error:
            raise UsageError(f"{effort.memory_limit} is no memory limit ({error}); give one such as 2GB.") from error
        with cluster, Client(cluster) as client:
            yield client


def _client_at(scheduler: str) -> Client:
    try:
        return Client(scheduler, timeout=WAIT_FOR_WORKERS_SECONDS)
    except ValueError as error:
        raise UsageError(f"{scheduler} is no address of a Dask scheduler ({error}); give one such as tcp://HOST:8786.") from error
