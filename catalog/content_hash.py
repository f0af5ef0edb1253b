"""What the tables of releases hold, as one hash a table: equal hashes are equal catalogues, whichever way they came about.

The tables follow from their descriptions: all with a file_id or a release_id. Left out is what differs between two loads of the same files:
numbers that PostgreSQL counts, times, attempts, and the version of the code. A file's number stands as its SHA-256.
Tables that follow from others (links of surveys, 2MASS a row a source) are equal once they have been made from equal tables: link both, or neither.
"""

import hashlib
from typing import Any

import psycopg
from psycopg import sql

from catalog.schema import STORE_TABLES
from catalog.schema.column import Column, ColumnType, StoreTable
from catalog.statements import statement

_FILES = ("file_id", "winner_file_id")
_OF_THE_LOAD = ("finished", "started", "told", "loader", "attempts", "code_version")
_BATCH = 10_000

LOADED_TABLES = tuple(
    table for table in STORE_TABLES if {"file_id", "release_id"} & {column.name for column in table.columns}
)  # fmt: skip


def content_hashes(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """Table -> SHA-256 over its rows in the order of their keys; the connection must not be in autocommit, and should be in one snapshot."""
    return {table.name: _hash(connection, table) for table in LOADED_TABLES}


def _hash(connection: psycopg.Connection[Any], table: StoreTable) -> str:
    kept = [column for column in table.columns if not column.identity and column.default != "now()" and column.name not in _OF_THE_LOAD]
    if table.name == "ingest_file":
        kept = [column for column in kept if column.name != "file_id"]
    by_key = [column for column in kept if column.name in table.primary_key and column.name not in _FILES]
    # A key that PostgreSQL counts orders nothing: then the whole row does.
    order = by_key if len(by_key) == len(table.primary_key) else kept
    query = statement("rows_to_hash").format(
        table=sql.Identifier("store", table.name),
        columns=sql.SQL(", ").join(_value(column) for column in kept),
        order=sql.SQL(", ").join(map(_order, order)),
    )
    state = hashlib.sha256()
    with connection.cursor(name="rows_to_hash") as cursor:
        cursor.itersize = _BATCH
        for (row,) in cursor.execute(query):
            state.update(row.encode() + b"\n")
    return state.hexdigest()


def _value(column: Column) -> sql.Composable:
    if column.name in _FILES:
        return sql.SQL("(SELECT f.sha256 FROM store.ingest_file AS f WHERE f.file_id = t.{})").format(sql.Identifier(column.name))
    return sql.Identifier("t", column.name)


def _order(column: Column) -> sql.Composable:
    is_text = column.type is ColumnType.TEXT or column.name in _FILES
    return sql.SQL('{} COLLATE "C"').format(_value(column)) if is_text else _value(column)
