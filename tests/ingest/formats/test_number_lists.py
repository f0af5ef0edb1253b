"""A list of numbers gives the same bits, nulls and faults whichever way its cell is read."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingest.file_table import Ragged, TypedColumn
from ingest.formats.number_lists import from_cells

_NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(width=32, allow_nan=False, allow_infinity=False).map(lambda number: str(np.float32(number))),
    st.integers(-(1 << 70), 1 << 70).map(str),
    st.from_regex(r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
    st.sampled_from(["-0", "-0.0", "0", "1e-400", "9007199254740993", "2.2250738585072011e-308", "0.1000000014901161193847656250"]),
)
_OTHERS = st.sampled_from(
    ["null", "NaN", "", "+1", ".5", "1.", "01", "1e400", "-Infinity", "true", '"1"', "[2]", "1 2", "0x10", "1_0", "ä", "{}"]
)
_SPACES = st.sampled_from(["", " ", "\t", "\n", "\u00a0"])
_BRACKETS = st.sampled_from(["[]", "()", "", ["[[", "]"], ["[", ")"], [" [", "] "], ["\ufeff[", "]"]])


@st.composite
def cells(draw: st.DrawFn) -> bytes:
    kind = draw(st.sampled_from(["numbers"] * 6 + ["anything"] * 2 + ["bytes", "null"]))
    if kind == "bytes":
        return draw(st.binary(max_size=20))
    if kind == "null":
        return draw(st.sampled_from([b"null", b"", b"[]", b"()", b"NaN", b"[nan,nan]"]))
    elements = draw(st.lists(_NUMBERS if kind == "numbers" else st.one_of(_NUMBERS, _OTHERS), max_size=6))
    first, last = draw(_BRACKETS if kind == "anything" else st.sampled_from(["[]", "()"])) or ("", "")
    spaces = draw(_SPACES)
    return f"{first}{f'{spaces},{spaces}'.join(elements)}{last}".encode()


def one_element_at_a_time(column: list[bytes]) -> TypedColumn:
    """Every cell read by Arrow: a space before the bracket keeps it from simdjson, and trimming takes it away again."""
    return from_cells([b" " + cell if cell[:1] in (b"[", b"(") else cell for cell in column])


def same(one: TypedColumn, other: TypedColumn) -> bool:
    assert isinstance(one.values, Ragged)
    assert isinstance(other.values, Ragged)
    np.testing.assert_array_equal(one.values.lengths, other.values.lengths)
    nan = np.isnan(one.values.values)
    np.testing.assert_array_equal(nan, np.isnan(other.values.values))
    assert one.values.values[~nan].tobytes() == other.values.values[~nan].tobytes()
    np.testing.assert_array_equal(one.null, other.null)
    assert one.unparsable == {row: seen.replace("UTF-8: b' ", "UTF-8: b'") for row, seen in other.unparsable.items()}
    return True


@given(st.lists(cells(), min_size=1, max_size=5))
@settings(max_examples=200, deadline=None)
@example([b"[-0,1,-0.0,0]", b"(-0)"])
@example([b"[1,[2],3]", b"[1,2]]", b"[12345678901234567890, 123456789012345678901]"])
@example([b"[1e400]", b"[1,2]"])
def test_a_cell_gives_the_same_bits_by_either_way(column: list[bytes]) -> None:
    assert same(from_cells(column), one_element_at_a_time(column))


@given(st.lists(_NUMBERS, min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_numbers_are_the_nearest_doubles(numbers: list[str]) -> None:
    column = from_cells([f"[{','.join(numbers)}]".encode()])
    assert isinstance(column.values, Ragged)
    assert column.values.values.tobytes() == np.array([float(number) for number in numbers]).tobytes()


def test_a_bad_cell_costs_its_own_row_only() -> None:
    column = from_cells([b"[1,2]", b"[1,junk]", None, b"null", b"\xff", b"(3, null)", b"[]"])
    assert isinstance(column.values, Ragged)
    assert sorted(column.unparsable) == [1, 4]
    assert "'junk' is no number" in column.unparsable[1]
    assert column.null.tolist() == [False, False, True, True, True, False, True]
    assert column.values.lengths.tolist() == [2, 2, 0, 0, 0, 2, 0]


@pytest.mark.parametrize("length", [1, 2, 0])
def test_rows_side_by_side_leave_out_those_of_another_length(length: int) -> None:
    lists = from_cells([b"[1,2]", b"null", b"[3,4]"]).values
    assert isinstance(lists, Ragged)
    expected = [[1.0, 2.0], [np.nan] * 2, [3.0, 4.0]] if length == 2 else [[np.nan] * length] * 3
    np.testing.assert_array_equal(lists.matrix(length), np.array(expected).reshape(3, length))


def test_an_empty_column_is_an_empty_column() -> None:
    column = from_cells(pa.array([], pa.binary()).to_pylist())
    assert isinstance(column.values, Ragged)
    assert len(column.values.lengths) == len(column.null) == 0
    assert column.values.matrix(55).shape == (0, 55)
