"""Workers: real processes that run real queries, are told to stop them, and die."""

import csv
import io
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from astropy.io import votable

from catalog.database import Database
from tap_service.limits import Limits

Jobs = Any  # tests/tap_service/jobs/conftest.py
SECOND = 1.0
UWS = {"uws": "http://www.ivoa.net/xml/UWS/v1.0"}


@pytest.fixture(scope="module")
def worker(service: Any, work: Any) -> Iterator[Any]:
    """A worker for the module's service."""
    with work(service) as process:
        yield process


# --- results ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("worker")
def test_a_job_gives_what_sync_gives(jobs: Jobs) -> None:
    query = "SELECT table_name, column_name, principal FROM tap_schema.columns ORDER BY table_name, column_name"
    for output in ("votable", "votable/td", "csv", "tsv"):
        job = jobs.create(query, FORMAT=output, PHASE="RUN")
        assert jobs.ended(job) == "COMPLETED"
        result = jobs.get(f"{job}/results/result")
        sync = jobs.get(f"{jobs.service.url}/sync", QUERY=query, FORMAT=output)
        assert (result.status_code, result.headers["content-type"]) == (200, sync.headers["content-type"])
        assert [line for line in result.text.splitlines() if "request_date" not in line] == [
            line for line in sync.text.splitlines() if "request_date" not in line
        ]
        [entry] = jobs.document(job).find("uws:results", UWS)
        assert entry.get("id") == "result"
        assert entry.get("{http://www.w3.org/1999/xlink}href") == f"{job}/results/result"
        assert (entry.get("mime-type"), entry.get("size")) == (result.headers["content-type"], str(len(result.content)))
        assert jobs.get(f"{job}/error").status_code == 404


@pytest.mark.usefixtures("worker")
def test_a_result_has_its_length_and_can_be_had_in_parts(jobs: Jobs) -> None:
    job = jobs.create(FORMAT="csv", PHASE="RUN")
    assert jobs.ended(job) == "COMPLETED"
    url = f"{job}/results/result"
    whole = jobs.get(url)
    assert int(whole.headers["content-length"]) == len(whole.content)
    head = jobs.client.head(url)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", whole.headers["content-length"])
    part = jobs.client.get(url, headers={"Range": "bytes=5-9"})
    assert (part.status_code, part.content) == (206, whole.content[5:10])


@pytest.mark.usefixtures("worker")
def test_rows_that_were_cut_are_told(jobs: Jobs) -> None:
    cut, whole = (jobs.create("SELECT table_name FROM tap_schema.tables", FORMAT="csv", MAXREC=most, PHASE="RUN") for most in ("2", "9999"))
    assert [jobs.ended(cut), jobs.ended(whole)] == ["COMPLETED"] * 2
    answers = [jobs.get(f"{job}/results/result") for job in (cut, whole)]
    rows = [len(list(csv.reader(io.StringIO(answer.text)))) - 1 for answer in answers]
    assert rows[0] == 2 < rows[1]
    assert [(answer.headers["kiel-rows"], answer.headers["kiel-overflow"]) for answer in answers] == [
        ("2", "true"),
        (str(rows[1]), "false"),
    ]


@pytest.mark.usefixtures("worker")
def test_a_query_without_rows_has_a_result(jobs: Jobs) -> None:
    job = jobs.create("SELECT table_name FROM tap_schema.tables WHERE table_name = 'no such table'", PHASE="RUN")
    assert jobs.ended(job) == "COMPLETED"
    assert len(votable.parse(io.BytesIO(jobs.get(f"{job}/results/result").content)).get_first_table().array) == 0


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"QUERY": "SELECT nothing FROM tap_schema.tables"}, "nothing"),
        ({"QUERY": ""}, "QUERY is missing"),
        ({"QUERY": "SELECT 1 FROM tap_schema.tables", "LANG": "OOBLECK"}, "LANG=OOBLECK is not offered"),
        ({"QUERY": "SELECT 1 FROM tap_schema.tables", "RUNID": "x" * 65}, "RUNID has 65 characters"),
        ({"QUERY": "SELECT 1 / (table_index - table_index) AS x FROM tap_schema.tables"}, "division by zero"),
        ({"QUERY": "SELECT '\0' AS x FROM tap_schema.tables"}, ""),
    ],
    ids=["an_unknown_column", "no_query", "no_language", "a_long_run_id", "not_computable", "a_zero_byte"],
)
def test_a_wrong_query_ends_in_an_error_that_says_so(jobs: Jobs, fields: dict[str, str], said: str) -> None:
    answer = jobs.client.post(jobs.url, data={"LANG": "ADQL", "PHASE": "RUN", **fields})
    job = answer.headers["location"]
    assert jobs.ended(job) == "ERROR"
    kind, message = jobs.error_of(job)
    assert kind == "fatal"
    assert said in message


@pytest.mark.usefixtures("worker")
def test_a_finished_job_cannot_be_run_or_changed(jobs: Jobs) -> None:
    job = jobs.create(PHASE="RUN")
    assert jobs.ended(job) == "COMPLETED"
    for part, fields in (("phase", {"PHASE": "RUN"}), ("phase", {"PHASE": "ABORT"}), ("parameters", {"QUERY": "x"}), ("executionduration", {"EXECUTIONDURATION": "9"})):  # fmt: skip
        assert jobs.client.post(f"{job}/{part}", data=fields).status_code == 403, (part, fields)
    assert jobs.phase(job) == "COMPLETED"


# --- stopping -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("way", ["abort", "delete", "destruction"])
def test_a_query_that_is_not_wanted_any_more_is_stopped_within_a_second(jobs: Jobs, way: str) -> None:
    job = jobs.running()
    if way == "abort":
        assert jobs.post(f"{job}/phase", PHASE="ABORT").status_code == 303
        assert jobs.phase(job) == "ABORTED"
    elif way == "delete":
        assert jobs.client.delete(job).status_code == 303
    else:
        jobs.post(f"{job}/destruction", DESTRUCTION="2020-01-01T00:00:00Z")
        with jobs.database.connect(None, autocommit=True) as connection:
            connection.execute("DELETE FROM store.uws_job WHERE destruction < now()")  # as `kiel tap expire` does
    jobs.wait_until(lambda: jobs.backends() == 0, SECOND)
    if way == "abort":
        assert jobs.phase(job) == "ABORTED"
        assert jobs.get(f"{job}/results/result").status_code == 404
    else:
        assert jobs.get(job).status_code == 404
        jobs.wait_until(lambda: not (jobs.service.results / job.rpartition("/")[2]).exists())


@pytest.mark.usefixtures("worker")
def test_a_query_is_stopped_when_its_execution_duration_is_over(jobs: Jobs) -> None:
    job = jobs.create(jobs.SLOW)
    jobs.post(f"{job}/executionduration", EXECUTIONDURATION="1")
    jobs.post(f"{job}/phase", PHASE="RUN")
    jobs.wait_until(lambda: jobs.backends() == 1)
    assert jobs.ended(job) == "ABORTED"
    assert jobs.backends() == 0
    document = jobs.document(job)
    took = [float(document.findtext(f"uws:{element}", "", UWS)[-7:-1].strip("T:")) for element in ("startTime", "endTime")]
    assert 1 <= (took[1] - took[0]) % 60 < 2.5
    kind, message = jobs.error_of(job)
    assert kind == "fatal"
    assert "its execution duration of 1 s was over" in message
    assert str(Limits().job_hard_seconds) in message


@pytest.mark.usefixtures("worker")
def test_a_query_that_operators_cancel_says_so(jobs: Jobs) -> None:
    job = jobs.running()
    with jobs.database.connect(None, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY%' AND datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert jobs.ended(job) == "ERROR"
    assert jobs.error_of(job) == ("transient", "The operators of the database stopped the query; it may run at another time.")


@pytest.mark.usefixtures("worker")
def test_other_jobs_go_on_while_one_is_stopped(jobs: Jobs) -> None:
    slow, quick = jobs.running(), jobs.create(PHASE="RUN")
    assert jobs.ended(quick) == "COMPLETED"
    jobs.post(f"{slow}/phase", PHASE="ABORT")
    jobs.wait_until(lambda: jobs.backends() == 0, SECOND)
    assert jobs.ended(jobs.create(PHASE="RUN")) == "COMPLETED"


# --- files --------------------------------------------------------------------------------------------------------------------------


def test_a_folder_that_cannot_be_written_is_our_fault(database: Database, serve: Any, jobs_at: Any, work_here: Any, tmp_path: Path) -> None:
    (tmp_path / "results").touch()
    with serve(database, results=tmp_path / "results") as service, jobs_at(service) as jobs, work_here(service):
        job = jobs.create(PHASE="RUN")
        assert jobs.ended(job) == "ERROR"
        kind, message = jobs.error_of(job)
        assert kind == "transient"
        assert "could not write the result" in message
        assert "not your fault" in message
        (tmp_path / "results").unlink()
        assert jobs.ended(jobs.create(PHASE="RUN")) == "COMPLETED"


def test_a_full_disk_is_our_fault_and_leaves_nothing(jobs: Jobs, worker: Any) -> None:
    before = resource.prlimit(worker.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        job = jobs.create("SELECT a.description, b.column_name FROM tap_schema.columns AS a, tap_schema.columns AS b", PHASE="RUN")
        assert jobs.ended(job) == "ERROR"
    finally:
        resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, before)
    kind, message = jobs.error_of(job)
    assert kind == "transient"
    assert "could not write the result" in message
    folder = jobs.service.results / job.rpartition("/")[2]
    assert list(folder.iterdir()) == []
    assert folder.stat().st_mode & 0o777 == 0o700, "the service's own"
    assert jobs.ended(jobs.create(PHASE="RUN")) == "COMPLETED"


def test_a_result_that_goes_just_before_it_is_sent_is_not_found(jobs: Jobs, work_here: Any) -> None:
    with work_here(jobs.service):
        job = jobs.create(PHASE="RUN")
        assert jobs.ended(job) == "COMPLETED"
    [result] = (jobs.service.results / job.rpartition("/")[2]).iterdir()
    result.unlink()
    for method in ("GET", "HEAD"):
        assert jobs.client.request(method, f"{job}/results/result").status_code == 404
    assert "not there any more" in jobs.get(f"{job}/results/result").text
