"""A small published catalogue, and the service over it behind a real HTTP server."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import healpy
import numpy as np
import pytest
import uvicorn
from psycopg import sql
from starlette.types import ASGIApp

from catalog.database import Database, Role
from catalog.migrate import upgrade
from catalog.releases import add_release
from catalog.version import ROOT
from ingest.sky.make import SkySettings, make_sky
from tap_service.address import TAP
from tap_service.app import make_app
from tap_service.jobs.results import JobFiles
from tap_service.limits import Limits

STARS = 4000
"""Rows of gaiadr3.gaia_source: 3000 all over the sky, 1000 within two degrees of ra 45, dec 10."""


@dataclass(frozen=True)
class RunningService:
    """A service that answers: its base URL, its database, and where its jobs keep their files."""

    url: str
    database: Database
    results: Path


@pytest.fixture(scope="session")
def stars(postgres: Database) -> Iterator[Database]:
    """A published catalogue with STARS sources, made once: nothing here changes it."""
    name = f"test_tap_{uuid.uuid4().hex[:8]}"
    with postgres.named("postgres").connect(None, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    database = postgres.named(name)
    upgrade(database)
    add_release(database, "gaia_dr3")
    _insert_stars(database)
    yield database
    with postgres.named("postgres").connect(None, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _insert_stars(database: Database) -> None:
    random = np.random.default_rng(11)
    ra = np.concatenate((random.uniform(0, 360, STARS - 1000), random.uniform(43, 47, 1000)))
    dec = np.concatenate((np.degrees(np.arcsin(random.uniform(-1, 1, STARS - 1000))), random.uniform(8, 12, 1000)))
    source_id = (healpy.ang2pix(4096, ra, dec, nest=True, lonlat=True) << 35) + np.arange(STARS)
    magnitude = [None if i % 10 == 0 else float(np.float32(value)) for i, value in enumerate(random.uniform(8, 18, STARS))]
    rows = list(zip(source_id.tolist(), ra.tolist(), dec.tolist(), magnitude, strict=True))
    with database.connect(Role.WORKER) as connection:
        row = connection.execute(
            "INSERT INTO store.ingest_file (release_id, sha256, name, size, product, state, rows_in) VALUES (1, '00', 'stars', 1, 'gaia_source', 'loaded', %s) RETURNING file_id",
            (len(rows),),
        ).fetchone()
        assert row is not None
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO store.gaia_source (release_id, source_id, ra, dec, phot_g_mean_mag, file_id) VALUES (1, %s, %s, %s, %s, %s)",
                [(*star, row[0]) for star in rows],
            )


Serving = Callable[..., AbstractContextManager[RunningService]]


@contextlib.contextmanager
def serving(
    database: Database,
    limits: Limits | None = None,
    results: Path | None = None,
    *,
    public_url: str | None = None,
    trusts_proxies: bool = False,
) -> Iterator[RunningService]:
    """A service over a database while the block runs; jobs wait until somebody works (``working``)."""
    with contextlib.ExitStack() as folders:
        folder = results or Path(folders.enter_context(tempfile.TemporaryDirectory(prefix="kiel-test-")))
        app = make_app(database, limits, JobFiles(folder), public_url=public_url, trusts_proxies=trusts_proxies)
        with _answering(app) as place:
            yield RunningService(f"{place}{TAP}", database, folder)


@contextlib.contextmanager
def _answering(app: ASGIApp) -> Iterator[str]:
    """An application behind a real HTTP server."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", server_header=False, timeout_graceful_shutdown=2))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
        assert not thread.is_alive(), "the service did not stop"


@contextlib.contextmanager
def working(
    service: RunningService, *, threads: int = 4, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs the jobs of a service while the block runs."""
    settings = {
        "KIEL_DATABASE_URL": service.database.url,
        "KIEL_TAP_DATABASE_URL": service.database.tap_url,
        "KIEL_TAP_RESULTS": str(service.results),
    }
    words = [sys.executable, "-m", "kiel_main", "tap", "work", "--threads", str(threads), "--until-stdin-ends"]
    worker = subprocess.Popen(words, stdin=subprocess.PIPE, cwd=ROOT, env={**os.environ, **settings, **(environment or {})})
    try:
        yield worker
    finally:
        assert worker.stdin is not None
        worker.stdin.close()
        try:
            worker.wait(10)
        finally:
            worker.kill()


@pytest.fixture(scope="session")
def work() -> Callable[..., AbstractContextManager[subprocess.Popen[bytes]]]:
    """A function that runs the jobs of a service in a process of their own."""
    return working


@pytest.fixture(scope="session")
def stilts() -> str:
    """The command of STILTS."""
    path = shutil.which("stilts")
    if path is None:
        pytest.skip("needs STILTS (Debian package stilts)")
    return path


@pytest.fixture(scope="session")
def serve() -> Serving:
    """A function that serves a database with given limits."""
    return serving


@pytest.fixture(scope="session")
def service(stars: Database) -> Iterator[RunningService]:
    """The service over ``stars`` with its ordinary limits."""
    with serving(stars) as running:
        yield running


@pytest.fixture(scope="session")
def sky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a simulated sky of 800 stars with every survey."""
    folder = tmp_path_factory.mktemp("simulated") / "sky"
    make_sky(SkySettings(800, 11), folder, workers=1)
    return folder
