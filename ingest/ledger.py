"""The ledger of files: which are known, how far each got, and who is loading it just now.

    planned -> verified -> loading -> loaded
            -> failed                 -> failed       (its reason says what to do; `kiel ingest add --retry` plans it again)
            -> not_a_product                          (no failure: a folder may hold anything)

Verified: the bytes are those that were added, the MD5 sum is that of the folder's manifest where it names the file, and the header keeps the
product's contract. A loader holds a session advisory lock on its file. PostgreSQL drops the lock with the loader's connection, so a file in the state loading
whose lock is free has lost its loader and is simply loaded again: what that one had written went with its transaction.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from catalog.releases import DataRelease
from catalog.statements import statement
from catalog.version import code_version
from ingest.file_counts import FileCounts

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
    rows_stated: int | None
    rows_in: int | None
    rows_kept: int | None
    rows_loaded: int | None
    rows_rejected: int | None
    attempts: int
    contract: dict[str, Any] | None
    """How its header and its columns compare with the product's (ledger column ``header``, without the columns' own list)."""


@dataclass(frozen=True)
class Step:
    """One thing that happened to a file: added, known, loading, waiting, loader_lost, loaded, failed, not_a_product."""

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
    notes: tuple[str, ...] = ()
    """What is no fault of a file and yet to be known, such as files that a manifest names and that are not there."""

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


def pending(connection: psycopg.Connection, release: DataRelease, only: Collection[str] | None = None) -> list[LedgerFile]:
    """The files that wait, or are being loaded; of these bytes (SHA-256) alone where ``only`` is given."""
    with connection.cursor(row_factory=class_row(LedgerFile)) as cursor:
        found = cursor.execute(statement("pending_files"), {"release_id": release.release_id}).fetchall()
    return [file for file in found if only is None or file.sha256 in only]


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


def begin(connection: psycopg.Connection, file: LedgerFile) -> None:
    """A loader begins with the file."""
    connection.execute(statement("begin_file"), {"file_id": file.file_id})


def set_verified(
    connection: psycopg.Connection, file: LedgerFile, product: str, header: Mapping[str, Any], md5: str | None, rows_stated: int | None
) -> None:
    """The file's bytes and its header are what they should be."""
    values = {
        "file_id": file.file_id, "product": product, "header": Jsonb(header), "md5": md5, "rows_stated": rows_stated,
        "code_version": code_version(),
    }  # fmt: skip
    connection.execute(statement("set_file_verified"), values)


def set_loading(connection: psycopg.Connection, file: LedgerFile) -> None:
    """The file's rows are being read."""
    connection.execute(statement("set_file_loading"), {"file_id": file.file_id})


def end(connection: psycopg.Connection, file: LedgerFile, state: str, reason: str) -> None:
    """The end of a file that gives no rows: failed or not_a_product."""
    values = {"file_id": file.file_id, "state": state, "reason": reason, "code_version": code_version()}
    with connection.transaction():
        connection.execute(statement("end_file"), values)
        connection.execute(statement("end_progress"), values)


def finish(connection: psycopg.Connection, file: LedgerFile, counts: FileCounts, rows_loaded: int) -> None:
    """The end of a file that is loaded, inside its transaction."""
    values = {
        "file_id": file.file_id, "rows_in": counts.rows_in, "rows_kept": counts.rows_kept, "rows_loaded": rows_loaded,
        "counted": Jsonb({"nulls": dict(counts.nulls)}), "code_version": code_version(),
    }  # fmt: skip
    connection.execute(statement("end_progress"), values)
    rejected, on_record = connection.execute(statement("finish_file"), values).fetchone() or (0, -1)
    assert rejected == on_record, f"{file.name}: {rejected} rows not taken, {on_record} on record"


def let_wait(connection: psycopg.Connection, file: LedgerFile, reason: str) -> None:
    """Back to planned after a passing fault, which the reason tells."""
    with connection.transaction():
        connection.execute(statement("let_file_wait"), {"file_id": file.file_id, "reason": reason})
        connection.execute(statement("end_progress"), {"file_id": file.file_id})


def held_files(connection: psycopg.Connection) -> set[int]:
    """The numbers of the files that a loader holds just now."""
    return {file_id for (file_id,) in connection.execute(statement("held_files"), {"class": _FILE_LOCK})}


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
