"""Any story of jobs, told by clients and workers in any order, ends as a plain model of the standard says.

JOB_STORIES=2000 tells more of them.
"""

import os
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree as ET

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test

from tap_service.connections import Connections
from tap_service.jobs.job import Job, Phase
from tap_service.jobs.job_table import JobTable
from tap_service.limits import Limits

Jobs = Any  # tests/tap_service/jobs/conftest.py
ADDRESSES = ("192.0.2.1", "192.0.2.2", "192.0.2.3")
NAMES = ("QUERY", "RUNID", "MAXREC", "runid", "UPLOAD", "other")
FINISHED = ("COMPLETED", "ERROR", "ABORTED")


@dataclass
class Told:
    """A job as the model has it."""

    address: str
    phase: str = "PENDING"
    parameters: list[tuple[str, str]] = field(default_factory=list)
    duration: int = Limits().job_seconds
    error: str | None = None

    def add(self, name: str, value: str) -> None:
        if name != "UPLOAD":
            self.parameters = [(known, text) for known, text in self.parameters if known.upper() != name.upper()]
        self.parameters.append((name, value))


class Story(RuleBasedStateMachine):
    """Clients over HTTP; workers as the table's own methods, so that they come in every order."""

    jobs: Jobs
    table: JobTable
    known = Bundle("known")
    claimed = Bundle("claimed")

    def __init__(self) -> None:
        super().__init__()
        self.model: dict[str, Told] = {}
        for (job_id,) in self.jobs.rows("SELECT job_id FROM store.uws_job"):
            self.table.delete(job_id)

    def status(self, job: str, part: str, **fields: str) -> int:
        code: int = self.jobs.client.post(f"{job}{part}", data=fields).status_code
        return code

    # --- clients

    @rule(target=known, address=st.sampled_from(ADDRESSES), run=st.booleans(), run_id=st.sampled_from([None, "a", "b"]))
    def create(self, address: str, run: bool, run_id: str | None) -> str:
        fields = {"QUERY": "q", **({"PHASE": "RUN"} if run else {}), **({"RUNID": run_id} if run_id else {})}
        job: str = self.jobs.client.post(self.jobs.url, data=fields, headers={"X-Forwarded-For": address}).headers["location"]
        told = self.model[job] = Told(address, "QUEUED" if run else "PENDING")
        for name, value in fields.items():
            if name != "PHASE":
                told.add(name, value)
        return job

    @rule(job=known)
    def run_job(self, job: str) -> None:
        told = self.model.get(job)
        expected = 404 if told is None else 403 if told.phase in FINISHED else 303
        assert self.status(job, "/phase", PHASE="RUN") == expected
        if told is not None and told.phase == "PENDING":
            told.phase = "QUEUED"

    @rule(job=known)
    def abort(self, job: str) -> None:
        told = self.model.get(job)
        expected = 404 if told is None else 403 if told.phase in ("COMPLETED", "ERROR") else 303
        assert self.status(job, "/phase", PHASE="ABORT") == expected
        if told is not None and expected == 303:
            told.phase = "ABORTED"

    @rule(job=known, form=st.booleans())
    def delete(self, job: str, form: bool) -> None:
        answered = self.status(job, "", ACTION="DELETE") if form else self.jobs.client.delete(job).status_code
        assert answered == (303 if job in self.model else 404)
        self.model.pop(job, None)

    @rule(job=known, name=st.sampled_from(NAMES), value=st.text(st.characters(codec="ascii", categories=["L", "N"]), max_size=3))
    def add_parameter(self, job: str, name: str, value: str) -> None:
        told = self.model.get(job)
        expected = 404 if told is None else 303 if told.phase == "PENDING" else 403
        assert self.status(job, "/parameters", **{name: value}) == expected
        if told is not None and expected == 303:
            told.add(name, value)

    @rule(job=known, seconds=st.integers(0, 10**6))
    def set_duration(self, job: str, seconds: int) -> None:
        told = self.model.get(job)
        expected = 404 if told is None else 303 if told.phase in ("PENDING", "QUEUED") else 403
        assert self.status(job, "/executionduration", EXECUTIONDURATION=str(seconds)) == expected
        if told is not None and expected == 303:
            longest = Limits().job_hard_seconds
            told.duration = min(seconds or longest, longest)

    # --- workers

    @rule(target=claimed, most=st.integers(1, 3))
    def claim(self, most: int) -> Job | None:
        running = [sum(told.phase == "EXECUTING" and told.address == address for told in self.model.values()) for address in ADDRESSES]
        may = {address for address, busy in zip(ADDRESSES, running, strict=True) if busy < most}
        waiting = {told.address for told in self.model.values() if told.phase == "QUEUED"} & may
        job = self.table.claim(1, most)
        if job is None:
            assert waiting == set()
            return None
        fewest = min(running[ADDRESSES.index(address)] for address in waiting)
        told = self.model[f"{self.jobs.url}/{job.job_id}"]
        assert told.phase == "QUEUED"
        assert running[ADDRESSES.index(told.address)] == fewest, "the address with the fewest jobs that run comes first"
        told.phase = "EXECUTING"
        return job

    def newest(self, job: Job | None) -> Told | None:
        """The model's job, if the attempt is still its own."""
        if job is None or not (rows := self.jobs.rows("SELECT attempt FROM store.uws_job WHERE job_id = %s", job.job_id)):
            return None
        told = self.model[f"{self.jobs.url}/{job.job_id}"]
        return told if told.phase == "EXECUTING" and rows == [(job.attempt,)] else None

    @rule(job=consumes(claimed))
    def complete(self, job: Job | None) -> None:
        if job is not None:
            told = self.newest(job)
            assert self.table.complete(job, "text/csv", 7, 1, False) == (told is not None)
            if told is not None:
                told.phase = "COMPLETED"

    @rule(job=consumes(claimed), over=st.booleans())
    def fail(self, job: Job | None, over: bool) -> None:
        if job is not None:
            told = self.newest(job)
            phase = Phase.ABORTED if over else Phase.ERROR
            assert self.table.fail(job, phase, "why\0", transient=False) == (told is not None)
            if told is not None:
                told.phase, told.error = phase, "why"

    @rule(job=claimed)
    def give_back(self, job: Job | None) -> None:
        """A late attempt may try as often as it likes."""
        if job is not None:
            told = self.newest(job)
            assert self.table.give_back(job) == (told is not None)
            if told is not None:
                told.phase = "QUEUED"

    # --- what must hold at every moment

    @invariant()
    def every_job_is_as_told(self) -> None:
        rows = self.jobs.rows("SELECT job_id, phase, client FROM store.uws_job")
        assert {(f"{self.jobs.url}/{job_id}", phase, client) for job_id, phase, client in rows} == {
            (job, str(told.phase), told.address) for job, told in self.model.items()
        }

    @rule(job=known)
    def look(self, job: str) -> None:
        told = self.model.get(job)
        answer = self.jobs.get(job)
        assert answer.status_code == (404 if told is None else 200)
        if told is None:
            return
        document = ET.fromstring(answer.content)
        uws = {"uws": "http://www.ivoa.net/xml/UWS/v1.0"}
        shown = {found.get("id"): found.text or "" for found in document.find("uws:parameters", uws) or ()}
        expected = {name: value for name, value in told.parameters if name != "UPLOAD"}
        uploads = [value for name, value in told.parameters if name == "UPLOAD"]
        assert shown == {**expected, **({"UPLOAD": ";".join(uploads)} if uploads else {})}
        assert document.findtext("uws:phase", None, uws) == told.phase
        assert document.findtext("uws:executionDuration", None, uws) == str(told.duration)
        assert document.findtext("uws:errorSummary/uws:message", None, uws) == told.error
        assert (document.find("uws:results/uws:result", uws) is not None) == (told.phase == "COMPLETED")
        assert self.jobs.get(f"{job}/error").status_code == (200 if told.error else 404)


def test_any_story_of_jobs_ends_as_the_standard_says(jobs: Jobs) -> None:
    connections = Connections(jobs.database, keep=2)

    class HereStory(Story):
        """The story over this service."""

    HereStory.jobs, HereStory.table = jobs, JobTable(connections, Limits())
    try:
        run_state_machine_as_test(
            HereStory,
            settings=settings(
                max_examples=int(os.environ.get("JOB_STORIES", "8")),
                stateful_step_count=40,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        connections.close()
