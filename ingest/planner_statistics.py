"""What PostgreSQL's planner knows of tables in partitions as wholes, made anew when loading or linking has changed them.

Joins of a partitioned table are estimated by statistics of the whole, which autovacuum never makes: it only sees the single partitions. Without
them every join is taken to give two hundred times too many rows or too few, and a view of several joins is read in nested loops
(PostgreSQL documentation, section "Routine Vacuuming", Updating Planner Statistics).
"""

import psycopg
from psycopg import sql

from catalog.database import Database, Role
from catalog.schema import STORE_TABLES
from catalog.statements import statement
from ingest.registry import PRODUCTS

PARTITIONED = frozenset(table.name for table in STORE_TABLES if table.partition_by is not None)
LINKS = "survey_link"


def refresh_statistics(database: Database, *, relinked: bool) -> tuple[str, ...]:
    """Make the statistics of every partitioned table into which a file was loaded since they were made, of the links where ``relinked``.

    Returns the tables' names. Reads at most some 30,000 rows of each partition.
    """
    with database.connect(Role.OWNER, autocommit=True) as connection:
        wanted = tuple(sorted((_loaded_since(connection) | ({LINKS} if relinked else set())) & PARTITIONED))
        for table in wanted:
            connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier("store", table)))
    return wanted


def _loaded_since(connection: psycopg.Connection) -> set[str]:
    """Tables whose newest file was loaded after their last statistics; a server that crashed has forgotten when those were made."""
    tables = {product.name: product.table.name for product in PRODUCTS}
    values = {"products": list(tables), "tables": list(tables.values())}
    return {table for (table,) in connection.execute(statement("tables_loaded_since_statistics"), values)}
