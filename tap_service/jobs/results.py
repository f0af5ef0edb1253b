"""The files of jobs: one folder a job, with the tables that came with it and its result.

A result is written under another name, brought to the disk, and renamed; only then the job is COMPLETED. So a result that is there is
whole. Its name has the attempt's number: a worker that was taken for dead writes beside the one that took over.
"""

import logging
import os
import secrets
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path

from catalog.errors import UsageError
from tap_service.errors import TapError
from tap_service.jobs.job import JOB_ID, Job

log = logging.getLogger(__name__)

_ORPHAN_SECONDS = 3600
"""Folders without a job that are younger may belong to a job that is just being created."""


class StorageError(TapError):
    """A file of a job cannot be written or read: our fault, and it may pass."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    retry_after = 60


class JobFiles:
    """Folders of jobs below one folder, readable by the service's account only. All methods block."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def prepare(self) -> None:
        """Make the folder; UsageError if it cannot be written, so that nobody starts a service in vain."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.folder.chmod(0o700)
            probe = self.folder / f".writable-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise UsageError(f"Results of jobs cannot be written to {self.folder} ({error.strerror}); set KIEL_TAP_RESULTS.") from error

    def of(self, job_id: str) -> Path:
        """The folder of a job."""
        assert JOB_ID.fullmatch(job_id), job_id
        return self.folder / job_id

    def result(self, job: Job) -> Path:
        """Where the result of a COMPLETED job lies."""
        return self.of(job.job_id) / f"result-{job.attempt}"

    def write_result(self, job: Job, document: Iterable[bytes]) -> int:
        """The document as the job's result, on the disk whole or not at all; its size in bytes. StorageError."""
        path = self.result(job)
        part = path.with_suffix(".part")
        with _storing("write the result"):
            self.of(job.job_id).mkdir(mode=0o700, parents=True, exist_ok=True)
            # What workers that died left; never a later attempt's: this one may be the one that was taken for dead.
            for attempt in range(1, job.attempt):
                for left in (f"result-{attempt}", f"result-{attempt}.part"):
                    (path.parent / left).unlink(missing_ok=True)
            file = part.open("wb")
        try:
            for chunk in document:
                with _storing("write the result"):
                    file.write(chunk)
            with _storing("write the result"):
                size = file.tell()
                file.flush()
                os.fsync(file.fileno())
                part.replace(path)
                _folder_to_disk(path.parent)
        finally:
            with suppress(OSError):  # what could not be written was told before
                file.close()
            with suppress(OSError):
                part.unlink(missing_ok=True)
        return size

    def remove_result(self, job: Job) -> None:
        """The result of an attempt that the job no longer waits for goes; the folder too, if nothing else is in it."""
        with suppress(OSError):
            self.result(job).unlink(missing_ok=True)

    def incoming(self, job_id: str) -> Path:
        """A name for a folder of the job that is not there yet: for the files that come with one request."""
        return self.of(job_id) / f"upload-{secrets.token_hex(4)}"

    def remove_incoming(self, folder: Path) -> None:
        """Such a folder goes, if it came to be."""
        shutil.rmtree(folder, onerror=_told)

    def names(self, job_id: str, files: Mapping[str, Path]) -> dict[str, str]:
        """Files of the job's folder by their places in it, as its row keeps them."""
        return {part: str(path.relative_to(self.of(job_id))) for part, path in files.items()}

    def uploads(self, job: Job) -> dict[str, Path]:
        """The files that came with the job, by the names of their parts."""
        return {part: self.of(job.job_id) / name for part, name in job.files.items()}

    def remove(self, job_id: str) -> None:
        """Everything of a job goes. What cannot be removed is told in the log, and goes another time as an orphan."""
        shutil.rmtree(self.of(job_id), onerror=_told)

    def remove_orphans(self, known: Callable[[Collection[str]], set[str]]) -> int:
        """Folders without a job go; their number. ``known`` tells which names are jobs."""
        old = time.time() - _ORPHAN_SECONDS
        try:
            names = [entry.name for entry in os.scandir(self.folder) if JOB_ID.fullmatch(entry.name) and entry.stat().st_mtime < old]
        except FileNotFoundError:
            return 0
        except OSError as error:
            log.error("cannot look for folders that belong to no job: %s", error)
            return 0
        orphans = set(names) - known(names)
        for name in orphans:
            self.remove(name)
        return len(orphans)


@contextmanager
def _storing(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        log.error("cannot %s: %s", what, error)
        reason = error.strerror or type(error).__name__
        raise StorageError(f"The service could not {what} ({reason}). This is not your fault; try again in a while.") from error


def _folder_to_disk(folder: Path) -> None:
    """The names in the folder, as the rename left them."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _told(_function: object, path: str, caught: tuple[type[BaseException], BaseException, object]) -> None:
    if not isinstance(caught[1], FileNotFoundError):
        log.warning("cannot remove %s: %s", path, caught[1])
