"""HDF5 as mirrors write it: groups and records as tables, fill values, text, lists; damage is told and never raises anything else."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import DataError
from catalog.schema.column import ColumnType
from ingest.file_table import Field, FileTable
from ingest.reader import blocks_of, format_of, open_table
from ingest.source_file import SourceFile

STAR = 5384905720847544320
SOURCE = Field("source_id", ColumnType.BIGINT)
FLUX = Field("flux", ColumnType.DOUBLE, is_array=True)


def read(path: Path, *fields: Field) -> tuple[list[dict[str, str]], list[list[FileTable]]]:
    source = SourceFile(path)
    with open_table(source) as reader:
        tables = range(len(reader.tables))
        return [dict(table) for table in reader.tables], [list(blocks_of(source, reader, [number], fields)) for number in tables]


COLUMNS: dict[str, tuple[Any, ColumnType, list[Any]]] = {
    "the smallest integer": (np.array([5, -32768], np.int16), ColumnType.SMALLINT, [5, None]),
    "the largest integer": (np.array([5, 2**63 - 1], np.int64), ColumnType.BIGINT, [5, None]),
    "the largest without a sign": (np.array([0, 255], np.uint8), ColumnType.SMALLINT, [0, None]),
    "the largest of 64 bits without a sign": (np.array([7, 2**64 - 1], np.uint64), ColumnType.BIGINT, [7, None]),
    "an identifier beyond 2^53": (np.array([STAR + 1, STAR], np.int64), ColumnType.BIGINT, [STAR + 1, STAR]),
    "the smallest float": (np.array([0.5, np.finfo(np.float32).min], np.float32), ColumnType.REAL, [0.5, None]),
    "the largest float, and nan": (np.array([np.nan, np.finfo(np.float64).max]), ColumnType.DOUBLE, [None, None]),
    "other byte order": (np.array([5, 6], ">i4"), ColumnType.INTEGER, [5, 6]),
    "booleans": (np.array([True, False]), ColumnType.BOOLEAN, [True, False]),
    "booleans as integers": (np.array([1, -128], np.int8), ColumnType.BOOLEAN, [True, None]),
    "text of a fixed length": (np.array([b"MARCS", b""]), ColumnType.TEXT, ["MARCS", None]),
    "numbers in a column": (np.array([[5], [6]]), ColumnType.INTEGER, [5, 6]),
    "numbers as text": (np.array([b"5", b"null"]), ColumnType.INTEGER, [5, None]),
}


@pytest.mark.parametrize("records", [False, True])
@pytest.mark.parametrize("name", COLUMNS)
def test_values_and_fill_values_are_read_in_their_type(name: str, records: bool, tmp_path: Path) -> None:
    values, kind, expected = COLUMNS[name]
    with h5py.File(tmp_path / "file", "w") as file:
        if records:
            table = np.empty(2, [("X", values.dtype, values.shape[1:])])
            table["X"] = values
            file["table"] = table
        else:
            file["X"] = values
    field = Field("x", kind)
    _, ((block,),) = read(tmp_path / "file", field)
    assert not block.unparsable()
    assert [None if null else value for value, null in zip(block.values(field).tolist(), block.null("x"), strict=True)] == expected


def test_text_of_varying_length_is_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "file", "w") as file:
        file["x"] = np.array(["MARCS", "A", ""], object)
    field = Field("x", ColumnType.TEXT)
    _, ((block,),) = read(tmp_path / "file", field)
    assert block.values(field).tolist()[:2] == ["MARCS", "A"]
    assert block.null("x").tolist() == [False, False, True]


def test_rows_that_astropy_masks_are_null(tmp_path: Path) -> None:
    rows = Table({"source_id": [STAR, STAR + 1], "x": np.ma.array([1.5, -7.0], mask=[False, True])})
    rows.write(tmp_path / "file", format="hdf5", path="rows", serialize_meta=True)
    field = Field("x", ColumnType.REAL)
    tables, blocks = read(tmp_path / "file", SOURCE, field)
    ((block,),) = [found for table, found in zip(tables, blocks, strict=True) if "source_id" in table]
    assert block.values(field).tolist()[0] == 1.5
    assert block.null("x").tolist() == [False, True]


LISTS: dict[str, tuple[Any, list[list[float]]]] = {
    "a matrix": (np.array([[1.0, 2.0], [3.0, np.finfo(np.float64).max]]), [[1.0, 2.0], [3.0, np.nan]]),
    "a matrix of integers": (np.array([[1, 2], [3, -32768]], np.int16), [[1, 2], [3, np.nan]]),
    "one number a row": (np.array([1.0, np.nan]), [[1.0], [np.nan]]),
    "text": (np.array([b"(1.0, 2.0)", b"[3]"]), [[1.0, 2.0], [3.0]]),
}


@pytest.mark.parametrize("name", LISTS)
def test_lists_are_read(name: str, tmp_path: Path) -> None:
    values, expected = LISTS[name]
    with h5py.File(tmp_path / "file", "w") as file:
        file["flux"] = values
    _, ((block,),) = read(tmp_path / "file", FLUX)
    assert lists_of(block) == [list(map(str, map(float, row))) for row in expected]


def test_lists_of_varying_length_are_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "file", "w") as file:
        lists = file.create_dataset("flux", 3, h5py.vlen_dtype(np.float32))
        lists[0], lists[2] = [1.0, 2.0], [3.0]
    _, ((block,),) = read(tmp_path / "file", FLUX)
    assert lists_of(block) == [["1.0", "2.0"], [], ["3.0"]]
    assert block.null("flux").tolist() == [False, True, False]


def lists_of(block: FileTable) -> list[list[str]]:
    lists = block.ragged("flux")
    return [list(map(str, lists.values[first:end].tolist())) for first, end in zip(lists.offsets[:-1], lists.offsets[1:], strict=True)]


def test_each_group_is_a_table_and_one_that_is_named_for_a_source_states_it(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "file", "w") as file:
        file["notes"] = np.zeros(2)
        for name in (f"HD101452_{STAR}", "a_group", f"x/y_{STAR + 1}"):
            file[f"{name}/FLUX"] = np.ones(3)
    tables, blocks = read(tmp_path / "file", SOURCE, FLUX)
    assert [sorted(table) for table in tables] == [["notes"], ["flux", "source_id"], ["flux"], ["flux", "source_id"]]
    assert [block.values(SOURCE).tolist() for (block,) in (blocks[1], blocks[3])] == [[STAR] * 3, [STAR + 1] * 3]


def test_a_long_table_is_read_in_blocks_of_bounded_size(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "file", "w") as file:
        file["source_id"] = np.arange(1, 1001)
        file.create_dataset("flux", data=np.ones((1000, 6000)), chunks=(333, 6000), compression="gzip")
    _, (blocks,) = read(tmp_path / "file", SOURCE, FLUX)
    assert len(blocks) > 2
    assert np.concatenate([block.row_number for block in blocks]).tolist() == list(range(1, 1001))
    assert np.concatenate([block.values(SOURCE) for block in blocks]).tolist() == list(range(1, 1001))
    assert max(block.ragged("flux").values.nbytes for block in blocks) < 20e6


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_told_and_nothing_else_is_raised(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("hdf5") / "file"
    with h5py.File(path, "w") as file:
        file["source_id"] = np.arange(1, 101)
        file.create_dataset("flux", data=np.random.default_rng(1).random((100, 20)), chunks=True, compression="gzip", fletcher32=True)
    content = bytearray(path.read_bytes())
    for at in data.draw(st.lists(st.integers(8, len(content) - 1), min_size=1, max_size=8)):
        content[at] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))])
    assert format_of(bytes(content)) == "hdf5"
    try:
        read(path, SOURCE, FLUX)
    except DataError as error:
        assert str(path) in str(error) or "fetch it again" in str(error)
