"""A query's way to its document, block by block: what /sync sends and what a job writes into its result."""

from collections.abc import Iterator
from datetime import UTC, datetime

from catalog.binary_copy import RawBlock
from catalog.version import VERSION
from tap_service.citations import citations
from tap_service.execute import RunningQuery
from tap_service.parameters import QueryParameters
from tap_service.results.field_types import Field
from tap_service.results.formats import ResultWriter
from tap_service.results.votable import Info


class Answer:
    """The document of one query. ``rows`` counts what has left; with the last part, ``ended`` is true and ``query.overflow`` tells whether
    rows were cut."""

    standard = "ivo://ivoa.net/std/TAP"
    """Identifier of what was asked by."""

    def __init__(self, query: RunningQuery, parameters: QueryParameters, *, links: str | None = None) -> None:
        """``links`` is the address of the DataLink service, where the answer shall lead to it."""
        self.query = query
        self.parameters = parameters
        self._links = links
        self.rows = 0
        self.ended = False
        self._writer: ResultWriter | None = None

    def document(self) -> Iterator[bytes]:
        """The document's bytes; blocks. The head comes with the first rows, so a query that fails at once gives nothing before.

        The first block waits for a second one, so that a small result leaves whole and its headers can tell whether it was cut.
        """
        query, parameters = self.query, self.parameters
        query.start(parameters.query, parameters.version, parameters.maxrec, parameters.uploads)
        infos = (
            Info("QUERY", parameters.query),
            Info("standardID", self.standard),
            Info("server_software", f"kiel/{VERSION}"),
            Info("publication", str(query.serial)),
            Info("request_date", datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")),
            *citations(query.fields),
        )
        self._writer = writer = parameters.format.writer(self.fields(), infos, query.epoch, self._links)
        blocks = query.blocks()
        part = writer.begin() + self._written(next(blocks, None))
        second = next(blocks, None)
        if second is not None:
            yield part
            yield self._written(second)
            yield from map(self._written, blocks)
            part = b""
        self.ended = True
        yield part + writer.end(query.overflow)

    def fields(self) -> tuple[Field, ...]:
        """The columns as the document declares them, once the query has started."""
        return self.query.fields

    def _written(self, block: RawBlock | None) -> bytes:
        """A block as the document has it; nothing where there is none."""
        if block is None or self._writer is None:
            return b""
        self.rows += len(block.row_lengths)
        return self._writer.rows(block)

    def failure(self, message: str) -> bytes | None:
        """How the document that has begun says that it broke; None where it cannot."""
        return self._writer.fail(message) if self._writer else None
