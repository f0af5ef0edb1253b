"""VOTables written by hand, in every serialization, from Python values: what the reader is tested against.

A cell is None, a bool, int, float, str, a complex as a pair, or a list of them.
"""

import base64
import struct
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape, quoteattr

FORMATS = {"unsignedByte": "B", "short": ">h", "int": ">i", "long": ">q", "float": ">f", "double": ">d"}
NAN = float("nan")


@dataclass(frozen=True)
class Column:
    """A FIELD; ``null`` is what stands for None among whole numbers."""

    name: str
    datatype: str
    arraysize: str | None = None
    xtype: str | None = None
    null: int | None = None
    more: dict[str, str] = field(default_factory=dict)

    @property
    def length(self) -> int | None:
        """Elements of a cell, None where it varies."""
        if self.arraysize is None:
            return 1
        if self.arraysize.endswith("*"):
            return None
        length = 1
        for part in self.arraysize.split("x"):
            length *= int(part)
        return length

    def xml(self) -> str:
        """The FIELD element."""
        attributes = {"name": self.name, "datatype": self.datatype, "arraysize": self.arraysize, "xtype": self.xtype, **self.more}
        head = "<FIELD " + " ".join(f"{name}={quoteattr(value)}" for name, value in attributes.items() if value is not None)
        return f'{head}><VALUES null="{self.null}"/></FIELD>' if self.null is not None else f"{head}/>"


def document(columns: list[Column], rows: list[list[Any]], serialization: str = "TABLEDATA", version: str = "1.4") -> bytes:
    """A whole document; ``serialization`` is TABLEDATA, BINARY or BINARY2."""
    if serialization == "TABLEDATA":
        lines = ("".join(f"<TD>{escape(text_of(column, cell))}</TD>" for column, cell in zip(columns, row, strict=True)) for row in rows)
        data = "<TABLEDATA>\n" + "\n".join(f"<TR>{line}</TR>" for line in lines) + "</TABLEDATA>"
    else:
        stream = b"".join(row_bytes(columns, row, masked=serialization == "BINARY2") for row in rows)
        lines = (base64.b64encode(stream[at : at + 48]).decode() for at in range(0, len(stream), 48))
        data = f'<{serialization}><STREAM encoding="base64">\n' + "\n".join(lines) + f"</STREAM></{serialization}>"
    fields = "".join(column.xml() for column in columns)
    namespace = "1.3" if version >= "1.3" else version
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<VOTABLE version="{version}" xmlns="http://www.ivoa.net/xml/VOTable/v{namespace}">'
        f"<RESOURCE><TABLE>{fields}<DATA>{data}</DATA></TABLE></RESOURCE></VOTABLE>"
    ).encode()


def text_of(column: Column, cell: Any) -> str:
    """A cell of TABLEDATA."""
    if cell is None:
        return "" if column.null is None else str(column.null)
    if column.datatype in ("char", "unicodeChar"):
        return str(cell)
    return " ".join(_word(element) for element in _flat(cell))


def _flat(cell: Any) -> list[Any]:
    if isinstance(cell, list | tuple):
        return [element for part in cell for element in _flat(part)]
    return [cell]


def _word(element: Any) -> str:
    if element is None:
        return "?"
    if isinstance(element, bool):
        return "T" if element else "F"
    if isinstance(element, float):
        return "NaN" if element != element else repr(element).replace("inf", "Inf")
    return str(element)


def row_bytes(columns: list[Column], row: list[Any], *, masked: bool) -> bytes:
    """A row of BINARY or BINARY2."""
    bits = "".join("1" if cell is None else "0" for cell in row).ljust((len(row) + 7) // 8 * 8, "0")
    mask = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)) if masked else b""
    return mask + b"".join(cell_bytes(column, cell) for column, cell in zip(columns, row, strict=True))


def cell_bytes(column: Column, cell: Any) -> bytes:
    """A cell of BINARY or BINARY2, with its count where its length varies."""
    if column.datatype in ("char", "unicodeChar"):
        encoding, width = ("utf-8", 1) if column.datatype == "char" else ("utf-16-be", 2)
        data = (cell or "").encode(encoding)
        return _counted(column, data, len(data) // width, width)
    if cell is None:
        length = column.length or 0
        whole = column.datatype in FORMATS and column.datatype not in ("float", "double")
        cell = [None if column.datatype == "boolean" else (column.null or 0) if whole or column.datatype == "bit" else NAN] * length
        if "Complex" in column.datatype:
            cell = [[NAN, NAN]] * length
    elements = _flat(cell)
    if column.datatype == "boolean":
        return _counted(column, bytes(b"?"[0] if element is None else b"FT"[element] for element in elements), len(elements), 1)
    if column.datatype == "bit":
        count = len(elements)
        bits = "".join(map(str, elements)).ljust((count + 7) // 8 * 8, "0")
        data = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))
        return (struct.pack(">I", count) if column.length is None else b"") + data
    if "Complex" in column.datatype:
        form = ">f" if column.datatype == "floatComplex" else ">d"
        return _counted(column, b"".join(struct.pack(form, element) for element in elements), len(elements) // 2, 2 * struct.calcsize(form))
    form = FORMATS[column.datatype]
    return _counted(column, b"".join(struct.pack(form, element) for element in elements), len(elements), struct.calcsize(form))


def _counted(column: Column, data: bytes, count: int, width: int) -> bytes:
    return struct.pack(">I", count) + data if column.length is None else data.ljust(column.length * width, b"\0")
