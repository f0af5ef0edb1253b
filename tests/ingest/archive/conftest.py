"""Our own TAP service over a small simulated sky, standing in for the archive; and a proxy before it that does what networks do."""

import contextlib
import http.client
import re
import socket
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import uvicorn
from psycopg import sql

from catalog.database import Database, Role
from catalog.migrate import upgrade
from catalog.releases import add_release
from ingest.archive.fetch import FetchedQuery, fetch_queries
from ingest.archive.options import FetchOptions
from ingest.linking.release_links import link_release
from ingest.load import add_paths
from ingest.sky.make import SkySettings, make_sky
from tap_service.address import TAP
from tap_service.app import make_app
from tap_service.limits import Limits

RELEASE = "sim_dr3"
SCHEMAS = {"gaia": "gaiasim_dr3", "tmass": "gaiasim_dr3", "external": "gaiasim_dr3"}


@pytest.fixture(scope="session")
def archive_sky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of 100 simulated stars."""
    folder = tmp_path_factory.mktemp("archive") / "sky"
    make_sky(SkySettings(stars=100, seed=5), folder, workers=1)
    return folder


@pytest.fixture(scope="session")
def archive_database(postgres: Database, archive_sky: Path) -> Iterator[Database]:
    """The catalogue behind the archive's service: nothing here changes it."""
    name = f"test_archive_{uuid.uuid4().hex[:8]}"
    with postgres.named("postgres").connect(None, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    database = postgres.named(name)
    upgrade(database)
    add_release(database, RELEASE)
    surveys = archive_sky / "surveys"
    loaded = add_paths(database, RELEASE, [archive_sky / "gaia_source", *surveys.glob("gedr3spur*"), *surveys.glob("tmass*")], work=True)
    link_release(database, RELEASE)
    assert not loaded.failed
    _add_what_the_sky_lacks(database)
    yield database
    with postgres.named("postgres").connect(None, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _add_what_the_sky_lacks(database: Database) -> None:
    """Astrophysical parameters of every second star, and two neighbours in DR2 of each."""
    with database.connect(Role.WORKER) as connection:
        connection.execute(
            """INSERT INTO store.astrophysical_parameters (release_id, source_id, solution_id, teff_gspphot, libname_gspphot, file_id)
            SELECT release_id, source_id, solution_id, 5000.5, 'MARCS', file_id FROM store.gaia_source WHERE (source_id >> 35) % 2 = 0"""
        )
        connection.execute(
            """INSERT INTO store.id_map (release_id, from_system, from_source_id, source_id, angular_distance, file_id)
            SELECT release_id, 'dr2', source_id + i, source_id, 10.5 * i, file_id FROM store.gaia_source, generate_series(0, 1) AS i"""
        )


Serve = Callable[..., AbstractContextManager[str]]


@contextlib.contextmanager
def _served(database: Database, limits: Limits | None = None) -> Iterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(make_app(database, limits), log_level="warning", server_header=False, timeout_graceful_shutdown=2)
    )
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}{TAP}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


@pytest.fixture(scope="session")
def served() -> Serve:
    """A function that serves a database while its block runs; gives the address."""
    return _served


@pytest.fixture(scope="session")
def archive_url(archive_database: Database) -> Iterator[str]:
    """The archive's service with its ordinary limits."""
    with _served(archive_database) as url:
        yield url


@pytest.fixture
def catalogue(database: Database) -> Database:
    """A catalogue with the simulated release, no rows: the one that fetches."""
    add_release(database, RELEASE)
    return database


@dataclass
class Request:
    """A request that reached the proxy."""

    query: str
    user_agent: str
    at: float


@dataclass
class FaultyProxy:
    """Passes requests on, and does to the queries of ranges what stands next in ``faults``."""

    target: str
    faults: deque[str] = field(default_factory=deque)
    requests: list[Request] = field(default_factory=list)
    url: str = ""

    def ranges(self) -> list[str]:
        """The queries of ranges, in the order in which they were asked."""
        return [request.query for request in self.requests if "BETWEEN" in request.query and "COUNT(*)" not in request.query]


REFUSED = (
    '<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE type="results">'
    '<INFO name="QUERY_STATUS" value="ERROR">{}</INFO></RESOURCE></VOTABLE>'
)


def _handler(proxy: FaultyProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *words: object) -> None:
            """Nothing: the tests read ``requests``."""

        def do_GET(self) -> None:
            self._pass_on("GET", b"")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            parameters = {key: values[0] for key, values in parse_qs(body.decode()).items()}
            query = parameters.get("QUERY", "")
            proxy.requests.append(Request(query, self.headers["User-Agent"], time.monotonic()))
            is_range = "BETWEEN" in query and "COUNT(*)" not in query
            fault = proxy.faults.popleft() if proxy.faults and is_range else "ok"
            if fault == "silent_cut":
                parameters["MAXREC"] = "1"
            self._do(fault, urlencode(parameters).encode())

        def _do(self, fault: str, body: bytes) -> None:
            if fault == "drop":
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
            elif fault in ("503", "429"):
                self._answer(int(fault), b"<html>busy</html>", {"Retry-After": "1"})
            elif fault in ("500", "504"):
                self._answer(int(fault), b"<html>oh</html>", {})
            elif fault == "refused":
                self._answer(400, REFUSED.format("no such column: starlight").encode(), {"Content-Type": "application/x-votable+xml"})
            elif fault == "too_slow":
                words = "The query was stopped by the service's time limit"
                self._answer(400, REFUSED.format(words).encode(), {"Content-Type": "application/x-votable+xml"})
            else:
                self._pass_on("POST", body, fault)

        def _pass_on(self, method: str, body: bytes, fault: str = "ok") -> None:
            target = urlsplit(proxy.target)
            connection = http.client.HTTPConnection(target.netloc, timeout=60)
            headers = {"Content-Type": self.headers.get("Content-Type", "text/plain")} if body else {}
            connection.request(method, self.path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            if fault == "half":  # the connection ends in the middle of what was promised
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[: len(content) // 2])
                self.close_connection = True
                return
            if fault == "short":  # a whole response around half a document
                content = content[: len(content) // 2]
            if fault == "silent_cut":  # a service that does not say that it cut
                content = re.sub(rb'<INFO name="QUERY_STATUS" value="OVERFLOW"[^>]*?(/>|>.*?</INFO>)', b"", content)
            self._answer(answer.status, content, {"Content-Type": answer.headers.get("Content-Type", "text/xml")})

        def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return Handler


@pytest.fixture
def proxy(archive_url: str) -> Iterator[FaultyProxy]:
    """A proxy before the archive's service."""
    found = FaultyProxy(archive_url)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(found))
    found.url = f"http://127.0.0.1:{server.server_address[1]}{TAP}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()


Fetch = Callable[..., tuple[FetchedQuery, ...]]


@pytest.fixture
def fetch(catalogue: Database, tmp_path: Path) -> Fetch:
    """Fetches gaia_source, or what the test names, in few ranges and without pauses; ``said`` holds the steps."""

    def run(url: str, said: list[dict[str, Any]] | None = None, **others: Any) -> tuple[FetchedQuery, ...]:
        values: dict[str, Any] = {
            "query_set": "dr3", "into": tmp_path / "files", "only": ("gaia_source",), "schemas": SCHEMAS, "n_ranges": 3, "pause": 0.0,
            "give_up_after": 30.0,
        }  # fmt: skip
        steps: list[Any] = [] if said is None else said
        return fetch_queries(catalogue, RELEASE, FetchOptions(url, **{**values, **others}), steps.append)

    return run
