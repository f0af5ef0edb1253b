"""Files into the ledger: known by their bytes, whatever their names."""

from collections.abc import Iterable
from pathlib import Path

import psycopg

from catalog.errors import DataError
from catalog.releases import DataRelease
from ingest import ledger
from ingest.faults import file_faults
from ingest.ledger import LedgerFile, Report, Step, Summary
from ingest.manifest import NAME as MANIFEST
from ingest.manifest import Manifest
from ingest.reader import is_known
from ingest.source_file import SourceFile, files_under, source_files


def add_files(
    connection: psycopg.Connection, release: DataRelease, paths: Iterable[Path], *, set_name: str | None, retry: bool, report: Report
) -> Summary:
    """Put every file named by or under ``paths`` into the ledger; the files, how many were new, and which could not be opened.

    Bytes that are known stay as they are, unless ``retry`` plans failed files and those of no product again. A manifest of MD5 sums is no file
    of the ledger: the notes tell what it names and is not there, and loading asks it for each file. UsageError for a path that does not exist,
    before anything is written.
    """
    unreadable: list[str] = []
    found = list(files_under(paths, lambda path, error: unreadable.append(f"{_shown(path)} cannot be read ({error.strerror})")))
    known: dict[str, None] = {}
    added = 0
    notes: list[str] = []
    for number, path in enumerate(found, 1):
        try:
            if path.name == MANIFEST:
                notes += Manifest.read(path).notes()
                continue
            if (shown := _shown(path)) != str(path.absolute()):
                raise DataError(f"the name of {shown} is not UTF-8, so that the ledger cannot hold it; rename the file or its folder")
            with file_faults(shown):
                sources = [(source, source.digest()) for source in source_files(path, is_known)]
        except DataError as error:
            unreadable.append(str(error))
            continue
        for source, (sha256, size, _) in sources:
            name = str(source.path.resolve()) + source.name.removeprefix(str(source.path))
            is_new = ledger.add(connection, release, name, sha256, size, set_name)
            file = ledger.file_of(connection, release, sha256)
            if not is_new and ((retry and file.state in ledger.RETRIED) or (file.state in ledger.PENDING and not _is_there(file))):
                ledger.plan_again(connection, file, name)
                file = ledger.file_of(connection, release, sha256)
            known[sha256] = None
            added += is_new
            report(Step("added" if is_new else "known", file, number, len(found)))
    return Summary(tuple(ledger.file_of(connection, release, sha256) for sha256 in known), added, tuple(unreadable), tuple(notes))


def _shown(path: Path) -> str:
    """The path as text can hold it: bytes of its name that are not UTF-8 as escapes."""
    return str(path.absolute()).encode(errors="backslashreplace").decode()


def _is_there(file: LedgerFile) -> bool:
    try:
        SourceFile.named(file.name)
    except DataError:
        return False
    return True
