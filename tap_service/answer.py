"""A query's way to its document, block by block: what /sync sends and what a job writes into its result."""

from collections.abc import Iterator
from datetime import UTC, datetime

from catalog.version import VERSION
from tap_service.execute import RunningQuery
from tap_service.parameters import QueryParameters
from tap_service.results.formats import ResultWriter
from tap_service.results.votable import Info


class Answer:
    """The document of one query. ``rows`` counts what has left; after the last part ``query.overflow`` tells whether rows were cut."""

    def __init__(self, query: RunningQuery, parameters: QueryParameters) -> None:
        self.query = query
        self.parameters = parameters
        self.rows = 0
        self._writer: ResultWriter | None = None

    def document(self) -> Iterator[bytes]:
        """The document's bytes; blocks. The head comes with the first rows, so a query that fails at once gives nothing before."""
        query, parameters = self.query, self.parameters
        query.start(parameters.query, parameters.version, parameters.maxrec, parameters.uploads)
        infos = (
            Info("QUERY", parameters.query),
            Info("standardID", "ivo://ivoa.net/std/TAP"),
            Info("server_software", f"kiel/{VERSION}"),
            Info("publication", str(query.serial)),
            Info("request_date", datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")),
        )
        self._writer = writer = parameters.format.writer(query.fields, infos, query.epoch)
        head = writer.begin()
        for block in query.blocks():
            self.rows += len(block.row_lengths)
            yield head + writer.rows(block)
            head = b""
        yield head + writer.end(query.overflow)

    def failure(self, message: str) -> bytes | None:
        """How the document that has begun says that it broke; None where it cannot."""
        return self._writer.fail(message) if self._writer else None
