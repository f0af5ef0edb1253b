"""VOTable 1.4 documents as a stream: a header written by hand, BINARY2, BINARY or TABLEDATA rows, a trailer that says how it ended.

The first INFO says QUERY_STATUS OK, as DALI 1.1 section 4.4 wants it before the TABLE; that rows were cut (OVERFLOW) or that
the query broke on its way (ERROR) is known only at the end and stands in a second INFO after the TABLE.
"""

import binascii
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import pyarrow.compute as pc

from catalog.binary_copy import RawBlock
from tap_service.results.binary2 import Binary2Rows
from tap_service.results.field_types import NULL_INTEGERS, Field
from tap_service.results.service_descriptor import SKY_SYSTEM, TIME_SYSTEM, descriptors, field_id
from tap_service.results.text_columns import columns, text
from tap_service.results.xml_text import NOT_XML, attribute, content

MEDIA_TYPE = "application/x-votable+xml"
_DOCUMENT = """<?xml version="1.0" encoding="UTF-8"?>
<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">
<RESOURCE type="results">
"""
_RESULTS_END = "</RESOURCE>\n"
_DOCUMENT_END = "</VOTABLE>\n"
_SKY = ("pos.eq", "pos.outline", "POS_EQ_", "pos.pm", "pos.parallax", "spect.dopplerVeloc")
"""UCDs whose values belong to the coordinate system."""


@dataclass(frozen=True)
class Info:
    """An INFO element of the document."""

    name: str
    value: str
    text: str = ""
    ucd: str | None = None

    def xml(self) -> str:
        """The element."""
        ucd = f" ucd={attribute(self.ucd)}" if self.ucd else ""
        head = f"<INFO name={attribute(self.name)} value={attribute(self.value)}{ucd}"
        return f"{head}>{content(self.text)}</INFO>\n" if self.text else f"{head}/>\n"


def error_document(message: str, infos: Iterable[Info] = ()) -> bytes:
    """The document that a failed query ends in (DALI 1.1 section 4.2): an INFO with the message and no TABLE."""
    said = "".join(info.xml() for info in (Info("QUERY_STATUS", "ERROR", message), *infos))
    return (_DOCUMENT + said + _RESULTS_END + _DOCUMENT_END).encode()


class Serialization(Protocol):
    """The part of the document inside DATA."""

    opening: str
    closing: str
    nulls: Mapping[str, str]
    """Datatypes whose nulls need a number of their own, and that number."""

    def rows(self, block: RawBlock) -> bytes:
        """The rows of a block."""

    def rest(self) -> bytes:
        """What waits for more rows."""


class Binary2Data:
    """BINARY2 rows in base64; what does not fill three bytes waits for the next block."""

    opening = '<DATA><BINARY2><STREAM encoding="base64">\n'
    closing = "</STREAM></BINARY2></DATA>\n"
    nulls: Mapping[str, str] = {}
    _masked = True

    def __init__(self, fields: tuple[Field, ...]) -> None:
        self._binary2 = Binary2Rows(fields, masked=self._masked)
        self._waiting = b""

    def rows(self, block: RawBlock) -> bytes:
        """The block's part of the stream."""
        data = self._waiting + self._binary2.rows(block)
        whole = len(data) - len(data) % 3
        self._waiting = data[whole:]
        return binascii.b2a_base64(memoryview(data)[:whole]) if whole else b""

    def rest(self) -> bytes:
        """The last one or two bytes with their padding."""
        return binascii.b2a_base64(self._waiting) if self._waiting else b""


class BinaryData(Binary2Data):
    """BINARY rows in base64 (VOTable 1.4 section 5.3), for readers that know no BINARY2."""

    opening = '<DATA><BINARY><STREAM encoding="base64">\n'
    closing = "</STREAM></BINARY></DATA>\n"
    nulls: Mapping[str, str] = {datatype: str(int.from_bytes(value, "big", signed=True)) for datatype, value in NULL_INTEGERS.items()}
    _masked = False


class TableData:
    """Rows as TR and TD elements (VOTable 1.4 section 5.1)."""

    opening = "<DATA><TABLEDATA>\n"
    closing = "</TABLEDATA></DATA>\n"
    nulls: Mapping[str, str] = {}

    def __init__(self, fields: tuple[Field, ...]) -> None:
        self._fields = fields

    def rows(self, block: RawBlock) -> bytes:
        """The block's rows, one a line."""
        if not len(block.row_lengths):
            return b""
        cells = []
        for field, column in zip(self._fields, columns(self._fields, block, ascii_only=True), strict=True):
            if field.arraysize is not None and field.length is not None and field.datatype in ("float", "double"):
                # An array of fixed length has no empty form: its null is an array of NaN, as in BINARY2.
                column = pc.fill_null(column, " ".join(["NaN"] * field.length))
            strings = text(column)
            if field.datatype in ("char", "unicodeChar"):
                for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\r", "&#13;")):
                    strings = pc.replace_substring(strings, character, entity)
            cells.append(strings)
        rows = pc.binary_join_element_wise(*cells, "</TD><TD>").to_pylist()
        return ("<TR><TD>" + "</TD></TR>\n<TR><TD>".join(rows).translate(NOT_XML) + "</TD></TR>\n").encode()

    def rest(self) -> bytes:
        """Nothing waits."""
        return b""


class VOTable:
    """A VOTable document of one result; ``links`` is the address of the DataLink service that columns of sources are described with."""

    def __init__(
        self, fields: tuple[Field, ...], infos: Iterable[Info], data: Serialization, epoch: float | None = None, links: str | None = None
    ) -> None:
        self._fields = fields
        self._infos = tuple(infos)
        self._data = data
        self._epoch = epoch
        self._links = links

    def begin(self) -> bytes:
        """Everything before the first row."""
        parts = [_DOCUMENT, *(info.xml() for info in (Info("QUERY_STATUS", "OK"), *self._infos))]
        if any(_system(field) == SKY_SYSTEM for field in self._fields):
            epoch = f' epoch="J{self._epoch:.1f}"' if self._epoch is not None else ""
            parts.append(f'<COOSYS ID="{SKY_SYSTEM}" system="ICRS"{epoch}/>\n')
        if any(_system(field) == TIME_SYSTEM for field in self._fields):
            parts.append(f'<TIMESYS ID="{TIME_SYSTEM}" timescale="UTC" refposition="TOPOCENTER"/>\n')
        parts += ["<TABLE>\n", *self._declared(), self._data.opening]
        return "".join(parts).encode()

    def rows(self, block: RawBlock) -> bytes:
        """The rows of a block."""
        return self._data.rows(block)

    def end(self, overflow: bool) -> bytes:
        """Everything after the last row; ``overflow``: there were more rows than the limit let through (DALI 1.1 section 4.4.1)."""
        return self._close(Info("QUERY_STATUS", "OVERFLOW") if overflow else None)

    def fail(self, message: str) -> bytes | None:
        """The end of a document whose query broke on its way: the rows so far, then why."""
        return self._close(Info("QUERY_STATUS", "ERROR", message))

    def _close(self, status: Info | None) -> bytes:
        described = descriptors(self._fields, self._links) if self._links else ""
        trailer = self._data.closing + "</TABLE>\n" + (status.xml() if status else "") + _RESULTS_END + described + _DOCUMENT_END
        return self._data.rest() + trailer.encode()

    def _declared(self) -> Iterator[str]:
        for number, field in enumerate(self._fields):
            yield _field(field, self._data.nulls, field_id(self._fields, number) if self._links else None)


def _system(field: Field) -> str | None:
    """The ID of the coordinate system of positions and motions, or of times, that the values are in; None for anything else."""
    if field.xtype == "timestamp":
        return TIME_SYSTEM
    return SKY_SYSTEM if field.ucd is not None and field.ucd.startswith(_SKY) else None


def _field(field: Field, nulls: Mapping[str, str], identifier: str | None) -> str:
    """The FIELD element; attributes that are None are absent, never empty."""
    attributes = {
        "ID": identifier,
        "name": field.name,
        "datatype": field.datatype,
        # One element is written without an arraysize (VOTable 1.3, erratum 3).
        "arraysize": None if field.arraysize == "1" else field.arraysize,
        "xtype": field.xtype,
        "unit": field.unit,
        "ucd": field.ucd,
        "utype": field.utype,
        "ref": _system(field),
    }
    head = "<FIELD " + " ".join(f"{name}={attribute(value)}" for name, value in attributes.items() if value is not None)
    inside = f"<DESCRIPTION>{content(field.description)}</DESCRIPTION>\n" if field.description else ""
    if field.arraysize is None and field.datatype in nulls:
        inside += f'<VALUES null="{nulls[field.datatype]}"/>\n'
    return f"{head}>\n{inside}</FIELD>\n" if inside else f"{head}/>\n"
