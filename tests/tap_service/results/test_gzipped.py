"""A document in gzip unpacks to the document, whole or broken."""

import gzip

from tap_service.results.delimited import Csv
from tap_service.results.field_types import Field
from tap_service.results.gzipped import Gzipped
from tap_service.results.votable import TableData, VOTable

FIELDS = (Field("x", "long", None, None, None, None, None, None),)


def test_it_unpacks_to_the_document() -> None:
    for overflow in (False, True):
        writer, plain = Gzipped(VOTable(FIELDS, (), TableData(FIELDS))), VOTable(FIELDS, (), TableData(FIELDS))
        assert gzip.decompress(writer.begin() + writer.end(overflow)) == plain.begin() + plain.end(overflow)


def test_a_document_that_broke_unpacks_to_its_reason() -> None:
    writer = Gzipped(VOTable(FIELDS, (), TableData(FIELDS)))
    assert b">why</INFO>" in gzip.decompress(writer.begin() + (writer.fail("why") or b""))


def test_a_document_that_cannot_say_so_breaks_off() -> None:
    assert Gzipped(Csv(FIELDS)).fail("why") is None
