"""The small tables that random queries read: their columns as TAP_SCHEMA tells them, and their rows as Python values.

The rows hold NULLs, duplicates, extreme numbers, NaN and infinities, and text that needs care. Most numbers are multiples of 1/4, so
that sums of them are exact in any order and two ways of computing agree to the last bit.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from tap_service.table_set import TapColumn

SCHEMA = "fuzz"

POSTGRES = {
    "smallint": "smallint", "integer": "integer", "bigint": "bigint", "real": "real", "double": "double precision", "text": "text",
    "boolean": "boolean", "timestamp": "timestamp with time zone",
}  # fmt: skip
_VOTABLE = {"smallint": "short", "integer": "int", "bigint": "long", "real": "float", "double": "double", "boolean": "boolean"}


@dataclass(frozen=True)
class FixedColumn:
    """A column: its type by its ADQL name in small letters (``double`` for DOUBLE PRECISION), and its unit."""

    name: str
    type: str
    unit: str | None = None

    def tap_column(self) -> TapColumn:
        """The column as TAP_SCHEMA describes it."""
        arraysize = "*" if self.type in ("text", "timestamp") else None
        xtype = "timestamp" if self.type == "timestamp" else None
        return TapColumn(self.name, _VOTABLE.get(self.type, "char"), arraysize, xtype, self.unit)


@dataclass(frozen=True)
class FixedTable:
    """A table with all its rows; None is NULL, REAL values are those of float32, timestamps have a zone."""

    name: str
    columns: tuple[FixedColumn, ...]
    rows: tuple[tuple[Any, ...], ...]


def _real(value: float | None) -> float | None:
    return None if value is None else float(np.float32(value))


_NAMES = (
    "Vega", "vega", "Vega", None, "", " ", "α Lyr", "ÅNGSTRÖM", "it's", "100%", "a_b", "back\\slash", 'say "hi"', "%s {0} $1", "a\nb", "Zeta",
    "zeta", "é", "\U0001f31f", "1.5", "-7", "VEGA", None, "aab",
)  # fmt: skip
_EXTREMES = (
    0.0, -0.0, 1e308, -1e308, 5e-324, math.nan, math.inf, -math.inf, None, 1e15, 123456789.125, 1e-5, 0.1, 1 / 3, 2.5, None, -2.5, 16777217.0,
    9007199254740992.0, 9223372036854775807.0, 1e16, 1e-300, -0.1, math.nan,
)  # fmt: skip
_HUGE = (
    2**63 - 1, -(2**63), 2**53 + 1, 2**53, 0, None, 1, -1, 16777217, 2**31, -(2**31) - 1, 2**62, 5, 5, None, 42, 2**31 - 1, 16777216, 100, -100,
    3, 2, 7, 2**63 - 1,
)  # fmt: skip
_FIRST_DAY = datetime(2016, 1, 1, tzinfo=UTC)


def _stars() -> tuple[tuple[Any, ...], ...]:
    rows = []
    for i in range(24):
        rows.append(
            (
                1000 + i,
                None if i == 7 else (i * 37) % 360 + 0.25 * (i % 4),
                None if i == 7 else (i * 29) % 180 - 90 + 0.5 * (i % 2),
                None if i % 9 == 4 else _real(10 + (i * 7 % 11) * 0.25),
                None if i % 8 == 5 else i * 5 % 7 - 2,
                None if i % 11 == 3 else i % 4,
                _NAMES[i],
                None if i % 7 == 6 else i % 3 == 0,
                None if i % 10 == 8 else _FIRST_DAY + timedelta(days=i * 3 % 14, microseconds=i % 2 * 500000),
                None if i % 6 == 2 else i % 5 * 1.5 - 3,
                None if i % 6 == 1 else i % 3,
                None if i % 5 == 2 else _real(4000 + i * 13 % 6 * 250),
                _EXTREMES[i],
                _HUGE[i],
            )
        )
    return tuple(rows)


STARS = FixedTable(
    "stars",
    (
        FixedColumn("source_id", "bigint"),
        FixedColumn("ra", "double", "deg"),
        FixedColumn("dec", "double", "deg"),
        FixedColumn("mag", "real", "mag"),
        FixedColumn("flags", "integer"),
        FixedColumn("visits", "smallint"),
        FixedColumn("name", "text"),
        FixedColumn("variable", "boolean"),
        FixedColumn("observed", "timestamp"),
        FixedColumn("parallax", "double", "mas"),
        FixedColumn("size", "integer"),
        FixedColumn("Teff [K]", "real", "K"),
        FixedColumn("wild", "double"),
        FixedColumn("huge", "bigint"),
    ),
    _stars(),
)

LABELS = FixedTable(
    "labels",
    (
        FixedColumn("source_id", "bigint"),
        FixedColumn("flags", "smallint"),
        FixedColumn("teff", "real", "K"),
        FixedColumn("logg", "double"),
        FixedColumn("note", "text"),
        FixedColumn("good", "boolean"),
        FixedColumn("Note", "text"),
    ),
    tuple(
        (
            1000 + i * 2 if i % 6 != 5 else None,
            None if i % 5 == 4 else i % 4 - 1,
            None if i % 7 == 3 else _real(3500 + i % 5 * 500.25),
            None if i % 6 == 0 else i % 8 * 0.5,
            (None, "Vega", "zeta", "x", "it's", "é")[i % 6],
            None if i % 4 == 1 else i % 4 == 2,
            ("upper", None, "Vega")[i % 3],
        )
        for i in range(20)
    ),
)

NOTHING = FixedTable("nothing", (FixedColumn("source_id", "bigint"), FixedColumn("mag", "real", "mag"), FixedColumn("name", "text")), ())

TABLES = (STARS, LABELS, NOTHING)
