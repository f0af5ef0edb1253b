"""Connections of the service, kept for the next query: a new one costs more than a TOP 1 (measured: a whole TOP 1 over HTTP takes 45 ms with a new one, 5 ms with a kept one)."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from catalog.database import Database, Role


class Connections:
    """Idle connections as tap_service, in autocommit; each is used by one query at a time."""

    def __init__(self, database: Database, keep: int) -> None:
        self._database = database
        self._keep = keep
        self._idle: list[psycopg.Connection[Any]] = []
        self._lock = threading.Lock()

    def take(self) -> psycopg.Connection[Any]:
        """A connection without any state of an earlier query; TransientError when PostgreSQL does not answer."""
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                # Statements are not prepared: DISCARD ALL would take them away behind psycopg's back.
                return self._database.connect(Role.TAP_SERVICE, autocommit=True, prepare_threshold=None)
            try:
                connection.execute("DISCARD ALL")
            except psycopg.Error:
                connection.close()  # the server was restarted since
            else:
                return connection

    def give_back(self, connection: psycopg.Connection[Any]) -> None:
        """Keep a connection whose query has ended; one that is in any other state is closed."""
        if not connection.closed and connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
            with self._lock:
                if len(self._idle) < self._keep:
                    self._idle.append(connection)
                    return
        connection.close()

    @contextmanager
    def using(self) -> Iterator[psycopg.Connection[Any]]:
        """A connection for the block; TransientError when PostgreSQL does not answer."""
        connection = self.take()
        try:
            yield connection
        finally:
            self.give_back(connection)

    def close(self) -> None:
        """Close what is idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
