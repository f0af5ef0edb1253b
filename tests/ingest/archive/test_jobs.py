"""Asynchronous jobs (UWS 1.1), against a small service that lets few rows through at once and any number as a job, as the Gaia archive does."""

import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode
from urllib.request import urlopen

import pytest

from catalog.database import Database, Role
from ingest.archive.politeness import PassingError
from ingest.archive.query_set import queries_of
from ingest.archive.service import ArchiveService, RefusedError, TooLargeError

AT_ONCE = 5
JOB = """<uws:job xmlns:uws="http://www.ivoa.net/xml/UWS/v1.0" xmlns:xlink="http://www.w3.org/1999/xlink" version="1.1"><uws:jobId>{id}</uws:jobId>
<uws:phase>{phase}</uws:phase><uws:executionDuration>60</uws:executionDuration><uws:parameters/>
<uws:results><uws:result id="result" xlink:href="{url}/results/result"/></uws:results>{error}</uws:job>"""
ERROR = '<uws:errorSummary type="fatal" hasDetail="true"><uws:message>{}</uws:message></uws:errorSummary>'


@dataclass
class Job:
    parameters: dict[str, str]
    phase: str = "PENDING"
    result: bytes = b""
    phases: list[str] = field(default_factory=list)


@dataclass
class JobService:
    """Jobs by number; ``behaviour`` says how the next ones go: run, hang, slow, wrong, ended.

    ``has_sync`` says whether there are synchronous queries, ``renamed`` which columns have other names in the answers.
    """

    target: str
    url: str = ""
    jobs: dict[int, Job] = field(default_factory=dict)
    deleted: list[int] = field(default_factory=list)
    behaviour: str = "run"
    has_sync: bool = True
    renamed: dict[bytes, bytes] = field(default_factory=dict)


def _handler(service: JobService) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *words: object) -> None:
            """Nothing."""

        def _answer(self, status: int, body: bytes = b"", location: str | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(body)))
            if location is not None:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(body)

        def _job(self) -> tuple[int, Job] | None:
            found = re.match(r"/tap/async/(\d+)", self.path)
            number = int(found[1]) if found else -1
            return (number, service.jobs[number]) if number in service.jobs else None

        def do_GET(self) -> None:
            found = self._job()
            if found is None:
                if self.path == "/tap/async":
                    return self._answer(200, b'<uws:jobs xmlns:uws="http://www.ivoa.net/xml/UWS/v1.0"/>')
                with urlopen(service.target + self.path.removeprefix("/tap")) as answer:
                    return self._answer(200, answer.read())
            number, job = found
            if self.path.endswith("/results/result"):
                return self._answer(200, job.result)
            words = {"wrong": "no such column", "slow": "job timed out"}.get(service.behaviour, "")
            error = ERROR.format(words) if job.phase == "ERROR" else ""
            text = JOB.format(id=number, phase=job.phase, url=f"{service.url}/async/{number}", error=error)
            return self._answer(200, text.encode())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            parameters = {key: values[0] for key, values in parse_qs(body.decode()).items()}
            found = self._job()
            if found is not None:
                number, job = found
                self._change(job, parameters["PHASE"])
                return self._answer(303, location=f"{service.url}/async/{number}")
            if self.path == "/tap/async":
                number = len(service.jobs) + 1
                service.jobs[number] = Job(parameters)
                return self._answer(303, location=f"{service.url}/async/{number}")
            if not service.has_sync:
                return self._answer(404, b"<html>no such page</html>")
            limit = str(min(AT_ONCE, int(parameters.get("MAXREC", AT_ONCE))))
            return self._answer(200, self._rows({**parameters, "MAXREC": limit}))

        def do_DELETE(self) -> None:
            found = self._job()
            assert found is not None
            service.deleted.append(found[0])
            self._answer(303, location=f"{service.url}/async")

        def _change(self, job: Job, phase: str) -> None:
            job.phases.append(phase)
            if phase == "ABORT":
                job.phase = "ABORTED"
            elif service.behaviour == "run":
                job.phase = "EXECUTING"
                threading.Timer(0.2, self._run, (job,)).start()
            else:
                job.phase = {"hang": "EXECUTING", "slow": "ERROR", "wrong": "ERROR", "ended": "ABORTED"}[service.behaviour]

        def _run(self, job: Job) -> None:
            job.result = self._rows(job.parameters)
            job.phase = "COMPLETED"

        def _rows(self, parameters: dict[str, str]) -> bytes:
            with urlopen(f"{service.target}/sync", urlencode(parameters).encode()) as answer:
                rows = bytes(answer.read())
            for name, other in service.renamed.items():
                rows = rows.replace(b'name="%s"' % name, b'name="%s"' % other)
            return rows

    return Handler


@pytest.fixture
def jobs(archive_url: str) -> Iterator[JobService]:
    service = JobService(archive_url)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(service))
    service.url = f"http://127.0.0.1:{server.server_address[1]}/tap"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield service
    server.shutdown()
    server.server_close()


@pytest.fixture
def asked(jobs: JobService) -> ArchiveService:
    service = ArchiveService(jobs.url, rows=1000)
    service.learn()
    return service


(QUERY,) = (query.in_schemas({"gaia": "gaiasim_dr3"}) for query in queries_of("dr3", ["gaia_source"]))
WHOLE = (0, 2**62 + 2**61)


def test_what_is_too_large_at_once_becomes_a_job_and_small_ranges_do_not(
    jobs: JobService, catalogue: Database, archive_database: Database, fetch: Any
) -> None:
    (done,) = fetch(jobs.url, n_ranges=4)
    with archive_database.connect(Role.WORKER) as connection:
        n = connection.execute("SELECT count(*) FROM store.gaia_source WHERE has_xp_continuous").fetchone()
    assert done.trouble is None
    assert (done.rows,) == (done.counted,) == n
    assert 1 <= len(jobs.jobs) <= 4
    assert jobs.deleted == sorted(jobs.jobs)
    before = len(jobs.jobs)
    fetch(jobs.url, span=(0, 2**35), n_ranges=1)
    assert len(jobs.jobs) == before


def test_a_service_that_has_only_jobs_is_asked_by_jobs(
    jobs: JobService, catalogue: Database, archive_database: Database, fetch: Any
) -> None:
    jobs.has_sync = False
    (done,) = fetch(jobs.url, n_ranges=2)
    with archive_database.connect(Role.WORKER) as connection:
        n = connection.execute("SELECT count(*) FROM store.gaia_source WHERE has_xp_continuous").fetchone()
    assert done.trouble is None
    assert (done.rows,) == (done.counted,) == n
    assert jobs.deleted == sorted(jobs.jobs)


def test_a_column_that_the_service_renames_is_told_and_not_taken_for_nulls(jobs: JobService, catalogue: Database, fetch: Any) -> None:
    jobs.renamed = {b"parallax": b"parallax_1"}
    (done,) = fetch(jobs.url, n_ranges=2)
    assert "parallax" in done.trouble
    assert "parallax_1" in done.trouble
    assert done.files == ()


def test_a_service_without_jobs_is_known_by_its_resources(archive_url: str, asked: ArchiveService) -> None:
    other = ArchiveService(archive_url, rows=1000)
    other.learn()
    assert (other.has_jobs, asked.has_jobs) == (False, True)


@pytest.mark.parametrize(
    ("behaviour", "error", "told"),
    [
        ("slow", TooLargeError, "job timed out"),
        ("wrong", RefusedError, "no such column"),
        ("ended", TooLargeError, "ended the job"),
    ],
)
def test_a_job_that_fails_says_whose_fault_it_is_and_is_deleted(
    behaviour: str, error: type[Exception], told: str, jobs: JobService, asked: ArchiveService, tmp_path: Path
) -> None:
    jobs.behaviour = behaviour
    with pytest.raises(error, match=told):
        asked.save(QUERY, *WHOLE, tmp_path / "stars.vot")
    assert jobs.deleted == [1]
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_aborts_and_deletes_the_job(jobs: JobService, asked: ArchiveService, tmp_path: Path) -> None:
    jobs.behaviour = "hang"
    found: list[BaseException] = []

    def save() -> None:
        try:
            asked.save(QUERY, *WHOLE, tmp_path / "stars.vot")
        except PassingError as error:
            found.append(error)

    thread = threading.Thread(target=save)
    thread.start()
    deadline = time.monotonic() + 20
    while not (jobs.jobs and jobs.jobs[1].phases) and time.monotonic() < deadline:
        time.sleep(0.02)
    asked.stopping.set()
    thread.join(20)
    assert [str(error) for error in found] == ["the command was interrupted"]
    assert jobs.jobs[1].phases == ["RUN", "ABORT"]
    assert jobs.deleted == [1]
    assert list(tmp_path.iterdir()) == []
