"""Workers, services and connections that end in the middle: no job is lost, none is served half."""

import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from catalog.database import Database
from tap_service.connections import Connections
from tap_service.jobs.job_table import LOSSES, WORKER_LOCK_CLASS, JobTable
from tap_service.jobs.results import JobFiles
from tap_service.limits import Limits

Jobs = Any  # tests/tap_service/jobs/conftest.py
SECOND = 1.0
MANY = "SELECT a.column_name, b.description FROM tap_schema.columns AS a, tap_schema.columns AS b, tap_schema.tables AS c"


def state(jobs: Jobs) -> list[tuple[int, int, str]]:
    found: list[tuple[int, int, str]] = jobs.rows("SELECT attempt, lost, phase FROM store.uws_job")
    return found


def test_a_worker_that_is_told_to_stop_gives_its_job_back_to_the_queue(jobs: Jobs, work: Any, work_here: Any) -> None:
    with work(jobs.service) as worker:
        job = jobs.running()
        worker.send_signal(signal.SIGTERM)
        jobs.wait_until(lambda: jobs.backends() == 0, SECOND)
        assert worker.wait(10) == 0
    assert state(jobs) == [(1, 0, "QUEUED")], "an orderly stop is no loss"
    with work_here(jobs.service):
        jobs.until(job, "EXECUTING")
        jobs.post(f"{job}/phase", PHASE="ABORT")


def test_a_job_survives_a_killed_worker_and_is_never_served_half(jobs: Jobs, work: Any, work_here: Any) -> None:
    with work(jobs.service) as worker:
        job = jobs.create(MANY, MAXREC="20000000", FORMAT="csv", PHASE="RUN")
        folder = jobs.service.results / job.rpartition("/")[2]
        jobs.wait_until(lambda: any(path.stat().st_size > 100_000 for path in folder.glob("*.part")))
        worker.kill()
        worker.wait()
        # PostgreSQL notices that nobody waits for its rows any more.
        jobs.wait_until(lambda: jobs.backends() == 0, 3 * SECOND)
    assert jobs.phase(job) == "EXECUTING", "nobody has missed the worker yet"
    assert jobs.get(f"{job}/results/result").status_code == 404
    with work_here(jobs.service):
        jobs.wait_until(lambda: state(jobs) == [(2, 1, "EXECUTING")])
        jobs.wait_until(lambda: [path.name for path in folder.iterdir()] == ["result-2.part"])
        assert jobs.get(f"{job}/results/result").status_code == 404
        jobs.client.delete(job)
        jobs.wait_until(lambda: jobs.backends() == 0, SECOND)
        jobs.wait_until(lambda: not folder.exists())


def test_a_job_that_kills_its_workers_fails_in_the_end(jobs: Jobs, work: Any, work_here: Any) -> None:
    job = jobs.create(jobs.SLOW, PHASE="RUN")
    jobs.rows("UPDATE store.uws_job SET lost = %s RETURNING 1", LOSSES - 1)
    with work(jobs.service) as worker:
        jobs.wait_until(lambda: jobs.backends() == 1)
        worker.kill()
        worker.wait()
    with work_here(jobs.service):
        assert jobs.ended(job) == "ERROR"
        kind, message = jobs.error_of(job)
        assert jobs.ended(jobs.create(PHASE="RUN")) == "COMPLETED"
    assert kind == "transient"
    assert f"{LOSSES} times" in message


def test_jobs_survive_the_service(jobs: Jobs, serve: Any, jobs_at: Any, work_here: Any, tmp_path: Path) -> None:
    with serve(jobs.database, results=tmp_path) as service, jobs_at(service) as before:
        made = [before.create(RUNID="kept"), before.create(PHASE="RUN")]
    with serve(jobs.database, results=tmp_path) as service, jobs_at(service) as after, work_here(service):
        pending, queued = (f"{after.url}/{job.rpartition('/')[2]}" for job in made)
        assert after.phase(pending) == "PENDING"
        assert "<uws:runId>kept</uws:runId>" in after.get(pending).text
        assert after.ended(queued) == "COMPLETED"
        assert after.get(f"{queued}/results/result").status_code == 200


def test_a_worker_that_loses_its_session_lets_go_and_begins_anew(jobs: Jobs, work_here: Any) -> None:
    with work_here(jobs.service):
        job = jobs.running()
        with jobs.database.connect(None, autocommit=True) as connection:
            ended = connection.execute(
                "SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity AS a JOIN pg_locks AS l USING (pid) "
                "WHERE l.locktype = 'advisory' AND l.classid = %s AND a.datname = current_database()",
                (WORKER_LOCK_CLASS,),
            ).fetchall()
            assert ended == [(True,)]
        jobs.wait_until(lambda: state(jobs) == [(2, 1, "EXECUTING")])
        jobs.wait_until(lambda: jobs.backends() == 1)
        jobs.post(f"{job}/phase", PHASE="ABORT")
        jobs.wait_until(lambda: jobs.backends() == 0, SECOND)
        assert jobs.ended(jobs.create(PHASE="RUN")) == "COMPLETED"


def test_a_query_whose_connection_is_lost_runs_again(jobs: Jobs, work_here: Any) -> None:
    with work_here(jobs.service):
        jobs.running()
        with jobs.database.connect(None, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE query LIKE 'COPY%' AND datname = current_database() AND pid <> pg_backend_pid()"
            )
        jobs.wait_until(lambda: state(jobs) == [(2, 1, "EXECUTING")])


def test_an_attempt_that_was_taken_for_dead_changes_nothing(jobs: Jobs, work_here: Any) -> None:
    """Its job has another attempt meanwhile: what it brings is thrown away."""
    with work_here(jobs.service):
        job = jobs.create(MANY, MAXREC="300000", FORMAT="csv", PHASE="RUN")
        jobs.until(job, "EXECUTING")
        jobs.rows("UPDATE store.uws_job SET attempt = attempt + 1, worker = NULL RETURNING 1")
        assert jobs.ended(job) == "COMPLETED"
        folder = jobs.service.results / job.rpartition("/")[2]
        jobs.wait_until(lambda: [path.name for path in folder.iterdir()] == ["result-3"])
    assert state(jobs) == [(3, 1, "COMPLETED")]
    assert len(jobs.get(f"{job}/results/result").text.splitlines()) == 300_001


def test_an_attempt_that_begins_to_write_late_leaves_the_result_of_the_later_one(jobs: Jobs) -> None:
    """A worker that was suspended between its claim and its first byte: the job is COMPLETED by then, and must keep its result."""
    connections = Connections(jobs.database, keep=1)
    job = JobTable(connections, Limits()).read(jobs.create().rpartition("/")[2])
    connections.close()
    files = JobFiles(jobs.service.results)
    for attempt, content in ((1, b"died"), (10, b"later"), (2, b"late")):
        files.write_result(replace(job, attempt=attempt), [content])
    folder = files.of(job.job_id)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"result-2": b"late", "result-10": b"later"}


@pytest.mark.parametrize("verb", ["abort", "delete"])
def test_a_job_is_not_served_when_it_ends_after_its_abort(jobs: Jobs, work_here: Any, verb: str) -> None:
    """The abort comes between the last row and the job's end, over and over, until it came in every moment."""
    phases: set[str] = set()
    with work_here(jobs.service):
        for _ in range(15):
            job = jobs.create(PHASE="RUN")
            if verb == "delete":
                assert jobs.client.delete(job).status_code == 303
                assert jobs.get(job).status_code == 404
                jobs.wait_until(lambda job=job: not (jobs.service.results / job.rpartition("/")[2]).exists())
            else:
                answered = jobs.post(f"{job}/phase", PHASE="ABORT").status_code
                phases.add(jobs.ended(job))
                assert (answered, jobs.phase(job)) in ((303, "ABORTED"), (403, "COMPLETED"))
                assert jobs.get(f"{job}/results/result").status_code == (200 if answered == 403 else 404)
    assert jobs.backends() == 0


def test_a_database_that_restarts_loses_no_job(postgres: Database, jobs: Jobs, work_here: Any) -> None:
    """Every connection of service and worker breaks at once."""
    with work_here(jobs.service):
        slow, pending = jobs.running(), jobs.create()
        with jobs.database.connect(None, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        jobs.wait_until(lambda: jobs.rows("SELECT attempt, phase FROM store.uws_job WHERE attempt > 0") == [(2, "EXECUTING")])
        assert jobs.phase(pending) == "PENDING"
        jobs.post(f"{slow}/phase", PHASE="ABORT")
        jobs.wait_until(lambda: jobs.backends() == 0, SECOND)
        jobs.post(f"{pending}/phase", PHASE="RUN")
        assert jobs.ended(pending) == "COMPLETED"
