"""UWS 1.1 as XML: a job, the list of jobs, parameters and results (section 3). Clients look for the prefix uws: literally."""

from collections.abc import Iterable
from datetime import datetime
from urllib.parse import quote

from tap_service.jobs.job import Job, JobEntry, Phase, uws_time
from tap_service.results.xml_text import attribute, content

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_NAMESPACES = (
    'xmlns:uws="http://www.ivoa.net/xml/UWS/v1.0" xmlns:xlink="http://www.w3.org/1999/xlink" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
)


def job_document(job: Job, url: str) -> bytes:
    """The job that lives at ``url``."""
    elements = (
        _element("jobId", job.job_id),
        _element("runId", job.run_id) if job.run_id is not None else "",
        _element("ownerId", None),
        _element("phase", job.phase),
        _element("quote", _time(job.quote)),
        _element("creationTime", _time(job.created)),
        _element("startTime", _time(job.started)),
        _element("endTime", _time(job.ended)),
        _element("executionDuration", str(job.execution_duration)),
        _element("destruction", _time(job.destruction)),
        _parameters(job, url, ""),
        _results(job, url, ""),
        _error_summary(job),
    )
    return f'{_HEAD}<uws:job {_NAMESPACES} version="1.1">\n{"".join(elements)}</uws:job>\n'.encode()


def job_list(jobs: Iterable[JobEntry], url: str) -> bytes:
    """The jobs that live below ``url``."""
    references = "".join(
        f'<uws:jobref id={attribute(job.job_id)} xlink:type="simple" xlink:href={attribute(f"{url}/{job.job_id}")}>\n'
        f"{_element('phase', job.phase)}{_element('runId', job.run_id) if job.run_id is not None else ''}{_element('ownerId', None)}"
        f"{_element('creationTime', _time(job.created))}</uws:jobref>\n"
        for job in jobs
    )
    return f'{_HEAD}<uws:jobs {_NAMESPACES} version="1.1">\n{references}</uws:jobs>\n'.encode()


def parameters_document(job: Job, url: str) -> bytes:
    """The parameters of the job that lives at ``url``."""
    return (_HEAD + _parameters(job, url, f" {_NAMESPACES}")).encode()


def results_document(job: Job, url: str) -> bytes:
    """The results of the job that lives at ``url``."""
    return (_HEAD + _results(job, url, f" {_NAMESPACES}")).encode()


def _parameters(job: Job, url: str, namespaces: str) -> str:
    """Each name once: uploads that were added one by one stand in one value, as TAP 1.0 wrote them; their files by reference."""
    values: dict[str, list[str]] = {}
    for name, value in job.parameters:
        values.setdefault(name.upper() if name.upper() == "UPLOAD" else name, []).append(value)
    shown = "".join(
        f"<uws:parameter id={attribute(name)}>{content(value)}</uws:parameter>\n"
        for name, given in values.items()
        for value in ([";".join(given)] if name == "UPLOAD" else given)
    )
    files = "".join(
        f'<uws:parameter id={attribute(part)} byReference="true">{content(_file_address(url, part))}</uws:parameter>\n'
        for part in job.files
    )
    return f"<uws:parameters{namespaces}>\n{shown}{files}</uws:parameters>\n"


def _file_address(url: str, part: str) -> str:
    """Where a part's file is; slashes are coded too, since clients take /../ out of an address."""
    return f"{url}/parameters/{quote(part, safe='')}"


def _results(job: Job, url: str, namespaces: str) -> str:
    result = ""
    if job.phase is Phase.COMPLETED:
        result = (
            f'<uws:result id="result" xlink:type="simple" xlink:href={attribute(f"{url}/results/result")} '
            f'mime-type={attribute(job.result_type or "")} size="{job.result_bytes}"/>\n'
        )
    return f"<uws:results{namespaces}>\n{result}</uws:results>\n"


def _error_summary(job: Job) -> str:
    if job.error is None:
        return ""
    kind = "transient" if job.transient else "fatal"
    return f'<uws:errorSummary type="{kind}" hasDetail="true">\n{_element("message", job.error)}</uws:errorSummary>\n'


def _element(name: str, text: str | None) -> str:
    if text is None:
        return f'<uws:{name} xsi:nil="true"/>\n'
    return f"<uws:{name}>{content(text)}</uws:{name}>\n"


def _time(time: datetime | None) -> str | None:
    return None if time is None else uws_time(time)
