"""A quote that does not close costs its own row; a cell of several lines stays what it is."""

import csv
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.schema.column import ColumnType
from ingest.file_table import Field
from ingest.formats.delimited import DelimitedReader
from ingest.formats.open_quotes import ClosedRows

IDENTITY, NAME = Field("source_id", ColumnType.BIGINT), Field("name", ColumnType.TEXT)
HEADER = "source_id,name,ra\n"


def read(text: str) -> tuple[dict[int, tuple[int, str]], dict[int, str]]:
    """Row number -> source and name, and the malformed rows."""
    rows: dict[int, tuple[int, str]] = {}
    malformed: dict[int, str] = {}
    for block in DelimitedReader(io.BytesIO(text.encode())).blocks(0, (IDENTITY, NAME)):
        if len(block):
            rows |= dict(
                zip(block.row_number.tolist(), zip(block.values(IDENTITY).tolist(), block.values(NAME).tolist(), strict=True), strict=True)
            )
        malformed |= block.malformed
    return rows, malformed


OPEN = {
    "alone": '2,"b,3\n',
    "before the last cell": '2,b,"3\n',
    "after a quote that is text": '2,b"b,"3\n',
    "after a doubled one": '2,"b""b,3\n',
    "with old line ends": '2,"b,3\r\n',
}


@pytest.mark.parametrize("line", OPEN.values(), ids=OPEN)
def test_a_quote_that_does_not_close_costs_its_own_row(line: str) -> None:
    rows, malformed = read(HEADER + "1,a,3\n" + line + "3,c,3\n" + line + '4,"d",3\n')
    assert rows == {1: (1, "a"), 3: (3, "c"), 5: (4, "d")}
    assert malformed == dict.fromkeys((2, 4), f"a quote is not closed: {line.rstrip()!r}")


def test_a_cell_of_several_lines_is_one_cell() -> None:
    rows, malformed = read(HEADER + '1,"a\nb, ""c""\r\n\nd",3\n2,e,3\n3,"f\n4,g,3\n5,"h\ni",3\n')
    assert rows == {1: (1, 'a\nb, "c"\r\n\nd'), 2: (2, "e"), 4: (4, "g"), 5: (5, "h\ni")}
    assert malformed == {3: "a quote is not closed: '3,\"f'"}


def test_one_open_quote_costs_no_more_in_a_file_of_many_blocks() -> None:
    rows = [f'{number},"name {number}",{"7" * 100}\n' for number in range(1, 150_001)]
    rows[10] = '11,"open,3\n'
    text = (HEADER + "".join(rows)).encode()
    blocks = list(DelimitedReader(io.BytesIO(text)).blocks(0, (IDENTITY, NAME)))
    assert len(blocks) > 1
    found = np.concatenate([block.row_number for block in blocks])
    assert found.tolist() == [number for number in range(1, 150_001) if number != 11]
    assert np.array_equal(found, np.concatenate([block.values(IDENTITY) for block in blocks]))
    assert [number for block in blocks for number in block.malformed] == [11]


def like_a_row(cell: str) -> bool:
    """Whether a line within the cell may be taken for a row of three fields."""
    return any(line.count(",") > 1 for line in cell.split("\n")[1:-1])


CELLS = st.text('ab",\n\r ', max_size=6).filter(lambda cell: not like_a_row(cell))


@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=8), st.integers(1, 40))
@settings(max_examples=200, deadline=None)
def test_what_a_csv_writer_writes_passes_unchanged(rows: list[list[str]], block: int) -> None:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    text = out.getvalue().encode()
    stream = ClosedRows(io.BytesIO(text), b",", 3, block)
    assert b"".join(iter(lambda: stream.read(7), b"")) == text
