"""A client that leaves takes its query with it: the backend is gone within a second, and its place is free."""

import resource
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest

from catalog.database import Database
from tap_service.limits import Limits

SECONDS = 1.0
QUERIES = {
    "while_the_query_still_computes": (
        "SELECT COUNT(*) AS n FROM gaiadr3.gaia_source AS a, gaiadr3.gaia_source AS b, gaiadr3.gaia_source AS c WHERE a.ra + b.ra + c.ra < 0", False,
    ),
    "while_rows_flow": ("SELECT a.source_id, a.ra, b.dec FROM gaiadr3.gaia_source AS a, gaiadr3.gaia_source AS b", True),
}  # fmt: skip


def active(database: Database) -> list[int]:
    """The backends that run a person's query for the service, not what stands before and after it."""
    with database.connect(None, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'kiel tap_service' AND state = 'active' AND query LIKE 'COPY%' AND datname = current_database()"
        )
        return [pid for (pid,) in rows]


def wait_until(condition: Any, seconds: float) -> float:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "waited in vain"
        time.sleep(0.02)
    return time.monotonic() - began


@pytest.mark.parametrize("output", ["votable", "csv"])
@pytest.mark.parametrize("case", QUERIES)
def test_a_client_that_leaves_ends_its_query(serve: Any, stars: Database, case: str, output: str) -> None:
    query, has_rows = QUERIES[case]
    with serve(stars, Limits(concurrent_queries=1, wait_seconds=2, seconds=60)) as service:
        place = urlsplit(service.url)
        with socket.create_connection((place.hostname, place.port)) as client:
            path = f"{place.path}/sync?QUERY={quote(query)}&FORMAT={output}&MAXREC=16000000"
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: {place.netloc}\r\n\r\n".encode())
            wait_until(lambda: active(stars), 10)
            if has_rows:
                assert client.recv(1000).startswith(b"HTTP/1.1 200")
            assert active(stars)
        wait_until(lambda: not active(stars), SECONDS)
        answer = httpx.get(f"{service.url}/sync", params={"QUERY": "SELECT TOP 1 table_name FROM tap_schema.tables", "FORMAT": "csv"})
        assert answer.status_code == 200


def test_a_service_that_stops_takes_its_queries_with_it(serve: Any, stars: Database) -> None:
    with serve(stars, Limits(seconds=60)) as service:
        place = urlsplit(service.url)
        client = socket.create_connection((place.hostname, place.port))
        path = f"{place.path}/sync?QUERY={quote(QUERIES['while_the_query_still_computes'][0])}"
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: {place.netloc}\r\n\r\n".encode())
        wait_until(lambda: active(stars), 10)
    wait_until(lambda: not active(stars), SECONDS)
    client.close()


def test_a_slow_client_holds_back_the_query_not_the_memory(serve: Any, stars: Database) -> None:
    """Rows wait in PostgreSQL while nobody reads them."""
    with serve(stars, Limits(seconds=60)) as service:
        place = urlsplit(service.url)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with socket.create_connection((place.hostname, place.port)) as client:
            path = f"{place.path}/sync?QUERY={quote(QUERIES['while_rows_flow'][0])}&MAXREC=16000000"
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: {place.netloc}\r\n\r\n".encode())
            wait_until(lambda: active(stars), 10)
            time.sleep(2)
            assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000
        wait_until(lambda: not active(stars), SECONDS)


def small_query(service: Any) -> httpx.Response:
    return httpx.get(f"{service.url}/sync", params={"QUERY": "SELECT TOP 1 table_name FROM tap_schema.tables", "FORMAT": "csv"})


def test_a_client_that_leaves_while_it_waits_for_a_place_is_forgotten(
    serve: Any, stars: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """What it leaves behind would otherwise cancel a query that never began, for ever."""
    caplog.set_level("INFO", "tap_service.sync")
    with serve(stars, Limits(concurrent_queries=1, wait_seconds=30, seconds=3)) as service:
        place = urlsplit(service.url)
        slow = f"GET {place.path}/sync?QUERY={quote(QUERIES['while_the_query_still_computes'][0])} HTTP/1.1\r\nHost: {place.netloc}\r\n\r\n"
        with socket.create_connection((place.hostname, place.port)) as first:
            first.sendall(slow.encode())
            wait_until(lambda: active(stars), 10)
            with socket.create_connection((place.hostname, place.port)) as second:
                second.sendall(slow.encode())
                time.sleep(0.3)
            wait_until(lambda: any("client left" in record.getMessage() for record in caplog.records), SECONDS)
            assert active(stars)
        wait_until(lambda: not active(stars), SECONDS)
        assert small_query(service).status_code == 200


def test_a_client_that_stops_reading_loses_its_place_at_the_time_limit(serve: Any, stars: Database) -> None:
    """PostgreSQL's own time limit does not end a backend that waits for its rows to be taken."""
    with serve(stars, Limits(concurrent_queries=1, wait_seconds=0.1, seconds=1.5, drain_seconds=0.5)) as service:
        place = urlsplit(service.url)
        with socket.create_connection((place.hostname, place.port)) as client:
            path = f"{place.path}/sync?QUERY={quote(QUERIES['while_rows_flow'][0])}&MAXREC=16000000"
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: {place.netloc}\r\n\r\n".encode())
            wait_until(lambda: active(stars), 10)
            assert client.recv(1000).startswith(b"HTTP/1.1 200")
            wait_until(lambda: not active(stars), 10)
            wait_until(lambda: small_query(service).status_code == 200, 5)


def test_a_query_that_operators_stop_is_not_called_too_slow(serve: Any, stars: Database) -> None:
    query, _ = QUERIES["while_the_query_still_computes"]
    with serve(stars) as service, ThreadPoolExecutor(1) as others:
        asked = others.submit(httpx.get, f"{service.url}/sync", params={"QUERY": query}, timeout=60)
        wait_until(lambda: active(stars), 10)
        with stars.connect(None, autocommit=True) as connection:
            connection.execute("SELECT pg_cancel_backend(%s)", (active(stars)[0],))
        answer = asked.result()
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
    assert "operators of the database stopped the query" in answer.text
