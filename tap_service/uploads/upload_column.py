"""A FIELD of an uploaded VOTable (VOTable 1.5 sections 2 and 4.1), and the column that holds its values."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from catalog.binary_copy import CopyField
from catalog.schema.column import ColumnType
from tap_service.errors import ParameterError
from tap_service.results.field_types import ELEMENT_BYTES, element_count
from tap_service.table_set import ARRAYS, SCALARS, TapColumn

MOST_COLUMNS = 1500
_WIDEST_CELL = 1 << 20
"""Bytes of a cell of fixed arraysize: every row of a result has them all, however short the upload's own text."""
_ARRAYSIZE = re.compile(r"(?:(\d+)x)*(?:\d+\*?|\*)")
_PLAIN_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_NOT_FOR_COLUMNS = {"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"}
"""What PostgreSQL calls columns of its own."""


@dataclass(frozen=True)
class UploadColumn:
    """One FIELD; ``null`` is the number that stands for no value (VALUES null), ``stored_name`` what the database calls the column."""

    name: str
    datatype: str
    arraysize: str | None
    xtype: str | None
    unit: str | None
    ucd: str | None
    utype: str | None
    description: str | None
    null: int | None
    type: ColumnType
    stored_name: str

    @property
    def length(self) -> int | None:
        """Number of elements of a cell: 1 for scalars, None where it varies from row to row."""
        return element_count(self.arraysize)

    @property
    def element_bytes(self) -> int:
        """Bytes of an element in a binary stream; a bit counts as the eighth part of one (see ``cell_bytes``)."""
        return ELEMENT_BYTES[self.datatype]

    def cell_bytes(self, elements: int) -> int:
        """Bytes of so many elements in a binary stream."""
        return (elements + 7) // 8 if self.datatype == "bit" else elements * self.element_bytes

    @property
    def is_text(self) -> bool:
        """Whether the cells are characters."""
        return self.datatype in ("char", "unicodeChar")

    @property
    def copy_field(self) -> CopyField:
        """The column as COPY writes it."""
        return CopyField(self.stored_name, self.type)

    @property
    def longest(self) -> int | None:
        """The most elements of a cell, None where the arraysize sets no bound."""
        if self.arraysize is None:
            return 1
        return (
            None
            if self.arraysize.endswith("*") and not self.arraysize[-2:-1].isdigit()
            else prod(map(int, self.arraysize.rstrip("*").split("x")))
        )

    def tap_column(self, *, beyond_ascii: bool, too_long: bool) -> TapColumn:
        """The column as queries see it. Texts may be more than their FIELD says: beyond ASCII they are unicodeChar, too long ones ``*``."""
        return TapColumn(
            self.name,
            "unicodeChar" if beyond_ascii else self.datatype,
            "*" if too_long else self.arraysize,
            self.xtype,
            self.unit,
            self.ucd,
            self.utype,
            self.description,
            stored_name=self.stored_name,
            stored_type=self.type,
        )


def upload_column(attributes: dict[str, str], description: str | None, null: str | None, before: Sequence[UploadColumn]) -> UploadColumn:
    """A column from the attributes of its FIELD, the text of its DESCRIPTION, its VALUES null, and the columns before it.

    Raises:
        ParameterError: the FIELD has no name, or a type that VOTable does not know.
    """
    number = len(before) + 1
    name = attributes.get("name", "").strip()
    if not name:
        raise ParameterError(f"FIELD number {number} has no name.")
    datatype = {"unicodechar": "unicodeChar"}.get(attributes.get("datatype", ""), attributes.get("datatype", ""))
    if datatype not in ELEMENT_BYTES:
        raise ParameterError(f"FIELD {name:.100} has the datatype {datatype!r:.50}; VOTable's are {', '.join(ELEMENT_BYTES)}.")
    arraysize = attributes.get("arraysize", "").replace(" ", "") or None
    if arraysize is not None and not (len(arraysize) < 100 and _ARRAYSIZE.fullmatch(arraysize)):
        raise ParameterError(f"FIELD {name:.100} has the arraysize {arraysize!r:.50}; it should be as 12, 12*, * or 3x4.")
    if arraysize == "1":
        arraysize = None  # older tools write it for scalars; deprecated by erratum 3 of VOTable 1.3
    xtype = attributes.get("xtype") or None
    stands_for_itself = _PLAIN_NAME.fullmatch(name) and name not in _NOT_FOR_COLUMNS and all(name != other.name for other in before)
    column = UploadColumn(
        name,
        datatype,
        arraysize,
        xtype,
        attributes.get("unit") or None,
        attributes.get("ucd") or None,
        attributes.get("utype") or None,
        description or None,
        _null_number(null, datatype, name),
        _type(datatype, arraysize, xtype),
        name if stands_for_itself else f"{number} {name}"[:15],
    )
    if (length := column.length) is not None and column.cell_bytes(length) > _WIDEST_CELL:
        raise ParameterError(f"FIELD {name:.100} has {length} elements in each cell; at most {_WIDEST_CELL} bytes a cell are taken.")
    return column


_PLACES = {"point": ("2", ColumnType.POINT), "circle": ("3", ColumnType.CIRCLE)}


def _type(datatype: str, arraysize: str | None, xtype: str | None) -> ColumnType:
    """The type that holds the values."""
    if datatype in ("char", "unicodeChar"):
        one_time = xtype == "timestamp" and arraysize is not None and "x" not in arraysize
        return ColumnType.TIMESTAMP if one_time else ColumnType.TEXT
    if datatype == "double" and arraysize is not None and "x" not in arraysize:
        if xtype == "polygon":
            return ColumnType.POLYGON
        if xtype in _PLACES and _PLACES[xtype][0] == arraysize:
            return _PLACES[xtype][1]
    return (SCALARS if arraysize is None else ARRAYS)[datatype]


def _null_number(null: str | None, datatype: str, name: str) -> int | None:
    """VALUES null of whole numbers; floats have NaN, and older documents say null="NaN" of them."""
    if null is None or not null.strip() or datatype not in ("unsignedByte", "short", "int", "long"):
        return None
    try:
        return int(null, 16) if null.strip().lower().startswith("0x") else int(null)
    except ValueError:
        raise ParameterError(f"FIELD {name:.100} has VALUES null={null!r:.50}, which is no whole number.") from None
