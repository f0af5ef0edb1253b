"""A file's rows into their table, inside the file's transaction: staged, then merged so that each key keeps its fullest row.

Ties go to the smallest file sha256; a row that is not kept becomes a reject (``duplicate_source``, ``duplicate_row``) that names the file which
holds the key now. That rule orders all rows of a key, so the tables are the same for every order of files and any number of loaders.
"""

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


class TableWriter:
    """Takes the blocks of one file in its transaction; ``finish`` puts them in their table."""

    def __init__(self, connection: psycopg.Connection, release: DataRelease, file: LedgerFile, product: Product) -> None:
        self._connection = connection
        self._release = release
        self._file = file
        self._product = product
        self._table = sql.Identifier("store", product.table.name)
        connection.execute(statement("make_staging").format(table=self._table))

    def write(self, checked: CheckedRows) -> None:
        """Keep a block: its good rows for the table, the others among the rejects."""
        write_rows(self._connection, _STAGED, _of_file(checked.rows, self._file.file_id))
        write_rows(self._connection, _REJECTS, checked.rejects.of_file(self._file.file_id))

    def finish(self) -> int:
        """Merge what was written, one merge at a time in a release; returns how many rows of the file stand in the table."""
        ledger.lock_merge(self._connection, self._release)
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
