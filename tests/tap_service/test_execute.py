"""Underneath a query: what it may read, what it may not, and what is left of it afterwards."""

import threading
from typing import Any

import psycopg
import pytest

from catalog.database import Database, Role
from catalog.publish import publish
from tap_service.connections import Connections
from tap_service.execute import RunningQuery
from tap_service.limits import Limits
from tap_service.publication_tables import TableCache

QUERY = "SELECT source_id FROM gaiadr3.gaia_source"


class OpenQuery(RunningQuery):
    """A query that lets a test speak on its connection, with the rights that the query has."""

    def speak(self, statement: str) -> Any:
        assert self._connection is not None
        return self._connection.execute(statement).fetchone()


@pytest.fixture
def connections(stars: Database) -> Any:
    kept = Connections(stars, keep=2)
    yield kept
    kept.close()


def begun(connections: Connections, limits: Limits | None = None) -> OpenQuery:
    query = OpenQuery(connections, TableCache(), limits or Limits(seconds=7))
    query.start(QUERY, "2.1", None)
    return query


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("SELECT * FROM store.gaia_source", psycopg.errors.InsufficientPrivilege),
        ("SELECT * FROM store.tap_tables", psycopg.errors.InsufficientPrivilege),
        ("SELECT * FROM store.model_weights", psycopg.errors.InsufficientPrivilege),
        ("CREATE TEMP TABLE mine (x int)", (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)),
        ("DELETE FROM gaiadr3.gaia_source", (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)),
    ],
)
def test_a_query_reads_the_public_views_and_nothing_else(connections: Connections, statement: str, error: Any) -> None:
    query = begun(connections)
    try:
        with pytest.raises(error):
            query.speak(statement)
    finally:
        query.close()


def test_a_query_runs_as_tap_reader_in_one_snapshot_with_a_time_limit(connections: Connections) -> None:
    query = begun(connections)
    try:
        assert query.speak("SELECT current_user, current_setting('statement_timeout'), current_setting('transaction_isolation')") == (
            "tap_reader", "7s", "repeatable read",
        )  # fmt: skip
    finally:
        query.close()


def test_nothing_of_a_query_is_left_on_its_connection(connections: Connections, stars: Database) -> None:
    query = begun(connections)
    pid = query.speak("SELECT pg_backend_pid()")[0]
    assert sum(len(block.row_lengths) for block in query.blocks()) == 4000
    query.close()
    connection = connections.take()
    assert connection.info.backend_pid == pid
    row = connection.execute("SELECT current_user, current_setting('statement_timeout')").fetchone()
    assert row == ("tap_service", "0")
    with stars.connect(None, autocommit=True) as other:
        assert other.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = %s", (pid,)).fetchone() == (0,)
    connections.give_back(connection)


def test_a_query_that_is_let_go_half_way_leaves_a_usable_connection_or_none(connections: Connections) -> None:
    query = begun(connections, Limits(block_rows=10))
    blocks = query.blocks()
    next(blocks)
    query.close()
    connection = connections.take()
    assert connection.execute("SELECT 1").fetchone() == (1,)
    connections.give_back(connection)


def test_connections_survive_a_restart_of_the_server(connections: Connections, stars: Database) -> None:
    connection = connections.take()
    pid = connection.info.backend_pid
    connections.give_back(connection)
    with stars.connect(None, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", (pid,))
    again = connections.take()
    assert again.execute("SELECT 1").fetchone() == (1,)
    connections.give_back(again)


def test_a_query_keeps_its_publication_while_others_come(database: Database) -> None:
    connections, cache = Connections(database, keep=2), TableCache()
    old = RunningQuery(connections, cache, Limits())
    old.start("SELECT * FROM tap_schema.tables", "2.1", None)
    newer = publish(database, "a test")
    new = RunningQuery(connections, cache, Limits())
    new.start("SELECT * FROM tap_schema.tables", "2.1", None)
    try:
        assert (old.serial, new.serial) == (newer - 1, newer)
        assert sum(len(block.row_lengths) for block in old.blocks()) == sum(len(block.row_lengths) for block in new.blocks()) > 20
    finally:
        old.close()
        new.close()
        connections.close()
    with database.connect(Role.TAP_SERVICE, autocommit=True) as connection:
        row = connection.execute("SELECT max(serial) FROM store.publication WHERE dropped IS NULL").fetchone()
    assert row == (newer,)


def test_a_client_that_leaves_as_its_query_ends_stops_nobody_elses(connections: Connections) -> None:
    """A cancel that arrives while the connection is given back must not reach the next query on it."""
    for wait in range(40):
        query = begun(connections)
        for _ in query.blocks():
            pass
        leaving = threading.Timer(wait * 1e-4, query.cancel)
        leaving.start()
        query.close()
        following = connections.take()
        try:
            assert following.execute("SELECT pg_sleep(0.02)").fetchone() is not None
        finally:
            leaving.join()
            connections.give_back(following)


def test_a_block_of_wide_rows_has_fewer_of_them(connections: Connections) -> None:
    """A spectrum with its correlations has 13 kB: memory goes by bytes, whatever the rows are."""
    query = OpenQuery(connections, TableCache(), Limits(block_rows=5000, block_bytes=1 << 20))
    query.start(f"SELECT source_id, '{'x' * 13_000}' AS wide FROM gaiadr3.gaia_source", "2.1", None)
    try:
        blocks = [(len(block.buffer), len(block.row_lengths)) for block in query.blocks()]
    finally:
        query.close()
    assert sum(rows for _, rows in blocks) == 4000
    assert max(size for size, _ in blocks) < (1 << 20) + 14_000
