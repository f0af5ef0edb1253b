"""A column of a result: what VOTable says of it, and how its cells arrive in PostgreSQL's binary COPY."""

from dataclasses import dataclass
from enum import Enum, auto

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


ELEMENT_BYTES = {"unsignedByte": 1, "short": 2, "int": 4, "long": 8, "float": 4, "double": 8, "boolean": 1, "char": 1, "unicodeChar": 2}
"""Bytes of one element (VOTable 1.4 section 2.1)."""

NULL_BYTES = {"float": b"\x7f\xc0\x00\x00", "double": b"\x7f\xf8" + bytes(6)}
"""What stands under a set null bit: NaN in floats (readers that ignore the bit see it too), zeros elsewhere."""

NULL_INTEGERS = {"short": b"\x80" + bytes(1), "int": b"\x80" + bytes(3), "long": b"\x80" + bytes(7)}
"""What stands for a null in BINARY, which has no mask: the smallest number of each type."""


@dataclass(frozen=True)
class Field:
    """A FIELD of the result (VOTable 1.4 section 4.1), as TAP_SCHEMA or the query's expression gives it.

    ``datatype`` with ``arraysize`` and ``xtype`` settles the PostgreSQL type that the statement delivers: ``float`` or ``int`` with an
    arraysize is a packed bytea, ``double`` with one a double precision[], ``char`` with xtype ``timestamp`` a timestamptz, any
    other ``char`` or ``unicodeChar`` a text (JSON too).
    """

    name: str
    datatype: str
    arraysize: str | None = None
    xtype: str | None = None
    unit: str | None = None
    ucd: str | None = None
    utype: str | None = None
    description: str | None = None

    @property
    def form(self) -> CellForm:
        """How the cells arrive; InternalError for a type that the service does not deliver."""
        if self.datatype in ("char", "unicodeChar"):
            return CellForm.TIMESTAMP if self.xtype == "timestamp" else CellForm.TEXT
        if self.datatype == "boolean" and self.arraysize is None:
            return CellForm.BOOLEAN
        if self.datatype == "double" and self.arraysize is not None:
            return CellForm.DOUBLE_ARRAY
        if self.datatype in ("float", "int", "unsignedByte") and self.arraysize == "*":
            return CellForm.PACKED
        if self.datatype in ("float", "int", "unsignedByte") and self.length is not None:
            return CellForm.FIXED
        if self.datatype in ("short", "int", "long", "double") and self.arraysize is None:
            return CellForm.FIXED
        raise InternalError(f"Column {self.name} has the type {self.datatype}[{self.arraysize or ''}], which no result format knows.")

    @property
    def length(self) -> int | None:
        """Number of elements: 1 for scalars, None where it varies from row to row."""
        if self.arraysize is None:
            return 1
        return int(self.arraysize) if self.arraysize.isdigit() else None

    @property
    def element_bytes(self) -> int:
        """Bytes of one element in BINARY2."""
        return ELEMENT_BYTES[self.datatype]

    @property
    def copy_bytes(self) -> int | None:
        """Bytes of a cell that is not null in binary COPY, None where they vary."""
        match self.form:
            case CellForm.FIXED:
                assert self.length is not None
                return self.element_bytes * self.length
            case CellForm.BOOLEAN:
                return 1
            case CellForm.TIMESTAMP:
                return 8
            case _:
                return None
