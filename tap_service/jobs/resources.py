"""The resources of jobs over HTTP (UWS 1.1 section 2.2, TAP 1.1 section 2.4): /async and all below it."""

import ipaddress
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import anyio
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tap_service.address import links_address, tap_address
from tap_service.errors import ParameterError
from tap_service.jobs.documents import job_document, job_list, parameters_document, results_document
from tap_service.jobs.job import JOB_ID, Job, JobEntry, NewJob, NoSuchJobError, Pairs, Phase, PhaseError, read_time, uws_time, whole_number
from tap_service.jobs.job_table import JobTable, new_job_id
from tap_service.jobs.results import JobFiles
from tap_service.jobs.waiting import PhaseChanges
from tap_service.parameters import request_content
from tap_service.results.votable import MEDIA_TYPE, error_document
from tap_service.service import Service

T = TypeVar("T")

_XML = "text/xml"
_TEXT = "text/plain"
_NOT_PARAMETERS = ("PHASE", "ACTION")
"""What a POST says about the job, not about its query."""
_SHORT_JOB_SECONDS = 0.25
"""How long the beginning of a job is held back from those who wait for it, in case that its end follows."""
_FORWARDED = ("x-forwarded-for", "forwarded", "via")


class JobResources:
    """The jobs of one service as resources. ``changes`` must be listening."""

    def __init__(self, service: Service, files: JobFiles, changes: PhaseChanges, *, trusts_proxies: bool) -> None:
        self._service = service
        self._files = files
        self._changes = changes
        self._trusts_proxies = trusts_proxies
        self._table = JobTable(service.connections, service.limits)

    def routes(self, path: str) -> list[Route]:
        """The routes below ``path`` (/tap/async)."""
        job = f"{path}/{{job_id}}"
        return [
            Route(path, self._list, methods=["GET"]),
            Route(path, self._create, methods=["POST"]),
            Route(job, self._job, methods=["GET"]),
            Route(job, self._act, methods=["POST"]),
            Route(job, self._delete, methods=["DELETE"]),
            Route(f"{job}/phase", self._text(lambda job: job.phase), methods=["GET"]),
            Route(f"{job}/phase", self._set_phase, methods=["POST"]),
            Route(f"{job}/executionduration", self._text(lambda job: str(job.execution_duration)), methods=["GET"]),
            Route(f"{job}/executionduration", self._set_execution_duration, methods=["POST"]),
            Route(f"{job}/destruction", self._text(lambda job: uws_time(job.destruction)), methods=["GET"]),
            Route(f"{job}/destruction", self._set_destruction, methods=["POST"]),
            Route(f"{job}/quote", self._text(lambda job: uws_time(job.quote) if job.quote else ""), methods=["GET"]),
            Route(f"{job}/owner", self._text(lambda job: ""), methods=["GET"]),
            Route(f"{job}/parameters", self._parameters, methods=["GET"]),
            Route(f"{job}/parameters", self._add_parameters, methods=["POST"]),
            Route(f"{job}/parameters/{{part:path}}", self._upload, methods=["GET"]),
            Route(f"{job}/error", self._error, methods=["GET"]),
            Route(f"{job}/results", self._results, methods=["GET"]),
            Route(f"{job}/results/result", self._result, methods=["GET"]),
        ]

    # --- the list -------------------------------------------------------------------------------------------------------------

    async def _list(self, request: Request) -> Response:
        """Jobs of the address that asks; none where that address is not the client's own: names of jobs are all that protects them."""
        phases, after, last = _filters(request.query_params.multi_items())
        jobs: list[JobEntry] = []
        if self._service.limits.list_jobs and self._comes_from_client(request):
            jobs = await self._in_thread(lambda: self._table.of_client(_client(request), phases, after, last))
        return Response(job_list(jobs, _jobs_url(request)), media_type=_XML)

    async def _create(self, request: Request) -> Response:
        job_id = new_job_id()
        incoming = self._files.incoming(job_id)
        try:
            pairs, files = await self._content(request, incoming)
            run = _asked_phase(pairs, optional=True)
            if run not in (None, Phase.PENDING, Phase.QUEUED):
                raise ParameterError(f"PHASE={run} cannot be the beginning of a job; send PHASE=RUN, or leave it out.")
            parameters = _parameters_of(pairs)
            new = NewJob(job_id, _client(request), parameters, self._files.names(job_id, files), links_address(request))
            # Shielded: whether the job is there must be known, since its files go if it is not.
            with anyio.CancelScope(shield=True):
                await self._in_thread(lambda: self._table.create(new, run=run is Phase.QUEUED))
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._in_thread(self._files.remove, job_id)
            raise
        return _see(request, job_id)

    # --- one job --------------------------------------------------------------------------------------------------------------

    async def _job(self, request: Request) -> Response:
        seconds, phase = _wait(request.query_params.multi_items(), self._service.limits.longest_wait_seconds)
        job = await self._read(request) if seconds is None else await self._waited(request, seconds, phase)
        return Response(job_document(job, _url(request)), media_type=_XML)

    async def _waited(self, request: Request, seconds: float, phase: str | None) -> Job:
        """The job once its phase has changed, or after so many seconds.

        A job that begins while somebody waits is told of a little later, as done if it is done by then: pyvo sleeps for a second whenever it
        hears of a phase on the way.
        """
        until = time.monotonic() + seconds
        with self._changes.of(_job_id(request)) as changed:
            job = await self._read(request)
            first = phase or job.phase
            began = False
            while job.phase.active and (job.phase == first or began) and (left := until - time.monotonic()) > 0:
                with anyio.move_on_after(left):
                    await changed.wait()
                changed.clear()
                job = await self._read(request)
                if began := not began and job.phase is Phase.EXECUTING and first != Phase.EXECUTING:
                    until = min(until, time.monotonic() + _SHORT_JOB_SECONDS)
        return job

    async def _act(self, request: Request) -> Response:
        pairs, _ = await self._content(request, None)
        actions = [value.upper() for name, value in pairs if name.upper() == "ACTION"]
        await self._read(request)
        if actions == ["DELETE"]:
            return await self._delete(request)
        raise PhaseError("A job itself takes ACTION=DELETE only; send parameters to /parameters, PHASE to /phase.")

    async def _delete(self, request: Request) -> Response:
        job_id = _job_id(request)
        await self._in_thread(self._table.delete, job_id)
        await self._in_thread(self._files.remove, job_id)
        return RedirectResponse(_jobs_url(request), 303)

    async def _set_phase(self, request: Request) -> Response:
        pairs, _ = await self._content(request, None)
        job = await self._read(request)
        asked = _asked_phase(pairs)
        if asked is Phase.QUEUED:
            await self._in_thread(self._table.run, job.job_id)
        elif asked is Phase.ABORTED:
            await self._in_thread(self._table.abort, job.job_id)
        else:
            raise ParameterError(f"PHASE={asked} cannot be asked for; send PHASE=RUN or PHASE=ABORT.")
        return _see(request, job.job_id)

    async def _set_execution_duration(self, request: Request) -> Response:
        pairs, _ = await self._content(request, None)
        job = await self._read(request)
        seconds = whole_number("EXECUTIONDURATION", _one(pairs, "EXECUTIONDURATION"), 0)
        await self._in_thread(self._table.set_execution_duration, job.job_id, seconds)
        return _see(request, job.job_id)

    async def _set_destruction(self, request: Request) -> Response:
        pairs, _ = await self._content(request, None)
        job = await self._read(request)
        destruction = read_time("DESTRUCTION", _one(pairs, "DESTRUCTION"))
        await self._in_thread(self._table.set_destruction, job.job_id, destruction)
        return _see(request, job.job_id)

    async def _parameters(self, request: Request) -> Response:
        return Response(parameters_document(await self._read(request), _url(request)), media_type=_XML)

    async def _add_parameters(self, request: Request) -> Response:
        job = await self._read(request)
        if job.phase is not Phase.PENDING:
            raise PhaseError(f"The job is {job.phase}; it takes parameters only while it is PENDING.")
        incoming = self._files.incoming(job.job_id)
        try:
            pairs, files = await self._content(request, incoming)
            kept = self._files.names(job.job_id, files)
            with anyio.CancelScope(shield=True):
                await self._in_thread(self._table.add_parameters, job.job_id, _parameters_of(pairs), kept)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._in_thread(self._files.remove_incoming, incoming)
            raise
        return _see(request, job.job_id)

    async def _upload(self, request: Request) -> Response:
        """A table that came with the job: what ``parameters`` gives by reference."""
        job = await self._read(request)
        path = self._files.uploads(job).get(request.path_params["part"])
        if path is None:
            raise NoSuchJobError(f"No file came with the job as {request.path_params['part']}.")
        return _JobFile(path, media_type=MEDIA_TYPE, headers={"X-Content-Type-Options": "nosniff"})

    async def _error(self, request: Request) -> Response:
        job = await self._read(request)
        if job.error is None:
            raise NoSuchJobError(f"The job is {job.phase}; it has no error.")
        return Response(error_document(job.error), media_type=MEDIA_TYPE)

    async def _results(self, request: Request) -> Response:
        return Response(results_document(await self._read(request), _url(request)), media_type=_XML)

    async def _result(self, request: Request) -> Response:
        job = await self._read(request)
        path = self._files.result(job)
        if job.phase is not Phase.COMPLETED:
            # astroquery asks for the result of a failed job, and shows what it gets, before it asks for the error.
            raise NoSuchJobError(f"The job is {job.phase}; it has no result{f': {job.error}' if job.error else '.'}")
        # CSV and TSV have no place to say that rows were cut.
        headers = {"Kiel-Rows": str(job.result_rows), "Kiel-Overflow": "true" if job.overflow else "false"}
        response = _JobFile(path, headers=headers)
        response.headers["content-type"] = job.result_type or "application/octet-stream"
        return response

    # --- what they share ------------------------------------------------------------------------------------------------------

    def _text(self, value: Callable[[Job], str]) -> Callable[[Request], object]:
        async def text(request: Request) -> Response:
            return Response(value(await self._read(request)), media_type=_TEXT)

        return text

    async def _read(self, request: Request) -> Job:
        return await self._in_thread(self._table.read, _job_id(request))

    async def _in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        return await self._service.in_thread(work, *arguments)

    async def _content(self, request: Request, folder: Path | None) -> tuple[Pairs, dict[str, Path]]:
        content = await request_content(request, self._service.limits, folder)
        return tuple(content.pairs), content.files

    def _comes_from_client(self, request: Request) -> bool:
        """Whether the address is the client's own: behind a proxy that nobody declared it is the proxy's, which many share."""
        return _client(request) != "" and (self._trusts_proxies or not any(name in request.headers for name in _FORWARDED))


class _JobFile(FileResponse):
    """A file of a job, which may be deleted at any moment: one that is gone before its first byte is not found."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it; NoSuchJobError."""
        try:
            await super().__call__(scope, receive, send)
        except (RuntimeError, FileNotFoundError) as error:
            if Path(self.path).exists():
                raise
            raise NoSuchJobError("The file is not there any more; the job may have been deleted just now.") from error


def _client(request: Request) -> str:
    """Whose share of the queue a request takes: its address; in IPv6 the network of 64 bits, in which one machine has as many as it likes."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def _job_id(request: Request) -> str:
    job_id: str = request.path_params["job_id"]
    if JOB_ID.fullmatch(job_id) is None:
        raise NoSuchJobError(f"There is no job {job_id}.")
    return job_id


def _url(request: Request) -> str:
    return f"{_jobs_url(request)}/{_job_id(request)}"


def _jobs_url(request: Request) -> str:
    return f"{tap_address(request)}/async"


def _see(request: Request, job_id: str) -> Response:
    return RedirectResponse(f"{_jobs_url(request)}/{job_id}", 303)


def _parameters_of(pairs: Pairs) -> Pairs:
    return tuple((name, value) for name, value in pairs if name.upper() not in _NOT_PARAMETERS)


def _one(pairs: Iterable[tuple[str, str]], name: str) -> str:
    values = [value for given, value in pairs if given.upper() == name]
    if len(values) != 1:
        raise ParameterError(f"{name} must stand once in the request, but stands {len(values)} times.")
    return values[0]


def _asked_phase(pairs: Iterable[tuple[str, str]], *, optional: bool = False) -> str | None:
    """The phase that PHASE=RUN or PHASE=ABORT leads to."""
    if optional and not any(name.upper() == "PHASE" for name, _ in pairs):
        return None
    asked = _one(pairs, "PHASE").strip().upper()
    return {"RUN": Phase.QUEUED, "ABORT": Phase.ABORTED}.get(asked, asked)


def _filters(pairs: Iterable[tuple[str, str]]) -> tuple[set[Phase] | None, datetime | None, int | None]:
    """PHASE (repeatable), AFTER and LAST of a list (UWS 1.1 section 2.2.2.1); where one of the others is repeated, the narrower counts."""
    phases: set[Phase] = set()
    after: datetime | None = None
    last: int | None = None
    for name, value in pairs:
        match name.upper():
            case "PHASE" if value.strip():
                try:
                    phases.add(Phase(value.strip().upper()))
                except ValueError as error:
                    raise ParameterError(f"PHASE={value} is no phase; the phases are {', '.join(Phase)}.") from error
            case "AFTER":
                time = read_time("AFTER", value)
                after = time if after is None else max(after, time)
            case "LAST":
                number = whole_number("LAST", value, 1)
                last = number if last is None else min(last, number)
    return phases or None, after, last


def _wait(pairs: Iterable[tuple[str, str]], longest: float) -> tuple[float | None, str | None]:
    """For how long a request for a job may be held, None for not at all, and the phase that the client knows (section 2.2.1.1)."""
    seconds: float | None = None
    phase: str | None = None
    for name, value in pairs:
        if name.upper() == "WAIT":
            asked = whole_number("WAIT", value)
            asked_seconds = min(float(asked), longest) if asked >= 0 else longest
            seconds = asked_seconds if seconds is None else min(seconds, asked_seconds)
        elif name.upper() == "PHASE":
            phase = value.strip().upper()
    return seconds, phase
