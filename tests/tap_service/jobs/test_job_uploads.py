"""Tables that come with a job: kept until it runs, shown by reference, gone with it."""

import io
from typing import Any

import numpy as np
import pytest
from astropy.table import Table

Jobs = Any  # tests/tap_service/jobs/conftest.py
UWS = {"uws": "http://www.ivoa.net/xml/UWS/v1.0"}


def table_file(*numbers: int) -> bytes:
    out = io.BytesIO()
    Table({"n": np.array(numbers, dtype="i4")}).write(out, format="votable")
    return out.getvalue()


def test_a_table_that_came_with_the_job_can_be_queried_when_it_runs(jobs: Jobs, work_here: Any) -> None:
    made = jobs.client.post(
        jobs.url,
        data={
            "QUERY": "SELECT a.n, b.n AS m FROM TAP_UPLOAD.one AS a, TAP_UPLOAD.two AS b ORDER BY 1, 2",
            "FORMAT": "csv",
            "UPLOAD": "one,param:first",
        },
        files={"first": ("first.xml", table_file(1, 2), "application/x-votable+xml")},
    )
    assert made.status_code == 303, made.text
    job = made.headers["location"]
    added = jobs.client.post(f"{job}/parameters", data={"UPLOAD": "two,param:second"}, files={"second": ("s", table_file(7), "text/xml")})
    assert added.status_code == 303, added.text
    shown = {found.get("id"): found for found in jobs.document(job).find("uws:parameters", UWS)}
    assert shown["UPLOAD"].text == "one,param:first;two,param:second"
    assert [shown[part].get("byReference") for part in ("UPLOAD", "first", "second")] == [None, "true", "true"]
    assert shown["second"].text == f"{job}/parameters/second"
    assert jobs.get(shown["first"].text).content == table_file(1, 2)
    jobs.post(f"{job}/phase", PHASE="RUN")
    with work_here(jobs.service):
        assert jobs.ended(job) == "COMPLETED"
    assert jobs.get(f"{job}/results/result").text == "n,m\n1,7\n2,7\n"
    folder = jobs.service.results / job.rpartition("/")[2]
    assert folder.exists()
    jobs.client.delete(job)
    assert not folder.exists()


def test_a_job_keeps_no_file_of_a_request_that_was_refused(jobs: Jobs) -> None:
    job = jobs.create(PHASE="RUN")
    files = {"second": ("s", table_file(7), "text/xml")}
    assert jobs.client.post(f"{job}/parameters", data={"UPLOAD": "two,param:second"}, files=files).status_code == 403
    assert jobs.client.post(jobs.url, data={"PHASE": "COMPLETED"}, files=files).status_code == 400
    assert jobs.client.post(f"{job}/phase", data={"PHASE": "RUN"}, files=files).status_code == 303, "a file that nobody asked for"
    assert [path for path in jobs.service.results.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("part", ["../../x", "a b?c#d", "é/ü", "..%2F"])
def test_the_address_of_a_file_leads_to_it_whatever_its_part_is_called(jobs: Jobs, part: str) -> None:
    """curl and browsers take /../ out of an address before they ask."""
    made = jobs.client.post(jobs.url, data={"UPLOAD": f"t,param:{part}"}, files={part: ("t", table_file(1), "text/xml")})
    shown = {found.get("id"): found.text for found in jobs.document(made.headers["location"]).find("uws:parameters", UWS)}
    assert "/../" not in shown[part]
    assert jobs.get(shown[part]).content == table_file(1)


@pytest.mark.parametrize("content", [b"no table", b""])
def test_an_upload_that_is_no_table_ends_in_an_error(jobs: Jobs, work_here: Any, content: bytes) -> None:
    made = jobs.client.post(
        jobs.url, data={"QUERY": "SELECT * FROM TAP_UPLOAD.t", "UPLOAD": "t,param:t", "PHASE": "RUN"}, files={"t": ("t", content)}
    )
    assert made.status_code == 303
    with work_here(jobs.service):
        assert jobs.ended(made.headers["location"]) == "ERROR"
    assert jobs.error_of(made.headers["location"])[0] == "fatal"
