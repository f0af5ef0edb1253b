"""A service with jobs over a catalogue of its own: no other test's worker takes its jobs, and none of its jobs stays."""

import contextlib
import faulthandler
import io
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest
from astropy.io import votable

from catalog.database import Database, Role
from tap_service.jobs.results import JobFiles
from tap_service.jobs.worker import Worker
from tap_service.limits import Limits

UWS = {"uws": "http://www.ivoa.net/xml/UWS/v1.0"}
QUICK = "SELECT TOP 3 table_name FROM tap_schema.tables ORDER BY table_name"
SLOW = "SELECT COUNT(*) AS n FROM tap_schema.columns AS a, tap_schema.columns AS b, tap_schema.columns AS c, tap_schema.columns AS d"
"""Takes hours, however small the catalogue is."""


def wait_until(condition: Callable[[], Any], seconds: float = 20.0) -> float:
    """How long it took until the condition held."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            faulthandler.dump_traceback()  # where service and workers stand
            raise AssertionError("waited in vain")
        time.sleep(0.02)
    return time.monotonic() - began


@dataclass
class Jobs:
    """The jobs of a running service, as a client sees them."""

    service: Any
    client: httpx.Client
    QUICK = QUICK
    SLOW = SLOW
    wait_until = staticmethod(wait_until)

    @property
    def url(self) -> str:
        return f"{self.service.url}/async"

    @property
    def database(self) -> Database:
        return self.service.database

    def create(self, query: str | None = QUICK, *, client: str | None = None, **parameters: str) -> str:
        """A new job's URL."""
        fields = {"LANG": "ADQL", **({"QUERY": query} if query is not None else {}), **parameters}
        headers = {"X-Forwarded-For": client} if client else {}
        answer = self.client.post(self.url, data=fields, headers=headers)
        assert answer.status_code == 303, answer.text
        assert answer.headers["location"].startswith(f"{self.url}/")
        return answer.headers["location"]

    def get(self, url: str, **parameters: Any) -> httpx.Response:
        return self.client.get(url, params=parameters)

    def post(self, url: str, **fields: str) -> httpx.Response:
        return self.client.post(url, data=fields)

    def phase(self, job: str) -> str:
        answer = self.client.get(f"{job}/phase")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
        return answer.text

    def document(self, job: str, **parameters: Any) -> ET.Element:
        answer = self.client.get(job, params=parameters)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("text/xml")
        return ET.fromstring(answer.content)

    def ended(self, job: str) -> str:
        """The phase that a job ends in, waited for."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            phase = self.document(job, WAIT="20").findtext("uws:phase", None, UWS)
            assert phase is not None
            if phase not in ("PENDING", "QUEUED", "EXECUTING"):
                return phase
        raise AssertionError("the job did not end")

    def until(self, job: str, phase: str) -> None:
        wait_until(lambda: self.phase(job) == phase)

    def backends(self) -> int:
        """Backends that compute a person's query just now."""
        with self.database.connect(None, autocommit=True) as connection:
            row = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'COPY%' AND datname = current_database()"
            ).fetchone()
        assert row is not None
        return int(row[0])

    def running(self, **parameters: str) -> str:
        """A job whose query computes for hours."""
        job = self.create(SLOW, PHASE="RUN", **parameters)
        wait_until(lambda: self.backends() == 1)
        assert self.phase(job) == "EXECUTING"
        return job

    def error_of(self, job: str) -> tuple[str | None, str | None]:
        """Kind and message of a job's error, which the error document must say too."""
        summary = self.document(job).find("uws:errorSummary", UWS)
        assert summary is not None
        assert summary.get("hasDetail") == "true"
        message = summary.findtext("uws:message", None, UWS)
        answer = self.get(f"{job}/error")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-votable+xml")
        infos = votable.parse(io.BytesIO(answer.content)).resources[0].infos
        assert [(info.value, info.content) for info in infos if info.name == "QUERY_STATUS"] == [("ERROR", message)]
        assert self.get(f"{job}/results/result").status_code == 404
        return summary.get("type"), message

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """What the service itself reads of its table."""
        with self.database.connect(Role.TAP_SERVICE, autocommit=True) as connection:
            return connection.execute(query, parameters).fetchall()


@contextlib.contextmanager
def jobs_of(service: Any) -> Iterator[Jobs]:
    with httpx.Client(timeout=70) as client:
        yield Jobs(service, client)


@contextlib.contextmanager
def working_here(service: Any, *, threads: int = 4) -> Iterator[Worker]:
    """A worker in this process, which is there at once; what becomes of dead ones needs a process (``work``)."""
    worker = Worker(service.database, Limits(), JobFiles(service.results), threads)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield worker
    finally:
        worker.stop()
        thread.join(20)
        assert not thread.is_alive(), "the worker did not stop"


@pytest.fixture(scope="session")
def work_here() -> Callable[..., contextlib.AbstractContextManager[Worker]]:
    """A function that runs the jobs of a service in threads of this process."""
    return working_here


@pytest.fixture(scope="session")
def jobs_at() -> Callable[[Any], contextlib.AbstractContextManager[Jobs]]:
    """A function that gives the jobs of a running service."""
    return jobs_of


@pytest.fixture(scope="module")
def service(catalogue: Database, serve: Any) -> Iterator[Any]:
    """A service whose jobs nobody runs."""
    with serve(catalogue) as running:
        yield running


@pytest.fixture
def jobs(service: Any) -> Iterator[Jobs]:
    """Its jobs; those that a test leaves go."""
    with jobs_of(service) as found:
        yield found
    with service.database.connect(Role.TAP_SERVICE, autocommit=True) as connection:
        connection.execute("DELETE FROM store.uws_job")
    for left in service.results.iterdir():
        shutil.rmtree(left, ignore_errors=True)
