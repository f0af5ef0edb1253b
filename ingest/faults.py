"""Whose fault it is: what the system and the database raise while files are read and loaded, told as the file's or as a passing fault."""

import errno
import gzip
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from catalog.errors import DataError, TransientError
from ingest.source_file import BROKEN_STREAM

_LIMITS = (
    psycopg.errors.InsufficientResources, psycopg.errors.OutOfMemory, psycopg.errors.TooManyConnections,
    psycopg.errors.ConfigurationLimitExceeded,
)  # fmt: skip
_PASSING = {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM}


def cause_in_words(error: Exception) -> str:
    """The first line of what was said."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


@contextmanager
def told_as_transient() -> Iterator[None]:
    """A database that goes away, stops, or lacks space is a passing fault: nothing is half done, and the command can be repeated."""
    try:
        yield
    except psycopg.errors.DiskFull as error:
        raise TransientError(
            f"the disk of PostgreSQL is full ({cause_in_words(error)}). Nothing is half loaded and the files wait: make room there, then repeat "
            "the command."
        ) from error
    except _LIMITS as error:
        raise TransientError(
            f"PostgreSQL has come to one of its limits ({cause_in_words(error)}). Nothing is half loaded and the files wait: raise the limit or "
            "take fewer workers, then repeat the command."
        ) from error
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise TransientError(
            f"the database stopped answering while files were being loaded ({cause_in_words(error)}). Nothing is half loaded: repeat the command."
        ) from error


@contextmanager
def file_faults(name: str) -> Iterator[None]:
    """A file that the system does not let us read is the file's fault; a full disk is not."""
    try:
        yield
    except BROKEN_STREAM as error:
        raise DataError(f"{name} is damaged ({error}); fetch it again") from error
    except (zipfile.BadZipFile, gzip.BadGzipFile, EOFError) as error:
        raise DataError(f"{name} is damaged or truncated ({error}); fetch it again") from error
    except OSError as error:
        if error.errno in _PASSING:
            raise TransientError(f"{name} could not be read just now ({error.strerror}); repeat the command later") from error
        raise DataError(f"{name} cannot be read ({error.strerror or error}); correct that and add it again with --retry") from error
