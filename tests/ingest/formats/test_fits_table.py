"""FITS tables: columns that nobody asks for cost nothing, columns whose stored numbers are not their values are converted, blocks have a bounded size."""

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from catalog.errors import DataError
from catalog.schema.column import ColumnType
from ingest.file_table import Field, FileTable
from ingest.formats.fits_table import FitsReader
from ingest.formats.whole_row import whole_row_fields, whole_rows

WIDE = 2000
ROWS = 3000


def read(path: Path, *fields: Field) -> list[FileTable]:
    with path.open("rb") as stream:
        return list(FitsReader(stream).blocks(0, fields))


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of 3,000 rows of 16 kB, of which 8 bytes are asked for: 48 MB."""
    path = tmp_path_factory.mktemp("wide") / "wide.fits"
    columns = [fits.Column("ID", "K", array=np.arange(ROWS)), fits.Column("GRID", f"{WIDE}D", array=np.ones((ROWS, WIDE)))]
    columns += [fits.Column(f"X{number}", "E", array=np.full(ROWS, number)) for number in range(200)]
    fits.BinTableHDU.from_columns(columns).writeto(path)
    return path


def test_columns_that_nobody_asks_for_are_not_read(wide: Path) -> None:
    field = Field("id", ColumnType.BIGINT)
    read(wide, field)
    tracemalloc.start()
    try:
        blocks = read(wide, field)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert np.array_equal(np.concatenate([block.values(field) for block in blocks]), np.arange(ROWS))
    assert peak < 4 << 20  # of 48 MB


def test_blocks_of_wide_columns_have_fewer_rows(wide: Path) -> None:
    blocks = read(wide, Field("grid", ColumnType.DOUBLE, is_array=True))
    assert max(map(len, blocks)) * WIDE * 8 <= 16 << 20
    assert np.array_equal(np.concatenate([block.row_number for block in blocks]), np.arange(1, ROWS + 1))
    assert all((block.ragged("grid").values == 1).all() for block in blocks)


COLUMNS: dict[str, tuple[dict[str, Any], ColumnType, list[Any]]] = {
    "big-endian integers": ({"format": "K", "array": np.array([1, -2, 2**62])}, ColumnType.BIGINT, [1, -2, 2**62]),
    "a declared null": ({"format": "K", "array": np.array([1, -(2**63), 3]), "null": -(2**63)}, ColumnType.BIGINT, [1, None, 3]),
    "unsigned integers, by TZERO": ({"format": "J", "bzero": 2**31, "array": np.array([1, 2**31, 2**32 - 1], np.uint32)}, ColumnType.BIGINT, [1, 2**31, 2**32 - 1]),
    "bytes": ({"format": "B", "array": np.array([0, 7, 255], np.uint8)}, ColumnType.SMALLINT, [0, 7, 255]),
    "texts, padded": ({"format": "8A", "array": np.array(["a", "", "b c"])}, ColumnType.TEXT, ["a", None, "b c"]),
    "logicals": ({"format": "L", "array": np.array([True, False, True])}, ColumnType.BOOLEAN, [True, False, True]),
    "floats with NaN": ({"format": "E", "array": np.array([1.5, np.nan, 2.5])}, ColumnType.REAL, [1.5, None, 2.5]),
    "a declared null of unsigned integers, which is the stored number": ({"format": "J", "bzero": 2**31, "null": -(2**31), "array": np.array([1, 0, 2**32 - 1], np.uint32)}, ColumnType.BIGINT, [1, None, 2**32 - 1]),
    "texts that end at a NUL": ({"format": "8A", "array": np.array([b"abc\0defg", b"\0\0x", b"d"])}, ColumnType.TEXT, ["abc", None, "d"]),
    "integers of one element each": ({"format": "1J", "dim": "(1)", "array": np.array([[1], [-2], [3]])}, ColumnType.INTEGER, [1, -2, 3]),
    "booleans as floats": ({"format": "E", "array": np.array([1, 0, np.nan])}, ColumnType.BOOLEAN, [True, False, None]),
    "text that is a number": ({"format": "20A", "array": np.array(["6917528997577384321", "", "3"])}, ColumnType.BIGINT, [6917528997577384321, None, 3]),
}  # fmt: skip


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_has_its_values(name: str, tmp_path: Path) -> None:
    how, kind, expected = COLUMNS[name]
    fits.BinTableHDU.from_columns([fits.Column("A", **how), fits.Column("B", "D", array=np.arange(3))]).writeto(tmp_path / "a.fits")
    field = Field("a", kind)
    (block,) = read(tmp_path / "a.fits", field)
    values = [None if null else value for value, null in zip(block.values(field).tolist(), block.null("a").tolist(), strict=True)]
    assert values == expected
    assert block.unparsable() == {}


def write_halved(path: Path, column: fits.Column) -> None:
    """A table of one column whose stored numbers are twice the values."""
    fits.BinTableHDU.from_columns([column]).writeto(path)
    content = bytearray(path.read_bytes())
    at = content.index(b"TFORM1")
    card = b"TSCAL1  =                  0.5".ljust(80)
    end = content.index(b"END".ljust(80), at)
    content[end : end + 160] = card + b"END".ljust(80)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("null", "expected"), [(None, [1.0, 1.5, -2.0]), (-4, [1.0, 1.5, None])], ids=["no null", "the null is the stored number"]
)
def test_scaled_numbers_are_converted(null: int | None, expected: list[float | None], tmp_path: Path) -> None:
    write_halved(tmp_path / "a.fits", fits.Column("A", "I", array=np.array([2, 3, -4]), null=null))
    field = Field("a", ColumnType.REAL)
    (block,) = read(tmp_path / "a.fits", field)
    assert [None if none else value for value, none in zip(block.values(field).tolist(), block.null("a").tolist(), strict=True)] == expected


ARRAYS = {
    "fixed length": fits.Column("A", "2J", array=np.array([[1, -99], [-99, -99]]), null=-99),
    "variable length": fits.Column("A", "PI()", array=np.array([np.array([1, -99]), np.array([-99, -99])], object), null=-99),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_the_declared_null_is_none_of_the_numbers_of_a_list(kind: str, tmp_path: Path) -> None:
    fits.BinTableHDU.from_columns([ARRAYS[kind]]).writeto(tmp_path / "a.fits")
    (block,) = read(tmp_path / "a.fits", Field("a", ColumnType.DOUBLE, is_array=True))
    assert np.array_equal(block.ragged("a").values, [1, np.nan, np.nan, np.nan], equal_nan=True)
    assert block.null("a").tolist() == [False, True]


def test_scaled_lists_of_variable_length_are_refused(tmp_path: Path) -> None:
    """astropy rounds their values to the stored type."""
    write_halved(tmp_path / "a.fits", fits.Column("A", "PI()", array=np.array([np.array([1, 3]), np.array([5])], object)))
    with pytest.raises(DataError, match=r"a .*scaled"):
        read(tmp_path / "a.fits", Field("a", ColumnType.DOUBLE, is_array=True))


def test_a_row_kept_whole_leaves_out_lists_of_texts(tmp_path: Path) -> None:
    texts = fits.Column("NAMES", "6A", dim="(3,2)", array=np.array([["a", "b"], ["c", "d"]]))
    fits.BinTableHDU.from_columns([fits.Column("A", "J", array=np.array([1, 2])), texts]).writeto(tmp_path / "a.fits")
    with (tmp_path / "a.fits").open("rb") as stream:
        reader = FitsReader(stream)
        (block,) = reader.blocks(0, whole_row_fields(reader.tables[0]))
    assert whole_rows(block).tolist() == ['{"a":1}', '{"a":2}']
