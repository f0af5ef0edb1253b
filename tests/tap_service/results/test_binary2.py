"""BINARY2 and BINARY bytes are exactly those of VOTable 1.4 sections 5.4 and 5.3, whatever mixture of nulls and types a block holds."""

import struct
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.binary_copy import RawBlock
from tap_service.errors import InternalError
from tap_service.results.binary2 import Binary2Rows
from tap_service.results.field_types import Field

Copied = Callable[..., list[RawBlock]]

NAN4, NAN8 = b"\x7f\xc0\x00\x00", b"\x7f\xf8" + bytes(6)

CASES = {
    "a_smallint_is_a_short": ("-2::smallint", Field("x", "short"), b"\xff\xfe"),
    "an_integer_is_an_int": ("70000", Field("x", "int"), struct.pack(">i", 70000)),
    "a_source_id_keeps_all_its_digits": ("6999999999999999999", Field("x", "long"), struct.pack(">q", 6999999999999999999)),
    "a_real_is_a_float": ("0.1::real", Field("x", "float"), struct.pack(">f", 0.1)),
    "a_double_is_a_double": ("-1e300::float8", Field("x", "double"), struct.pack(">d", -1e300)),
    "infinity_stays": ("'-Infinity'::real", Field("x", "float"), struct.pack(">f", float("-inf"))),
    "nan_is_no_null": ("'NaN'::float8", Field("x", "double"), NAN8),
    "true_is_a_letter": ("true", Field("x", "boolean"), b"T"),
    "false_is_a_letter": ("false", Field("x", "boolean"), b"F"),
    "text_has_its_length_before_it": ("'Teff'", Field("x", "char", "*"), b"\0\0\0\4Teff"),
    "an_empty_text_has_length_zero": ("''", Field("x", "char", "*"), b"\0\0\0\0"),
    "other_characters_leave_char_as_escapes": ("'né☃'", Field("x", "char", "*"), b"\0\0\0\x0bn\\xe9\\u2603"),
    "other_characters_of_a_fixed_char_are_question_marks": ("'né☃ '", Field("x", "char", "4"), b"n?? "),
    "unicodechar_counts_characters": ("'né'", Field("x", "unicodeChar", "*"), b"\0\0\0\2\0n\0\xe9"),
    "fixed_text_is_padded": ("'ab'", Field("x", "char", "4"), b"ab\0\0"),
    "a_timestamp_is_utc_without_z": (
        "'2016-01-01 01:00:00+01'::timestamptz", Field("x", "char", "*", "timestamp"), b"\0\0\0\x1a2016-01-01T00:00:00.000000",
    ),
    "a_timestamp_before_2000_keeps_its_microseconds": (
        "'1989-08-08 12:34:56.000001Z'::timestamptz", Field("x", "char", "*", "timestamp"), b"\0\0\0\x1a1989-08-08T12:34:56.000001",
    ),
    "json_is_text": ("'{\"a\": 1}'::jsonb::text", Field("x", "char", "*", "json"), b'\0\0\0\x08{"a": 1}'),
    "a_packed_vector_is_its_bytes": (r"'\x3f80000040000000'::bytea", Field("x", "float", "2"), struct.pack(">2f", 1, 2)),
    "a_packed_vector_of_any_length_has_a_count": (r"'\x3f80000040000000'::bytea", Field("x", "float", "*"), struct.pack(">I2f", 2, 1, 2)),
    "bytes_have_a_count": (r"'\x0102ff'::bytea", Field("x", "unsignedByte", "*"), b"\0\0\0\3\1\2\xff"),
    "an_array_loses_its_header": ("array[1.5, -2]::float8[]", Field("x", "double", "*"), struct.pack(">I2d", 2, 1.5, -2)),
    "a_null_in_an_array_is_nan": ("array[1.5, null, 3]::float8[]", Field("x", "double", "*"), struct.pack(">Id", 3, 1.5) + NAN8 + struct.pack(">d", 3)),
    "an_empty_array_has_no_elements": ("array[]::float8[]", Field("x", "double", "*"), b"\0\0\0\0"),
    "an_array_of_fixed_length_has_no_count": ("array[1, 2]::float8[]", Field("x", "double", "2"), struct.pack(">2d", 1, 2)),
}  # fmt: skip

NULLS = {
    "short": (Field("x", "short"), bytes(2)),
    "int": (Field("x", "int"), bytes(4)),
    "long": (Field("x", "long"), bytes(8)),
    "float": (Field("x", "float"), NAN4),
    "double": (Field("x", "double"), NAN8),
    "boolean": (Field("x", "boolean"), b"?"),
    "text": (Field("x", "char", "*"), bytes(4)),
    "fixed_text": (Field("x", "char", "3"), bytes(3)),
    "timestamp": (Field("x", "char", "*", "timestamp"), bytes(4)),
    "json": (Field("x", "char", "*", "json"), bytes(4)),
    "vector": (Field("x", "float", "3"), 3 * NAN4),
    "vector_of_any_length": (Field("x", "float", "*"), bytes(4)),
    "array": (Field("x", "double", "*"), bytes(4)),
    "array_of_fixed_length": (Field("x", "double", "2"), 2 * NAN8),
}


@pytest.mark.parametrize("case", CASES)
def test_a_cell_leaves_as_the_standard_says(copied: Copied, case: str) -> None:
    value, field, expected = CASES[case]
    blocks = copied(f"SELECT {value}")
    assert b"".join(map(Binary2Rows((field,)).rows, blocks)) == b"\0" + expected
    assert b"".join(map(Binary2Rows((field,), masked=False).rows, blocks)) == expected


BINARY_NULLS = {"short": struct.pack(">h", -(2**15)), "int": struct.pack(">i", -(2**31)), "long": struct.pack(">q", -(2**63))}


@pytest.mark.parametrize("case", NULLS)
def test_a_null_without_a_bit_is_the_number_that_stands_for_it(copied: Copied, case: str) -> None:
    field, expected = NULLS[case]
    rows = b"".join(map(Binary2Rows((field,), masked=False).rows, copied("SELECT NULL::text")))
    assert rows == BINARY_NULLS.get(field.datatype, expected)


@pytest.mark.parametrize("case", NULLS)
def test_a_null_has_its_bit_and_a_harmless_cell(copied: Copied, case: str) -> None:
    field, expected = NULLS[case]
    blocks = copied("SELECT NULL::text")
    assert b"".join(map(Binary2Rows((field,)).rows, blocks)) == b"\x80" + expected


def test_a_row_of_every_kind_keeps_its_order_beside_others(copied: Copied) -> None:
    fields = tuple(field for _, field, _ in CASES.values())
    row = ", ".join(value for value, _, _ in CASES.values())
    nulls = ", ".join(f"NULLIF({value}, {value})" for value, _, _ in CASES.values())
    data = b"".join(map(Binary2Rows(fields).rows, copied(f"SELECT {row} UNION ALL SELECT {nulls} UNION ALL SELECT {row}")))
    whole = bytes((len(fields) + 7) // 8) + b"".join(cell for _, _, cell in CASES.values())
    assert data.startswith(whole)
    assert data.endswith(whole)
    assert len(data) > 2 * len(whole)


def test_null_bits_run_from_the_most_significant(copied: Copied) -> None:
    fields = tuple(Field(f"c{i}", "short") for i in range(10))
    cells = ["NULL::smallint" if i in (1, 9) else "5::smallint" for i in range(10)]
    data = b"".join(map(Binary2Rows(fields).rows, copied(f"SELECT {', '.join(cells)}")))
    assert data[:2] == b"\x40\x40"


def test_an_infinite_timestamp_is_a_null(copied: Copied) -> None:
    data = b"".join(map(Binary2Rows((Field("x", "char", "*", "timestamp"),)).rows, copied("SELECT 'infinity'::timestamptz")))
    assert data == b"\x80" + bytes(4)


@pytest.mark.parametrize(
    ("value", "field"),
    [("1::int", Field("x", "long")), (r"'\x00'::bytea", Field("x", "float", "2")), ("array[1]::float8[]", Field("x", "double", "2"))],
)
def test_a_cell_of_another_size_than_its_type_is_refused(copied: Copied, value: str, field: Field) -> None:
    with pytest.raises(InternalError, match="Column x came with"):
        list(map(Binary2Rows((field,)).rows, copied(f"SELECT {value}")))


def test_rows_without_nulls_leave_alike_on_both_paths(copied: Copied) -> None:
    """Nulls in one block only, so that the fast path and the general one meet in one result."""
    fields = (Field("i", "long"), Field("x", "float"), Field("b", "boolean"), Field("v", "float", "2"))
    query = "SELECT i::bigint, {} , i % 3 = 0, '\\x3f80000040000000'::bytea FROM generate_series(1, 2000) AS i"
    full = copied(query.format("(i::real / 7)::real"), 1000)
    with_null = copied(query.format("(NULLIF(i, 1)::real / 7)::real"), 1000)
    binary2 = Binary2Rows(fields)
    fast, mixed = [binary2.rows(block) for block in full], [binary2.rows(block) for block in with_null]
    assert mixed[1] == fast[1]
    row = 1 + 8 + 4 + 1 + 8
    assert mixed[0][row:] == fast[0][row:]
    assert mixed[0][:row] != fast[0][:row]


Cell = st.one_of(st.none(), st.binary(max_size=12))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(Cell, st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), Cell), max_size=8))
def test_any_rows_leave_as_if_written_one_by_one(rows: list[tuple[bytes | None, int | None, bytes | None]]) -> None:
    fields = (Field("a", "unsignedByte", "*"), Field("b", "long"), Field("c", "unsignedByte", "*"))
    encoded, expected = [], b""
    for a, b, c in rows:
        cells = [a, None if b is None else struct.pack(">q", b), c]
        encoded.append(
            struct.pack(">h", 3) + b"".join(struct.pack(">i", -1) if x is None else struct.pack(">i", len(x)) + x for x in cells)
        )
        expected += bytes([sum((x is None) << (7 - i) for i, x in enumerate(cells))])
        expected += struct.pack(">I", len(a or b"")) + (a or b"") + (cells[1] or bytes(8)) + struct.pack(">I", len(c or b"")) + (c or b"")
    block = RawBlock(b"".join(encoded), np.array([len(row) for row in encoded], np.int64))
    assert Binary2Rows(fields).rows(block) == expected
