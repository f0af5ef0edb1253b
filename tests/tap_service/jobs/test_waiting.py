"""WAIT: a request that sleeps until the phase changes, and not longer than it should."""

import threading
import time
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest

from catalog.database import Database
from tap_service.limits import Limits

Jobs = Any  # tests/tap_service/jobs/conftest.py
LONG = 20.0


class Waiting(threading.Thread):
    """A client that waits for a job; ``phase`` is what it was told at the end."""

    def __init__(self, job: str, **parameters: str) -> None:
        super().__init__()
        self.job, self.parameters = job, parameters
        self.phase: str | None = None
        self.start()

    def run(self) -> None:
        document = ET.fromstring(httpx.get(self.job, params=self.parameters, timeout=LONG + 10).content)
        self.phase = document.findtext("{http://www.ivoa.net/xml/UWS/v1.0}phase")


def seconds(jobs: Jobs, job: str, **parameters: str) -> float:
    began = time.monotonic()
    assert jobs.get(job, **parameters).status_code == 200
    return time.monotonic() - began


def test_a_change_of_phase_wakes_all_who_wait(jobs: Jobs) -> None:
    job, other = jobs.create(), jobs.create()
    waiting = [Waiting(job, WAIT="-1"), Waiting(job, WAIT=str(int(LONG)), PHASE="PENDING"), Waiting(job, wait="-1", phase="pending")]
    still = Waiting(other, WAIT="3")
    time.sleep(0.5)
    assert all(client.is_alive() for client in waiting)
    began = time.monotonic()
    jobs.post(f"{job}/phase", PHASE="RUN")
    for client in waiting:
        client.join(LONG)
    assert time.monotonic() - began < LONG / 4
    assert [client.phase for client in waiting] == ["QUEUED"] * 3
    assert still.is_alive(), "another job's change is not its own"
    still.join(LONG)
    assert still.phase == "PENDING"


@pytest.mark.parametrize(("query", "told"), [("QUICK", "COMPLETED"), ("SLOW", "EXECUTING")])
def test_who_waits_for_a_job_to_begin_hears_of_a_short_one_when_it_is_done(
    jobs: Jobs, service: Any, work_here: Any, query: str, told: str
) -> None:
    """pyvo sleeps for a second whenever it hears of a phase on the way."""
    job = jobs.create(getattr(jobs, query), PHASE="RUN")
    client = Waiting(job, WAIT="-1")
    time.sleep(0.3)
    with work_here(service):
        client.join(LONG)
        jobs.post(f"{job}/phase", PHASE="ABORT")
    assert client.phase == told


def test_a_deletion_wakes_those_who_wait(jobs: Jobs) -> None:
    job = jobs.create()
    answers: list[int] = []
    client = threading.Thread(target=lambda: answers.append(httpx.get(job, params={"WAIT": "-1"}, timeout=60).status_code))
    client.start()
    time.sleep(0.3)
    jobs.client.delete(job)
    client.join(LONG)
    assert answers == [404]


def test_who_waits_for_nothing_that_will_change_is_answered_at_once(jobs: Jobs) -> None:
    job = jobs.create()
    assert seconds(jobs, job, WAIT="-1", PHASE="EXECUTING") < LONG / 4, "the phase is another already"
    assert seconds(jobs, job, WAIT="0") < LONG / 4
    jobs.post(f"{job}/phase", PHASE="ABORT")
    assert seconds(jobs, job, WAIT="-1") < LONG / 4, "nothing follows"
    assert seconds(jobs, job, WAIT="-1", PHASE="ABORTED") < LONG / 4


def test_waiting_ends_after_so_many_seconds(jobs: Jobs) -> None:
    job = jobs.create()
    assert 1 <= seconds(jobs, job, WAIT="1") < LONG / 4
    assert 1 <= seconds(jobs, job, WAIT="1", wait="-1") < LONG / 4, "the shorter counts"


def test_nobody_waits_longer_than_the_service_holds_a_request(catalogue: Database, serve: Any, jobs_at: Any) -> None:
    assert 40 <= Limits().longest_wait_seconds < 60, "below what proxies allow"
    with serve(catalogue, Limits(longest_wait_seconds=0.5)) as service, jobs_at(service) as jobs:
        job = jobs.create()
        for asked in ("-1", "600", "-17"):
            assert 0.5 <= seconds(jobs, job, WAIT=asked) < LONG / 4


@pytest.mark.parametrize("asked", ["soon", "1.5", ""])
def test_a_wait_that_is_no_number_is_refused(jobs: Jobs, asked: str) -> None:
    assert jobs.get(jobs.create(), WAIT=asked).status_code == 400


def test_a_lost_connection_is_made_again_and_missed_changes_are_seen(jobs: Jobs) -> None:
    job, later = jobs.create(), jobs.create()
    waiting = Waiting(job, WAIT="-1")
    time.sleep(0.3)
    with jobs.database.connect(None, autocommit=True) as connection:
        ended = connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'kiel tap_service listens' AND datname = current_database()"
        ).fetchall()
        assert ended == [(True,)]
        connection.execute("UPDATE store.uws_job SET phase = 'ABORTED' WHERE job_id = %s", (job.rpartition("/")[2],))
    waiting.join(LONG)
    assert waiting.phase == "ABORTED"
    again = Waiting(later, WAIT="-1")
    time.sleep(0.3)
    jobs.post(f"{later}/phase", PHASE="RUN")
    again.join(LONG / 4)
    assert again.phase == "QUEUED"


def test_many_who_wait_keep_nobody_from_being_answered(jobs: Jobs) -> None:
    job = jobs.create()
    waiting = [Waiting(job, WAIT="-1") for _ in range(40)]
    time.sleep(0.5)
    assert seconds(jobs, jobs.create()) < LONG / 4
    jobs.post(f"{job}/phase", PHASE="ABORT")
    for client in waiting:
        client.join(LONG)
    assert {client.phase for client in waiting} == {"ABORTED"}
