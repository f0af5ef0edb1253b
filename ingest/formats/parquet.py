"""Parquet, read by batches of rows: list columns, and arrays written as text ``"(a, b)"``; decimals digit by digit, dates and times as text."""

from collections.abc import Iterator, Mapping
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet

from catalog.errors import DataError
from ingest.file_table import Field, FileTable, TypedColumn, fields_named
from ingest.formats.values import from_lists, from_numbers, from_text

_BLOCK_ROWS = 1000


class ParquetReader:
    """One Parquet content; its footer has been read when it is made."""

    format = "parquet"

    def __init__(self, stream: IO[bytes]) -> None:
        self._file = pyarrow.parquet.ParquetFile(stream, page_checksum_verification=True)
        schema = self._file.schema_arrow
        self._stored_name = {name.strip().lower(): name for name in schema.names}
        shown = [name.strip().lower().replace("\0", "\ufffd") for name in schema.names]  # PostgreSQL holds no character with code 0
        self.tables: list[Mapping[str, str]] = [{name: str(schema.field(i).type) for i, name in enumerate(shown)}]
        self.units: list[Mapping[str, str]] = [
            {name: unit.decode(errors="replace") for i, name in enumerate(shown) if (unit := (schema.field(i).metadata or {}).get(b"unit"))}
        ]
        self.rows_stated: list[int | None] = [self._file.metadata.num_rows]

    def blocks(self, table: int, fields: tuple[Field, ...]) -> Iterator[FileTable]:
        """The rows, typed."""
        wanted = fields_named(self._file.schema_arrow.names, fields)
        first = 1
        for batch in self._file.iter_batches(_BLOCK_ROWS, columns=list(dict.fromkeys(self._stored_name[name] for name in wanted.values()))):
            columns = {field.name: _typed(batch.column(self._stored_name[name]), field) for field, name in wanted.items()}
            yield FileTable(np.arange(first, first + batch.num_rows, dtype=np.int64), columns)
            first += batch.num_rows


def _typed(cells: pa.Array, field: Field) -> TypedColumn:
    """One column of a block of rows."""
    if pa.types.is_dictionary(cells.type):
        cells = cells.dictionary_decode()
    if _is_written_as_text(cells.type):
        cells = cells.cast(pa.string())
    kind = cells.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return from_text(cells, field)
    null = cells.is_null().to_numpy(zero_copy_only=False)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        if not field.is_array:
            raise DataError(f"column {field.name} holds lists where one value a row is expected")
        lengths = pa.compute.list_value_length(cells).fill_null(0).to_numpy(zero_copy_only=False)
        if pa.types.is_nested(kind.value_type):
            raise DataError(f"column {field.name} is {kind} where a list of numbers is expected")
        values = cells.flatten().cast(pa.float64()).fill_null(np.nan).to_numpy(zero_copy_only=False)
        return from_lists(values, lengths, null)
    if pa.types.is_null(kind):
        return from_text(pa.nulls(len(cells), pa.string()), field)
    if field.is_array:
        raise DataError(f"column {field.name} is {kind} where a list of numbers is expected")
    if pa.types.is_floating(kind):
        return from_numbers(cells.fill_null(np.nan).to_numpy(zero_copy_only=False), null, field)
    if pa.types.is_boolean(kind):
        return from_numbers(cells.fill_null(False).to_numpy(zero_copy_only=False), null, field)
    if pa.types.is_integer(kind):
        return from_numbers(cells.fill_null(0).to_numpy(zero_copy_only=False), null, field)
    raise DataError(f"column {field.name} is {kind}, which is neither number, text nor list")


def _is_written_as_text(kind: pa.DataType) -> bool:
    """Whether values of a type are text, or have one that says all of them: decimals of 20 digits do not pass through a float."""
    views = pa.types.is_string_view(kind) or pa.types.is_binary_view(kind)
    return views or pa.types.is_decimal(kind) or pa.types.is_timestamp(kind) or pa.types.is_date(kind)
