"""A query ready to run: the columns of its result and the statement, from its text and the tables that it may read."""

from dataclasses import dataclass

from psycopg import sql

from catalog.schema.column import ColumnType
from tap_service.adql.errors import AdqlSyntaxError
from tap_service.adql.parse import TOO_DEEP, parse
from tap_service.adql.resolve import resolve
from tap_service.adql.to_postgres import to_postgres
from tap_service.adql.typed_tree import Output, OutputColumn
from tap_service.table_set import TableSet


@dataclass(frozen=True)
class Translation:
    """A query ready to run: the columns of its result, in order, and the statement."""

    columns: tuple[OutputColumn, ...]
    statement: sql.Composed


def translate(text: str, table_set: TableSet, version: str = "2.1", limit: int | None = None) -> Translation:
    """A query on a set of tables as one PostgreSQL statement.

    Args:
        text: the query.
        table_set: the tables that it may read.
        version: ``2.0`` or ``2.1``.
        limit: the most rows that the statement may give, whatever TOP says; give MAXREC + 1 to see an overflow.

    Raises:
        AdqlError: the query is wrong; the message points at the place.
    """
    tree = parse(text, version)
    try:
        query = resolve(tree, text, table_set)
        return Translation(tuple(_output_column(output) for output in query.outputs), to_postgres(query, limit))
    except RecursionError:
        raise AdqlSyntaxError(TOO_DEEP, text, 0) from None


def _output_column(output: Output) -> OutputColumn:
    meaning = output.meaning
    if not isinstance(meaning.type, ColumnType):
        raise AssertionError(f"column {output.name} came out of the resolver as {meaning.type}")
    return OutputColumn(
        output.name,
        meaning.datatype or meaning.type.votable,
        meaning.arraysize,
        meaning.xtype,
        meaning.unit,
        meaning.ucd,
        meaning.utype,
        meaning.description,
        meaning.type,
        meaning.source_release,
    )
