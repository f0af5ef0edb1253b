"""Every format gives the same typed rows, whatever the file is called; bad values cost their own row and nothing else."""

import gzip
import io
import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.io.votable import from_table
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import DataError
from catalog.schema.column import ColumnType
from ingest.file_table import Field, FileTable
from ingest.formats.cell_text import NULL_SPELLINGS
from ingest.formats.delimited import DelimitedReader
from ingest.formats.values import from_numbers, from_text
from ingest.products import gaia_source, xp_continuous
from ingest.reader import blocks_of, describe, format_of, open_table
from ingest.source_file import SourceFile

# A source without BP, one with both bands, one without correlations, one with coefficients only; identifiers beyond 2^53 and 2^62.
SOURCES = [(5405570973190252288, "full", ("rp",)), (4295806720, "full", ("bp", "rp")), (6917528997577384321, "err", ("bp", "rp")),
           (38655544960, "coef", ("bp", "rp"))]  # fmt: skip

GOOD = 4295806720


def read(path: Path, fields: tuple[Field, ...] = xp_continuous.FIELDS) -> list[FileTable]:
    with open_table(SourceFile(path)) as reader:
        return list(blocks_of(SourceFile(path), reader, list(range(len(reader.tables))), fields))


def by_source(blocks: list[FileTable], fields: tuple[Field, ...] = xp_continuous.FIELDS) -> dict[int, dict[str, Any]]:
    """Rows as plain values, numbers as float32: what the catalogue keeps."""
    rows: dict[int, dict[str, Any]] = {}
    for block in blocks:
        assert not block.malformed
        assert not block.unparsable()
        for index, source_id in enumerate(block.values(fields[[f.name for f in fields].index("source_id")]).tolist()):
            row: dict[str, Any] = {}
            for field in fields:
                if block.null(field.name)[index]:
                    row[field.name] = None
                elif field.is_array:
                    lists = block.ragged(field.name)
                    row[field.name] = lists.values[lists.offsets[index] : lists.offsets[index + 1]].astype(np.float32).tobytes()
                else:
                    row[field.name] = block.values(field)[index]
            rows[source_id] = row
    return rows


FORMATS = {
    "DataLink CSV": lambda a, p, rows: a.csv(p, rows),
    "bulk CSV": lambda a, p, rows: a.csv(p, rows, brackets="[]", separator=",", null="null"),
    "CSV, compressed": lambda a, p, rows: a.csv(p.with_suffix(".gz"), rows),
    "bulk ECSV": lambda a, p, rows: a.ecsv(p, rows),
    "FITS, variable length": lambda a, p, rows: a.fits(p, rows),
    "FITS, fixed length": lambda a, p, rows: a.fits(p, rows, variable=False),
    "VOTable, TABLEDATA": lambda a, p, rows: a.votable(p, rows, form="tabledata"),
    "VOTable, BINARY2": lambda a, p, rows: a.votable(p, rows),
    "VOTable, COMBINED": lambda a, p, rows: a.votable(p, rows, tables=3),
    "Parquet, lists": lambda a, p, rows: a.parquet(p, rows),
    "Parquet, text": lambda a, p, rows: a.parquet(p, rows, lists=False),
    "HDF5, a dataset a column": lambda a, p, rows: a.hdf5(p, rows),
    "HDF5, records": lambda a, p, rows: a.hdf5(p, rows, records=True),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_rows(name: str, archive: Any, tmp_path: Path) -> None:
    rows = [archive.spectrum(source_id, level, bands) for source_id, level, bands in SOURCES]
    path = FORMATS[name](archive, tmp_path / "without a telling name", rows)
    path.touch(exist_ok=True)
    found = by_source(read(path))
    for row in rows:
        for field in xp_continuous.FIELDS:
            value = row[field.name]
            expected = np.array(value, np.float32).tobytes() if isinstance(value, list) else value
            assert found[row["source_id"]][field.name] == expected, (name, row["source_id"], field.name)


def test_the_archives_own_formats_give_the_same_spectra(real_data: Path) -> None:
    folder = real_data / "gaiaxpy_reference" / "xp_continuous"
    endings = ("csv.gz", "ecsv.gz", "fits", "xml.gz", "_plain.xml.gz")
    found = [by_source(read(folder / f"XP_CONTINUOUS_RAW_with_missing_BP{'' if e[0] == '_' else '.'}{e}")) for e in endings]
    assert len(found[0]) == 3
    assert found[0][5405570973190252288]["bp_coefficients"] is None
    for name, other in zip(endings, found, strict=True):
        for rows in other.values():
            rows.pop("solution_id")  # the archive itself gives 80 or 81, by format
        assert other == found[0], name


def test_the_archives_own_formats_give_the_same_gaia_source_row(real_data: Path) -> None:
    paths = [real_data / "archive_formats" / f"1714556098855O-result.{ending}" for ending in ("csv", "ecsv", "fits", "vot")]
    found = [by_source(read(path, gaia_source.FIELDS), gaia_source.FIELDS) for path in paths]
    assert found[0][5929246508730155392]["has_xp_continuous"]
    assert not found[0][5929246508730155392]["has_rvs"]
    assert sum(value is not None for value in found[0][5929246508730155392].values()) > 40
    for path, other in zip(paths, found, strict=True):
        assert other == found[0], path.name


HEADS = {
    b"SIMPLE  =                    T": "fits",
    b"PAR1\x15": "parquet",
    b"<?xml version='1.0'?><!-- a comment --><vot:VOTABLE>": "votable",
    b"\xef\xbb\xbf# %ECSV 1.0\n": "ecsv",
    b"source_id,ra,dec\n1,2,3\n": "csv",
    b"# a comment\nsource_id,ra\n": "csv",
    b"source_id,ra,dec\n1,2,3\n1,\x02,3\n1,\0,3\n": "csv",  # damaged rows
    b"a,b\0\x01\n\x02\0\0": None,
    b"<?xml version='1.0'?><uws:jobs/>": None,
    b"": None,
    b"Obj\x01avro": None,
    b"\x89HDF\r\n\x1a\n": "hdf5",
    b"\x89HDF\n": None,
    b"one column\n1\n": None,
    b'{"a": [' + b"1, " * 30000: None,
    bytes(range(200)): None,
}


@pytest.mark.parametrize("head", HEADS, ids=lambda head: repr(head[:20]))
def test_a_format_is_told_by_content(head: bytes) -> None:
    assert format_of(head) == HEADS[head]
    assert HEADS[head] or describe(head)


@pytest.mark.parametrize("spelling", [*NULL_SPELLINGS, " null ", "  "])
@pytest.mark.parametrize(
    "type_", [ColumnType.BIGINT, ColumnType.SMALLINT, ColumnType.REAL, ColumnType.DOUBLE, ColumnType.BOOLEAN, ColumnType.TEXT]
)
def test_every_null_spelling_is_null_in_every_type(spelling: str, type_: ColumnType) -> None:
    column = from_text(pa.array([spelling, "1", None]), Field("x", type_))
    assert column.null.tolist() == [True, False, True]
    assert not column.unparsable


@pytest.mark.parametrize("spelling", [*NULL_SPELLINGS, "()", "[]", "( )", "[nan, nan]", "(null)"])
def test_every_null_spelling_is_a_missing_array(spelling: str) -> None:
    column = from_text(pa.array([spelling, "[1, 2]"]), Field("x", ColumnType.DOUBLE, is_array=True))
    assert column.null.tolist() == [True, False]
    assert not column.unparsable


@pytest.mark.parametrize("text", ["True", "true", "TRUE", '"True"', "t", "1", "'true'"])
def test_booleans_in_either_case_and_quoted(text: str) -> None:
    column = from_text(pa.array([text, text.replace("rue", "alse").replace("RUE", "ALSE").replace("T", "F").replace("t", "f").replace("1", "0")]),
                       Field("x", ColumnType.BOOLEAN))  # fmt: skip
    assert column.values.tolist() == [True, False]
    assert not column.unparsable


UNPARSABLE = [
    (ColumnType.BIGINT, "12x"), (ColumnType.BIGINT, "1.5"), (ColumnType.BIGINT, "9223372036854775808"), (ColumnType.BIGINT, "0x10"),
    (ColumnType.BIGINT, "1e3"), (ColumnType.SMALLINT, "40000"), (ColumnType.REAL, "1e39"), (ColumnType.REAL, "1,5"),
    (ColumnType.BIGINT, "9" * 5000), (ColumnType.BIGINT, "\u0661\u0662"), (ColumnType.DOUBLE, "1e400"), (ColumnType.REAL, "-1e400"),
    (ColumnType.DOUBLE, "1_000"), (ColumnType.DOUBLE, "--"), (ColumnType.BOOLEAN, "yes"), (ColumnType.TEXT, "a\0b"),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "text"), UNPARSABLE)
def test_a_value_that_is_not_of_its_type_is_told_and_costs_no_other(type_: ColumnType, text: str) -> None:
    column = from_text(pa.array(["1", text, "0"]), Field("x", type_))
    assert list(column.unparsable) == [1]
    assert not column.null.any()


@pytest.mark.parametrize("text", ["[1, b, 3]", "(1 2 3)", "[[1,2],[3,4]]", "[1,,2x]"])
def test_an_array_of_other_things_is_told_and_costs_no_other(text: str) -> None:
    column = from_text(pa.array(["[1,2]", text, "(3, null)"]), Field("x", ColumnType.DOUBLE, is_array=True))
    assert list(column.unparsable) == [1]
    assert np.array_equal(column.values.values[[0, 1, -2, -1]], [1, 2, 3, np.nan], equal_nan=True)


def test_text_that_is_not_utf8_is_told_and_costs_no_other() -> None:
    column = from_text(pa.array([b"1", b"\xff\xfe", b"2"], pa.binary()), Field("x", ColumnType.BIGINT))
    assert column.values.tolist()[::2] == [1, 2]
    assert list(column.unparsable) == [1]


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
@settings(max_examples=50, deadline=None)
def test_no_64_bit_integer_passes_through_a_float(numbers: list[int]) -> None:
    field = Field("source_id", ColumnType.BIGINT)
    for column in (
        from_text(pa.array([str(number) for number in numbers]), field),
        from_text(pa.array([f"{number}.0" for number in numbers]), field),
        from_numbers(np.array(numbers, np.int64), np.zeros(len(numbers), bool), field),
    ):
        assert column.values.tolist() == numbers
        assert not column.unparsable


def test_an_identifier_stored_as_a_float_is_refused_where_it_may_have_lost_digits() -> None:
    column = from_numbers(np.array([4295806720.0, 5405570973190252288.0, np.nan]), np.zeros(3, bool), Field("source_id", ColumnType.BIGINT))
    assert list(column.unparsable) == [1]
    assert column.null.tolist() == [False, False, True]


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1))
@settings(max_examples=50, deadline=None)
def test_text_of_a_float32_gives_the_same_float32(numbers: list[float]) -> None:
    texts = [str(np.float32(number)) for number in numbers]
    expected = np.array(numbers, np.float32).tobytes()
    scalar = from_text(pa.array(texts), Field("x", ColumnType.REAL))
    assert scalar.values.tobytes() == expected
    array = from_text(pa.array([f"({', '.join(texts)})"]), Field("x", ColumnType.DOUBLE, is_array=True))
    assert array.values.values.astype(np.float32).tobytes() == expected


RAGGED_ROWS = b"source_id,ra,dec\n1,2,3\n4,5\n\n7,8,9\n10,11,12,13\n14,15,16\n"


def test_rows_with_a_wrong_number_of_fields_keep_their_number_and_cost_no_other() -> None:
    blocks = list(DelimitedReader(io.BytesIO(RAGGED_ROWS)).blocks(0, (Field("source_id", ColumnType.BIGINT),)))
    numbers = np.concatenate([block.row_number for block in blocks])
    values = np.concatenate([block.values(Field("source_id", ColumnType.BIGINT)) for block in blocks])
    assert dict(zip(numbers.tolist(), values.tolist(), strict=True)) == {1: 1, 3: 7, 5: 14}
    assert [number for block in blocks for number in block.malformed] == [2, 4]


@pytest.mark.parametrize("blank", [b"", b"\n"], ids=["every line is a row", "a blank line among the rows"])
@pytest.mark.parametrize("field", [b"x\xff\xfe", b"na\xc3\xafve", b"plain"])
def test_a_malformed_row_of_any_bytes_costs_no_other(field: bytes, blank: bytes) -> None:
    """Arrow gives up a text in which a malformed row is not UTF-8."""
    text = b"source_id,name,ra\n1,Bj\xc3\xb6rn,2\n3," + field + b",4,5\n" + blank + b"6," + field + b",7\n"
    identity, name, ra = Field("source_id", ColumnType.BIGINT), Field("name", ColumnType.TEXT), Field("ra", ColumnType.DOUBLE)
    (block,) = list(DelimitedReader(io.BytesIO(text)).blocks(0, (identity, name, ra)))
    assert block.row_number.tolist() == [1, 3]
    assert block.values(identity).tolist() == [1, 6] and block.values(ra).tolist() == [2.0, 7.0]
    try:
        assert block.values(name).tolist() == ["Björn", field.decode()] and block.unparsable() == {}
    except UnicodeDecodeError:
        assert block.values(name).tolist()[0] == "Björn"
        assert block.unparsable() == {1: f"name: not UTF-8: {field!r}"}
    assert block.malformed == {2: f"4 fields in place of 3: {('3,' + field.decode(errors='backslashreplace') + ',4,5')!r}"}


@pytest.mark.parametrize("tail", ['8,"9', "8", '8,9,"10, 11'])
def test_a_text_that_ends_inside_a_row_is_truncated(tail: str) -> None:
    reader = DelimitedReader(io.BytesIO(b"source_id,ra,list\n1,2,3\n" + tail.encode()))
    with pytest.raises(DataError, match="truncated"):
        list(reader.blocks(0, (Field("source_id", ColumnType.BIGINT), Field("list", ColumnType.DOUBLE, is_array=True))))


@pytest.mark.parametrize("text", [b"source_id,ra", b"source_id,ra\n1,2\n3,4", b"source_id,ra\r\n1,2\r\n3,4\r"[:-1]])
def test_a_last_line_without_line_end_is_truncated(text: bytes) -> None:
    """Nothing tells 3,4 from the head of 3,45: a number that was cut must not be taken for another one."""
    with pytest.raises(DataError, match="no line end"):
        list(DelimitedReader(io.BytesIO(text)).blocks(0, (Field("source_id", ColumnType.BIGINT), Field("ra", ColumnType.DOUBLE))))


def test_a_big_file_is_read_in_blocks(archive: Any, tmp_path: Path) -> None:
    path = archive.csv(tmp_path / "big.csv", [archive.spectrum(4295806720 + 128 * i) for i in range(3)])
    header, *rows = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(header + b"".join(rows * 120))
    blocks = read(path)
    assert len(blocks) > 2
    assert np.concatenate([block.row_number for block in blocks]).tolist() == list(range(1, 361))
    assert max(len(block) for block in blocks) * len(rows[0]) < 20e6


def _cut(path: Path, part: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])


@pytest.mark.parametrize("part", [0.3, 0.9, 0.99])
@pytest.mark.parametrize("name", FORMATS)
def test_a_file_cut_short_is_noticed(name: str, part: float, archive: Any, tmp_path: Path) -> None:
    path = FORMATS[name](archive, tmp_path / "file", [archive.spectrum(source_id) for source_id, _, _ in SOURCES * 3])
    _cut(path, part)
    with pytest.raises(DataError):
        read(path)


def test_a_fits_file_cut_within_a_header_is_noticed(archive: Any, tmp_path: Path) -> None:
    path = archive.fits(tmp_path / "file.fits", [archive.spectrum(SOURCES[0][0])])
    path.write_bytes(path.read_bytes()[: 2 * 2880 + 100])  # the primary HDU is whole, the table's header is not: there seems to be no table
    with pytest.raises(DataError, match="no whole HDU follows byte 2880"):
        read(path)


@pytest.mark.parametrize("name", ["source_id", "ra"])
def test_lists_in_a_fits_column_of_single_values_are_told(name: str, tmp_path: Path) -> None:
    lists = np.empty(2, object)
    lists[:] = [np.array([5]), np.array([6])]
    columns = {"source_id": ("K", [5, 6]), "ra": ("D", [1.0, 2.0]), "dec": ("D", [1.0, 2.0])}
    form, _ = columns[name]
    columns[name] = (f"P{form}(1)", lists)
    fits.BinTableHDU.from_columns([fits.Column(each, form, array=array) for each, (form, array) in columns.items()]).writeto(tmp_path / "x")
    with pytest.raises(DataError, match=f"column {name} holds lists"):
        read(tmp_path / "x", gaia_source.FIELDS)


@pytest.mark.parametrize("form", ["binary", "binary2"])
@pytest.mark.parametrize("cut", [4, 4000])
def test_a_votable_that_lost_a_part_of_its_stream_is_noticed(form: str, cut: int, archive: Any, tmp_path: Path) -> None:
    path = archive.votable(tmp_path / "file.vot", [archive.spectrum(source_id) for source_id, _, _ in SOURCES], form=form)
    before, stream, after = re.split(rb"(?s)(?<=encoding=.base64.>)(.*)(?=</STREAM>)", path.read_bytes())
    whole = b"".join(stream.split())
    path.write_bytes(before + whole + after)
    read(path)
    path.write_bytes(before + whole[:20000] + whole[20000 + cut :] + after)  # well-formed XML and base64, another content
    with pytest.raises(DataError):
        read(path)


def test_a_votable_never_fetches_rows_from_elsewhere(archive: Any, tmp_path: Path) -> None:
    path = archive.votable(tmp_path / "file.vot", [archive.spectrum(SOURCES[0][0])])
    (tmp_path / "rows").write_bytes(b"")
    stream = b'<STREAM href="' + (tmp_path / "rows").as_uri().encode() + b'"/>'
    path.write_bytes(re.sub(rb"(?s)<STREAM.*</STREAM>", stream, path.read_bytes()))
    with pytest.raises(DataError, match="lie elsewhere"):
        read(path)


def _two_of_a_name(kind: str, path: Path) -> None:
    columns = {"source_id": [GOOD], "ra": [45.0], "dec": [0.005], "RA": [46.0]}
    if kind == "FITS":
        forms = [fits.Column(name, "K" if name == "source_id" else "D", array=values) for name, values in columns.items()]
        fits.BinTableHDU.from_columns(forms).writeto(path)
    elif kind == "VOTable":
        from_table(Table(columns)).to_xml(str(path))
    elif kind == "Parquet":
        pq.write_table(pa.table(columns), path)
    elif kind == "HDF5":
        with h5py.File(path, "w") as file:
            for name, values in columns.items():
                file[name] = values
    else:
        path.write_text(",".join(columns) + f"\n{GOOD},45,0.005,46\n")


@pytest.mark.parametrize("kind", ["CSV", "FITS", "VOTable", "Parquet", "HDF5"])
def test_two_columns_of_one_name_are_told(kind: str, tmp_path: Path) -> None:
    _two_of_a_name(kind, tmp_path / "file")
    with pytest.raises(DataError, match="names ra more than once"):
        read(tmp_path / "file", gaia_source.FIELDS)


def test_a_flipped_byte_in_a_compressed_file_is_noticed(archive: Any, tmp_path: Path) -> None:
    path = archive.csv(tmp_path / "file.gz", [archive.spectrum(source_id) for source_id, _, _ in SOURCES])
    content = bytearray(path.read_bytes())
    content[-6] ^= 1  # in the checksum: all rows can still be read
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        read(path)
    assert len(gzip.decompress(bytes(content[:-6]) + bytes([content[-6] ^ 1]) + bytes(content[-5:]))) > 0
