"""Every range of the queries that are wanted, one question after the other, whatever breaks on the way.

What is fetched is not fetched again. A range whose answer would not fit is split in two, a fault that passes is waited for, a query that the
service refuses ends with the service's words while the others go on. In the end the archive is asked how many rows there are, which must be
as many as were received.
"""

import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import psycopg

from catalog.database import Database, Role
from catalog.errors import DataError
from catalog.releases import SIMULATED_SOLUTION_ID, DataRelease, release_named
from ingest.archive import range_ledger
from ingest.archive.options import FetchOptions
from ingest.archive.politeness import PassingError, Politeness
from ingest.archive.query_set import ARCHIVE_SCHEMAS, ArchiveQuery, queries_of
from ingest.archive.range_ledger import KnownQuery, KnownRange
from ingest.archive.service import Answer, ArchiveService, TooLargeError
from ingest.faults import told_as_transient
from ingest.source_file import SIMULATED_SKY

Said = Callable[[Mapping[str, object]], None]
"""Is told of each step as words by their names."""
_Found = TypeVar("_Found")


@dataclass(frozen=True)
class FetchedQuery:
    """A query at the end of a command: its files, the rows in them, and what the archive counts (None where it did not come to that)."""

    name: str
    product: str
    files: tuple[Path, ...]
    rows: int
    counted: int | None
    trouble: str | None = None


def fetch_queries(database: Database, release: str, options: FetchOptions, said: Said) -> tuple[FetchedQuery, ...]:
    """Fetch every query of the set into files under ``options.into``; those that were fetched earlier are only named.

    UsageError for a set, query or schema that does not exist, before anything is asked; DataError where the archive's stars are simulated and
    the release is not, or another way round; TransientError when nothing has worked for ``options.give_up_after`` seconds.
    """
    queries = [query.in_schemas(options.schemas) for query in queries_of(options.query_set, options.only)]
    service = ArchiveService(options.url, rows=options.rows)
    politeness = Politeness(options.pause, options.give_up_after)
    with database.connect(Role.WORKER, autocommit=True) as connection, told_as_transient():
        data_release = release_named(connection, release)
        patiently(service.learn, politeness, said)
        folder = _folder(options, data_release, _are_simulated(service, options, politeness, said))
        found = []
        for query in queries:
            try:
                found.append(_Fetch(connection, data_release, service, politeness, options, query, folder, said).run())
            except DataError as error:
                found.append(FetchedQuery(query.name, query.product, (), 0, None, f"{query.name}: {error}"))
    return tuple(found)


def patiently(ask: Callable[[], _Found], politeness: Politeness, said: Said) -> _Found:
    """The answer to a question, asked again after faults that pass."""
    while True:
        try:
            found = ask()
        except PassingError as fault:
            seconds = politeness.failed(fault)
            said({"step": "waiting", "seconds": f"{seconds:.1f}", "reason": str(fault)})
            time.sleep(seconds)
        else:
            time.sleep(politeness.worked())
            return found


def _are_simulated(service: ArchiveService, options: FetchOptions, politeness: Politeness, said: Said) -> bool:
    """Whether the archive's stars are those of `kiel sky make`, by the solution_id that all of them carry."""
    schema = {**ARCHIVE_SCHEMAS, **options.schemas}["gaia"]
    solution = patiently(lambda: service.number(f"SELECT TOP 1 solution_id FROM {schema}.gaia_source"), politeness, said)  # noqa: S608 - a checked name
    return solution == SIMULATED_SOLUTION_ID


def _folder(options: FetchOptions, release: DataRelease, simulated: bool) -> Path:
    """Where the files go; DataError where simulated and real stars would meet. A folder of simulated stars says so, as that of a sky does."""
    if simulated and not release.simulated:
        raise DataError(f"the stars of {options.url} are simulated, and {release.name} is real; fetch them into sim_dr3")
    if release.simulated and not simulated:
        raise DataError(f"{release.name} is simulated, and the stars of {options.url} are not those of `kiel sky make`")
    folder = (options.into / release.name / options.query_set).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if simulated:
            (folder.parent / SIMULATED_SKY).write_text(json.dumps({"fetched_from": options.url}) + "\n")
    except OSError as error:
        raise DataError(f"the folder {folder} cannot be made ({error.strerror}); choose another with --into") from error
    return folder


@dataclass
class _Fetch:
    """One query on its way."""

    connection: psycopg.Connection
    release: DataRelease
    service: ArchiveService
    politeness: Politeness
    options: FetchOptions
    query: ArchiveQuery
    folder: Path
    said: Said
    _slow: set[int] = field(default_factory=set)

    def run(self) -> FetchedQuery:
        """The query to its end, or to what is the trouble with it."""
        options = self.options
        known = range_ledger.known_query(
            self.connection, self.release, self.service.url, options.query_set, self.query, options.span,
            n_ranges=options.n_ranges, restart=options.restart,
        )  # fmt: skip
        with range_ledger.held(self.connection, known):
            trouble, counted = None, known.counted
            try:
                self._fetch_all(known)
            except DataError as error:
                trouble = f"{self.query.name}: {error}"
            ranges = range_ledger.ranges(self.connection, known)
            rows = sum(each.rows or 0 for each in ranges)
            if trouble is None and counted != rows:
                counted = self._count()
                range_ledger.counted(self.connection, known, counted)
                if counted != rows:
                    trouble = (
                        f"{self.query.name}: the archive counts {counted} rows, {rows} were received; its tables may have changed meanwhile: "
                        "fetch the query anew with --restart"
                    )
        paths = [Path(each.file_name) for each in ranges if each.state == "fetched" and each.file_name is not None]
        return FetchedQuery(
            self.query.name, self.query.product, tuple(path for path in paths if path.is_file()), rows, counted, trouble
        )  # fmt: skip

    def _fetch_all(self, known: KnownQuery) -> None:
        """Every range that is not there yet, ``parallel`` at a time."""
        waiting = deque(range_ledger.resume(self.connection, self.release, known))
        running: dict[Future[Answer], KnownRange] = {}
        ready = time.monotonic()
        self.service.stopping.clear()
        with ThreadPoolExecutor(self.options.parallel) as pool:
            try:
                while waiting or running:
                    free = bool(waiting) and len(running) < self.options.parallel
                    left = ready - time.monotonic()
                    if free and left <= 0:
                        asked = waiting.popleft()
                        running[pool.submit(self._ask, known, asked)] = asked
                        ready = time.monotonic() + self.options.pause
                    elif not running:
                        time.sleep(left)
                    for future in wait(running, max(0.0, left) if free else None, FIRST_COMPLETED).done if running else ():
                        seconds = self._take(known, running.pop(future), future, waiting)
                        ready = max(ready, time.monotonic() + seconds)
            except BaseException:
                self.service.stopping.set()
                for future in running:
                    future.cancel()
                raise

    def _ask(self, known: KnownQuery, asked: KnownRange) -> Answer:
        path = self.folder / f"{known.name}_{known.query_id}_{asked.first_id:019d}-{asked.last_id:019d}.vot"
        return self.service.save(self.query, asked.first_id, asked.last_id, path)

    def _take(self, known: KnownQuery, asked: KnownRange, future: Future[Answer], waiting: deque[KnownRange]) -> float:
        """What became of a range goes into the ledger; the wait before the next question."""
        words: dict[str, object] = {"query": known.name, "first": asked.first_id, "last": asked.last_id}
        try:
            answer = future.result()
        except PassingError as fault:
            range_ledger.failed(self.connection, asked, str(fault))
            seconds = self.politeness.failed(fault)
            if fault.slow and asked.range_id in self._slow and asked.first_id < asked.last_id:
                waiting.extendleft(reversed(range_ledger.split(self.connection, known, asked, TooLargeError(str(fault), overflow=False))))
            else:
                waiting.appendleft(asked)
            if fault.slow:
                self._slow.add(asked.range_id)
            self.said({"step": "waiting", **words, "seconds": f"{seconds:.1f}", "reason": str(fault)})
            return seconds
        except TooLargeError as why:
            waiting.extendleft(reversed(range_ledger.split(self.connection, known, asked, why)))
            self.said({"step": "split", **words, "reason": str(why)})
            return self.politeness.worked()
        except DataError as refusal:
            range_ledger.refused(self.connection, asked, str(refusal))
            raise
        range_ledger.fetched(self.connection, asked, answer)
        self.said({"step": "fetched", **words, "rows": answer.rows, "seconds": f"{answer.seconds:.2f}", "left": len(waiting)})
        return self.politeness.worked()

    def _count(self) -> int:
        """How many rows the archive counts; where one count is too slow, that of each half."""
        left, total = [self.options.span], 0
        while left:
            first, last = left.pop()
            try:
                total += patiently(lambda: self.service.number(self.query.counting(first, last)), self.politeness, self.said) or 0  # noqa: B023 - called at once
            except TooLargeError as why:
                if first == last:
                    raise DataError(f"the archive cannot count the rows of the single source_id {first}: {why}") from why
                left += range_ledger.cut(first, last, 2)
        return total
