"""The ledger of files: which are known, how far each got, and who is loading it just now.

    planned -> verified -> loading -> loaded
                                   -> failed          (its reason says what to do; `kiel ingest add --retry` plans it again)
            -> not_a_product                          (no failure: a folder may hold anything)

A loader holds a session advisory lock on its file. PostgreSQL drops the lock with the loader's connection, so a file in the state loading
whose lock is free has lost its loader and is simply loaded again: what that one had written went with its transaction.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from catalog.releases import DataRelease
from catalog.statements import statement
from catalog.version import code_version

PENDING = ("planned", "verified", "loading")
RETRIED = ("failed", "not_a_product")

_FILE_LOCK = 0x6B694631
"""The first key of the advisory locks on files ("kiF1"); the second is file_id."""
_MERGE_LOCK = 0x6B694D31
"""The first key of the advisory lock on merging ("kiM1"); the second is release_id."""


@dataclass(frozen=True)
class LedgerFile:
    """A file as the ledger has it."""

    file_id: int
    sha256: str
    name: str
    size: int
    set_name: str | None
    product: str | None
    state: str
    reason: str | None
    rows_in: int | None
    rows_loaded: int | None
    rows_rejected: int | None


@dataclass(frozen=True)
class Step:
    """One thing that happened to a file: added, known, loading, waiting, loaded, failed, not_a_product."""

    action: str
    file: LedgerFile
    number: int
    total: int
    seconds: float = 0.0


Report = Callable[[Step], None]


@dataclass(frozen=True)
class Summary:
    """Where the files of one command stand at its end, how many were new to the ledger, and which could not even be opened."""

    files: tuple[LedgerFile, ...]
    added: int = 0
    unreadable: tuple[str, ...] = ()

    def count(self, state: str) -> int:
        """How many of the files are in a state."""
        return sum(file.state == state for file in self.files)

    @property
    def rows_in(self) -> int:
        """Rows read from the files."""
        return sum(file.rows_in or 0 for file in self.files)

    @property
    def rows_loaded(self) -> int:
        """Rows of the files that stand in the catalogue."""
        return sum(file.rows_loaded or 0 for file in self.files)

    @property
    def rows_rejected(self) -> int:
        """Rows of the files that were not taken."""
        return sum(file.rows_rejected or 0 for file in self.files)

    @property
    def failed(self) -> tuple[LedgerFile, ...]:
        """The files that could not be read."""
        return tuple(file for file in self.files if file.state == "failed")


def files(connection: psycopg.Connection, release: DataRelease) -> list[LedgerFile]:
    """Every file of the release, in the order in which they were added."""
    with connection.cursor(row_factory=class_row(LedgerFile)) as cursor:
        return cursor.execute(statement("ledger_files"), {"release_id": release.release_id}).fetchall()


def file_of(connection: psycopg.Connection, release: DataRelease, sha256: str) -> LedgerFile:
    """The file with these bytes; it must be there."""
    with connection.cursor(row_factory=class_row(LedgerFile)) as cursor:
        found = cursor.execute(statement("ledger_file"), {"release_id": release.release_id, "sha256": sha256}).fetchone()
    assert found is not None, sha256
    return found


def add(connection: psycopg.Connection, release: DataRelease, name: str, sha256: str, size: int, set_name: str | None = None) -> bool:
    """Put a file into the ledger as planned; False when its bytes were there already."""
    values = {"release_id": release.release_id, "sha256": sha256, "name": name, "size": size, "set_name": set_name}
    return connection.execute(statement("add_file"), values).fetchone() is not None


def plan_again(connection: psycopg.Connection, file: LedgerFile, name: str) -> None:
    """Back to planned, under the name where the bytes are now. A loaded file stays as it is."""
    connection.execute(statement("plan_file_again"), {"file_id": file.file_id, "name": name})


def set_state(connection: psycopg.Connection, file: LedgerFile, state: str, product: str, header: Mapping[str, Any]) -> None:
    """A step of a file that is a product: verified, loading."""
    values = {"file_id": file.file_id, "state": state, "product": product, "header": Jsonb(header), "code_version": code_version()}
    connection.execute(statement("set_file_state"), values)


def end(connection: psycopg.Connection, file: LedgerFile, state: str, reason: str) -> None:
    """The end of a file that gives no rows: failed or not_a_product."""
    values = {"file_id": file.file_id, "state": state, "reason": reason, "code_version": code_version()}
    connection.execute(statement("end_file"), values)


@contextmanager
def held(connection: psycopg.Connection, file: LedgerFile, *, wait: bool) -> Iterator[bool]:
    """Hold the file for this session; gives False when another loader has it and ``wait`` is false."""
    key = {"class": _FILE_LOCK, "file_id": file.file_id}
    if wait:
        connection.execute(statement("wait_for_file_lock"), key)
    else:
        row = connection.execute(statement("try_file_lock"), key).fetchone()
        if row is None or not row[0]:
            yield False
            return
    try:
        yield True
    finally:
        if not connection.closed:
            connection.execute(statement("release_file_lock"), key)


def lock_merge(connection: psycopg.Connection, release: DataRelease) -> None:
    """Wait for the release's other merges; held until the transaction ends."""
    connection.execute(statement("merge_lock"), {"class": _MERGE_LOCK, "release_id": release.release_id})
