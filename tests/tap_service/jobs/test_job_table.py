"""The statements of a job's life on the oldest PostgreSQL as well as on the embedded one."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from catalog.database import Database, Role
from catalog.schema.uws_job import JOB_PHASES
from tap_service.connections import Connections
from tap_service.jobs.job import NewJob, NoSuchJobError, Phase
from tap_service.jobs.job_table import LOSSES, JobTable, live_worker, new_job_id, recover_lost
from tap_service.limits import Limits


@pytest.fixture
def table(any_database: Database) -> Iterator[JobTable]:
    connections = Connections(any_database, keep=2)
    yield JobTable(connections, Limits())
    connections.close()


def test_the_phases_of_the_table_are_those_that_jobs_reach() -> None:
    assert tuple(Phase)[: len(JOB_PHASES)] == JOB_PHASES


def test_the_life_of_a_job(any_database: Database, table: JobTable) -> None:
    job_id = new_job_id()
    table.create(NewJob(job_id, "192.0.2.1", (("QUERY", "q"),), {}, "http://example.org/links"), run=False)
    with any_database.connect(Role.TAP_SERVICE, autocommit=True) as connection:
        worker = live_worker(connection)
        assert table.claim(worker, 4) is None, "nobody told it to run"
        table.add_parameters(job_id, (("RUNID", "r"),), {"t": "upload/part1"})
        table.run(job_id)
        claimed = table.claim(worker, 4)
        assert claimed is not None
        assert (claimed.job_id, claimed.parameters, claimed.files) == (job_id, (("QUERY", "q"), ("RUNID", "r")), {"t": "upload/part1"})
        assert recover_lost(connection) == [], "its worker lives"
        assert table.claim(worker, 4) is None
        told = {notify.payload for notify in connection.notifies(timeout=5, stop_after=2)}
        assert told == {f"{job_id} QUEUED", f"{job_id} EXECUTING"}
    with any_database.connect(Role.TAP_SERVICE, autocommit=True) as connection:
        worker = live_worker(connection)
        for _ in range(LOSSES - 1):
            table.disown(claimed)
            assert recover_lost(connection) == [(job_id, "QUEUED")], "its worker does not live any more"
            claimed = table.claim(worker, 4)
            assert claimed is not None
        assert table.complete(claimed, "text/csv", 1, 1, False)
        assert not table.fail(claimed, Phase.ERROR, "late", transient=True)
    assert table.of_client("192.0.2.1", {Phase.COMPLETED}, None, None)[0].run_id == "r"
    table.set_destruction(job_id, datetime.now(UTC) - timedelta(seconds=1))
    with pytest.raises(NoSuchJobError):
        table.read(job_id)
    assert table.expire() == [job_id]


def test_addresses_take_turns_whatever_they_sent_before(table: JobTable) -> None:
    def create(client: str) -> None:
        table.create(NewJob(new_job_id(), client, (), {}, ""), run=True)

    for _ in range(10):
        create("a")
    order = []
    for number in range(12):
        job = table.claim(1, 4)
        assert job is not None
        order.append(job.client)
        table.complete(job, "text/csv", 1, 1, False)
        table.delete(job.job_id)
        if number == 4:
            create("b")
            create("c")
    assert sorted(order[5:8]) == ["a", "b", "c"], order
