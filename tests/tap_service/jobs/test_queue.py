"""The queue: nobody waits behind the many jobs of another, and no job runs twice."""

import contextlib
import threading
import time
from typing import Any

import pytest

from tap_service.limits import Limits

Jobs = Any  # tests/tap_service/jobs/conftest.py


def order_of_starts(jobs: Jobs) -> list[str]:
    return [client for (client,) in jobs.rows("SELECT client FROM store.uws_job WHERE started IS NOT NULL ORDER BY started")]


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_the_first_job_of_an_address_does_not_wait_behind_the_jobs_of_another(jobs: Jobs, work_here: Any, threads: int) -> None:
    for _ in range(30):
        jobs.create(client="192.0.2.1", PHASE="RUN")
    later = jobs.create(client="192.0.2.2", PHASE="RUN")
    with work_here(jobs.service, threads=threads):
        assert jobs.ended(later) == "COMPLETED"
        jobs.wait_until(lambda: jobs.rows("SELECT count(*) FROM store.uws_job WHERE phase = 'COMPLETED'") == [(31,)])
    assert order_of_starts(jobs).index("192.0.2.2") <= threads


def test_a_new_address_comes_in_between_while_others_are_served(jobs: Jobs, work_here: Any) -> None:
    """One place, and an address that deletes each job when it is done: what it had before must not be forgotten to its advantage."""
    hundred = [jobs.create(client="192.0.2.1", PHASE="RUN") for _ in range(60)]
    with work_here(jobs.service, threads=1):
        for job in hundred[:5]:
            assert jobs.ended(job) == "COMPLETED"
            jobs.client.delete(job)
        later = jobs.create(client="192.0.2.2", PHASE="RUN")
        assert jobs.ended(later) == "COMPLETED"
        assert jobs.rows("SELECT count(*) > 0 FROM store.uws_job WHERE phase = 'QUEUED'") == [(True,)]


def test_long_jobs_of_one_address_leave_a_place_for_others(jobs: Jobs, work_here: Any) -> None:
    slow = [jobs.create(jobs.SLOW, client="192.0.2.1", PHASE="RUN") for _ in range(3)]
    with work_here(jobs.service, threads=2):
        jobs.until(slow[0], "EXECUTING")
        assert jobs.ended(jobs.create(client="192.0.2.2", PHASE="RUN")) == "COMPLETED"
        assert [jobs.phase(job) for job in slow] == ["EXECUTING", "QUEUED", "QUEUED"]
        for job in slow:
            jobs.post(f"{job}/phase", PHASE="ABORT")


def test_an_address_has_only_so_many_jobs_at_once(jobs: Jobs, work_here: Any) -> None:
    most = Limits().jobs_per_address
    slow = [jobs.create(jobs.SLOW, PHASE="RUN") for _ in range(most + 2)]
    with work_here(jobs.service, threads=8), work_here(jobs.service, threads=8):
        jobs.wait_until(lambda: sum(jobs.phase(job) == "EXECUTING" for job in slow) == most)
        time.sleep(1.5)
        assert sum(jobs.phase(job) == "EXECUTING" for job in slow) == most
        jobs.post(f"{slow[0]}/phase", PHASE="ABORT")
        jobs.wait_until(lambda: [jobs.phase(job) for job in slow[1:]] == ["EXECUTING"] * most + ["QUEUED"])
        for job in slow:
            jobs.post(f"{job}/phase", PHASE="ABORT")


def test_no_job_runs_twice_when_workers_race(jobs: Jobs, work_here: Any) -> None:
    with work_here(jobs.service), work_here(jobs.service), work_here(jobs.service), contextlib.ExitStack() as clients:
        made: list[str] = []

        def send(address: str) -> None:
            made.extend(jobs.create(client=address, PHASE="RUN") for _ in range(15))

        for number in range(4):
            thread = threading.Thread(target=send, args=(f"192.0.2.{number}",))
            thread.start()
            clients.callback(thread.join)
        clients.close()
        jobs.wait_until(lambda: jobs.rows("SELECT count(*) FROM store.uws_job WHERE phase = 'COMPLETED'") == [(60,)])
    assert jobs.rows("SELECT DISTINCT attempt FROM store.uws_job") == [(1,)]
    assert len(set(made)) == 60


@pytest.mark.parametrize("phase", ["PENDING", "QUEUED", "EXECUTING"])
def test_news_that_come_late_stop_nothing(jobs: Jobs, work_here: Any, phase: str) -> None:
    """A thread may claim a job before the worker hears that it was created or queued."""
    with work_here(jobs.service):
        job = jobs.running()
        jobs.rows("SELECT pg_notify('uws_job', %s)", f"{job.rpartition('/')[2]} {phase}")
        assert jobs.ended(jobs.create(PHASE="RUN")) == "COMPLETED", "heard after it"
        assert jobs.rows("SELECT attempt, lost, phase FROM store.uws_job WHERE phase <> 'COMPLETED'") == [(1, 0, "EXECUTING")]
        assert jobs.backends() == 1
        jobs.post(f"{job}/phase", PHASE="ABORT")
