"""kiel tap serve with its workers, as it is typed: they are there, come back, and never outlive the service."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from catalog.version import ROOT

KIEL = [sys.executable, "-m", "kiel_main", "tap"]
QUICK = "SELECT TOP 3 table_name FROM tap_schema.tables ORDER BY table_name"
Jobs = Any  # tests/tap_service/jobs/conftest.py


@contextlib.contextmanager
def served(environment: dict[str, str], *words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A service in a process of its own, and its URL."""
    process = subprocess.Popen([*KIEL, "serve", "--port", "0", *words], stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT)
    try:
        assert process.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+/tap", process.stdout.readline())
        assert found is not None, "no address"
        yield process, found[0]
    finally:
        process.kill()
        process.wait()


def workers(service: subprocess.Popen[str]) -> list[int]:
    """The processes that the service started and that have not ended."""
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError, IndexError):
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if folder.name.isdigit() and int(parent) == service.pid and state != "Z" and b"work" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def result_of_job(url: str) -> str:
    made = httpx.post(f"{url}/async", data={"QUERY": QUICK, "PHASE": "RUN", "FORMAT": "csv"})
    job = made.headers["location"]
    while httpx.get(f"{job}/phase").text in ("QUEUED", "EXECUTING"):
        httpx.get(job, params={"WAIT": "20"}, timeout=60)
    return httpx.get(f"{job}/results/result").text


def test_a_service_keeps_its_workers_alive_and_takes_them_with_it(jobs: Jobs, database_url_env: dict[str, str], tmp_path: Path) -> None:
    environment = {**database_url_env, "KIEL_TAP_RESULTS": str(tmp_path / "results")}
    with served(environment, "--workers", "1", "--threads", "2") as (service, url):
        assert result_of_job(url).splitlines()[0] == "table_name"
        [first] = workers(service)
        os.kill(first, signal.SIGKILL)
        jobs.wait_until(lambda: workers(service) not in ([], [first]), 40)
        assert result_of_job(url).splitlines()[0] == "table_name"
        [second] = workers(service)
        service.send_signal(signal.SIGTERM)
        assert service.wait(15) == 0
        assert not alive(second)
    assert (tmp_path / "results").stat().st_mode & 0o777 == 0o700


def test_the_workers_of_a_killed_service_end(jobs: Jobs, database_url_env: dict[str, str]) -> None:
    with served(database_url_env, "--workers", "1", "--threads", "2") as (service, url):
        assert result_of_job(url).splitlines()[0] == "table_name"
        [worker] = workers(service)
        service.kill()
        service.wait()
        jobs.wait_until(lambda: not alive(worker))


def test_results_that_cannot_be_written_are_told_before_anybody_asks(database_url_env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    environment = {**database_url_env, "KIEL_TAP_RESULTS": str(tmp_path / "file" / "results")}
    ran = subprocess.run([*KIEL, "serve", "--port", "0"], capture_output=True, text=True, env=environment, cwd=ROOT, timeout=60)
    assert ran.returncode == 2
    assert "set KIEL_TAP_RESULTS" in ran.stderr
