"""What goes up comes back: every type, in every serialization, in row order, with the attributes of its FIELD."""

import os
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.tap_service.uploads.votable_answer import read
from tests.tap_service.uploads.votable_writer import Column, document

MANY = int(os.environ.get("UPLOAD_TABLES", "0"))
SERIALIZATIONS = ("TABLEDATA", "BINARY", "BINARY2")
LIMITS = {"unsignedByte": (0, 255), "short": (-(2**15), 2**15 - 1), "int": (-(2**31), 2**31 - 1), "long": (-(2**63), 2**63 - 1)}
ASCII = st.characters(min_codepoint=33, max_codepoint=126)
PLANE = st.characters(min_codepoint=33, max_codepoint=0xFFFD, exclude_categories=("Cs", "Cc", "Zs", "Cn"))


def elements(datatype: str) -> st.SearchStrategy[Any]:
    """One element that is no null."""
    if datatype in LIMITS:
        return st.integers(*LIMITS[datatype])
    if datatype == "boolean":
        return st.booleans()
    if datatype == "bit":
        return st.integers(0, 1)
    number = st.floats(width=32 if datatype in ("float", "floatComplex") else 64, allow_nan=False)
    return st.tuples(number, number) if "Complex" in datatype else number


def cells(column: Column) -> st.SearchStrategy[Any]:
    """Values of a column, None among them."""
    if column.xtype == "timestamp":
        years = st.datetimes(
            min_value=np.datetime64("1000-01-01T00:00:00").astype(object), max_value=np.datetime64("3000-01-01T00:00:00").astype(object)
        )
        return st.none() | years.map(lambda moment: moment.isoformat(timespec="microseconds"))
    if column.datatype in ("char", "unicodeChar"):
        longest = column.length or (7 if column.arraysize == "7*" else 12)
        text = st.text(ASCII if column.datatype == "char" else PLANE, min_size=1, max_size=longest)
        return st.none() | (text if column.length != 1 else text.filter(lambda one: len(one) == 1))
    element = elements(column.datatype)
    if column.datatype in ("short", "int", "long") and column.arraysize is None and column.null is not None:
        element = element.filter(lambda number: number != column.null)
    if column.arraysize is None:
        # A bit and a byte have no number to spare for null; only BINARY2 and empty cells can say it.
        return element if column.datatype in ("bit", "unsignedByte") else st.none() | element
    size = {"min_size": column.length, "max_size": column.length} if column.length is not None else {"min_size": 1, "max_size": 6}
    return st.none() | st.lists(element, **size)


TYPES = [
    Column("", datatype, arraysize, null=-99 if datatype in ("short", "int", "long") and arraysize is None else None)
    for datatype in (*LIMITS, "boolean", "bit", "float", "double", "floatComplex", "doubleComplex")
    for arraysize in (None, "*", "3", "2x2")
]
TYPES += [Column("", datatype, arraysize) for datatype in ("char", "unicodeChar") for arraysize in (None, "*", "5", "7*")]
TYPES += [Column("", "char", "*", "timestamp"), Column("", "char", "26", "timestamp")]


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[Column], list[list[Any]]]:
    """A table of a few columns and rows."""
    columns = [
        Column(f"c{number}", kind.datatype, kind.arraysize, kind.xtype, kind.null)
        for number, kind in enumerate(draw(st.lists(st.sampled_from(TYPES), min_size=1, max_size=10)))
    ]
    rows = draw(st.lists(st.tuples(*map(cells, columns)).map(list), max_size=12))
    return columns, rows


def sent(
    service: Any, table: bytes, output: str = "votable", query: str = "SELECT * FROM TAP_UPLOAD.t1"
) -> tuple[list[Column], list[list[Any]]]:
    """FIELDs and rows of the answer."""
    form = {"QUERY": query, "UPLOAD": "t1,param:t1", "FORMAT": output}
    answer = httpx.post(f"{service.url}/sync", data=form, files={"t1": ("t1", table)}, timeout=60)
    assert answer.status_code == 200, answer.text
    return read(answer.content)


def flat(value: Any) -> list[Any]:
    """The numbers of an array in their order."""
    return [part for one in value for part in flat(one)] if isinstance(value, list | tuple) else [value]


def expected(column: Column, cell: Any) -> Any:
    """A cell as it should come back: arrays in one row of numbers, floats with their own precision, NaN as null."""
    if cell is None or column.datatype in ("char", "unicodeChar"):
        return cell
    value = flat(cell) if isinstance(cell, list | tuple) else cell
    if column.datatype in ("float", "floatComplex"):
        value = [float(np.float32(one)) for one in value] if isinstance(value, list) else float(np.float32(value))
    return value


def comparable(column: Column, cell: Any) -> str | None:
    """A cell as it compares: NaN equals itself, and an array that is all NaN is null."""
    if isinstance(cell, list) and cell and all(element != element for element in cell):
        return None
    return None if cell is None or cell != cell else repr(cell)


def without_mask(column: Column, cell: Any) -> Any:
    """What BINARY can say of a cell: it has no null for an array of fixed length that is not of floats."""
    if cell is None and column.arraysize is not None and column.length is not None and column.datatype in ("boolean", "bit", *LIMITS):
        return [None if column.datatype == "boolean" else 0] * column.length
    return cell


def check(service: Any, columns: list[Column], rows: list[list[Any]], serialization: str, output: str) -> None:
    """Uploads a table and compares all that comes back."""
    fields, found = sent(service, document(columns, rows, serialization), output)
    assert [(field.name, field.datatype, field.arraysize, field.xtype) for field in fields] == [
        (column.name, column.datatype, column.arraysize, column.xtype) for column in columns
    ]
    for number, column in enumerate(columns):
        given_cells = [without_mask(column, row[number]) if serialization == "BINARY" else row[number] for row in rows]
        wanted = [comparable(column, expected(column, cell)) for cell in given_cells]
        assert [comparable(column, row[number]) for row in found] == wanted, column


@pytest.mark.parametrize("output", ["votable", "votable/td"])
@pytest.mark.parametrize("serialization", SERIALIZATIONS)
@settings(max_examples=MANY or 8, deadline=None, phases=(Phase.generate,), suppress_health_check=list(HealthCheck))
@given(table=tables())
def test_every_type_comes_back_in_row_order(
    service: Any, serialization: str, output: str, table: tuple[list[Column], list[list[Any]]]
) -> None:
    check(service, *table, serialization, output)
