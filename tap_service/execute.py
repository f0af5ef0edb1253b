"""One query: one connection, one transaction, one publication, and from the translation on as tap_reader.

    connection as tap_service -> uploads as temporary tables -> publication pinned -> BEGIN REPEATABLE READ READ ONLY -> tables -> translate
    -> SET LOCAL ROLE tap_reader, statement_timeout -> COPY (statement) TO STDOUT BINARY

A query whose client has left is cancelled from another thread and its connection closed; any other connection is used again.
"""

import threading
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO

import psycopg
from psycopg import sql

from catalog.binary_copy import RawBlock, raw_blocks
from catalog.publish import pinned_publication
from catalog.statements import statement
from tap_service.adql import parse, translate
from tap_service.connections import Connections
from tap_service.errors import LimitError
from tap_service.limits import Limits
from tap_service.publication_tables import TableCache
from tap_service.results.field_types import Field
from tap_service.table_set import TapTable
from tap_service.uploads.fetch import TableFetch
from tap_service.uploads.temporary_table import load
from tap_service.uploads.upload import Upload
from tap_service.uploads.votable import VOTableReader

_CANCEL_SECONDS = 2.0
_CANCEL_AGAIN_SECONDS = 0.1


class RunningQuery:
    """A query from its translation to its last row. Its methods block: call them in a worker thread, ``cancel`` from any other.

    ``fields`` and ``epoch`` are there after ``start``; ``overflow`` tells, after the last block, whether rows were cut.
    PostgreSQL ends it after ``seconds`` (by default what a synchronous query may take), and soon after this process has died.
    """

    def __init__(self, connections: Connections, cache: TableCache, limits: Limits, seconds: float | None = None) -> None:
        self.fields: tuple[Field, ...] = ()
        self.epoch: float | None = None
        self.serial = 0
        self.overflow = False
        self.cancelled = False
        self._connections = connections
        self._cache = cache
        self._limits = limits
        self._seconds = limits.seconds if seconds is None else seconds
        self._step = threading.Lock()
        self._hand_over = threading.Lock()
        self._ended = ExitStack()
        self._connection: psycopg.Connection[Any] | None = None
        self._row_limit = 0
        self._fetch: TableFetch | None = None
        self._statement: sql.Composable | None = None
        self._blocks: Iterator[RawBlock] | None = None

    def start(self, text: str, version: str, maxrec: int | None, uploads: tuple[Upload, ...] = ()) -> None:
        """Load what comes with the query and translate it in the snapshot that it will read; AdqlError, RequestError, TransientError, psycopg.Error."""
        with self._step:
            self._row_limit = self._limits.rows(maxrec)
            if uploads:
                parse(text, version)  # a typing error should not have to wait for the tables
            streams = self._open(uploads)
            connection = self._connection = self._connections.take()
            self._ended.callback(self._release)
            uploaded = self._load(connection, streams)
            publication = self._ended.enter_context(pinned_publication(connection))
            self._ended.callback(self._roll_back)
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            table_set, self.epoch = self._cache.table_set(connection, publication)
            self.serial = publication.serial
            if uploaded:
                table_set = replace(table_set, tables=(*table_set.tables, *uploaded))
            # One row more than may leave: whether it comes tells whether rows were cut.
            translation = translate(text, table_set, version, self._row_limit + 1)
            self.fields = tuple(
                Field(
                    column.name,
                    column.datatype,
                    column.arraysize,
                    column.xtype,
                    column.unit,
                    column.ucd,
                    column.utype,
                    column.description,
                    column.type,
                    source_release=column.source_release,
                )
                for column in translation.columns
            )
            self._statement = translation.statement
            connection.execute(statement("limit_query"), {"timeout": str(int(self._seconds * 1000))})
            connection.execute(statement("become_tap_reader"))

    def _open(self, uploads: tuple[Upload, ...]) -> dict[str, BinaryIO]:
        """The documents of the uploads by their tables' names; those at an address are fetched first, while no connection is held."""
        streams: dict[str, BinaryIO] = {}
        fetch = self._fetch = TableFetch(self._limits)
        if self.cancelled:
            fetch.stop()
        for upload in uploads:
            if isinstance(upload.source, Path):
                streams[upload.table] = self._ended.enter_context(upload.source.open("rb"))
                continue
            stream = streams[upload.table] = self._ended.enter_context(TemporaryFile())  # noqa: SIM115 - the stack closes it
            fetch.fetch(upload.source, stream)
            stream.seek(0)
        return streams

    def _load(self, connection: psycopg.Connection[Any], streams: dict[str, BinaryIO]) -> tuple[TapTable, ...]:
        """The uploads as tables of this connection; they go when the query does, not only when the connection is used again."""
        if not streams:
            return ()
        self._ended.callback(self._drop_uploads)
        until = time.monotonic() + self._seconds

        def stopped() -> bool:
            if time.monotonic() > until:
                raise LimitError(
                    f"Reading the uploaded tables took longer than the {self._seconds:g} s that a query may take; send fewer rows."
                )
            return self.cancelled

        tables: list[TapTable] = []
        bytes_read = 0
        for name, stream in streams.items():
            reader = VOTableReader(stream, self._limits, bytes_read)
            tables.append(load(connection, name, reader, stopped))
            bytes_read = reader.bytes
        return tuple(tables)

    def blocks(self) -> Iterator[RawBlock]:
        """The rows in blocks, at most as many as the limit lets through; psycopg.Error when PostgreSQL ends the query."""
        assert self._connection is not None and self._statement is not None
        left = self._row_limit
        if left == 0:
            # MAXREC=0 asks for the columns only (TAP 1.1 section 2.7.3).
            self.overflow = True
            return
        limits = self._limits
        # Cells of fixed length are filled up on their way out, so a block may be larger there than PostgreSQL sends it.
        widest = limits.block_bytes // max(1, sum(field.binary_bytes or 0 for field in self.fields))
        block_rows = max(1, min(limits.block_rows, widest))
        blocks = self._blocks = raw_blocks(self._connection, self._statement, block_rows=block_rows, block_bytes=limits.block_bytes)
        while True:
            with self._step:
                block = next(blocks, None)
            if block is None:
                return
            if len(block.row_lengths) > left:
                self.overflow = True
                block = _first_rows(block, left)
            left -= len(block.row_lengths)
            if len(block.row_lengths):
                yield block

    def cancel(self) -> None:
        """End the query in PostgreSQL now; the thread that waits for its rows gets QueryCanceled."""
        self.cancelled = True
        if self._fetch is not None:
            self._fetch.stop()
        # Held so that the connection is not given back on the way: the cancel would end the next query on it.
        with self._hand_over:
            connection = self._connection
            if connection is not None and not connection.closed:
                with suppress(psycopg.Error):  # a server that is gone, or slow to answer: whoever waits asks again
                    connection.cancel_safe(timeout=_CANCEL_SECONDS)

    def close(self) -> None:
        """Let go of everything, whatever state it is in."""
        while not self._step.acquire(timeout=_CANCEL_AGAIN_SECONDS):
            # A thread still waits for PostgreSQL. Again until it is back: a cancel between two statements stops neither.
            self.cancel()
        try:
            # A cancel may still hit the unlocking of the publication; the connection is closed then, and the lock goes with it.
            with suppress(psycopg.Error):
                self._ended.close()
        finally:
            self._step.release()

    def _roll_back(self) -> None:
        connection = self._connection
        assert connection is not None
        if isinstance(self._blocks, Generator):
            with suppress(psycopg.Error):
                self._blocks.close()
        if self.cancelled:
            # A late cancel could hit the next statement, so such a connection is never used again.
            connection.close()
        elif not connection.closed and connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            try:
                connection.execute("ROLLBACK")
            except psycopg.Error:
                connection.close()

    def _drop_uploads(self) -> None:
        connection = self._connection
        if connection is not None and not self.cancelled and connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
            connection.execute("DISCARD TEMPORARY")

    def _release(self) -> None:
        with self._hand_over:
            connection, self._connection = self._connection, None
            if connection is not None:
                if self.cancelled:
                    connection.close()
                self._connections.give_back(connection)


def _first_rows(block: RawBlock, count: int) -> RawBlock:
    """The first rows of a block."""
    lengths = block.row_lengths[:count]
    return RawBlock(block.buffer[: int(lengths.sum())], lengths)
