"""A document in gzip (RFC 1952) as a format of its own: what astroquery.gaia asks for by default, and unpacks itself."""

import zlib
from typing import TYPE_CHECKING

from catalog.binary_copy import RawBlock

if TYPE_CHECKING:
    from tap_service.results.formats import ResultWriter

_GZIP = 16 + zlib.MAX_WBITS


class Gzipped:
    """Another writer's document, compressed as it flows; bytes come when enough of it has passed."""

    def __init__(self, writer: "ResultWriter") -> None:
        self._writer = writer
        self._gzip = zlib.compressobj(wbits=_GZIP)

    def begin(self) -> bytes:
        """Everything before the first row, as far as it is compressed."""
        return self._gzip.compress(self._writer.begin())

    def rows(self, block: RawBlock) -> bytes:
        """The rows of a block, as far as they are compressed."""
        return self._gzip.compress(self._writer.rows(block))

    def end(self, overflow: bool) -> bytes:
        """The rest."""
        return self._gzip.compress(self._writer.end(overflow)) + self._gzip.flush()

    def fail(self, message: str) -> bytes | None:
        """The rest of a document that says that it broke; None where the document cannot."""
        said = self._writer.fail(message)
        return None if said is None else self._gzip.compress(said) + self._gzip.flush()
