"""Whose fault it is: what the system and the database raise while files are read and loaded, told as the file's or as a passing fault."""

import errno
import gzip
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from catalog.errors import DataError, TransientError
from ingest.source_file import BROKEN_STREAM

_PASSING = {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM}


@contextmanager
def told_as_transient() -> Iterator[None]:
    """A database that goes away, stops, or lacks space is a passing fault: nothing is half done, and the command can be repeated."""
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        what = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise TransientError(
            f"the database stopped answering while files were being loaded ({what}). Nothing is half loaded: repeat the command."
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
