"""An upload as a temporary table on the query's own connection, which nobody else sees and which goes with it.

The rows keep their order: a table that is filled in the transaction that makes it is only ever appended to, and PostgreSQL reads a
temporary table from its first page to its last, without parallel workers.

No index is made: an upload drives a join with the catalogue or is hashed for it, and either way all of it is read. Measured with 100,000
identifiers and a million sources: an index costs 0.15 s of 0.35 s of loading and changes the plan of no join with the whole list.
"""

from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import sql

from catalog.binary_copy import write_rows
from tap_service.errors import ParameterError, TooLargeError
from tap_service.table_set import STORED_UPLOADS, UPLOADS, TapTable
from tap_service.uploads.upload_column import UploadColumn
from tap_service.uploads.votable import VOTableReader


def load(connection: psycopg.Connection[Any], name: str, reader: VOTableReader, stopped: Callable[[], bool]) -> TapTable:
    """Make TAP_UPLOAD.name of a VOTable document, readable to tap_reader, with the planner's statistics.

    Args:
        connection: as tap_service, in autocommit mode and outside a transaction.
        name: what UPLOAD calls the table.
        reader: of the document.
        stopped: asked between blocks; true ends the loading.

    Raises:
        ParameterError, TooLargeError: the document cannot be read; the message names the table.
        psycopg.errors.QueryCanceled: ``stopped`` said so; it may also raise an error of its own.
    """
    table = sql.Identifier(STORED_UPLOADS, name)
    made = False
    try:
        with connection.transaction():
            for rows in reader.blocks():
                if stopped():
                    raise psycopg.errors.QueryCanceled("the upload was ended")
                if not made:
                    _make(connection, table, reader.columns)
                    made = True
                write_rows(connection, table, rows)
            if not made:
                _make(connection, table, reader.columns)
            connection.execute(sql.SQL("GRANT SELECT ON {} TO tap_reader").format(table))
        connection.execute(sql.SQL("ANALYZE {}").format(table))
    except (ParameterError, TooLargeError) as error:
        raise type(error)(_naming(name, str(error))) from error
    except psycopg.errors.ProgramLimitExceeded as error:
        raise TooLargeError(
            f"TAP_UPLOAD.{name} cannot be taken: a row of it is too wide for the database ({error.diag.message_primary})."
        ) from error
    columns = tuple(
        column.tap_column(beyond_ascii=column.stored_name in reader.beyond_ascii, too_long=column.stored_name in reader.too_long)
        for column in reader.columns
    )
    return TapTable(UPLOADS, name, None, columns, "table", permanent=STORED_UPLOADS)


def _make(connection: psycopg.Connection[Any], table: sql.Identifier, columns: tuple[UploadColumn, ...]) -> None:
    described = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(column.stored_name), sql.SQL(column.type.postgres)) for column in columns
    )
    connection.execute(sql.SQL("CREATE TEMPORARY TABLE {} ({})").format(table, described))


def _naming(name: str, message: str) -> str:
    """The message with the table's name; what DALI wants in front stays there."""
    if message.startswith("unsupported-xtype:"):
        return f"{message.removesuffix(')')}; table TAP_UPLOAD.{name})"
    return f"TAP_UPLOAD.{name} cannot be read: {message}"
