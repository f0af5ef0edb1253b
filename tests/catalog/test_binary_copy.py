"""The binary COPY codec against an independent encoder of one cell at a time, and against PostgreSQL itself."""

import json
import math
import struct
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from catalog import binary_copy
from catalog.binary_copy import (
    HEADER,
    TRAILER,
    CopyField,
    RawBlock,
    Rows,
    copy_fields,
    decode,
    encode,
    encode_rows,
    raw_blocks,
    read_rows,
    write_rows,
)
from catalog.database import Database
from catalog.errors import DataError
from catalog.schema import GAIA_SOURCE, RUN_CHUNK
from catalog.schema.column import ColumnType

FIELDS = (
    CopyField("small", ColumnType.SMALLINT),
    CopyField("int", ColumnType.INTEGER),
    CopyField("big", ColumnType.BIGINT),
    CopyField("real", ColumnType.REAL),
    CopyField("double", ColumnType.DOUBLE),
    CopyField("bool", ColumnType.BOOLEAN),
    CopyField("text", ColumnType.TEXT),
    CopyField("time", ColumnType.TIMESTAMP),
    CopyField("json", ColumnType.JSON),
    CopyField("bytes", ColumnType.BYTES),
    CopyField("vector", ColumnType.VECTOR),
    CopyField("triangle", ColumnType.VECTOR, 3),
)
EPOCH = datetime(2000, 1, 1)
TABLE = sql.Identifier("cells")

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


def floats(width: int) -> st.SearchStrategy[float]:
    return st.floats(width=width, allow_nan=False) | st.sampled_from([math.nan, math.inf, -math.inf, -0.0])


CELLS: dict[str, st.SearchStrategy[Any]] = {
    "small": st.integers(-(2**15), 2**15 - 1),
    "int": st.integers(-(2**31), 2**31 - 1),
    "big": st.integers(-(2**63), 2**63 - 1) | st.integers(6_900_000_000_000_000_000, 7_000_000_000_000_000_000),
    "real": floats(32),
    "double": floats(64),
    "bool": st.booleans(),
    "text": TEXT,
    "time": st.datetimes(),
    "json": st.one_of(st.none(), st.booleans(), st.integers(), TEXT, st.dictionaries(TEXT, st.integers(0, 9), max_size=3)).map(json.dumps),
    "bytes": st.binary(max_size=12),
    "vector": st.lists(floats(32), max_size=4).map(lambda numbers: struct.pack(f">{len(numbers)}f", *numbers)),
    "triangle": st.lists(floats(32), min_size=3, max_size=3),
}

tables = st.lists(st.tuples(*((st.none() | CELLS[field.name]) for field in FIELDS)), max_size=9)


def columns_of(table: list[tuple[Any, ...]]) -> Rows:
    """The rows of a list of Python values, None for null."""
    fillers = {"small": 0, "int": 0, "big": 0, "real": 0.0, "double": 0.0, "bool": False, "time": EPOCH, "triangle": [0.0] * 3}
    values, nulls = {}, {}
    for field, cells in zip(FIELDS, list(zip(*table, strict=True)) or [()] * len(FIELDS), strict=True):
        nulls[field.name] = np.array([cell is None for cell in cells], bool)
        filled = [fillers.get(field.name) if cell is None else cell for cell in cells]
        array = np.empty(field.shape(len(filled)), field.dtype)
        array[:] = filled if filled else array
        values[field.name] = array
    return Rows(FIELDS, values, nulls)


FORMATS = {"small": ">h", "int": ">i", "big": ">q", "real": ">f", "double": ">d", "bool": ">?"}


def one_cell(field: CopyField, value: Any) -> bytes:
    """PostgreSQL's binary form of a value, written from the manual."""
    if value is None:
        return struct.pack(">i", -1)
    if field.name in FORMATS:
        data = struct.pack(FORMATS[field.name], value)
    elif field.type is ColumnType.TIMESTAMP:
        data = struct.pack(">q", (value - EPOCH) // timedelta(microseconds=1))
    elif field.type in (ColumnType.TEXT, ColumnType.JSON):
        data = (b"\1" if field.type is ColumnType.JSON else b"") + value.encode()
    else:
        data = struct.pack(">3f", *value) if field.length else value
    return struct.pack(">i", len(data)) + data


def one_row(row: tuple[Any, ...]) -> bytes:
    return struct.pack(">h", len(row)) + b"".join(one_cell(field, cell) for field, cell in zip(FIELDS, row, strict=True))


def stream_of(table: list[tuple[Any, ...]]) -> bytes:
    return b"PGCOPY\n\377\r\n\0" + struct.pack(">ii", 0, 0) + b"".join(map(one_row, table)) + struct.pack(">h", -1)


def assert_same(found: Rows, expected: Rows) -> None:
    assert found.fields == expected.fields
    for field in expected.fields:
        null = expected.null(field.name)
        assert np.array_equal(found.null(field.name), null), field
        assert found[field.name].dtype == field.dtype
        seen, wanted = found[field.name][~null], expected[field.name][~null]
        if field.type is ColumnType.JSON:  # jsonb keeps the value, not the spelling
            assert [json.loads(cell) for cell in seen] == [json.loads(cell) for cell in wanted]
        else:
            assert np.array_equal(seen, wanted, equal_nan=seen.dtype.kind == "f"), field


SAMPLE = [
    (
        *(1, -2, 6_917_529_027_641_081_855, 1.5, math.nan, True, "Ångström"),
        *(datetime(2016, 1, 1, 12, 0, 0, 1), '{"a": 1}', b"\0\1", b"", [1.0, math.inf, math.nan]),
    ),
    (None,) * 12,
    (0, 2**31 - 1, -(2**63), -math.inf, 5e-324, False, "", datetime(1, 1, 1), '""', b"", struct.pack(">2f", 1, 2), [0.0, -0.0, 1e-45]),
]


@given(tables)
@settings(max_examples=150, deadline=None)
def test_the_encoder_writes_the_bytes_that_the_manual_asks_for(table: list[tuple[Any, ...]]) -> None:
    assert encode(columns_of(table)) == stream_of(table)


@given(tables)
@settings(max_examples=150, deadline=None)
def test_the_decoder_reads_them_back(table: list[tuple[Any, ...]]) -> None:
    stream = stream_of(table)
    rows = decode(stream, FIELDS)
    assert_same(rows, columns_of(table))
    assert encode(rows) == stream


@given(tables)
@settings(max_examples=60, deadline=None)
def test_cells_are_where_a_walk_from_cell_to_cell_finds_them(table: list[tuple[Any, ...]]) -> None:
    for rows in (table, table[:1] * 5):  # the second has one layout in all rows, which is taken for granted only when proved
        encoded = [one_row(row) for row in rows]
        block = RawBlock(b"".join(encoded), np.array([len(row) for row in encoded], np.int64))
        starts, lengths = block.cells(len(FIELDS))
        assert starts.shape == lengths.shape == (len(rows), len(FIELDS))
        at = 0
        for i, row in enumerate(rows):
            at += 2
            for j, (field, cell) in enumerate(zip(FIELDS, row, strict=True)):
                data = one_cell(field, cell)[4:]
                assert lengths[i, j] == (-1 if cell is None else len(data))
                assert block.buffer[starts[i, j] : starts[i, j] + len(data)] == data
                at += 4 + len(data)
                assert starts[i, j] == at - len(data)


def test_one_layout_is_seen_only_where_all_rows_have_it() -> None:
    fields = (CopyField("a", ColumnType.INTEGER), CopyField("b", ColumnType.BIGINT))
    swapped = struct.pack(">hiqii", 2, 8, 0, 4, 0)  # as long as the others, but its cells lie elsewhere
    plain = struct.pack(">hiiiq", 2, 4, 7, 8, 7)
    shorter = plain[:10] + struct.pack(">i", -1)
    for rows, uniform in (([plain] * 3, True), ([plain, swapped], False), ([plain, shorter], False), ([], False)):
        block = RawBlock(b"".join(rows), np.array([len(row) for row in rows], np.int64))
        assert (block.uniform_cells(2) is not None) == uniform
    with pytest.raises(DataError, match="Column a should be integer of 4 bytes, but row 1 of the block has 8"):
        decode(HEADER + plain + swapped + TRAILER, fields)


def test_a_stream_cut_at_any_byte_is_truncated_and_never_a_shorter_table() -> None:
    stream = stream_of(SAMPLE)
    assert len(decode(stream, FIELDS)) == 3
    for end in range(len(stream)):
        with pytest.raises(DataError, match=r"truncated|not a binary COPY stream"):
            decode(stream[:end], FIELDS)


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (b"source_id,ra\n1,2\n" + bytes(9), "not a binary COPY stream"),
        (HEADER[:11] + b"\0\1\0\0" + bytes(4) + TRAILER, "critical flags"),
        (HEADER + struct.pack(">h", 1) + one_cell(FIELDS[1], 5) + TRAILER, "1 columns where 2"),
        (HEADER + struct.pack(">hi", 2, -2) + one_cell(FIELDS[1], 5) + TRAILER, "has the length -2"),
        (HEADER + TRAILER + b"\0", "1 bytes after its trailer"),
        (HEADER + struct.pack(">hiqi", 2, 8, 1, -1) + TRAILER, "Column a should be integer of 4 bytes, but row 0 of the block has 8"),
        (HEADER + struct.pack(">hii", 2, -1, 2) + b"\xff\xfe" + TRAILER, "Column b should be text, but holds bytes that are not UTF-8"),
    ],
)
def test_damaged_and_foreign_streams_are_named(stream: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        decode(stream, (CopyField("a", ColumnType.INTEGER), CopyField("b", ColumnType.TEXT)))


def test_a_header_extension_is_skipped() -> None:
    assert len(decode(HEADER[:15] + struct.pack(">i", 3) + b"abc" + one_row(SAMPLE[0]) + TRAILER, FIELDS)) == 1


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (CopyField("note", ColumnType.TEXT), "a\0b", "zero byte"),
        (CopyField("note", ColumnType.TEXT), "\ud800", "not text"),
        (CopyField("note", ColumnType.TEXT), 5, "not text"),
        (CopyField("payload", ColumnType.BYTES), "text", "not bytes"),
        (CopyField("payload", ColumnType.VECTOR), b"12345", "5 bytes are no packed float32"),
        (CopyField("sums", ColumnType.DOUBLE_ARRAY), b"123456789", "9 bytes are no packed float64"),
        (CopyField("when", ColumnType.TIMESTAMP), np.datetime64(-(2**63) + 1, "us"), "before PostgreSQL's first"),
    ],
)
def test_values_that_postgresql_cannot_hold_name_their_column_and_row(field: CopyField, value: Any, message: str) -> None:
    values = np.array([None, value], field.dtype)
    with pytest.raises(DataError, match=f"Column {field.name}, row 1 .*{message}"):
        encode_rows(Rows((field,), {field.name: values}))


def test_fields_come_from_column_descriptions() -> None:
    fields = copy_fields(GAIA_SOURCE.pick("source_id", "phot_variable_flag"))
    assert fields == (CopyField("source_id", ColumnType.BIGINT), CopyField("phot_variable_flag", ColumnType.TEXT))
    assert CopyField("residual_sums", ColumnType.DOUBLE_ARRAY) in copy_fields(RUN_CHUNK.columns)


# --- PostgreSQL -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def connection(any_empty_database: Database) -> Iterator[psycopg.Connection[Any]]:
    """A connection, with an empty table of one column of each type and a key that counts the rows."""
    with any_empty_database.connect(None, autocommit=True) as connection:
        columns = sql.SQL(", ").join(sql.SQL("{} {}").format(sql.Identifier(f.name), sql.SQL(f.type.postgres)) for f in FIELDS)
        connection.execute(sql.SQL("CREATE TABLE cells (row_number integer GENERATED ALWAYS AS IDENTITY, {})").format(columns))
        yield connection


def query(columns: str) -> sql.Composable:
    return sql.SQL("SELECT {} FROM cells ORDER BY row_number").format(sql.SQL(columns))


EVERYTHING = query(", ".join(f'"{field.name}"' for field in FIELDS))


@given(table=tables, block_rows=st.integers(1, 10))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_table_survives_postgresql(connection: psycopg.Connection[Any], table: list[tuple[Any, ...]], block_rows: int) -> None:
    connection.execute("TRUNCATE cells RESTART IDENTITY")
    rows = columns_of(table)
    assert write_rows(connection, TABLE, rows) == len(table)
    blocks = list(read_rows(connection, EVERYTHING, FIELDS, block_rows=block_rows))
    assert [len(block) for block in blocks] == [len(table[at : at + block_rows]) for at in range(0, len(table), block_rows)]
    assert_same(Rows.concatenate([Rows.empty(FIELDS), *blocks]), rows)


def test_postgresql_sees_the_values_that_were_meant(connection: psycopg.Connection[Any]) -> None:
    write_rows(connection, TABLE, columns_of(SAMPLE))
    first, second, third = connection.execute(EVERYTHING).fetchall()
    assert second == (None,) * 12
    when = datetime(2016, 1, 1, 12, 0, 0, 1, UTC)
    assert first[:4] == (1, -2, 6_917_529_027_641_081_855, 1.5) and math.isnan(first[4])
    assert first[5:11] == (True, "Ångström", when, {"a": 1}, b"\0\1", b"")
    assert struct.unpack(">3f", first[11])[:2] == (1.0, math.inf)
    assert third[2:5] == (-(2**63), -math.inf, 5e-324)
    assert (third[6], *third[9:11]) == ("", b"", struct.pack(">2f", 1, 2))


@pytest.mark.parametrize("written", [0, 1, 2, 3, 6, 7])
def test_rows_go_out_in_several_blocks(connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch, written: int) -> None:
    monkeypatch.setattr(binary_copy, "WRITE_BYTES", 400)  # about three rows
    rows = columns_of([SAMPLE[i % 3] for i in range(written)])
    assert write_rows(connection, TABLE, rows) == written
    assert_same(Rows.concatenate([Rows.empty(FIELDS), *read_rows(connection, EVERYTHING, FIELDS)]), rows)


def test_a_refused_row_leaves_nothing_and_the_error_is_postgresqls(connection: psycopg.Connection[Any]) -> None:
    connection.execute("CREATE UNIQUE INDEX ON cells (big)")
    with pytest.raises(psycopg.errors.UniqueViolation):
        write_rows(connection, TABLE, columns_of([SAMPLE[0], SAMPLE[0]]))
    assert connection.execute("SELECT count(*) FROM cells").fetchone() == (0,)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ('"big", "int"', "Column a should be integer of 4 bytes, but row 0 of the block has 8"),
        ('"int"', "1 columns where 2 are expected"),
        ('"int", "int", "int"', "3 columns where 2 are expected"),
        ('"int", "time"', "Column b should be jsonb"),
    ],
)
def test_a_query_that_does_not_fit_the_fields_names_the_column(connection: psycopg.Connection[Any], columns: str, message: str) -> None:
    write_rows(connection, TABLE, columns_of(SAMPLE[:1]))
    with pytest.raises(DataError, match=message):
        list(read_rows(connection, query(columns), (CopyField("a", ColumnType.INTEGER), CopyField("b", ColumnType.JSON))))
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_infinite_times_are_refused_because_numpy_has_none(connection: psycopg.Connection[Any]) -> None:
    for text in ("infinity", "-infinity", "294276-12-31"):
        with pytest.raises(DataError, match="Column when holds a time that is infinite"):
            list(read_rows(connection, sql.SQL("SELECT {}::timestamptz").format(text), (CopyField("when", ColumnType.TIMESTAMP),)))


def test_parameters_fill_the_query(connection: psycopg.Connection[Any]) -> None:
    statement = sql.SQL("SELECT n::integer FROM generate_series(1, %(last)s) n WHERE n %% 2 = 0")
    (rows,) = read_rows(connection, statement, (CopyField("n", ColumnType.INTEGER),), {"last": 6})
    assert rows["n"].tolist() == [2, 4, 6]


def test_leaving_a_long_query_early_stops_it(connection: psycopg.Connection[Any]) -> None:
    started = time.monotonic()
    blocks = raw_blocks(connection, sql.SQL("SELECT generate_series(1, 1000000000)"), block_rows=1000)
    assert len(next(blocks)) == 1000
    blocks.close()
    assert connection.execute("SELECT 1").fetchone() == (1,)
    assert time.monotonic() - started < 20
    active = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'COPY%'").fetchone()
    assert active == (0,)
