"""How far a loader is, told while it works: on a connection of its own, so that others see it before the file's transaction ends.

Nothing depends on it: when it cannot be told, the file is loaded all the same. A file that takes less than a second is not told of.
"""

import os
import socket
import time
from types import TracebackType

import psycopg

from catalog.database import Database, Role
from catalog.errors import KielError
from catalog.statements import statement
from ingest.ledger import LedgerFile

TELL_SECONDS = 1.0


class Progress:
    """Tells of one file after the other; its connection is made when a file first takes long enough, and closed with it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: psycopg.Connection | None = None
        self._file_id = 0
        self._stage = ""
        self._began = self._told = 0.0

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._connection is not None:
            self._connection.close()

    def begin(self, file: LedgerFile, stage: str) -> None:
        """A stage of a file begins: verifying, reading, merging."""
        told_before = self._file_id == file.file_id and self._told > self._began
        self._file_id, self._stage, self._began = file.file_id, stage, time.monotonic()
        self._told = self._began
        if told_before:
            self._tell(0, 0)

    def tell(self, bytes_done: int, rows_done: int) -> None:
        """The stage is through with so many bytes and rows of the file; written at most once a second."""
        if time.monotonic() - self._told >= TELL_SECONDS:
            self._tell(bytes_done, rows_done)

    def _tell(self, bytes_done: int, rows_done: int) -> None:
        self._told = time.monotonic()
        values = {
            "file_id": self._file_id,
            "loader": f"{socket.gethostname()}:{os.getpid()}",
            "stage": self._stage,
            "bytes_done": bytes_done,
            "rows_done": rows_done,
            "seconds": self._told - self._began,
        }
        try:
            if self._connection is None or self._connection.closed:
                self._connection = self._database.connect(Role.WORKER, autocommit=True)
                self._connection.execute(statement("commit_without_waiting"))
            self._connection.execute(statement("tell_progress"), values)
        except (KielError, psycopg.Error):  # the file's own connection tells whether the database is there
            self._connection = None
