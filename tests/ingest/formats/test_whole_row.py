"""Rows as JSON: valid whatever a table holds, numbers digit by digit, and only of columns that readers give."""

import json
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.schema.column import ColumnType
from ingest.file_table import FileTable, Ragged, TypedColumn
from ingest.formats.whole_row import whole_row_fields, whole_rows
from ingest.reader import open_table
from ingest.source_file import SourceFile


def block(name: str, cells: list[str]) -> FileTable:
    (field,) = whole_row_fields({name: "text"})
    column = TypedColumn(np.array(cells, object), np.array([not cell for cell in cells], bool))
    return FileTable(np.arange(1, len(cells) + 1), {field.name: column})


@settings(max_examples=100, deadline=None)
@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), min_size=1, max_size=5),
)
def test_any_text_is_a_valid_row(name: str, cells: list[str]) -> None:
    for row, cell in zip(whole_rows(block(name, cells)), cells, strict=True):
        held = json.loads(row, parse_int=str, parse_float=str)
        if not cell:
            assert held == {}
        elif cell in ("True", "False"):
            assert held == {name: cell == "True"}
        else:
            assert held == {name: cell}  # a number reads back as the digits that stood there


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(width=64), max_size=6))
def test_any_list_of_numbers_is_a_valid_row(numbers: list[float]) -> None:
    (field,) = whole_row_fields({"a": "3D"})
    assert field.is_array
    table = FileTable(
        np.array([1]), {field.name: TypedColumn(Ragged.of_lengths(np.array(numbers), np.array([len(numbers)])), np.array([False]))}
    )
    held = json.loads(whole_rows(table)[0])["a"]
    assert held == [value if math.isfinite(value) else None for value in numbers]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("6917528997577384321", "6917528997577384321"), ("-0.50", "-0.50"), ("1e-5", "1e-5"), ("007", '"007"'), (".5", '".5"'), ("5.", '"5."'),
        ("+5", '"+5"'), ("1e9999", '"1e9999"'), ("inf", '"inf"'), ("True", "true"), ("0x10", '"0x10"'), ('a "b"', '"a \\"b\\""'),
    ],
)  # fmt: skip
def test_a_number_is_one_where_json_has_it(cell: str, expected: str) -> None:
    assert whole_rows(block("a", [cell]))[0] == f'{{"a":{expected}}}'


TYPES = {
    "FITS": ({"a": "D", "b": "18A", "c": "5E", "d": "PE(12)", "e": "L", "f": "16X", "g": "M"}, {"a": False, "b": False, "c": True, "d": True, "e": False}),
    "VOTable": (
        {"a": "double", "b": "char[*]", "c": "float[55]", "d": "char[8x3]", "e": "floatComplex", "f": "long"},
        {"a": False, "b": False, "c": True, "f": False},
    ),
    "Parquet": (
        {"a": "int64", "b": "string", "c": "list<element: double>", "d": "struct<x: int64>", "e": "timestamp[us]", "f": "list<item: string>"},
        {"a": False, "b": False, "c": True},
    ),
    "text": ({"a": "text", "b": "float64", "c": "string"}, {"a": False, "b": False, "c": False}),
}  # fmt: skip


@pytest.mark.parametrize("name", TYPES)
def test_columns_of_types_that_readers_give_are_kept(name: str) -> None:
    types, expected = TYPES[name]
    fields = whole_row_fields(types)
    assert {field.synonyms[0]: field.is_array for field in fields} == expected
    assert all(field.type is (ColumnType.DOUBLE if field.is_array else ColumnType.TEXT) for field in fields)


def rows_of(path: Path) -> list[dict[str, object]]:
    with open_table(SourceFile(path)) as reader:
        (table,) = list(reader.blocks(0, whole_row_fields(reader.tables[0])))
    return [json.loads(row) for row in whole_rows(table)]


@pytest.mark.filterwarnings("ignore::astropy.io.fits.verify.VerifyWarning")  # written here: names with brackets
def test_rows_of_fits_and_parquet_are_whole(tmp_path: Path) -> None:
    columns = [
        fits.Column("ID", "K", array=np.array([2**62 + 1, 3])), fits.Column("[Fe/H]", "E", array=np.array([-0.1, np.nan])),
        fits.Column("NAME", "4A", array=np.array(["a", ""])), fits.Column("V", "2D", array=np.array([[1.0, np.nan], [3.0, 4.0]])),
        fits.Column("OK", "L", array=np.array([True, False])), fits.Column("BITS", "9X", array=np.zeros((2, 9), bool)),
    ]  # fmt: skip
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "a.fits")
    first = {"id": 2**62 + 1, "[fe/h]": -0.1, "name": "a", "v": [1.0, None], "ok": True}
    second = {"id": 3, "v": [3.0, 4.0], "ok": False}
    assert rows_of(tmp_path / "a.fits") == [first, second]
    table = pa.table({"id": [2**62 + 1, None], "name": ["a", ""], "v": [[1.0, None], []], "day": pa.array([0, 1], pa.date32())})
    pq.write_table(table, tmp_path / "a.parquet")
    assert rows_of(tmp_path / "a.parquet") == [{"id": 2**62 + 1, "name": "a", "v": [1.0, None]}, {}]
