"""What all requests of a running service share: database, limits, connections, tables, threads and places for queries."""

import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import psycopg
from psycopg import sql

from catalog.database import Database
from catalog.publish import pinned_publication
from catalog.statements import statement
from tap_service.connections import Connections
from tap_service.errors import BusyError
from tap_service.execute import RunningQuery
from tap_service.limits import Limits
from tap_service.publication_tables import PublicationTables, TableCache

T = TypeVar("T")


class Service:
    """A TAP service over one database."""

    def __init__(self, database: Database, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.connections = Connections(database, keep=self.limits.concurrent_queries)
        self._cache = TableCache()
        self._queries: weakref.WeakSet[RunningQuery] = weakref.WeakSet()
        self._places = anyio.CapacityLimiter(self.limits.concurrent_queries)
        # Twice the places: a query that is cancelled must never wait for a thread behind those that run.
        self._threads = anyio.CapacityLimiter(2 * self.limits.concurrent_queries + 8)

    def new_query(self) -> RunningQuery:
        """A query that has not started; the service ends it when it stops itself."""
        query = RunningQuery(self.connections, self._cache, self.limits)
        self._queries.add(query)
        return query

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """One of the places for queries; BusyError when none gets free in time."""
        borrower = object()
        try:
            with anyio.fail_after(self.limits.wait_seconds):
                await self._places.acquire_on_behalf_of(borrower)
        except TimeoutError as error:
            raise BusyError(
                f"All {self.limits.concurrent_queries} places for queries have been taken for {self.limits.wait_seconds:g} s; ask again in a moment."
            ) from error
        try:
            yield
        finally:
            self._places.release_on_behalf_of(borrower)

    async def in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        """The result of blocking work, done in a thread of the service's own."""
        return await anyio.to_thread.run_sync(work, *arguments, limiter=self._threads)

    def tables(self) -> PublicationTables:
        """What TAP_SCHEMA says now (blocks)."""
        with self.connections.using() as connection, pinned_publication(connection) as publication:
            return self._cache.tables(connection, publication)

    @contextmanager
    def reading(self) -> Iterator[tuple[psycopg.Connection[Any], PublicationTables]]:
        """A connection that may read what a query may, in one transaction, for as long as a query may, and the publication's tables (blocks)."""
        with self.connections.using() as connection, pinned_publication(connection) as publication, connection.transaction():
            published = self._cache.tables(connection, publication)
            connection.execute(statement("become_tap_reader"))
            connection.execute(sql.SQL("SET LOCAL statement_timeout = {}").format(sql.Literal(int(self.limits.seconds * 1000))))
            yield connection, published

    def close(self) -> None:
        """End every query that still runs, and let go of all connections (blocks)."""
        for query in list(self._queries):
            query.close()
        self.connections.close()
