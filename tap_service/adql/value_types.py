"""Types of values: what an output column may be, and what lives only inside a query; which types go together."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from catalog.schema.column import ColumnType


class Internal(Enum):
    """Types that no result column has."""

    CONDITION = "condition"
    NULL = "NULL"


ValueType = ColumnType | Internal

INTEGERS = (ColumnType.BIT, ColumnType.UNSIGNED_BYTE, ColumnType.SMALLINT, ColumnType.INTEGER, ColumnType.BIGINT)
FLOATS = (ColumnType.REAL, ColumnType.DOUBLE)
NUMBERS = INTEGERS + FLOATS
REGIONS = (ColumnType.POINT, ColumnType.CIRCLE, ColumnType.POLYGON)
ORDERED = (*NUMBERS, ColumnType.TEXT, ColumnType.TIMESTAMP)
"""Types with an order: what < and MIN take."""

_WORDS = {
    ColumnType.BIT: "a whole number",
    ColumnType.UNSIGNED_BYTE: "a whole number",
    ColumnType.SMALLINT: "a whole number",
    ColumnType.INTEGER: "a whole number",
    ColumnType.BIGINT: "a whole number",
    ColumnType.REAL: "a number",
    ColumnType.DOUBLE: "a number",
    ColumnType.BOOLEAN: "a boolean",
    ColumnType.TEXT: "text",
    ColumnType.TIMESTAMP: "a timestamp",
    ColumnType.JSON: "JSON",
    ColumnType.BYTES: "bytes",
    ColumnType.VECTOR: "an array of numbers",
    ColumnType.INTEGER_ARRAY: "an array of numbers",
    ColumnType.DOUBLE_ARRAY: "an array of numbers",
    ColumnType.BOOLEAN_ARRAY: "an array of booleans",
    ColumnType.BIT_ARRAY: "an array of bits",
    ColumnType.SMALLINT_ARRAY: "an array of numbers",
    ColumnType.BIGINT_ARRAY: "an array of numbers",
    ColumnType.COMPLEX: "a complex number",
    ColumnType.DOUBLE_COMPLEX: "a complex number",
    ColumnType.POINT: "a POINT",
    ColumnType.CIRCLE: "a CIRCLE",
    ColumnType.POLYGON: "a POLYGON",
    Internal.CONDITION: "a condition",
    Internal.NULL: "NULL",
}


def in_words(type_: ValueType) -> str:
    """The type as a sentence names it."""
    return _WORDS[type_]


def common_type(first: ValueType, second: ValueType) -> ValueType | None:
    """The type that both go into without loss of kind, as PostgreSQL's operators have it; None if they do not go together.

    A REAL beside anything but a REAL becomes DOUBLE; integers widen; NULL takes the other's type.
    """
    if first is second or second is Internal.NULL:
        return first
    if first is Internal.NULL:
        return second
    if first in INTEGERS and second in INTEGERS:
        return max(first, second, key=INTEGERS.index)
    if first in NUMBERS and second in NUMBERS:
        return ColumnType.DOUBLE
    return None


def computed(type_: ColumnType) -> ColumnType:
    """The type of what is computed from values of a type: a sum of bytes is no byte."""
    return ColumnType.SMALLINT if type_ in (ColumnType.BIT, ColumnType.UNSIGNED_BYTE) else type_


def common_arraysize(sizes: Iterable[str | None]) -> str | None:
    """The arraysize of a column that holds values of each of these: theirs if it is one, else any number of elements."""
    different = set(sizes)
    return different.pop() if len(different) == 1 else "*" if different else None


def common_datatype(datatypes: Iterable[str | None]) -> str | None:
    """The VOTable datatype of a column that holds values of each of these: unicodeChar takes all characters."""
    return next((datatype for datatype in datatypes if datatype is not None), None)


@dataclass(frozen=True)
class Meaning:
    """What a value is: its type, and what a result column says of it (None: nothing to say)."""

    type: ValueType
    arraysize: str | None = None
    xtype: str | None = None
    unit: str | None = None
    ucd: str | None = None
    utype: str | None = None
    description: str | None = None
    datatype: str | None = None
    """The VOTable datatype where it is not the type's own: unicodeChar for TEXT."""
    source_release: str | None = None
    """The schema of the release whose sources the value identifies."""

    @classmethod
    def of(cls, type_: ValueType, unit: str | None = None, ucd: str | None = None) -> "Meaning":
        """A value of a type without a history, with the arraysize and xtype that go with the type."""
        if isinstance(type_, ColumnType):
            return cls(type_, type_.arraysize, type_.xtype, unit, ucd)
        return cls(type_, unit=unit, ucd=ucd)
