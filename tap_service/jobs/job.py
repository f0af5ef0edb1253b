"""What a job is (UWS 1.1 section 2.1): its phases, times and parameters, and what is an error of the client's here."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from http import HTTPStatus

from tap_service.errors import ParameterError, RequestError

Pairs = tuple[tuple[str, str], ...]
"""Parameters as (name, value) in the order they came; names in any case."""


class Phase(StrEnum):
    """Phases of a job (UWS 1.1 section 2.1.3). Jobs of this service reach the first six."""

    PENDING = "PENDING"
    QUEUED = "QUEUED"
    EXECUTING = "EXECUTING"
    COMPLETED = "COMPLETED"
    ERROR = "ERROR"
    ABORTED = "ABORTED"
    UNKNOWN = "UNKNOWN"
    HELD = "HELD"
    SUSPENDED = "SUSPENDED"
    ARCHIVED = "ARCHIVED"

    @property
    def active(self) -> bool:
        """Whether another phase will follow."""
        return self in (Phase.PENDING, Phase.QUEUED, Phase.EXECUTING)


JOB_ID = re.compile(r"[0-9a-f]{32}")
"""What names of jobs look like."""


class NoSuchJobError(RequestError):
    """There is no such job, or the job has no such part."""

    status = HTTPStatus.NOT_FOUND


class PhaseError(RequestError):
    """What was asked for cannot be done with a job in its phase."""

    status = HTTPStatus.FORBIDDEN


@dataclass(frozen=True)
class NewJob:
    """What a request makes a job of."""

    job_id: str
    client: str
    """Address, or network, that it came from."""
    parameters: Pairs
    files: Mapping[str, str]
    """Files of its folder by the name of the request's part that each came in."""
    links: str
    """Address of the DataLink service as the client knows it, for the result."""

    @property
    def run_id(self) -> str | None:
        """The client's own name for the job."""
        return run_id_of(self.parameters)


@dataclass(frozen=True)
class Job(NewJob):
    """A job as it stands in the database."""

    phase: Phase
    created: datetime
    started: datetime | None
    ended: datetime | None
    destruction: datetime
    execution_duration: int
    """The longest that its query may take, in seconds."""
    attempt: int
    result_type: str | None
    result_bytes: int | None
    result_rows: int | None
    overflow: bool | None
    error: str | None
    transient: bool | None

    @property
    def quote(self) -> datetime | None:
        """When the job ends at the latest; None before it has begun, since nobody knows how long others take."""
        return None if self.started is None else self.started + timedelta(seconds=self.execution_duration)


@dataclass(frozen=True)
class JobEntry:
    """A job as the list of jobs shows it."""

    job_id: str
    phase: Phase
    run_id: str | None
    created: datetime


def run_id_of(parameters: Iterable[tuple[str, str]]) -> str | None:
    """The client's own name for a job."""
    return next((value for name, value in parameters if name.upper() == "RUNID"), None)


def with_parameters(old: Iterable[tuple[str, str]], posted: Pairs) -> Pairs:
    """A job's parameters after a POST: UPLOAD accumulates, any other name is replaced (TAP 1.1 section 2.7, UWS 1.1 section 2.1.12)."""
    replaced = {name.upper() for name, _ in posted} - {"UPLOAD"}
    return (*((name, value) for name, value in old if name.upper() not in replaced), *posted)


def uws_time(time: datetime) -> str:
    """A time as UWS writes it (UWS 1.1 section 2.1.10), in milliseconds where it has any."""
    time = time.astimezone(UTC)
    return time.strftime("%Y-%m-%dT%H:%M:%S") + (f".{time.microsecond // 1000:03d}" if time.microsecond >= 1000 else "") + "Z"


_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?Z?", re.ASCII)


def read_time(name: str, text: str) -> datetime:
    """A time that a client gives, UTC whether or not it says Z; ParameterError names the parameter."""
    wrong = ParameterError(f"{name}={text} is no time; write it like 2026-12-31T23:59:59Z.")
    if _TIME.fullmatch(text.strip()) is None:
        raise wrong
    try:
        # More digits than datetime holds are cut off.
        return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text.strip().removesuffix("Z"))).replace(tzinfo=UTC)
    except ValueError as error:
        raise wrong from error


def whole_number(name: str, text: str, least: int | None = None) -> int:
    """A whole number that a client gives; ParameterError names the parameter. No more digits than PostgreSQL's bigint holds."""
    text = text.strip()
    if re.fullmatch(r"-?\d{1,18}", text, re.ASCII) is None or (least is not None and int(text) < least):
        raise ParameterError(f"{name}={text} is not a whole number{'' if least is None else f' from {least} on'}.")
    return int(text)
