"""Every file that waits, one after the other, beside any number of other loaders.

No two load one file: a loader holds a lock on it. The tables are the same for every order of files and any number of loaders (ingest.merge).
"""

import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import psycopg

from catalog.database import Database, Role
from catalog.releases import DataRelease, release_named
from ingest import ledger
from ingest.add import add_files
from ingest.faults import told_as_transient
from ingest.ledger import LedgerFile, Report, Step, Summary
from ingest.load_file import load_file


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
    report: Report = _silent,
) -> Summary:
    """Put every file named by or under ``paths`` into the ledger of a release (ingest.add); with ``work`` load them.

    ``set_name`` names the set that reference labels among the files make. UsageError for a path or a release that does not exist, before
    anything is written.
    """
    with database.connect(Role.WORKER, autocommit=True) as connection, told_as_transient():
        data_release = release_named(connection, release)
        added = add_files(connection, data_release, paths, set_name=set_name, retry=retry, report=report)
        if not work:
            return added
        known = [file.sha256 for file in added.files]
        _load(connection, data_release, set(known), report)
        return replace(added, files=tuple(ledger.file_of(connection, data_release, sha256) for sha256 in known))


def load_pending(database: Database, release: str, *, report: Report = _silent) -> Summary:
    """Load every file of the release that is not in a last state; other loaders may run at the same time.

    Returns when each has been loaded, here or by another loader, has failed or is no product. TransientError when the database goes away:
    the same call goes on from there.
    """
    with database.connect(Role.WORKER, autocommit=True) as connection, told_as_transient():
        return _load(connection, release_named(connection, release), None, report)


def _load(connection: psycopg.Connection, release: DataRelease, only: set[str] | None, report: Report) -> Summary:
    """First the files that are free, then, waiting for them, those that another loader held."""
    pending = [file for file in ledger.files(connection, release) if file.state in ledger.PENDING and (only is None or file.sha256 in only)]
    done: dict[str, LedgerFile] = {}
    for wait in (False, True):
        for file in pending:
            if file.sha256 in done:
                continue
            if wait:
                report(Step("waiting", file, len(done) + 1, len(pending)))
            with ledger.held(connection, file, wait=wait) as mine:
                if not mine:
                    continue
                started = time.monotonic()
                now = ledger.file_of(connection, release, file.sha256)
                if now.state in ledger.PENDING:
                    report(Step("loading", now, len(done) + 1, len(pending)))
                    load_file(connection, release, now)
                    now = ledger.file_of(connection, release, file.sha256)
                done[file.sha256] = now
                report(Step(now.state, now, len(done), len(pending), time.monotonic() - started))
    # Counts of files loaded early may have changed since, where later files held fuller rows.
    return Summary(tuple(ledger.file_of(connection, release, file.sha256) for file in pending))
