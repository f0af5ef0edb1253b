"""The ledger of what is fetched: each query that was put to an archive, each range of it, and how far it got.

    planned -> fetched      its whole answer lies in a file, which goes on in the ledger of files (ingest.ledger)
            -> split        its answer would not fit: two other ranges take its place
            -> refused      the service says that the query is wrong; planned again by the next command

A fetcher holds a session advisory lock on its query, so that no two ask the same.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import psycopg
from psycopg.rows import class_row

from catalog.errors import DataError, TransientError
from catalog.releases import DataRelease
from catalog.statements import statement
from ingest.archive.query_set import ArchiveQuery
from ingest.archive.service import Answer, TooLargeError

_LOCK = 0x6B694131
"""The first key of the advisory locks on queries ("kiA1"); the second is query_id."""


@dataclass(frozen=True)
class KnownQuery:
    """A query as the ledger has it."""

    query_id: int
    url: str
    set_name: str
    name: str
    first_id: int
    last_id: int
    text: str
    sha256: str
    counted: int | None


@dataclass(frozen=True)
class KnownRange:
    """A range as the ledger has it."""

    range_id: int
    first_id: int
    last_id: int
    state: str
    rows: int | None
    file_name: str | None
    sha256: str | None


def known_query(
    connection: psycopg.Connection, release: DataRelease, url: str, set_name: str, query: ArchiveQuery, span: tuple[int, int], *,
    n_ranges: int, restart: bool,
) -> KnownQuery:  # fmt: skip
    """The query in the ledger, planned in ``n_ranges`` equal ranges where it is new or ``restart`` forgets what was fetched.

    DataError where it was begun with another text: its answers would not belong together.
    """
    values = {
        "release_id": release.release_id, "url": url, "set_name": set_name, "name": query.name, "first_id": span[0], "last_id": span[1],
        "text": query.text, "sha256": query.sha256,
    }  # fmt: skip
    with connection.transaction():
        connection.execute(statement("add_archive_query"), values)
        found = _query(connection, values)
        if found.sha256 != query.sha256 and not restart:
            raise DataError(
                f"the query {query.name} of {url} was begun with another text (SHA-256 {found.sha256[:12]}, now {query.sha256[:12]}), so that "
                "its answers would not belong together: put the query and its schemas back, or fetch it anew with --restart"
            )
        if restart:
            connection.execute(statement("forget_archive_ranges"), {"query_id": found.query_id})
            connection.execute(statement("renew_archive_query"), {**values, "query_id": found.query_id})
        if not ranges(connection, found):
            for first, last in cut(*span, n_ranges):
                _add_range(connection, found, first, last)
        return _query(connection, values)


def cut(first: int, last: int, n: int) -> list[tuple[int, int]]:
    """The source_ids from first to last in n ranges of equal width, as far as there are so many of them."""
    width = last - first + 1
    n = max(1, min(n, width))
    edges = [first + width * i // n for i in range(n + 1)]
    return [(low, high - 1) for low, high in pairwise(edges)]


def ranges(connection: psycopg.Connection, query: KnownQuery) -> list[KnownRange]:
    """The ranges that tile the query, in order."""
    with connection.cursor(row_factory=class_row(KnownRange)) as cursor:
        return cursor.execute(statement("archive_ranges"), {"query_id": query.query_id}).fetchall()


def resume(connection: psycopg.Connection, release: DataRelease, query: KnownQuery) -> list[KnownRange]:
    """The ranges that must be asked: planned ones, refused ones, and those whose file is gone without having been loaded."""
    for each in ranges(connection, query):
        if each.state == "refused" or (each.state == "fetched" and not _is_kept(connection, release, each)):
            connection.execute(statement("plan_archive_range_again"), {"range_id": each.range_id})
    return [each for each in ranges(connection, query) if each.state == "planned"]


def failed(connection: psycopg.Connection, asked: KnownRange, words: str) -> None:
    """An attempt had no answer; the range stays planned."""
    connection.execute(statement("archive_attempt_failed"), {"range_id": asked.range_id, "error": words})


def fetched(connection: psycopg.Connection, asked: KnownRange, answer: Answer) -> None:
    """The whole answer lies in a file."""
    values = {
        "range_id": asked.range_id,
        "rows": answer.rows,
        "file_name": str(answer.path),
        "sha256": answer.sha256,
        "seconds": answer.seconds,
    }
    connection.execute(statement("archive_range_fetched"), values)


def split(connection: psycopg.Connection, query: KnownQuery, asked: KnownRange, why: TooLargeError) -> list[KnownRange]:
    """Two ranges in place of one whose answer would not fit. DataError for a single source_id."""
    if asked.first_id == asked.last_id:
        refused(connection, asked, str(why))
        raise DataError(f"the archive cannot give the answer for the single source_id {asked.first_id}: {why}")
    values = {"range_id": asked.range_id, "state": "split", "overflow": why.overflow, "error": str(why)}
    with connection.transaction():
        connection.execute(statement("end_archive_range"), values)
        return [_add_range(connection, query, first, last) for first, last in cut(asked.first_id, asked.last_id, 2)]


def refused(connection: psycopg.Connection, asked: KnownRange, words: str) -> None:
    """The service says that the query is wrong."""
    values = {"range_id": asked.range_id, "state": "refused", "overflow": False, "error": words}
    connection.execute(statement("end_archive_range"), values)


def counted(connection: psycopg.Connection, query: KnownQuery, rows: int) -> None:
    """How many rows the archive counts for the whole query."""
    connection.execute(statement("archive_query_counted"), {"query_id": query.query_id, "counted": rows})


@contextmanager
def held(connection: psycopg.Connection, query: KnownQuery) -> Iterator[None]:
    """Hold the query for this session; TransientError while another command fetches it."""
    key = {"class": _LOCK, "query_id": query.query_id}
    row = connection.execute(statement("try_archive_lock"), key).fetchone()
    if row is None or not row[0]:
        raise TransientError(f"another command is fetching the query {query.name} of {query.url}; repeat this one when it has ended")
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute(statement("release_archive_lock"), key)


def _query(connection: psycopg.Connection, values: dict[str, object]) -> KnownQuery:
    with connection.cursor(row_factory=class_row(KnownQuery)) as cursor:
        found = cursor.execute(statement("archive_query"), values).fetchone()
    assert found is not None, values["name"]
    return found


def _add_range(connection: psycopg.Connection, query: KnownQuery, first: int, last: int) -> KnownRange:
    with connection.cursor(row_factory=class_row(KnownRange)) as cursor:
        values = {"query_id": query.query_id, "first_id": first, "last_id": last}
        added = cursor.execute(statement("add_archive_range"), values).fetchone()
    assert added is not None
    return added


def _is_kept(connection: psycopg.Connection, release: DataRelease, known: KnownRange) -> bool:
    """Whether the answer is still to be had: its file is there, or its rows stand in the catalogue."""
    if known.file_name is not None and Path(known.file_name).is_file():
        return True
    row = connection.execute(statement("file_is_loaded"), {"release_id": release.release_id, "sha256": known.sha256}).fetchone()
    return row is not None and bool(row[0])
