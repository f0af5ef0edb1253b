"""The table of an answer, decoded cell by cell as VOTable 1.4 sections 5 and 6 say: slow, plain, and with nothing of the service in it."""

import base64
import struct
from typing import Any
from xml.etree import ElementTree

from tests.tap_service.uploads.votable_writer import FORMATS, Column

NAMESPACE = "{http://www.ivoa.net/xml/VOTable/v1.3}"


def read(answer: bytes) -> tuple[list[Column], list[list[Any]]]:
    """The FIELDs and the rows, None where null."""
    table = ElementTree.fromstring(answer).find(f".//{NAMESPACE}TABLE")
    assert table is not None, answer.decode()
    columns = []
    for element in table.iter(f"{NAMESPACE}FIELD"):
        known = {name: element.get(name) for name in ("name", "datatype", "arraysize", "xtype")}
        more = {name: value for name, value in element.items() if name not in known}
        if (description := element.findtext(f"{NAMESPACE}DESCRIPTION")) is not None:
            more["description"] = description
        columns.append(Column(**known, more=more))  # type: ignore[arg-type]
    if (stream := table.find(f".//{NAMESPACE}BINARY2/{NAMESPACE}STREAM")) is not None:
        return columns, list(_binary_rows(columns, base64.b64decode(stream.text or "")))
    rows = [[_cell(column, td.text or "") for column, td in zip(columns, tr, strict=True)] for tr in table.iter(f"{NAMESPACE}TR")]
    return columns, rows


def _binary_rows(columns: list[Column], data: bytes) -> Any:
    at = 0
    while at < len(data):
        mask = "".join(f"{byte:08b}" for byte in data[at : at + (len(columns) + 7) // 8])
        at += (len(columns) + 7) // 8
        row = []
        for column, bit in zip(columns, mask, strict=False):
            count = column.length
            if count is None:
                (count,) = struct.unpack_from(">I", data, at)
                at += 4
            size = _size(column, count)
            assert at + size <= len(data), "the stream ends within a cell"
            cell = _decoded(column, data[at : at + size], count)
            at += size
            row.append(None if bit == "1" else cell)
        yield row


def _size(column: Column, count: int) -> int:
    if column.datatype == "bit":
        return (count + 7) // 8
    widths = {"char": 1, "unicodeChar": 2, "boolean": 1, "floatComplex": 8, "doubleComplex": 16}
    return count * (widths.get(column.datatype) or struct.calcsize(FORMATS[column.datatype]))


def _decoded(column: Column, data: bytes, count: int) -> Any:
    if column.datatype in ("char", "unicodeChar"):
        return data.decode("ascii" if column.datatype == "char" else "utf-16-be").partition("\0")[0]
    if column.datatype == "boolean":
        elements: list[Any] = [{"T": True, "F": False, "?": None, "\0": None}[chr(byte)] for byte in data]
    elif column.datatype == "bit":
        elements = [int(bit) for byte in data for bit in f"{byte:08b}"][:count]
    else:
        form = {"floatComplex": ">f", "doubleComplex": ">d"}.get(column.datatype) or FORMATS[column.datatype]
        elements = [value for (value,) in struct.iter_unpack(form, data)]
    return elements[0] if column.arraysize is None and "Complex" not in column.datatype else elements


def _cell(column: Column, text: str) -> Any:
    if not text:
        return None
    if column.datatype in ("char", "unicodeChar"):
        return text
    words = list(text.replace(" ", "")) if column.datatype == "bit" else text.split()
    if column.datatype == "boolean":
        elements: list[Any] = [
            {"t": True, "true": True, "1": True, "f": False, "false": False, "0": False, "?": None}[word.lower()] for word in words
        ]
    elif column.datatype in ("float", "double", "floatComplex", "doubleComplex"):
        elements = [float(word.replace("Inf", "inf")) for word in words]
        if column.datatype in ("float", "floatComplex"):
            elements = [struct.unpack(">f", struct.pack(">f", element))[0] for element in elements]
    else:
        elements = [int(word) for word in words]
    return elements[0] if column.arraysize is None and "Complex" not in column.datatype else elements
