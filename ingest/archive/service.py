"""One question to a TAP service (IVOA TAP 1.1, through pyvo): a whole answer in a file, or why there is none.

A truncated answer is never taken: QUERY_STATUS is read at the end of the document (DALI 1.1 section 4.4.1), as many rows as a limit allows
count as too many, and what is no whole VOTable is asked for again. Where the service has asynchronous jobs (UWS 1.1) they take what is too
large or too slow for a synchronous query.
"""

import hashlib
import io
import os
import re
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast
from urllib.parse import urlsplit

import pyvo
import requests
import urllib3
from astropy.io import votable
from astropy.io.votable.tree import VOTableFile
from pyvo.dal.exceptions import DALAccessError, DALFormatError, DALQueryError, DALRateLimitError, DALServiceError
from pyvo.dal.tap import AsyncTAPJob, TAPQuery, TAPResults

from catalog.errors import DataError, TransientError, UsageError
from catalog.version import VERSION
from ingest.archive.politeness import PassingError
from ingest.archive.query_set import ArchiveQuery

USER_AGENT = f"kiel/{VERSION} pyvo/{pyvo.__version__} (IVOA-copy)"
"""As the IVOA note on software identification asks; "copy" says that holdings are being mirrored."""

_CONNECT_SECONDS = 20.0
_BLOCK = 1 << 16
_ERROR_BYTES = 1 << 20
_PASSING = {408, 425, 429}
_TOO_SLOW = re.compile(r"time[ -]?out|timed out|time limit|took too long|took longer|execution ?duration|statement timeout", re.IGNORECASE)
_ABSENT = {404, 405, 410, 501}
_POLL_SECONDS = (0.5, 30.0)


_Taken = TypeVar("_Taken")


class TooLargeError(Exception):
    """An answer that the service cannot give as a whole: it was cut at a limit of rows, or took longer than it may."""

    def __init__(self, words: str, *, overflow: bool) -> None:
        super().__init__(words)
        self.overflow = overflow


class RefusedError(DataError):
    """The service says that the question is wrong: asking again changes nothing."""


@dataclass(frozen=True)
class Answer:
    """A whole answer in a file."""

    path: Path
    sha256: str
    rows: int
    seconds: float


class _Session(requests.Session):
    """A session that never waits for ever, and says who it is."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds
        self.headers["User-Agent"] = USER_AGENT

    def request(self, *words: Any, **how: Any) -> requests.Response:
        how["timeout"] = (_CONNECT_SECONDS, self.seconds)
        return super().request(*words, **how)


class ArchiveService:
    """A TAP service, as far as its own descriptions tell. ``rows`` is the most that one question asks for."""

    def __init__(self, url: str, *, rows: int, seconds: float = 600.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise UsageError(f"{url} is no address of a TAP service; give one such as https://archive.example/tap")
        self.url = url.rstrip("/")
        self.rows = rows
        self.has_jobs = False
        self.stopping = threading.Event()
        self._limits: tuple[int, ...] = ()
        self._session = _Session(seconds)
        self._sync_width: int | None = None
        self._has_only_jobs = False

    def learn(self) -> None:
        """Read the service's limits, and whether it has asynchronous jobs. PassingError, or RefusedError where there is no TAP service."""
        limits = []
        with _told():
            tap = pyvo.dal.TAPService(self.url, session=self._session)
            self._check_that_it_is_one(tap)
            for name in ("maxrec", "hardlimit"):
                with suppress(DALServiceError):  # the service does not tell it
                    limits.append(int(getattr(tap, name)))
            with self._session.get(f"{self.url}/async", stream=True) as jobs:
                if jobs.status_code >= 500 and jobs.status_code not in _ABSENT:
                    raise _judged(jobs)
                self.has_jobs = jobs.status_code not in _ABSENT
        hard = limits[-1] if len(limits) == 2 else None
        if hard is not None:
            self.rows = min(self.rows, hard)
        self._limits = tuple(limits)

    def _check_that_it_is_one(self, tap: pyvo.dal.TAPService) -> None:
        """RefusedError where the address is none of a TAP service."""
        told = f"{self.url} describes no TAP service; give the address that /sync belongs to"
        try:
            _ = tap.capabilities  # reads the document
        except DALServiceError as error:  # in which pyvo keeps no status
            with self._session.get(f"{self.url}/capabilities", stream=True) as response:
                if response.status_code in _ABSENT:
                    raise RefusedError(told) from error
                if response.status_code >= 400:
                    raise _judged(response) from error
            raise
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError):
            raise
        except Exception as error:  # a page for people in its place
            raise RefusedError(f"{told} ({_line(error)})") from error
        try:
            tap.get_tap_capability()
        except DALServiceError as error:
            raise RefusedError(told) from error

    def number(self, query: str) -> int | None:
        """The one number that a query gives; None where it gives no row, or null. PassingError, TooLargeError, RefusedError."""
        with _told():
            results = self._at_once(query, _whole, None)
        values = results.resultstable.array
        if len(values) == 0 or bool(values.mask[0][0]):
            return None
        return int(values[0][0])

    def save(self, query: ArchiveQuery, first: int, last: int, path: Path) -> Answer:
        """The whole answer for a range, as a VOTable file at ``path``. PassingError, TooLargeError, RefusedError where there is none."""
        begun = time.monotonic()
        text, width = query.of_range(first, last), last - first
        part = path.with_name(path.name + ".part")

        def kept(response: requests.Response) -> tuple[str, int]:
            return self._kept(response, part, query.columns)

        try:
            with _told():
                if self.has_jobs and self._sync_width is not None and width > self._sync_width:
                    sha256, rows = self._by_job(text, kept, self.rows)
                else:
                    try:
                        sha256, rows = self._at_once(text, kept, self.rows)
                    except TooLargeError:
                        if not self.has_jobs or self._has_only_jobs:
                            raise
                        self._sync_width = width // 2
                        sha256, rows = self._by_job(text, kept, self.rows)
            part.replace(path)
            _sync_folder(path.parent)
        finally:
            part.unlink(missing_ok=True)
        return Answer(path, sha256, rows, time.monotonic() - begun)

    def _at_once(self, text: str, take: Callable[[requests.Response], _Taken], maxrec: int | None) -> _Taken:
        """A synchronous query; a job where the service has no others."""
        if not self._has_only_jobs:
            with closing(TAPQuery(self.url, text, maxrec=maxrec, session=self._session).submit()) as response:
                if not (self.has_jobs and response.status_code in _ABSENT):
                    return take(response)
            self._has_only_jobs = True
        return self._by_job(text, take, maxrec)

    def _by_job(self, text: str, take: Callable[[requests.Response], _Taken], maxrec: int | None) -> _Taken:
        """An asynchronous job: made, run, awaited, taken over and deleted; aborted when we are told to stop."""
        job = AsyncTAPJob.create(self.url, text, maxrec=maxrec, session=self._session)
        try:
            job.run()
            wait = _POLL_SECONDS[0]
            while (phase := job.phase) not in ("COMPLETED", "ERROR", "ABORTED"):
                if self.stopping.wait(wait):
                    job.abort()
                    raise PassingError("the command was interrupted")
                wait = min(wait * 1.5, _POLL_SECONDS[1])
            if phase == "ABORTED":
                raise TooLargeError("the service ended the job before its result was there", overflow=False)
            job.raise_if_error()
            with closing(self._session.get(job.result_uri, stream=True)) as response:
                return take(response)
        finally:
            with suppress(DALAccessError, requests.RequestException):
                job.delete()

    def _kept(self, response: requests.Response, part: Path, columns: tuple[str, ...]) -> tuple[str, int]:
        """The body in a file, once it is a whole answer: its SHA-256 and number of rows."""
        if response.status_code >= 400:
            raise _judged(response)
        state = hashlib.sha256()
        with part.open("wb") as out:
            for block in response.iter_content(_BLOCK):
                if self.stopping.is_set():
                    raise PassingError("the command was interrupted")
                state.update(block)
                out.write(block)
            out.flush()
            os.fsync(out.fileno())
        with part.open("rb") as document:
            results = results_of(document)
        rows, named = len(results), [name.lower() for name in results.fieldnames]
        if lacking := [name for name in columns if name not in named]:
            others = ", ".join(name for name in named if name not in columns) or "no other"
            raise RefusedError(
                f"the answer lacks the columns {', '.join(lacking)}, which the query names, and has {others} in their place: nulls would be loaded"
            )
        # Services that cut without a mark are found out by their declared limits, and in the end by the count.
        if rows >= self.rows or rows in self._limits:
            raise TooLargeError(f"{rows} rows are as many as the service's limit lets through", overflow=True)
        return state.hexdigest(), rows


def _whole(response: requests.Response) -> TAPResults:
    """The result that a response brings."""
    if response.status_code >= 400:
        raise _judged(response)
    return results_of(io.BytesIO(response.content))


def results_of(document: BinaryIO) -> TAPResults:
    """A VOTable's result. TooLargeError when it was cut; RefusedError when it holds an error; PassingError when it is not whole."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # archives depart from the standard in units and versions
        try:
            parsed = votable.parse(document, verify="ignore")
        except Exception as error:  # astropy raises whatever the damage leads to
            raise PassingError(f"the answer is no whole VOTable ({_line(error)})") from error
        try:
            results = TAPResults(parsed)
        except DALQueryError as error:
            if _TOO_SLOW.search(words := _line(error)):
                raise TooLargeError(words, overflow=False) from error
            if next(parsed.iter_tables(), None) is not None:
                raise PassingError(f"the answer broke off: {words}") from error
            raise RefusedError(f"the archive refuses the query: {words}") from error
        except DALFormatError as error:
            raise PassingError(f"the answer holds no table ({_line(error)})") from error
    statuses = [status for status in _statuses(parsed) if status != "OK"]
    if "ERROR" in statuses:
        raise PassingError("the answer says both that it is well and that it failed")
    if "OVERFLOW" in statuses:
        raise TooLargeError(f"the service cut the answer after {len(results)} rows", overflow=True)
    return results


def _statuses(document: VOTableFile) -> Iterator[str]:
    """Every QUERY_STATUS of a document, before and after its table; pyvo heeds the last one."""
    for element in (document, *document.resources, *document.iter_tables()):
        yield from (str(info.value).upper() for info in element.infos if info.name.upper() == "QUERY_STATUS")


def _judged(response: requests.Response) -> Exception:
    """Whose fault an HTTP error is."""
    body = b""
    with suppress(urllib3.exceptions.HTTPError, OSError):  # the status says enough
        body = response.raw.read(_ERROR_BYTES, decode_content=True) or b""
    words = _words(body)
    told = f"HTTP {response.status_code}: {words or response.reason or 'no reason given'}"
    if words and _TOO_SLOW.search(words) and response.status_code != 429:
        return TooLargeError(told, overflow=False)
    if response.status_code >= 500 or response.status_code in _PASSING:
        wait = DALRateLimitError.from_response(response).retry_after_seconds
        return PassingError(told, wait, slow=response.status_code in (408, 504))
    if response.status_code in _ABSENT:
        return RefusedError(f"{response.url} is not there ({told}); give the address that /sync belongs to")
    return RefusedError(f"the archive refuses the query: {told}")


def _words(body: bytes) -> str | None:
    """What a VOTable error document says; None where the body is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            TAPResults(votable.parse(io.BytesIO(body), verify="ignore"))
        except DALQueryError as error:
            return _line(error)
        except Exception:  # a page for people, or nothing
            return None
    return None


@contextmanager
def _told() -> Iterator[None]:
    """What pyvo, requests and urllib3 raise, by whose fault it is."""
    try:
        yield
    except DALServiceError as error:
        response = getattr(error.cause, "response", None)
        if response is not None:
            raise _judged(cast(requests.Response, response)) from error
        raise PassingError(_line(error), slow=isinstance(error.cause, requests.Timeout)) from error
    except DALQueryError as error:  # the error summary of a job
        if _TOO_SLOW.search(words := _line(error)):
            raise TooLargeError(words, overflow=False) from error
        raise RefusedError(f"the archive refuses the query: {words}") from error
    except DALAccessError as error:
        raise PassingError(_line(error)) from error
    except requests.Timeout as error:
        raise PassingError(f"no answer in time ({_line(error)})", slow=True) from error
    except (requests.RequestException, urllib3.exceptions.HTTPError, ConnectionError) as error:
        raise PassingError(f"the connection was lost ({_line(error)})") from error
    except OSError as error:
        raise TransientError(f"the answer could not be written ({error}); make room, then repeat the command") from error


def _line(error: BaseException) -> str:
    """The error in one line."""
    return " ".join(str(error).split())[:500] or type(error).__name__


def _sync_folder(folder: Path) -> None:
    """Make the names in a folder last, as fsync made the bytes."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
