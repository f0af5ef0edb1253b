"""What is past its time goes, rows and files; nothing else does."""

import os
import secrets
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from catalog.database import Role
from catalog.version import ROOT
from tap_service.connections import Connections
from tap_service.jobs.expiry import Expired, expire
from tap_service.jobs.job_table import JobTable
from tap_service.jobs.results import JobFiles
from tap_service.limits import Limits

Jobs = Any  # tests/tap_service/jobs/conftest.py
PAST = "2020-01-01T00:00:00Z"


def folder(jobs: Jobs, job: str) -> Path:
    path: Path = jobs.service.results / job.rpartition("/")[2]
    return path


def expired(jobs: Jobs) -> Expired:
    connections = Connections(jobs.database, keep=1)
    try:
        return expire(JobTable(connections, Limits()), JobFiles(jobs.service.results))
    finally:
        connections.close()


def test_a_job_goes_with_its_result_when_its_time_has_come(jobs: Jobs, work_here: Any) -> None:
    with work_here(jobs.service):
        kept, gone = jobs.create(PHASE="RUN"), jobs.create(PHASE="RUN")
        assert [jobs.ended(kept), jobs.ended(gone)] == ["COMPLETED"] * 2
    jobs.post(f"{gone}/destruction", DESTRUCTION=PAST)
    assert folder(jobs, gone).exists()
    assert expired(jobs) == Expired(1, 0)
    assert not folder(jobs, gone).exists()
    assert jobs.get(f"{kept}/results/result").status_code == 200
    assert expired(jobs) == Expired(0, 0)


def test_a_worker_does_it_from_time_to_time(jobs: Jobs, work_here: Any) -> None:
    job = jobs.create()
    jobs.post(f"{job}/destruction", DESTRUCTION=PAST)
    with work_here(jobs.service):
        jobs.wait_until(lambda: jobs.rows("SELECT count(*) FROM store.uws_job") == [(0,)])


def test_old_folders_without_a_job_go_and_nothing_else(jobs: Jobs) -> None:
    job = jobs.create()
    old = time.time() - 7200
    orphan, young, ours, strange = (
        jobs.service.results / name for name in (secrets.token_hex(16), secrets.token_hex(16), job.rpartition("/")[2], "notes")
    )
    for path in (orphan, young, ours, strange):
        path.mkdir(exist_ok=True)
        (path / "result-1").touch()
        if path != young:
            os.utime(path, (old, old))
    assert expired(jobs) == Expired(0, 1)
    assert [path.exists() for path in (orphan, young, ours, strange)] == [False, True, True, True]


def test_kiel_tap_expire_says_what_went(jobs: Jobs) -> None:
    job = jobs.create()
    jobs.post(f"{job}/destruction", DESTRUCTION=PAST)
    settings = {
        "KIEL_DATABASE_URL": jobs.database.url,
        "KIEL_TAP_DATABASE_URL": jobs.database.tap_url,
        "KIEL_TAP_RESULTS": str(jobs.service.results),
    }
    words = [sys.executable, "-m", "kiel_main", "tap", "expire"]
    ran = subprocess.run(words, capture_output=True, text=True, env={**os.environ, **settings}, cwd=ROOT, timeout=60)
    assert (ran.returncode, ran.stdout) == (0, "1 jobs removed, and 0 folders that belonged to no job.\n"), ran.stderr


def test_a_worker_that_cannot_look_for_expired_jobs_goes_on_with_its_own(
    jobs: Jobs, work_here: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tap_service.jobs.worker._EXPIRE_SECONDS", 0.2)
    with work_here(jobs.service):
        job = jobs.running()
        with jobs.database.connect(Role.OWNER, autocommit=True) as connection:
            connection.execute("REVOKE DELETE ON store.uws_job FROM tap_service")
            try:
                time.sleep(1.5)
                found = jobs.rows("SELECT attempt, lost, phase FROM store.uws_job")
            finally:
                connection.execute("GRANT DELETE ON store.uws_job TO tap_service")
        jobs.post(f"{job}/phase", PHASE="ABORT")
    assert found == [(1, 0, "EXECUTING")]
