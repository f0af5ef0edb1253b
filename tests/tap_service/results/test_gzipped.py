"""A document in gzip unpacks to the document, whole or broken."""

import gzip

from tap_service.results.gzipped import Gzipped


class _Document:
    def begin(self) -> bytes:
        return b"head "

    def rows(self, block: object) -> bytes:
        return b"rows " * 1000

    def end(self, overflow: bool) -> bytes:
        return b"cut" if overflow else b"whole"

    def fail(self, message: str) -> bytes | None:
        return message.encode() or None


def test_it_unpacks_to_the_document() -> None:
    for overflow, last in ((False, b"whole"), (True, b"cut")):
        writer = Gzipped(_Document())
        assert gzip.decompress(writer.begin() + writer.rows(None) + writer.end(overflow)) == b"head " + b"rows " * 1000 + last  # type: ignore[arg-type]


def test_a_document_that_broke_unpacks_to_its_reason() -> None:
    writer = Gzipped(_Document())
    assert gzip.decompress(writer.begin() + (writer.fail("why") or b"")) == b"head why"
    assert Gzipped(_Document()).fail("") is None
