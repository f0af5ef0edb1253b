"""A delimited text gives the same rows whether or not its long cells are taken out before it is parsed."""

import io

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from catalog.errors import DataError
from catalog.schema.column import ColumnType
from ingest.file_table import Field, FileTable, Ragged
from ingest.formats import delimited
from ingest.formats.delimited import DelimitedReader
from ingest.formats.long_cells import shortened

FIELDS = (Field("source_id", ColumnType.BIGINT), Field("note", ColumnType.TEXT), Field("numbers", ColumnType.DOUBLE, is_array=True))
NAMES = b"source_id,note,numbers\n"
LONG = b"[" + b",".join(b"%d.25" % i for i in range(40)) + b"]"

_FIELDS = st.sampled_from([
    b"1", b"42", b"null", b"", b"text", b'"short"', b'"[1,2]"', b'"' + LONG + b'"', b'"' + LONG[:-1] + b',junk]"', b'"' + LONG * 2 + b'"',
    b'"' + LONG[:90] + b"\n" + LONG[90:] + b'"', b'"a ""quoted"" word"', b'in"side', b"\0007\000", b'"\0000\000"', b'""',
])  # fmt: skip
_LINE_ENDS = st.sampled_from([b"\n", b"\n", b"\n", b"\r\n", b"\r", b"\n\n"])
_ROWS = st.tuples(st.lists(_FIELDS, min_size=2, max_size=4), _LINE_ENDS).map(lambda row: b",".join(row[0]) + row[1])
_REGULAR = st.sampled_from(
    [b"7,null,null\n", b'7,"x","' + LONG + b'"\n', b'8,"' + LONG + b'"\n', b"\n", b'9,y,"' + LONG + b'"\r\n', b"1,2,3,4\n"]
)


def read(content: bytes) -> list[FileTable]:
    return list(DelimitedReader(io.BytesIO(NAMES + content)).blocks(0, FIELDS))  # type: ignore[arg-type]


def rows(content: bytes) -> tuple[list[tuple[object, ...]], dict[int, str], str]:
    """Every row by its number with what was read of it, the malformed ones, and what the file failed with."""
    found: list[tuple[object, ...]] = []
    malformed: dict[int, str] = {}
    try:
        for block in DelimitedReader(io.BytesIO(NAMES + content)).blocks(0, FIELDS):  # type: ignore[arg-type]
            malformed |= block.malformed
            unparsable = block.unparsable()
            for index, number in enumerate(block.row_number.tolist()):
                lists = block.ragged("numbers")
                assert isinstance(lists, Ragged)
                numbers = lists.values[lists.offsets[index] : lists.offsets[index + 1]]
                scalars = [(block.values(field)[index], block.null(field.name)[index]) for field in FIELDS[:2]]
                found.append((number, *scalars, numbers[~np.isnan(numbers)].tobytes(), len(numbers), unparsable.get(index)))
    except DataError as error:
        return found, malformed, str(error)
    return found, malformed, ""


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "_BLOCK_BYTES", 3000)  # some rows, and more than Arrow needs for one


@given(st.lists(st.one_of(_REGULAR, _REGULAR, _REGULAR, _ROWS), max_size=20), st.booleans())
@settings(max_examples=150, deadline=None)
@example([b'1,"' + LONG + b'","' + LONG[:60] + b'\n",4\n', b"1,2,null\n"], False)
@example([b"1,2\n", b'8,"' + LONG + b'"\n', b'8,9,"' + LONG + b'"\n'], False)
def test_the_same_rows_come_out_by_either_way(lines: list[bytes], cut: bool) -> None:
    """A first row with a doubled quote makes the whole content one that only the CSV parser reads, and shifts the numbers by one."""
    content = b"".join(lines)[: -1 if cut else None]
    found, malformed, failure = rows(content)
    first = b'0,"a ""quoted"" word",null\n'
    plain, plain_malformed, plain_failure = rows(first + content)
    assert [(number + 1, *rest) for number, *rest in found] == plain[1:]
    assert {number + 1: seen for number, seen in malformed.items()} == plain_malformed
    assert failure.split("row")[0] == plain_failure.split("row")[0]


def test_long_cells_are_taken_out_where_quotes_are_regular() -> None:
    content = b"".join(b'%d,"short","' % i + LONG + b'"\n' for i in range(20))
    short = shortened(content, b",")
    assert short is not None
    assert [bytes(cell) for cell in short.cells] == [LONG] * 20
    assert short.text.count(b'"short"') == 20
    assert len(short.text) < 20 * 30


@pytest.mark.parametrize("row", [b'1,a "word,null\n', b'1,"a ""word""",null\n', b'1,"open,null\n', b"1,\0000\0,null\n", b'1,"x" ,null\n'])
def test_a_text_with_an_irregular_quote_is_left_as_it_is(row: bytes) -> None:
    good = b'1,x,"' + LONG + b'"\n'
    assert shortened(good * 2, b",") is not None
    assert shortened(good + row + good, b",") is None


def test_a_block_of_rows_stays_a_block() -> None:
    """Chunks bound what is in memory: no block holds more rows than one chunk."""
    blocks = read(b"".join(b'%d,x,"' % i + LONG + b'"\n' for i in range(1, 101)))
    assert len(blocks) > 5
    assert [number for block in blocks for number in block.row_number.tolist()] == list(range(1, 101))
