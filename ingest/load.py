"""Every file that waits, beside any number of other loaders: here one after the other, or on workers (ingest.scheduling).

No two load one file: a loader holds a lock on it. The tables are the same for every order of files and any number of loaders (ingest.merge).
A passing fault (the server restarts, a disk is full) stops nothing for good: the files wait, and are tried again (ingest.patience).
"""

import time
from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path

import psycopg

from catalog.database import Database, Role
from catalog.errors import TransientError
from catalog.releases import DataRelease, release_named
from ingest import ledger
from ingest.add import add_files
from ingest.effort import HERE, Effort
from ingest.faults import told_as_transient
from ingest.ledger import LedgerFile, Report, Step, Summary
from ingest.load_file import load_if_pending, loader_connection
from ingest.patience import Patience
from ingest.progress import Progress


def _silent(step: Step) -> None:
    """Reports to nobody."""


def add_paths(
    database: Database,
    release: str,
    paths: Iterable[Path],
    *,
    set_name: str | None = None,
    retry: bool = False,
    work: bool = False,
    effort: Effort = HERE,
    report: Report = _silent,
) -> Summary:  # fmt: skip
    """Put every file named by or under ``paths`` into the ledger of a release (ingest.add); with ``work`` load them.

    ``set_name`` names the set that reference labels among the files make. UsageError for a path or a release that does not exist, before
    anything is written.
    """
    with database.connect(Role.WORKER, autocommit=True) as connection, told_as_transient():
        added = add_files(connection, release_named(connection, release), paths, set_name=set_name, retry=retry, report=report)
    if not work:
        return added
    known = [file.sha256 for file in added.files]
    if not any(file.state in ledger.PENDING for file in added.files):
        return added
    return replace(added, files=_load(Patience(database, effort.patience_seconds, effort.reopen), release, known, effort, report))


def load_pending(database: Database, release: str, *, effort: Effort = HERE, report: Report = _silent) -> Summary:
    """Load every file of the release that is not in a last state; other loaders may run at the same time.

    Returns when each has been loaded, here or by another loader, has failed or is no product. TransientError when a passing fault outlasts the
    effort's patience: the same call goes on from there.
    """
    with database.connect(Role.WORKER, autocommit=True) as connection, told_as_transient():
        known = [file.sha256 for file in ledger.pending(connection, release_named(connection, release))]
    if not known:
        return Summary(())
    return Summary(_load(Patience(database, effort.patience_seconds, effort.reopen), release, known, effort, report))


def _load(patience: Patience, release: str, known: list[str], effort: Effort, report: Report) -> tuple[LedgerFile, ...]:
    """Load the known files that wait, and tell of all known ones at the end: counts of early files change where later ones hold fuller rows."""
    only = set(known)
    if not effort.here:
        from ingest.scheduling import load_on_workers  # Dask takes a second

        load_on_workers(patience, release, only, effort, report)
    while True:
        try:
            with loader_connection(patience.database) as connection:
                data_release = release_named(connection, release)
                if effort.here:
                    _load_here(connection, patience, data_release, only, report)
                return tuple(ledger.file_of(connection, data_release, sha256) for sha256 in known)
        except TransientError as fault:
            patience.wait(fault)


def _load_here(connection: psycopg.Connection, patience: Patience, release: DataRelease, only: Collection[str], report: Report) -> None:
    """First the files that are free, then, waiting for them, those that another loader held."""
    pending = ledger.pending(connection, release, only)
    done: set[str] = set()
    with Progress(patience.database) as progress:
        for wait in (False, True):
            for file in pending:
                if file.sha256 in done:
                    continue
                place = (len(done) + 1, len(pending))
                if wait:
                    report(Step("waiting", file, *place))
                started = time.monotonic()

                def begun(now: LedgerFile, place: tuple[int, int] = place) -> None:
                    report(Step("loading", now, *place))

                if load_if_pending(connection, release, file, progress, wait=wait, begun=begun):
                    done.add(file.sha256)
                    patience.succeeded()
                    now = ledger.file_of(connection, release, file.sha256)
                    report(Step(now.state, now, *place, time.monotonic() - started))
