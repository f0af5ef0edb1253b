"""A column of a result: what VOTable says of it, and how its cells arrive in PostgreSQL's binary COPY."""

from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from math import prod

from catalog.schema.column import ColumnType
from tap_service.errors import InternalError


class CellForm(Enum):
    """How a cell looks in binary COPY, and so what has to happen to it on its way to the client."""

    FIXED = auto()
    """Big-endian bytes of a fixed number, the same in BINARY2: numbers, and packed vectors of fixed length."""
    BOOLEAN = auto()
    """One byte 0 or 1; BINARY2 has the letters T, F and ?."""
    TEXT = auto()
    """UTF-8 text."""
    TIMESTAMP = auto()
    """Microseconds since 2000-01-01 in an int64; served as DALI text without Z, UTC."""
    PACKED = auto()
    """bytea whose bytes are BINARY2 array elements already: float[*], int[*] and unsignedByte[*]."""
    DOUBLE_ARRAY = auto()
    """double precision[] with its header and a length before each element."""
    SMALL = auto()
    """A smallint that is one byte in BINARY2: unsignedByte and bit."""
    BITS = auto()
    """bytea with a byte 0 or 1 for each bit; BINARY2 packs eight into one."""


ELEMENT_BYTES = {
    "boolean": 1,
    "bit": 1,
    "unsignedByte": 1,
    "short": 2,
    "int": 4,
    "long": 8,
    "char": 1,
    "unicodeChar": 2,
    "float": 4,
    "double": 8,
    "floatComplex": 8,
    "doubleComplex": 16,
}
"""Bytes of one element (VOTable 1.4 section 2.1), in the order of the standard; of a bit, where it stands alone."""

_NAN4, _NAN8 = b"\x7f\xc0\x00\x00", b"\x7f\xf8" + bytes(6)
NULL_BYTES = {"float": _NAN4, "double": _NAN8, "floatComplex": 2 * _NAN4, "doubleComplex": 2 * _NAN8}
"""What stands under a set null bit: NaN in floats (readers that ignore the bit see it too), zeros elsewhere."""

NULL_INTEGERS = {"short": b"\x80" + bytes(1), "int": b"\x80" + bytes(3), "long": b"\x80" + bytes(7)}
"""What stands for a null in BINARY, which has no mask: the smallest number of each type."""


def element_count(arraysize: str | None) -> int | None:
    """Number of elements of a cell: 1 for scalars, None where it varies from row to row (VOTable 1.4 section 2.2)."""
    if arraysize is None:
        return 1
    return None if arraysize.endswith("*") else prod(map(int, arraysize.split("x")))


@dataclass(frozen=True)
class Field:
    """A FIELD of the result (VOTable 1.4 section 4.1), as TAP_SCHEMA or the query's expression gives it.

    ``type`` is what the statement delivers; where it is not given, ``datatype`` with ``arraysize`` and ``xtype`` settles it: ``double``
    with an arraysize is a double precision[], an array of anything else a packed bytea, ``char`` with xtype ``timestamp`` a
    timestamptz, any other ``char`` or ``unicodeChar`` a text (JSON too).
    """

    name: str
    datatype: str
    arraysize: str | None = None
    xtype: str | None = None
    unit: str | None = None
    ucd: str | None = None
    utype: str | None = None
    description: str | None = None
    type: ColumnType | None = None
    source_release: str | None = None
    """The schema of the release whose sources the column identifies, such as gaiadr3; None for any other column."""

    @cached_property
    def form(self) -> CellForm:
        """How the cells arrive; InternalError for a type that the service does not deliver."""
        if self.datatype in ("char", "unicodeChar"):
            of_time = self.xtype == "timestamp" if self.type is None else self.type is ColumnType.TIMESTAMP
            return CellForm.TIMESTAMP if of_time else CellForm.TEXT
        if self.datatype not in ELEMENT_BYTES:
            raise InternalError(f"Column {self.name} has the type {self.datatype}[{self.arraysize or ''}], which no result format knows.")
        if self.arraysize is None and self.datatype not in ("floatComplex", "doubleComplex"):
            return {"boolean": CellForm.BOOLEAN, "bit": CellForm.SMALL, "unsignedByte": CellForm.SMALL}.get(self.datatype, CellForm.FIXED)
        if self.datatype == "double":
            return CellForm.DOUBLE_ARRAY
        if self.datatype == "bit":
            return CellForm.BITS
        return CellForm.PACKED if self.length is None else CellForm.FIXED

    @cached_property
    def length(self) -> int | None:
        """Number of elements: 1 for scalars, None where it varies from row to row."""
        return element_count(self.arraysize)

    @property
    def element_bytes(self) -> int:
        """Bytes of one element in BINARY2."""
        return ELEMENT_BYTES[self.datatype]

    @property
    def binary_bytes(self) -> int | None:
        """Bytes of a cell in BINARY2, None where they vary."""
        if self.length is None:
            return None
        return (self.length + 7) // 8 if self.form is CellForm.BITS else self.length * self.element_bytes

    @property
    def copy_bytes(self) -> int | None:
        """Bytes of a cell that is not null in binary COPY, None where they vary."""
        match self.form:
            case CellForm.FIXED:
                assert self.length is not None
                return self.element_bytes * self.length
            case CellForm.BOOLEAN:
                return 1
            case CellForm.SMALL:
                return 2
            case CellForm.TIMESTAMP:
                return 8
            case _:
                return None
