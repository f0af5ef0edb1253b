"""Products whose rows are the columns of their table: fields, checks and packing follow from the table's description.

A product file then says only what is its own: how its header is recognised, other names and nulls of columns, rules of its rows, and columns
that are made of others.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool
from psycopg import sql

from catalog.binary_copy import Rows, copy_fields
from catalog.healpix import SHIFT, pixel_of
from catalog.schema.column import Column, ColumnType, StoreTable
from ingest.file_table import Field, FileTable
from ingest.product import CheckedRows, FileContext, Product
from ingest.row_checks import RowChecks

_OURS = ("release_id", "file_id", "row_number", "position_key")
_ARGUMENTS = 90
"""Of the 100 that a PostgreSQL function takes."""

Made = Mapping[str, tuple[np.ndarray, Bool[np.ndarray, " rows"]]]
"""Columns that are made of others: name -> values (n,) and where they are null."""


@dataclass(frozen=True)
class Rules:
    """What is special about the rows of a product.

    ``make`` gives the columns that no field of the file is (also the key of a survey's rows, where it is put together); ``check`` asks the product's
    own rules.
    """

    make: Callable[[FileTable, FileContext], Made] = lambda table, file: {}
    check: Callable[[RowChecks, FileTable, FileContext], None] = lambda checks, table, file: None


def described_product(
    name: str,
    table: StoreTable,
    recognises: Callable[[Collection[str]], bool],
    *,
    required: tuple[str, ...],
    synonyms: Mapping[str, tuple[str, ...]] | None = None,
    nulls: Mapping[str, tuple[float, ...]] | None = None,
    made: tuple[str, ...] = (),
    more_fields: tuple[Field, ...] = (),
    rules: Rules = Rules(),
) -> Product:  # fmt: skip
    """The product of a table. ``made`` names the columns that ``rules.make`` gives; ``more_fields`` are read for it and not stored.

    Rows with the key source_id keep the rules of all such rows. Rows of any other key must have all of it. A table with position_key gets it from ra
    and dec. VECTOR columns of a fixed length are read from lists of that length.
    """
    synonyms, nulls = synonyms or {}, nulls or {}
    read = tuple(column for column in table.columns if column.name not in (*_OURS, *made))
    fields = (*(_field(column, synonyms.get(column.name, ()), nulls.get(column.name, ())) for column in read), *more_fields)
    key = tuple(column for column in table.primary_key if column != "release_id")
    staged = copy_fields(table.without("file_id"))

    def check(block: FileTable, file: FileContext) -> CheckedRows:
        file_checks_worlds = not any(field.name == "solution_id" and "solution_id" in block for field in fields)
        if file_checks_worlds:
            file.keep_worlds_apart()
        checks = RowChecks.of_sources(block, file.pixels) if key == ("source_id",) else RowChecks(block)
        if not file_checks_worlds:
            checks.keep_worlds_apart(file.release)
        columns = {column.name: _stored(block, field, column) for field, column in zip(fields, read, strict=False)}
        columns |= rules.make(block, file)
        if "position_key" in [column.name for column in table.columns]:
            columns["position_key"] = _position_key(checks, *columns["ra"], *columns["dec"])
        if key != ("source_id",):
            _name_by_key(checks, columns, key)
        for field, column in zip(fields, read, strict=False):
            if column.type is ColumnType.VECTOR and column.length is not None:
                _check_length(checks, block, field.name, column.length)
        rules.check(checks, block, file)
        good = checks.good
        values = {column: values[good] for column, (values, _) in columns.items()}
        values |= {"release_id": np.full(int(good.sum()), file.release.release_id, np.int16), "row_number": block.row_number[good]}
        return CheckedRows(Rows(staged, values, {column: null[good] for column, (_, null) in columns.items()}), checks.rejects())

    counted = [column.name for column in table.columns if column.name not in _OURS]
    return Product(
        name, table, fields, recognises, check, lambda alias: _columns_with_value(alias, counted), f"of {len(counted)} columns have a value",
        required=required, key=key,
    )  # fmt: skip


def _field(column: Column, synonyms: tuple[str, ...], nulls: tuple[float, ...]) -> Field:
    if column.type is ColumnType.VECTOR:
        return Field(column.name, ColumnType.DOUBLE, True, synonyms, nulls, column.unit)
    return Field(column.name, column.type, False, synonyms, nulls, column.unit)


def _stored(block: FileTable, field: Field, column: Column) -> tuple[np.ndarray, Bool[np.ndarray, " rows"]]:
    """A field's values as its column keeps them, and where they are null."""
    if not field.is_array:
        return block.values(field), block.null(field.name)
    lists = block.ragged(field.name)
    with np.errstate(over="ignore"):
        if column.length is not None:
            return lists.matrix(column.length).astype(np.float32), block.null(field.name)
        packed = np.empty(len(block), object)
        numbers = lists.values.astype(">f4")
        packed[:] = [
            numbers[start:end].tobytes() for start, end in zip(lists.offsets[:-1].tolist(), lists.offsets[1:].tolist(), strict=True)
        ]
    return packed, block.null(field.name)


def _check_length(checks: RowChecks, block: FileTable, name: str, length: int) -> None:
    lengths = block.ragged(name).lengths
    checks.reject(
        ~block.null(name) & (lengths != length),
        f"wrong_number_of_{name}",
        lambda row: f"{name} has {lengths[row]} numbers in place of {length}",
    )


def _name_by_key(checks: RowChecks, columns: Made, key: tuple[str, ...]) -> None:
    """The record of each row is its key; a row without a part of it is rejected."""
    parts = []
    for name in key:
        values, null = columns[name]
        empty = null | (values.astype(str) == "")
        checks.reject(empty, f"missing_{name}", lambda row, name=name: f"{name} is null")  # type: ignore[misc]
        parts.append(np.where(empty, "", values.astype(str)))
    record = parts[0].astype(object)
    for part in parts[1:]:
        record = record + "/" + part.astype(object)
    checks.name_records(record)


def _position_key(
    checks: RowChecks, ra: np.ndarray, no_ra: np.ndarray, dec: np.ndarray, no_dec: np.ndarray
) -> tuple[np.ndarray, Bool[np.ndarray, " rows"]]:
    """The level-12 nested HEALPix pixel of a position times 2^35, comparable with a source_id; null without a position."""
    none = no_ra | no_dec
    on_the_sky = none | ((ra >= 0) & (ra <= 360) & (np.abs(dec) <= 90))
    checks.reject(~on_the_sky, "position_out_of_range", lambda row: f"ra {ra[row]}, dec {dec[row]}")
    usable = on_the_sky & ~none
    return pixel_of(np.where(usable, ra, 0.0), np.where(usable, dec, 0.0)) << SHIFT, ~usable


def _columns_with_value(alias: str, columns: list[str]) -> sql.Composable:
    """How many columns of a row have a value."""
    parts = [
        sql.SQL("num_nonnulls({})").format(sql.SQL(", ").join(sql.Identifier(alias, name) for name in columns[first : first + _ARGUMENTS]))
        for first in range(0, len(columns), _ARGUMENTS)
    ]
    return sql.SQL("({})").format(sql.SQL(" + ").join(parts))
