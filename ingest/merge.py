"""A file's rows into their table, inside the file's transaction, so that each key keeps its fullest row.

Ties go to the smallest file sha256; a row that is not kept becomes a reject (``duplicate_source``, ``duplicate_row``) that names the file which
holds the key now. That rule orders all rows of a key, so the tables are the same for every order of files and any number of loaders.

Rows go straight into the table first (:class:`DirectWriter`): most files share no key with another, and large rows are written once. PostgreSQL's
primary key tells when a key is taken, by this file, by one that is loaded, or, after waiting for its end, by one that is being loaded. Then the
transaction is rolled back, and the file is read again with its rows staged and merged (:class:`StagedWriter`), one merge at a time in a release.
A direct writer never asks for the merge's lock, so it can make a merge wait or fail, but not block it for good; the merge is then tried again.
"""

from typing import Protocol

import numpy as np
import psycopg
from psycopg import sql

from catalog.binary_copy import Rows, write_rows
from catalog.releases import DataRelease
from catalog.rows import CopyField
from catalog.schema.column import ColumnType
from catalog.schema.column import names as column_names
from catalog.statements import statement
from ingest import ledger
from ingest.ledger import LedgerFile
from ingest.product import CheckedRows, Product

_STAGED = sql.Identifier("staged")
_REJECTS = sql.Identifier("store", "ingest_reject")

KEY_TAKEN = (psycopg.errors.UniqueViolation, psycopg.errors.DeadlockDetected)
"""Another row has the key; or two loaders each wait for a key that the other one holds."""
_MOST_TRIES = 100
"""Every try after the first means that another file was loaded meanwhile."""


class TableWriter(Protocol):
    """Takes the blocks of one file in its transaction."""

    def write(self, checked: CheckedRows) -> None:
        """Keep a block: its good rows for the table, the others among the rejects."""
        ...

    def finish(self) -> int:
        """Put what was written in its place; returns how many rows of the file stand in the table."""
        ...


class DirectWriter:
    """Rows go straight into the table. KEY_TAKEN passes through; the transaction must be rolled back and a StagedWriter take the file."""

    def __init__(self, connection: psycopg.Connection, release: DataRelease, file: LedgerFile, product: Product) -> None:
        self._connection = connection
        self._file = file
        self._table = sql.Identifier("store", product.table.name)
        self._rows = 0

    def write(self, checked: CheckedRows) -> None:
        """As :class:`TableWriter`."""
        self._rows += write_rows(self._connection, self._table, _of_file(checked.rows, self._file.file_id))
        write_rows(self._connection, _REJECTS, checked.rejects.of_file(self._file.file_id))

    def finish(self) -> int:
        """As :class:`TableWriter`."""
        return self._rows


class StagedWriter:
    """Rows wait in a temporary table and are merged at the end."""

    def __init__(self, connection: psycopg.Connection, release: DataRelease, file: LedgerFile, product: Product) -> None:
        self._connection = connection
        self._release = release
        self._file = file
        self._product = product
        self._table = sql.Identifier("store", product.table.name)
        connection.execute(statement("make_staging").format(table=self._table))

    def write(self, checked: CheckedRows) -> None:
        """As :class:`TableWriter`."""
        write_rows(self._connection, _STAGED, _of_file(checked.rows, self._file.file_id))
        write_rows(self._connection, _REJECTS, checked.rejects.of_file(self._file.file_id))

    def finish(self) -> int:
        """As :class:`TableWriter`; a merge that meets the rows of a direct writer waits for its end and is tried again with them in sight."""
        ledger.lock_merge(self._connection, self._release)
        for _ in range(_MOST_TRIES):
            try:
                with self._connection.transaction():
                    return _merge(self._connection, self._release, self._file, self._product, self._table)
            except KEY_TAKEN:
                continue
        return _merge(self._connection, self._release, self._file, self._product, self._table)


def _merge(connection: psycopg.Connection, release: DataRelease, file: LedgerFile, product: Product, table: sql.Identifier) -> int:
    """Each key keeps its fullest row; returns how many rows of the file stand in the table."""
    has_source = any(column.name == "source_id" for column in product.table.columns)
    source = "{alias}.source_id" if has_source else "NULL::bigint"
    parts = {
        "table": table,
        "columns": sql.SQL(", ").join(map(sql.Identifier, column_names(product.table.columns))),
        "key_staged": sql.SQL(", ").join(sql.Identifier("s", name) for name in product.key),
        "same_key": sql.SQL(" AND ").join(
            sql.SQL("{} = {}").format(sql.Identifier("t", name), sql.Identifier("s", name)) for name in product.key
        ),
        "record_staged": sql.SQL("concat_ws('/', {})").format(sql.SQL(", ").join(sql.Identifier("s", name) for name in product.key)),
        "source_staged": sql.SQL(source).format(alias=sql.Identifier("s")),
        "source_held": sql.SQL(source).format(alias=sql.Identifier("t")),
        "reason": sql.Literal(product.duplicate_reason),
        "completeness_staged": product.completeness("s"),
        "completeness_held": product.completeness("t"),
        "unit": sql.Literal(f" {product.completeness_unit}"),
    }
    values = {"release_id": release.release_id, "file_id": file.file_id, "sha256": file.sha256, "product": product.name}
    connection.execute("ANALYZE staged")
    connection.execute(statement("set_aside_duplicates_within").format(**parts))
    connection.execute(statement("make_rivals"))
    if connection.execute(statement("find_rivals").format(**parts), values).rowcount:
        connection.execute("ANALYZE rival")
        connection.execute(statement("set_aside_losers").format(**parts))
        connection.execute(statement("take_out_losers").format(**parts), values)
    loaded = connection.execute(statement("insert_staged").format(**parts)).rowcount
    connection.execute(statement("point_rejects_at_winners").format(**parts), values)
    return loaded


def _of_file(rows: Rows, file_id: int) -> Rows:
    """The rows with the file that they came from."""
    fields = (*rows.fields, CopyField("file_id", ColumnType.INTEGER))
    return Rows(fields, {**rows.values, "file_id": np.full(len(rows), file_id, np.int32)}, rows.nulls)
