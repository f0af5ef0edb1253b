"""Parquet: every type that a writer may have chosen for numbers, texts, times and lists gives the values that were written."""

import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalog.errors import DataError
from catalog.schema.column import ColumnType
from ingest.file_table import Field, FileTable
from ingest.formats.parquet import ParquetReader
from ingest.formats.whole_row import whole_row_fields, whole_rows

SOURCE = 5937083312263887616
WHEN = datetime.datetime(2012, 1, 2, 3, 4, 5)


def read(path: Path, cells: pa.Array, field: Field) -> FileTable:
    pq.write_table(pa.table({"A": cells}), path)
    with path.open("rb") as stream:
        (block,) = ParquetReader(stream).blocks(0, (field,))
    return block


COLUMNS: dict[str, tuple[pa.Array, ColumnType, list[Any]]] = {
    "decimals of 20 digits": (pa.array([Decimal(SOURCE), None, Decimal(3)], pa.decimal128(20, 0)), ColumnType.BIGINT, [SOURCE, None, 3]),
    "decimals with a fraction": (pa.array([Decimal("1.25"), None], pa.decimal128(20, 2)), ColumnType.REAL, [1.25, None]),
    "times": (pa.array([WHEN, None], pa.timestamp("us")), ColumnType.TEXT, ["2012-01-02 03:04:05.000000", None]),
    "dates": (pa.array([WHEN.date(), None]), ColumnType.TEXT, ["2012-01-02", None]),
    "views of texts": (pa.array(["x", None], pa.string_view()), ColumnType.TEXT, ["x", None]),
    "views of bytes": (pa.array([b"5", None], pa.binary_view()), ColumnType.BIGINT, [5, None]),
    "dictionaries of texts": (pa.array(["x", None, "x"]).dictionary_encode(), ColumnType.TEXT, ["x", None, "x"]),
    "dictionaries of numbers": (pa.array([1, None, 3], pa.int16()).dictionary_encode(), ColumnType.BIGINT, [1, None, 3]),
    "booleans as floats": (pa.array([1.0, None, 0.0]), ColumnType.BOOLEAN, [True, None, False]),
    "booleans as integers": (pa.array([1, None, 0], pa.int8()), ColumnType.BOOLEAN, [True, None, False]),
    "integers with nulls near 2^63": (pa.array([2**63 - 1, None, -5]), ColumnType.BIGINT, [2**63 - 1, None, -5]),
    "nothing at all": (pa.nulls(2), ColumnType.DOUBLE, [None, None]),
}  # fmt: skip


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_has_its_values(name: str, tmp_path: Path) -> None:
    cells, kind, expected = COLUMNS[name]
    field = Field("a", kind)
    block = read(tmp_path / "a.parquet", cells, field)
    assert [None if none else value for value, none in zip(block.values(field).tolist(), block.null("a").tolist(), strict=True)] == expected
    assert block.unparsable() == {}


LISTS: dict[str, tuple[pa.Array, list[float], list[bool]]] = {
    "nulls inside": (pa.array([[1.0, None], None, []], pa.list_(pa.float64())), [1.0, np.nan], [False, True, True]),
    "fixed length": (pa.array([[1.0, None], None], pa.list_(pa.float32(), 2)), [1.0, np.nan], [False, True]),
    "nothing at all": (pa.nulls(2), [], [True, True]),
}


@pytest.mark.parametrize("name", LISTS)
def test_lists_have_their_numbers(name: str, tmp_path: Path) -> None:
    cells, numbers, null = LISTS[name]
    block = read(tmp_path / "a.parquet", cells, Field("a", ColumnType.DOUBLE, is_array=True))
    assert np.array_equal(block.ragged("a").values, numbers, equal_nan=True)
    assert block.null("a").tolist() == null


def test_lists_of_lists_are_told_for_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a is list<.*list<.* where a list of numbers is expected"):
        read(tmp_path / "a.parquet", pa.array([[[1.0, 2.0], [3.0]]]), Field("a", ColumnType.DOUBLE, is_array=True))


def test_an_integer_that_is_no_boolean_is_told(tmp_path: Path) -> None:
    block = read(tmp_path / "a.parquet", pa.array([1, -9999]), Field("a", ColumnType.BOOLEAN))
    assert block.unparsable() == {1: "a: -9999 is no boolean"}


@pytest.mark.parametrize(
    "other",
    [pa.array([Decimal("2.5")]), pa.array([WHEN]), pa.array(["x"], pa.string_view()), pa.array([[[1.0]]]), pa.array([b"xyz"], pa.binary(3)),
     pa.array([datetime.time(1, 2)]), pa.array([{"x": 1}])],
    ids=lambda array: str(array.type),
)  # fmt: skip
def test_no_column_keeps_a_row_from_being_kept_whole(other: pa.Array, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"source_id": [SOURCE], "other": other}), path)
    with path.open("rb") as stream:
        reader = ParquetReader(stream)
        (block,) = reader.blocks(0, whole_row_fields(reader.tables[0]))
    assert whole_rows(block)[0].startswith(f'{{"source_id":{SOURCE}')
