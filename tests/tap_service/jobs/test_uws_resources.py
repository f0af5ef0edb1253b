"""UWS 1.1 over HTTP: every resource and verb of a job that nobody runs yet, as the standard has them."""

import re
import socket
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import httpx
import pytest

from catalog.database import Database
from tap_service.limits import Limits

Jobs = Any  # tests/tap_service/jobs/conftest.py
QUICK = "SELECT TOP 3 table_name FROM tap_schema.tables ORDER BY table_name"
UWS = {"uws": "http://www.ivoa.net/xml/UWS/v1.0"}
XLINK = "{http://www.w3.org/1999/xlink}"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"


def parameters_of(jobs: Jobs, job: str) -> list[tuple[str | None, str | None]]:
    return [(found.get("id"), found.text) for found in ET.fromstring(jobs.get(f"{job}/parameters").content)]


def listed(jobs: Jobs, **filters: Any) -> list[str | None]:
    answer = jobs.get(jobs.url, **filters)
    assert answer.status_code == 200, answer.text
    return [found.get("id") for found in ET.fromstring(answer.content)]


def name(job: str) -> str:
    return job.rpartition("/")[2]


# --- creation ---------------------------------------------------------------------------------------------------------------------


def test_a_new_job_is_pending_at_an_address_of_its_own(jobs: Jobs) -> None:
    first, second = jobs.create(), jobs.create()
    assert first != second
    assert re.fullmatch(r"[0-9a-f]{32}", name(first)), "a name that nobody guesses"
    assert jobs.phase(first) == "PENDING"


@pytest.mark.parametrize("where", ["form", "url"])
def test_phase_run_at_creation_puts_the_job_into_the_queue(jobs: Jobs, where: str) -> None:
    fields, query = {"QUERY": QUICK, "LANG": "ADQL"}, ""
    if where == "form":
        fields["PHASE"] = "RUN"
    else:
        query = "?PHASE=RUN"
    answer = jobs.client.post(jobs.url + query, data=fields)
    assert answer.status_code == 303
    assert jobs.phase(answer.headers["location"]) == "QUEUED"


@pytest.mark.parametrize(
    "fields",
    [{}, {"QUERY": "nonsense"}, {"LANG": "OOBLECK"}, {"QUERY": QUICK, "MAXREC": "many"}, {"QUERY": QUICK, "RUNID": "x" * 65}, {"UPLOAD": "a"}],
    ids=["nothing", "no_adql", "another_language", "no_number", "a_long_run_id", "no_upload"],
)  # fmt: skip
def test_no_query_is_refused_before_it_runs(jobs: Jobs, fields: dict[str, str]) -> None:
    assert jobs.client.post(jobs.url, data=fields).status_code == 303


def test_a_job_cannot_begin_in_another_phase(jobs: Jobs) -> None:
    assert jobs.post(jobs.url, PHASE="ABORT").status_code == 400
    assert jobs.post(jobs.url, PHASE="COMPLETED").status_code == 400
    assert listed(jobs) == []


# --- the job's document and its parts -----------------------------------------------------------------------------------------------


def test_the_document_has_its_elements_in_the_order_of_the_schema(jobs: Jobs) -> None:
    job = jobs.create(RUNID="mine", MAXREC="7")
    document = jobs.document(job)
    assert document.tag == f"{{{UWS['uws']}}}job"
    assert document.get("version") == "1.1"
    assert [child.tag.partition("}")[2] for child in document] == [
        "jobId", "runId", "ownerId", "phase", "quote", "creationTime", "startTime", "endTime", "executionDuration", "destruction",
        "parameters", "results",
    ]  # fmt: skip
    assert document.findtext("uws:jobId", None, UWS) == name(job)
    assert document.findtext("uws:runId", None, UWS) == "mine"
    assert [document.find(f"uws:{nil}", UWS).get(NIL) for nil in ("ownerId", "quote", "startTime", "endTime")] == ["true"] * 4  # type: ignore[union-attr]
    assert TIME.fullmatch(document.findtext("uws:creationTime", "", UWS))
    assert list(document.find("uws:results", UWS)) == []  # type: ignore[arg-type]
    text = jobs.get(job).text
    assert "<uws:phase>PENDING</uws:phase>" in text, "clients look for the prefix literally"


@pytest.mark.parametrize(
    ("part", "element"), [("phase", "phase"), ("executionduration", "executionDuration"), ("destruction", "destruction"), ("quote", "quote"), ("owner", "ownerId")]
)  # fmt: skip
def test_a_part_says_what_the_document_says(jobs: Jobs, part: str, element: str) -> None:
    job = jobs.create()
    answer = jobs.get(f"{job}/{part}")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text == (jobs.document(job).findtext(f"uws:{element}", None, UWS) or "")


@pytest.mark.parametrize("part", ["parameters", "results"])
def test_parameters_and_results_are_documents_of_their_own(jobs: Jobs, part: str) -> None:
    job = jobs.create()
    alone = ET.fromstring(jobs.get(f"{job}/{part}").content)
    within = jobs.document(job).find(f"uws:{part}", UWS)
    assert within is not None
    assert [ET.tostring(child).strip() for child in alone] == [ET.tostring(child).strip() for child in within]


def test_a_job_lives_for_the_default_times(jobs: Jobs) -> None:
    document = jobs.document(jobs.create())
    assert document.findtext("uws:executionDuration", None, UWS) == str(Limits().job_seconds)
    kept = time_of(document, "destruction") - time_of(document, "creationTime")
    assert kept == timedelta(seconds=Limits().retention_seconds)


def time_of(document: ET.Element, element: str) -> datetime:
    return datetime.fromisoformat(document.findtext(f"uws:{element}", "", UWS))


@pytest.mark.parametrize("part", ["error", "results/result", "nonsense", "parameters/t1"])
def test_what_a_job_has_not_is_not_found(jobs: Jobs, part: str) -> None:
    assert jobs.get(f"{jobs.create()}/{part}").status_code == 404


@pytest.mark.parametrize("part", ["", "/phase", "/parameters", "/results/result", "/error", "/destruction"])
@pytest.mark.parametrize("job", ["0" * 32, "nothing", "%00", "..%2f..%2fetc", "1%27"])
def test_an_unknown_job_is_not_found(jobs: Jobs, job: str, part: str) -> None:
    assert jobs.get(f"{jobs.url}/{job}{part}").status_code == 404
    if part in ("/phase", "/parameters", "/destruction", ""):
        fields = {"PHASE": "RUN", "DESTRUCTION": "2030-01-01T00:00:00Z", "ACTION": "DELETE", "QUERY": QUICK}
        assert jobs.client.post(f"{jobs.url}/{job}{part}", data=fields).status_code == 404
    assert jobs.client.delete(f"{jobs.url}/{job}").status_code == 404


def test_characters_that_xml_forbids_do_not_break_the_document(jobs: Jobs) -> None:
    job = jobs.create("SELECT '<&>\x01\ud7ff]]>\"'\r\nFROM x", RUNID="<a\x0b>")
    document = jobs.document(job)
    assert dict(parameters_of(jobs, job))["QUERY"] == "SELECT '<&>\ud7ff]]>\"'\r\nFROM x"
    assert document.findtext("uws:runId", None, UWS) == "<a>"
    assert ET.fromstring(jobs.get(jobs.url).content)[0].findtext("uws:runId", None, UWS) == "<a>"


def test_a_query_with_a_zero_byte_makes_a_job_too(jobs: Jobs) -> None:
    job = jobs.create("SELECT '\0'")
    assert dict(parameters_of(jobs, job))["QUERY"] == "SELECT ''", "XML has no such character"


# --- phase --------------------------------------------------------------------------------------------------------------------------


def test_run_and_abort_lead_to_the_job(jobs: Jobs) -> None:
    job = jobs.create()
    answer = jobs.post(f"{job}/phase", PHASE="RUN")
    assert (answer.status_code, answer.headers["location"]) == (303, job)
    assert jobs.phase(job) == "QUEUED"
    assert jobs.post(f"{job}/phase", PHASE="RUN").status_code == 303, "telling it twice is no mistake"
    answer = jobs.post(f"{job}/phase", phase="abort")
    assert (answer.status_code, answer.headers["location"]) == (303, job)
    assert jobs.phase(job) == "ABORTED"
    assert TIME.fullmatch(jobs.document(job).findtext("uws:endTime", "", UWS))


def test_a_pending_job_can_be_aborted_and_never_runs_again(jobs: Jobs) -> None:
    job = jobs.create()
    assert jobs.post(f"{job}/phase", PHASE="ABORT").status_code == 303
    assert jobs.phase(job) == "ABORTED"
    assert jobs.post(f"{job}/phase", PHASE="ABORT").status_code == 303
    answer = jobs.post(f"{job}/phase", PHASE="RUN")
    assert answer.status_code == 403
    assert "The job is ABORTED; it cannot be run now." in answer.text


@pytest.mark.parametrize("fields", [{}, {"PHASE": "COMPLETED"}, {"PHASE": ""}, {"PHASES": "RUN"}])
def test_another_phase_cannot_be_asked_for(jobs: Jobs, fields: dict[str, str]) -> None:
    job = jobs.create()
    assert jobs.post(f"{job}/phase", **fields).status_code == 400
    assert jobs.phase(job) == "PENDING"


# --- parameters ---------------------------------------------------------------------------------------------------------------------


def test_a_parameter_is_replaced_and_uploads_add_up(jobs: Jobs) -> None:
    job = jobs.create(RUNID="first", UPLOAD="a,http://example.org/a")
    for fields in ({"RUNID": "second"}, {"runid": "third", "UPLOAD": "b,http://example.org/b"}, {"MAXREC": "3"}):
        answer = jobs.post(f"{job}/parameters", **fields)
        assert (answer.status_code, answer.headers["location"]) == (303, job)
    found = parameters_of(jobs, job)
    assert sorted(found) == sorted(
        [
            ("LANG", "ADQL"),
            ("QUERY", QUICK),
            ("runid", "third"),
            ("UPLOAD", "a,http://example.org/a;b,http://example.org/b"),
            ("MAXREC", "3"),
        ]
    )
    assert jobs.document(job).findtext("uws:runId", None, UWS) == "third"


def test_parameters_are_taken_only_while_the_job_is_pending(jobs: Jobs) -> None:
    job = jobs.create(PHASE="RUN")
    answer = jobs.post(f"{job}/parameters", MAXREC="3")
    assert answer.status_code == 403
    assert "QUEUED" in answer.text
    assert ("MAXREC", "3") not in parameters_of(jobs, job)


def test_the_job_itself_takes_no_parameters(jobs: Jobs) -> None:
    job = jobs.create()
    for fields in ({"QUERY": "SELECT 1"}, {"ACTION": "RUN"}, {}):
        assert jobs.post(job, **fields).status_code == 403
    assert dict(parameters_of(jobs, job))["QUERY"] == QUICK


# --- times --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("asked", "set_to"), [("60", 60), ("0", Limits().job_hard_seconds), ("999999999", Limits().job_hard_seconds)])
def test_execution_duration_is_set_within_the_limit(jobs: Jobs, asked: str, set_to: int) -> None:
    job = jobs.create()
    answer = jobs.post(f"{job}/executionduration", EXECUTIONDURATION=asked)
    assert (answer.status_code, answer.headers["location"]) == (303, job)
    assert jobs.get(f"{job}/executionduration").text == str(set_to)


@pytest.mark.parametrize("asked", ["-1", "soon", "1.5", "", "1" * 40])
def test_an_execution_duration_that_is_no_number_is_refused(jobs: Jobs, asked: str) -> None:
    job = jobs.create()
    assert jobs.post(f"{job}/executionduration", EXECUTIONDURATION=asked).status_code == 400
    assert jobs.get(f"{job}/executionduration").text == str(Limits().job_seconds)


def test_the_execution_duration_of_a_job_that_ended_stays(jobs: Jobs) -> None:
    job = jobs.create()
    jobs.post(f"{job}/phase", PHASE="ABORT")
    assert jobs.post(f"{job}/executionduration", EXECUTIONDURATION="5").status_code == 403


@pytest.mark.parametrize("form", ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"])
def test_destruction_is_set_to_the_time_asked_for(jobs: Jobs, form: str) -> None:
    job = jobs.create()
    wanted = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
    answer = jobs.post(f"{job}/destruction", DESTRUCTION=wanted.strftime(form))
    assert (answer.status_code, answer.headers["location"]) == (303, job)
    assert jobs.get(f"{job}/destruction").text == wanted.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_destruction_is_not_later_than_the_service_keeps_jobs(jobs: Jobs) -> None:
    job = jobs.create()
    assert jobs.post(f"{job}/destruction", DESTRUCTION="2999-01-01T00:00:00Z").status_code == 303
    kept = datetime.fromisoformat(jobs.get(f"{job}/destruction").text) - datetime.now(UTC)
    assert timedelta() < timedelta(seconds=Limits().retention_hard_seconds) - kept < timedelta(minutes=1)


def test_a_destruction_that_has_passed_is_the_end_of_the_job(jobs: Jobs) -> None:
    job = jobs.create()
    assert jobs.post(f"{job}/destruction", DESTRUCTION="2020-01-01T00:00:00Z").status_code == 303
    assert jobs.get(job).status_code == 404
    assert listed(jobs) == []


@pytest.mark.parametrize("asked", ["tomorrow", "2026-02-30", "", "2026-13-01T00:00:00Z", "１２３４-01-01"])
def test_a_destruction_that_is_no_time_is_refused(jobs: Jobs, asked: str) -> None:
    assert jobs.post(f"{jobs.create()}/destruction", DESTRUCTION=asked).status_code == 400


# --- deletion -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["DELETE", "ACTION=DELETE", "action=delete"])
def test_a_deleted_job_is_gone(jobs: Jobs, way: str) -> None:
    job = jobs.create()
    answer = jobs.client.delete(job) if way == "DELETE" else jobs.client.post(job, data=dict([way.split("=")]))  # type: ignore[list-item]
    assert (answer.status_code, answer.headers["location"]) == (303, jobs.url)
    assert jobs.get(answer.headers["location"]).status_code == 200, "clients follow"
    assert jobs.get(job).status_code == 404
    assert jobs.get(f"{job}/phase").status_code == 404


@pytest.mark.parametrize("part", ["", "/{job}/phase", "/{job}/results", "/{job}/parameters", "/{job}/error"])
def test_nothing_but_a_job_can_be_deleted(jobs: Jobs, part: str) -> None:
    job = jobs.create()
    assert jobs.client.delete(jobs.url + part.format(job=name(job))).status_code == 405
    assert jobs.phase(job) == "PENDING"


# --- the list -----------------------------------------------------------------------------------------------------------------------


def test_the_list_is_filtered_by_phase_time_and_number(jobs: Jobs) -> None:
    pending, queued, aborted = jobs.create(RUNID="p"), jobs.create(PHASE="RUN"), jobs.create()
    jobs.post(f"{aborted}/phase", PHASE="ABORT")
    p, q, a = name(pending), name(queued), name(aborted)
    assert listed(jobs) == [a, q, p], "newest first"
    assert listed(jobs, PHASE="QUEUED") == [q]
    assert listed(jobs, PHASE=["QUEUED", "PENDING"]) == [q, p]
    assert listed(jobs, phase="aborted") == [a]
    assert listed(jobs, PHASE="ARCHIVED") == []
    assert listed(jobs, LAST=2) == [a, q]
    assert listed(jobs, LAST=99) == [a, q, p]
    assert listed(jobs, LAST=1, PHASE="PENDING") == [p]
    created = jobs.document(queued).findtext("uws:creationTime", "", UWS)
    assert listed(jobs, AFTER=created) == [a], "later, not as late"
    assert listed(jobs, AFTER=created, PHASE="PENDING") == []
    assert listed(jobs, AFTER="2020-01-01") == [a, q, p]


@pytest.mark.parametrize("filters", [{"LAST": "0"}, {"LAST": "x"}, {"PHASE": "NONSENSE"}, {"AFTER": "yesterday"}])
def test_a_filter_that_makes_no_sense_is_refused(jobs: Jobs, filters: dict[str, str]) -> None:
    assert jobs.get(jobs.url, **filters).status_code == 400


def test_an_entry_of_the_list_leads_to_its_job(jobs: Jobs) -> None:
    job = jobs.create(RUNID="r")
    [entry] = ET.fromstring(jobs.get(jobs.url).content)
    assert entry.get(f"{XLINK}href") == job
    assert [child.tag.partition("}")[2] for child in entry] == ["phase", "runId", "ownerId", "creationTime"]
    assert "<uws:jobref id=" in jobs.get(jobs.url).text


def seen(jobs: Jobs, address: str) -> list[str]:
    answer = jobs.client.get(jobs.url, headers={"X-Forwarded-For": address})
    assert answer.status_code == 200
    return re.findall(r'<uws:jobref id="([0-9a-f]+)"', answer.text)


def test_behind_a_proxy_that_nobody_declared_no_jobs_are_listed(jobs: Jobs) -> None:
    """Everybody would have the proxy's address, and see everybody's jobs."""
    mine = jobs.create(client="192.0.2.1")
    assert seen(jobs, "192.0.2.1") == []
    assert listed(jobs) == []
    assert jobs.get(mine).status_code == 200, "who knows its name may see it"


def test_an_address_sees_its_own_jobs_only(catalogue: Database, serve: Any, jobs_at: Any) -> None:
    with serve(catalogue, trusts_proxies=True) as service, jobs_at(service) as jobs:
        made = {address: name(jobs.create(client=address)) for address in ("192.0.2.1", "192.0.2.2", "2001:db8:1:1::7", "::ffff:192.0.2.3")}
        assert [seen(jobs, address) for address in made] == [[job] for job in made.values()]
        assert seen(jobs, "2001:db8:1:1:ffff::1") == [made["2001:db8:1:1::7"]], "one machine has a whole network of addresses"
        assert seen(jobs, "2001:db8:1:2::7") == []
        assert seen(jobs, "192.0.2.3") == [made["::ffff:192.0.2.3"]]
        assert listed(jobs) == []


def test_the_list_can_be_switched_off(catalogue: Database, serve: Any, jobs_at: Any) -> None:
    with serve(catalogue, Limits(list_jobs=False)) as service, jobs_at(service) as jobs:
        assert jobs.phase(jobs.create()) == "PENDING"
        assert listed(jobs) == []


# --- methods ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["", "/phase", "/parameters", "/results", "/owner", "/quote", "/destruction", "/executionduration"])
def test_head_is_answered_without_a_body(jobs: Jobs, part: str) -> None:
    answer = jobs.client.head(jobs.create() + part)
    assert (answer.status_code, answer.content) == (200, b"")


METHODS = {"": "DELETE, GET, HEAD, POST", "/phase": "GET, HEAD, POST", "/parameters": "GET, HEAD, POST", "/quote": "GET, HEAD"}


@pytest.mark.parametrize("part", METHODS)
def test_a_method_that_is_not_offered_is_told_all_that_are(jobs: Jobs, part: str) -> None:
    job = jobs.create() + part
    refused, asked = jobs.client.put(job), jobs.client.options(job)
    assert (refused.status_code, refused.headers["allow"]) == (405, METHODS[part])
    assert f"use {METHODS[part]}." in refused.text
    assert (asked.status_code, asked.headers["allow"]) == (204, f"{METHODS[part]}, OPTIONS")


def test_the_list_takes_new_jobs_and_says_so(jobs: Jobs) -> None:
    assert jobs.client.put(jobs.url).headers["allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize("value", ["", "abc", "1.5"])
def test_a_wait_that_is_no_number_is_refused_in_plain_words(jobs: Jobs, value: str) -> None:
    answer = jobs.get(jobs.create(), WAIT=value)
    assert answer.status_code == 400
    assert f"WAIT={value} is not a whole number." in answer.text


def test_a_client_that_leaves_in_the_middle_of_its_request_is_no_failure_of_the_service(
    jobs: Jobs, caplog: pytest.LogCaptureFixture
) -> None:
    place = urlsplit(jobs.url)
    with socket.create_connection((place.hostname, place.port)) as client:
        client.sendall(f"POST {place.path} HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Length: 1000\r\n\r\nQUERY=SEL".encode())
        client.sendall(b"ECT")
    for _ in range(3):
        jobs.create()  # the service has had time to notice
    time.sleep(0.2)
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


def test_a_page_of_another_origin_may_delete_a_job(jobs: Jobs) -> None:
    headers = {"Origin": "https://example.org", "Access-Control-Request-Method": "DELETE"}
    answer = jobs.client.options(jobs.create(), headers=headers)
    assert answer.status_code == 200
    assert "DELETE" in answer.headers["access-control-allow-methods"]


def test_the_address_of_a_job_is_that_which_the_client_used(jobs: Jobs) -> None:
    host = f"kiel.example:{urlsplit(jobs.url).port}"
    answer = jobs.client.post(jobs.url, data={"QUERY": QUICK}, headers={"Host": host})
    assert answer.headers["location"].startswith(f"http://{host}/tap/async/")


def test_a_multipart_form_makes_a_job(jobs: Jobs) -> None:
    answer = httpx.post(jobs.url, files={"QUERY": (None, QUICK), "LANG": (None, "ADQL")})
    assert answer.status_code == 303
    assert dict(parameters_of(jobs, answer.headers["location"])) == {"QUERY": QUICK, "LANG": "ADQL"}
